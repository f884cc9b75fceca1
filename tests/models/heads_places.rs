//! Segmentation: a score for each class in each place, against the formula in plain loops.

use gstgradcam::onnx::{Attr, DType, Model, Tensor};
use gstgradcam::{Error, Method, ScoreKind};
use ndarray::{Array2, ArrayD, Axis};

use super::contract::tensor;
use super::*;

const CLASSES: usize = 4;
/// Enlarged twice, each cell to four.
const SIDE: usize = 8;

fn classifier() -> Vec<f32> {
    net::weights(&[CLASSES, 6, 1, 1], 21).as_f32().expect("floats").to_vec()
}

/// features, a 1x1 convolution to classes, and a transposed one that repeats each cell: "logits" [1, C, 8, 8].
fn body(classes: usize) -> Model {
    let mut model = net::with_input(13, &net::PICTURE);
    net::trunk(&mut model, "x");
    model.add_initializer("w", &net::weights(&[classes, 6, 1, 1], 21));
    model.add_node("Conv", "classify", &["features", "w"], &["small"], &[]);
    let unit = |i: usize| if i / 4 % classes == i / (4 * classes) { 1.0 } else { 0.0 };
    model.add_initializer(
        "repeat",
        &Tensor::f32(&[classes, classes, 2, 2], (0..classes * classes * 4).map(unit).collect()),
    );
    model.add_node("ConvTranspose", "enlarge", &["small", "repeat"], &["logits"], &[net::ints("strides", &[2, 2])]);
    model
}

fn ending(classes: usize, build: impl Fn(&mut Model)) -> Model {
    let mut model = body(classes);
    build(&mut model);
    model
}

pub fn softmax() -> Model {
    ending(CLASSES, |m| {
        m.add_node("Softmax", "softmax", &["logits"], &["p"], &[("axis", Attr::Int(1))]);
        net::output(m, "p");
    })
}

/// Of each class: how many places it wins, its mean probability there, and its map, [4, 4].
fn by_hand(input: &ArrayD<f32>) -> Vec<(usize, f32, Array2<f32>)> {
    let (features, logits) = (tensor(&body(CLASSES), "features", input), tensor(&body(CLASSES), "logits", input));
    let (w, mut area, mut likely) = (classifier(), [0; CLASSES], [0.0; CLASSES]);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let at: Vec<f32> = (0..CLASSES).map(|c| logits[[0, c, y, x]]).collect();
            let best = (0..CLASSES).fold(0, |best, c| if at[c] > at[best] { c } else { best });
            area[best] += 1;
            likely[best] += at[best].exp() / at.iter().map(|v| v.exp()).sum::<f32>();
        }
    }
    let map = |c: usize| {
        // each place won adds w / 16 to the weight of a channel
        let weight = |k: usize| w[c * 6 + k] * area[c] as f32 / 16.0;
        Array2::from_shape_fn((4, 4), |(y, x)| (0..6).map(|k| weight(k) * features[[0, k, y, x]]).sum::<f32>().max(0.0))
    };
    (0..CLASSES).map(|c| (area[c], if area[c] > 0 { likely[c] / area[c] as f32 } else { 0.0 }, map(c))).collect()
}

fn every() -> Vec<Target> {
    (0..CLASSES).map(Target::Class).collect()
}

fn agrees(name: &str, explainer: &mut Explainer) {
    let wanted = by_hand(&picture(&[1, 3, 8, 8]));
    let info = explainer.info();
    assert_eq!(
        (info.score_kind, info.classes, info.layer.as_str()),
        (ScoreKind::Segmentation, CLASSES, "features"),
        "{name}"
    );
    assert!(
        info.self_check.as_ref().is_some_and(|check| check.to_string().contains("gradient within")),
        "{name}: {:?}",
        info.self_check
    );
    let seen = maps(explainer, &every());
    for (seen, (area, likely, map)) in seen.iter().zip(&wanted) {
        assert!((seen.score - likely).abs() < 1e-5, "{name} {}: {} {likely}", seen.class, seen.score);
        assert!(off(&seen.map, map) < 1e-5, "{name} {}: {} {map}", seen.class, seen.map);
        if *area == 0 {
            assert!(seen.reason.as_ref().is_some_and(|why| why.contains("wins no place")), "{name}: {:?}", seen.reason);
        }
    }
    let mut ranking: Vec<usize> = (0..CLASSES).collect();
    ranking.sort_by_key(|&c| std::cmp::Reverse(wanted[c].0));
    let ranks: Vec<Target> = (0..CLASSES).map(Target::Rank).collect();
    let ranked: Vec<usize> = maps(explainer, &ranks).iter().map(|seen| wanted[seen.class].0).collect();
    assert_eq!(ranked, ranking.iter().map(|&c| wanted[c].0).collect::<Vec<_>>(), "{name}");
}

