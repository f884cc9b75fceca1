//! The explained model as anybody's runtime sees it: names, types, shapes, values (DESIGN.md, "a contract of its own").

use std::collections::HashMap;

use gstgradcam::cam::{self, Request};
use gstgradcam::engine::{Config, Engine, Input, Output};
use gstgradcam::onnx::{DType, Fact, Facts, Model};
use gstgradcam::{Error, Method};
use ndarray::{Array1, ArrayD, Axis};

use super::*;

fn config() -> Config {
    Config { library: support::runtime(), threads: 1, ..Config::default() }
}

fn engine(bytes: &[u8]) -> Engine {
    Engine::new(bytes, &config()).expect("the runtime takes it")
}

/// The contract's three outputs.
struct Seen {
    class: ArrayD<i64>,
    score: ArrayD<f32>,
    map: ArrayD<f32>,
}

fn explain(engine: &mut Engine, input: &ArrayD<f32>, targets: &[i64]) -> Result<Seen, Error> {
    let targets = Array1::from(targets.to_vec()).into_dyn();
    let inputs = [("x", Input::F32(input.view())), ("gradcam_target", Input::I64(targets.view()))];
    let outputs = engine.run(&inputs, &["gradcam_class", "gradcam_score", "gradcam_map"])?;
    let [Output::I64(class), Output::F32(score), Output::F32(map)] = &outputs[..] else {
        panic!("types differ from the contract: {outputs:?}");
    };
    Ok(Seen { class: class.clone(), score: score.clone(), map: map.clone() })
}

fn floats(output: &Output) -> ArrayD<f32> {
    let Output::F32(array) = output else { panic!("not float32: {output:?}") };
    array.clone()
}

/// Any tensor of a model, by the plain runtime.
pub fn tensor(model: &Model, name: &str, input: &ArrayD<f32>) -> ArrayD<f32> {
    let mut model = model.clone();
    model.keep_outputs(&[name]);
    floats(&engine(&bytes(&model)).run(&[("x", Input::F32(input.view()))], &[name]).expect("it runs")[0])
}

#[test]
fn names_types_and_shapes() {
    let engine = engine(&open(&net::little()).explained_model().expect("it can be written"));
    let told = |infos: &[gstgradcam::engine::Info]| -> Vec<(String, String, Vec<i64>)> {
        infos.iter().map(|i| (i.name.clone(), i.kind.clone(), i.shape.clone())).collect()
    };
    let row = |name: &str, kind: &str, shape: &[i64]| (name.to_string(), kind.to_string(), shape.to_vec());
    assert_eq!(told(engine.inputs()), [row("x", "float32", &[1, 3, 8, 8]), row("gradcam_target", "int64", &[-1])]);
    assert_eq!(
        told(engine.outputs()),
        [
            row("logits", "float32", &[1, 5]),
            row("gradcam_class", "int64", &[1, -1]),
            row("gradcam_score", "float32", &[1, -1]),
            row("gradcam_map", "float32", &[1, -1, 4, 4]),
            row("gradcam_peak", "float32", &[1, -1]),
        ]
    );
}

#[test]
fn metadata() {
    let mut model = net::little();
    model.set_metadata("author", "somebody");
    let explainer = open(&model);
    let metadata =
        Model::from_bytes(&explainer.explained_model().expect("it can be written")).expect("sound").metadata();
    for (key, value) in [
        ("author", "somebody"),
        ("gradcam.method", "gradcam"),
        ("gradcam.layer", "features"),
        ("gradcam.logits", "logits"),
        ("gradcam.activation", "softmax"),
        ("gradcam.input", "x"),
        ("gradcam.version", env!("CARGO_PKG_VERSION")),
        ("gradcam.name.target", "gradcam_target"),
        ("gradcam.name.class", "gradcam_class"),
        ("gradcam.name.score", "gradcam_score"),
        ("gradcam.name.map", "gradcam_map"),
        ("gradcam.name.peak", "gradcam_peak"),
        ("gradcam.mean", "0.485,0.456,0.406"),
        ("gradcam.color-format", "rgb"),
    ] {
        assert_eq!(metadata.get(key).map(String::as_str), Some(value), "{key}");
    }
}