#[test]
fn the_score_is_the_sum_over_the_places_won() {
    let wanted = by_hand(&picture(&[1, 3, 8, 8]));
    let winners = wanted.iter().filter(|(area, ..)| *area > 0).count();
    assert!(
        (2..CLASSES).contains(&winners),
        "some win and some do not: {:?}",
        wanted.iter().map(|w| w.0).collect::<Vec<_>>()
    );
    agrees("softmax", &mut open(&softmax()));
    let bare = ending(CLASSES, |m| net::output(m, "logits"));
    let mut explainer = open(&bare);
    let warnings = &explainer.info().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("score-kind=segmentation"), "{warnings:?}");
    agrees("of the picture's size", &mut explainer);
    let said = Options { score_kind: ScoreKind::Segmentation, ..options() };
    let mut explainer = open_with(&bare, &said);
    assert!(explainer.info().warnings.is_empty(), "{:?}", explainer.info().warnings);
    agrees("said", &mut explainer);
    let argmax = ending(CLASSES, |m| {
        m.add_node("ArgMax", "best", &["logits"], &["best"], &[("axis", Attr::Int(1)), ("keepdims", Attr::Int(0))]);
        m.add_output("best", Some(DType::I64), None);
    });
    agrees("argmax alone", &mut open(&argmax));
    let mut named = bare.clone();
    named.set_metadata("labels", "a\nb\nc\nd");
    let mut explainer = open(&named);
    assert!(explainer.info().warnings.is_empty(), "{:?}", explainer.info().warnings);
    agrees("as many names", &mut explainer);
}

/// Channels last, and a softmax over the last axis, as Keras and exporters of old opsets have it.
#[test]
fn channels_last() {
    for activation in [true, false] {
        let model = ending(CLASSES, |m| {
            m.add_node("Transpose", "turn", &["logits"], &["turned"], &[net::ints("perm", &[0, 2, 3, 1])]);
            if activation {
                m.add_node("Softmax", "softmax", &["turned"], &["output"], &[("axis", Attr::Int(-1))]);
            }
            net::output(m, if activation { "output" } else { "turned" });
        });
        agrees("channels last", &mut open(&model));
    }
}

/// One picture without its axis.
#[test]
fn without_a_batch_axis() {
    let model = ending(CLASSES, |m| {
        m.add_node("Softmax", "softmax", &["logits"], &["p"], &[("axis", Attr::Int(1))]);
        m.add_initializer("shape", &Tensor::i64s(&[CLASSES as i64, 8, 8]));
        m.add_node("Reshape", "reshape", &["logits", "shape"], &["plain"], &[]);
        m.add_node("Softmax", "again", &["plain"], &["output"], &[("axis", Attr::Int(0))]);
        net::output(m, "output");
    });
    agrees("without a batch axis", &mut open(&model));
}

/// A class's mask against another's.
#[test]
fn versus() {
    let input = picture(&[1, 3, 8, 8]);
    let (wanted, w, features) = (by_hand(&input), classifier(), tensor(&body(CLASSES), "features", &input));
    for (a, b) in [(0, 1), (1, 0), (2, 3), (3, 1)] {
        let options = Options { versus: Some(b.to_string()), ..options() };
        let seen = maps(&mut open_with(&softmax(), &options), &[Target::Class(a)]).remove(0);
        let weight = |k: usize| (w[a * 6 + k] * wanted[a].0 as f32 - w[b * 6 + k] * wanted[b].0 as f32) / 16.0;
        let map = |(y, x)| (0..6).map(|k| weight(k) * features[[0, k, y, x]]).sum::<f32>().max(0.0);
        assert!(off(&seen.map, &Array2::from_shape_fn((4, 4), map)) < 1e-5, "{a} against {b}");
    }
}

/// One channel for two classes: each wins where the logit has its sign.
#[test]
fn one_channel_is_two_classes() {
    let model = ending(1, |m| {
        m.add_node("Sigmoid", "sigmoid", &["logits"], &["p"], &[]);
        net::output(m, "p");
    });
    let input = picture(&[1, 3, 8, 8]);
    let (features, logits) = (tensor(&body(1), "features", &input), tensor(&body(1), "logits", &input));
    let w = net::weights(&[1, 6, 1, 1], 21);
    let w = w.as_f32().expect("floats");
    let mut explainer = open_with(&model, &Options { score_kind: ScoreKind::Segmentation, ..options() });
    assert_eq!((explainer.info().classes, explainer.info().activation), (2, "sigmoid"));
    for seen in maps(&mut explainer, &[Target::Class(0), Target::Class(1)]) {
        let sign = if seen.class == 1 { 1.0 } else { -1.0 };
        let won: Vec<f32> = logits.iter().copied().filter(|&v| (v > 0.0) == (seen.class == 1)).collect();
        let likely = won.iter().map(|&v| 1.0 / (1.0 + (-sign * v).exp())).sum::<f32>() / won.len().max(1) as f32;
        assert!((seen.score - likely).abs() < 1e-5, "{}: {} {likely}", seen.class, seen.score);
        let weight = |k: usize| sign * w[k] * won.len() as f32 / 16.0;
        let map = |(y, x)| (0..6).map(|k| weight(k) * features[[0, k, y, x]]).sum::<f32>().max(0.0);
        assert!(off(&seen.map, &Array2::from_shape_fn((4, 4), map)) < 1e-5, "{}", seen.class);
    }
    let warned = open(&model);
    assert!(warned.info().warnings[0].contains("segmentation of 2 classes"), "{:?}", warned.info().warnings);
}