/// Against Selvaraju's formula, worked out by hand: behind a pool and a linear layer the weights are w / Z.
#[test]
fn values_by_hand() {
    let model = net::little();
    let input = picture(&[1, 3, 8, 8]);
    let features = tensor(&model, "features", &input);
    let logits = tensor(&model, "logits", &input);
    let rows = net::weights(&[net::CLASSES, 6], 4);
    let rows = rows.as_f32().expect("floats");
    let sum: f32 = logits.iter().map(|x| x.exp()).sum();
    let mut ranking: Vec<usize> = (0..net::CLASSES).collect();
    ranking.sort_by(|&a, &b| logits[[0, b]].total_cmp(&logits[[0, a]]));
    for (method, z) in [(Method::GradCam, 16.0), (Method::Cam, 1.0)] {
        let explainer = open_with(&model, &Options { method, ..options() });
        let mut engine = engine(&explainer.explained_model().expect("it can be written"));
        for targets in [&[-1][..], &[-1, -2, 3], &[3, 3, 0, -5, 4]] {
            let seen = explain(&mut engine, &input, targets).expect("it runs");
            let k = targets.len();
            assert_eq!(seen.class.shape(), [1, k]);
            assert_eq!(seen.score.shape(), [1, k]);
            assert_eq!(seen.map.shape(), [1, k, 4, 4]);
            for (i, &target) in targets.iter().enumerate() {
                let class = if target < 0 { ranking[(-1 - target) as usize] } else { target as usize };
                assert_eq!(seen.class[[0, i]], class as i64);
                assert!((seen.score[[0, i]] - logits[[0, class]].exp() / sum).abs() < 1e-6);
                let by_hand = ArrayD::from_shape_fn(vec![4, 4], |at| {
                    let cell = |k: usize| features[[0, k, at[0], at[1]]] * rows[class * 6 + k] / z;
                    (0..6).map(cell).sum::<f32>().max(0.0)
                });
                let map = seen.map.index_axis(Axis(0), 0).index_axis(Axis(0), i).to_owned();
                assert!(off(&map, &by_hand) < 1e-5, "{} class {class}: {map} {by_hand}", method.name());
            }
        }
    }
}

#[test]
fn own_outputs_are_unchanged_to_the_bit() {
    let mut model = net::little();
    net::output(&mut model, "features");
    let mut explainer = open(&model);
    let input = picture(&[1, 3, 8, 8]);
    let original = explainer.original_outputs(input.view()).expect("runs");
    let explained = explainer.explained_outputs(input.view()).expect("runs");
    assert_eq!(original.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), ["logits", "features"]);
    for ((name, a), (_, b)) in original.iter().zip(&explained) {
        assert!(a.iter().zip(b).all(|(x, y)| x.to_bits() == y.to_bits()), "{name}");
    }
}

/// At an early layer, where the gradient differs from place to place and class to class.
#[test]
fn many_classes_in_one_run_are_the_classes_one_by_one() {
    for layer in ["features", "conv2", "relu1", "conv1"] {
        let explainer = open_with(&net::little(), &Options { target_layer: Some(layer.into()), ..options() });
        let mut engine = engine(&explainer.explained_model().expect("it can be written"));
        let input = picture(&[1, 3, 8, 8]);
        let all = explain(&mut engine, &input, &[0, 1, 2, 3, 4, -1]).expect("it runs");
        for (i, target) in [0, 1, 2, 3, 4, -1].into_iter().enumerate() {
            let one = explain(&mut engine, &input, &[target]).expect("it runs");
            assert_eq!(all.class[[0, i]], one.class[[0, 0]]);
            let of = |m: &ArrayD<f32>, i: usize| m.index_axis(Axis(0), 0).index_axis(Axis(0), i).to_owned();
            assert!(off(&of(&all.map, i), &of(&one.map, 0)) < 1e-5, "{layer} {target}");
        }
    }
}

#[test]
fn no_target_and_no_such_target() {
    let mut explainer = open(&net::little());
    assert!(maps(&mut explainer, &[]).is_empty());
    let input = picture(&[1, 3, 8, 8]);
    for target in [Target::Class(5), Target::Rank(5), Target::Rank(100), Target::Class(1 << 40)] {
        let error = run(&mut explainer, &input, &[target]).expect_err("there is no such class");
        says("no such class", error, &["class", "5"]);
    }
}

/// What the library measures with one picture, here with two.
pub fn facts(model: &Model, input: &ArrayD<f32>) -> Facts {
    let names: Vec<String> = model.nodes().flat_map(|n| n.outputs().to_vec()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut probe = model.clone();
    probe.keep_outputs(&names);
    let outputs = engine(&bytes(&probe)).run(&[("x", Input::F32(input.view()))], &names).expect("it runs");
    let fact = |shape: &[usize]| Fact { dtype: DType::F32, shape: shape.to_vec(), value: None };
    let mut facts: HashMap<String, Fact> =
        names.iter().zip(&outputs).map(|(name, out)| (name.to_string(), fact(floats(out).shape()))).collect();
    facts.insert("x".into(), fact(input.shape()));
    for name in model.initializer_names() {
        facts.insert(name.into(), fact(&model.initializer(name).expect("it is there").shape));
    }
    Facts(facts)
}

/// Several pictures at a time, one class each: each map is the picture's own.
#[test]
fn two_pictures_in_one_run() {
    let model = net::little_for(17, &[Some(2), Some(3), Some(8), Some(8)]);
    let input = picture(&[2, 3, 8, 8]);
    let facts = facts(&model, &input);
    for method in [Method::GradCam, Method::Cam] {
        for layer in [None, Some("conv1")] {
            if method == Method::Cam && layer.is_some() {
                continue;
            }
            let request = Request { method, target_layer: layer, ..Request::default() };
            let lowered = cam::lower(&model, &facts, "x", &request).expect("it is explained");
            let mut both = engine(&bytes(&lowered.model));
            let options = Options { method, target_layer: layer.map(String::from), ..options() };
            let mut single = engine(&open_with(&net::little(), &options).explained_model().expect("it can be written"));
            for target in [-1, -2, 3] {
                let seen = explain(&mut both, &input, &[target]).expect("it runs");
                assert_eq!((seen.class.shape(), seen.score.shape()), (&[2, 1][..], &[2, 1][..]));
                assert_eq!(seen.map.shape()[..2], [2, 1]);
                for n in 0..2 {
                    let one = input.index_axis(Axis(0), n).insert_axis(Axis(0)).as_standard_layout().into_owned();
                    let alone = explain(&mut single, &one, &[target]).expect("it runs");
                    assert_eq!(seen.class[[n, 0]], alone.class[[0, 0]]);
                    assert!((seen.score[[n, 0]] - alone.score[[0, 0]]).abs() < 1e-6);
                    let (a, b) = (seen.map.index_axis(Axis(0), n), alone.map.index_axis(Axis(0), 0));
                    assert!(off(&a, &b) < 1e-5, "{} {layer:?} {target}, picture {n}", method.name());
                }
            }
        }
    }
}

/// One class has an engine of its own, several have another, also when they take turns.
#[test]
fn a_class_alone_and_among_several() {
    for versus in [None, Some("2".to_string())] {
        let mut explainer = open_with(&net::little(), &Options { versus, ..options() });
        let mut seen = |targets: &[Target]| maps(&mut explainer, targets);
        let several = [Target::Class(3), Target::Rank(0), Target::Class(1)];
        let alone: Vec<_> = several.iter().map(|&target| seen(&[target]).remove(0)).collect();
        for turn in 0..2 {
            let together = seen(&several);
            assert_eq!(together.len(), several.len());
            for (a, b) in alone.iter().zip(&together) {
                assert_eq!(a.class, b.class);
                assert!((a.score - b.score).abs() < 1e-6);
                assert!(off(&a.map, &b.map) < 1e-5, "class {}, turn {turn}", a.class);
            }
            assert_eq!(seen(&several[..1])[0].map, alone[0].map);
        }
    }
}

#[test]
fn an_explained_model_is_not_explained_again() {
    let explained = open(&net::little()).explained_model().expect("it can be written");
    let error = refusal("twice", &explained, &["explained model already", "gradcam export", "give the original"]);
    assert!(matches!(error, Error::ModelUnusable { .. }));
}