/// Other methods go by the same score, or say that they cannot.
#[test]
fn other_methods() {
    let classes = every();
    for method in [
        Method::LayerCam,
        Method::HiResCam,
        Method::GradCamPp,
        Method::XGradCam,
        Method::GuidedGradCam,
        Method::EigenCam,
    ] {
        let mut explainer = open_with(&softmax(), &Options { method, ..options() });
        assert_eq!(maps(&mut explainer, &classes).len(), CLASSES, "{}", method.name());
    }
    // mask by mask a linear head gives what its gradient says, place by place
    let hires = maps(&mut open_with(&softmax(), &Options { method: Method::HiResCam, ..options() }), &classes);
    let recipro = maps(&mut open_with(&softmax(), &Options { method: Method::Recipro, ..options() }), &classes);
    for (a, b) in recipro.iter().zip(&hires) {
        assert!(off(&a.map, &b.map) < 1e-4, "{}: {} {}", a.class, a.map, b.map);
    }
    let cam = Options { method: Method::Cam, ..options() };
    refusal_with("cam of places", &bytes(&softmax()), &cam, &["method=cam", "segmentation", "method=gradcam"]);
}

/// Neither the scores nor what is already one channel a class is chosen by itself, nor offered.
#[test]
fn the_layer_is_in_front_of_the_classes() {
    let explainer = open(&softmax());
    let info = explainer.info();
    assert_eq!(info.layer, "features");
    assert!(!info.runner_ups.iter().any(|name| name == "small" || name == "logits"), "{:?}", info.runner_ups);
    assert!(info.runner_ups.iter().any(|name| name == "conv2"), "{:?}", info.runner_ups);
    let asked = Options { target_layer: Some("small".into()), ..options() };
    assert_eq!(open_with(&softmax(), &asked).info().layer, "small", "but whoever asks gets it");
}

/// A map of the wrong size, a picture, two heads: no guess in silence.
#[test]
fn what_may_be_something_else() {
    let mut small = body(CLASSES);
    net::output(&mut small, "small");
    let words = ["\"small\" (float32 [1, 4, 4, 4])", "could be segmentation", "score-kind"];
    let error = refusal("small", &bytes(&small), &words);
    assert!(matches!(error, Error::ModelUnusable { .. }));
    let said = Options { score_kind: ScoreKind::Segmentation, ..options() };
    assert_eq!(open_with(&small, &said).info().classes, CLASSES);
    let asked = Options { score_output: Some("small".into()), ..options() };
    let error = refusal_with("small, asked", &bytes(&small), &asked, &["score-output=small", "could be segmentation"]);
    assert!(matches!(error, Error::Setting { name: "score-output", .. }));
    let mut two = softmax();
    two.add_node("Neg", "neg", &["logits"], &["other"], &[]);
    two.add_node("Softmax", "softmax2", &["other"], &["aux"], &[("axis", Attr::Int(1))]);
    net::output(&mut two, "aux");
    refusal("two maps", &bytes(&two), &["\"p\"", "\"aux\"", "segmentation", "score-output"]);
    let asked = Options { score_output: Some("p".into()), ..options() };
    agrees("asked", &mut open_with(&two, &asked));
}

/// Two pictures in one run, each by itself.
#[test]
fn the_map_of_each_of_two_pictures() {
    use gstgradcam::cam::{self, Request};
    use gstgradcam::engine::{Config, Engine, Input, Output};
    let mut model = softmax();
    model.pin_input("x", DType::F32, &[2, 3, 8, 8]);
    let input = picture(&[2, 3, 8, 8]);
    let lowered =
        cam::lower(&model, &contract::facts(&model, &input), "x", &Request::default()).expect("it is explained");
    let config = Config { library: support::runtime(), threads: 1, ..Config::default() };
    let mut engine = Engine::new(&bytes(&lowered.model), &config).expect("sound");
    for class in 0..CLASSES {
        let target = ndarray::arr1(&[class as i64]).into_dyn();
        let inputs = [("x", Input::F32(input.view())), ("gradcam_target", Input::I64(target.view()))];
        let outputs = engine.run(&inputs, &["gradcam_score", "gradcam_map"]).expect("it runs");
        let [Output::F32(score), Output::F32(map)] = &outputs[..] else { panic!("other types") };
        for n in 0..2 {
            let one = input.index_axis(Axis(0), n).insert_axis(Axis(0)).as_standard_layout().into_owned();
            let (_, likely, wanted) = &by_hand(&one)[class];
            assert!((score[[n, 0]] - likely).abs() < 1e-5);
            assert!(off(map.index_axis(Axis(0), n).iter(), wanted) < 1e-5, "{class} {n}");
        }
    }
}
