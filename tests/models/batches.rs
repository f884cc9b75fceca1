//! Several pictures in one run: each is explained as it is alone, with a class of its own; what fixes a file to one picture is
//! rewritten, or told by its node.

use gstgradcam::frame::Region;
use gstgradcam::onnx::{Attr, DType, Data, Model, Tensor};
use gstgradcam::{Error, Explanation, Method, ScoreKind};
use ndarray::{ArrayD, ArrayViewD, Axis};

use super::heads_boxes::{Tail, v5, v8};
use super::{formats, heads_binary, heads_places, *};

/// Pictures in a batch.
const N: usize = 3;
/// Classes that are looked at, the best ones and the first ones.
const CLASSES: usize = 6;

fn of(pictures: usize, options: &Options) -> Options {
    Options { batch_size: pictures, ..options.clone() }
}

fn method(method: Method) -> Options {
    Options { method, ..options() }
}

fn at(layer: &str) -> Options {
    Options { target_layer: Some(layer.into()), ..options() }
}

/// Another part of the frame for each.
fn regions(count: usize) -> Vec<Region> {
    (0..count).map(|n| Region { x: n as f32, y: 0.0, width: 1.0, height: 1.0 }).collect()
}

fn batch(explainer: &mut Explainer, inputs: ArrayViewD<f32>, targets: &[Target]) -> Result<Vec<Explanation>, Error> {
    let regions = regions(inputs.len_of(Axis(0)));
    explainer.explain_batch(inputs, targets, &regions)
}

/// Different pictures.
fn pictures(explainer: &Explainer, count: usize) -> ArrayD<f32> {
    let mut shape = explainer.input_shape().to_vec();
    shape[0] = count;
    picture(&shape)
}

fn one(inputs: &ArrayD<f32>, n: usize) -> ArrayD<f32> {
    inputs.index_axis(Axis(0), n).insert_axis(Axis(0)).as_standard_layout().into_owned()
}

/// The maps may differ by rounding, as a part of the largest value of all of them.
fn same(id: &str, got: &ClassMap, wanted: &ClassMap, largest: f32) {
    assert_eq!((got.class, &got.label), (wanted.class, &wanted.label), "{id}");
    assert!((got.score - wanted.score).abs() < 1e-5, "{id}: {} {}", got.score, wanted.score);
    assert_eq!(got.map.dim(), wanted.map.dim(), "{id}");
    let off = got.map.iter().zip(&wanted.map).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(off <= 1e-5 * largest, "{id}: off by {off} of {largest}: {} {}", got.map, wanted.map);
}

/// Opens a model for one picture and for several, and compares.
pub fn each_as_alone(id: &str, model: &Model, options: &Options) {
    let (mut alone, mut several) = (open_with(model, options), open_with(model, &of(N, options)));
    assert_eq!((alone.batch_size(), several.batch_size()), (1, N));
    assert_eq!(several.input_shape(), alone.input_shape());
    let (a, b) = (alone.info(), several.info());
    assert_eq!((&a.layers, &a.grid, a.score_kind, a.method), (&b.layers, &b.grid, b.score_kind, b.method), "{id}");
    let check = b.self_check.clone().expect("it was made");
    println!("{id}: {check}");
    assert!(check.alone.is_some_and(|off| off < 1e-5), "{id}: {check}");
    let (inputs, classes) = (pictures(&several, N), a.classes.min(CLASSES));
    // each picture's own class: the best ones of some beside the first ones of others
    let target = |turn: usize, n: usize| {
        let class = (turn + 2 * n) % classes;
        if (turn + n).is_multiple_of(2) { Target::Rank(class) } else { Target::Class(class) }
    };
    let mut pairs = Vec::new();
    for turn in 0..classes {
        let targets: Vec<Target> = (0..N).map(|n| target(turn, n)).collect();
        let seen = batch(&mut several, inputs.view(), &targets).expect("it runs");
        assert_eq!(seen.len(), N);
        for (n, mut one_of) in seen.into_iter().enumerate() {
            assert_eq!((one_of.maps.len(), one_of.region), (1, regions(N)[n]), "{id}");
            let wanted = run(&mut alone, &one(&inputs, n), &targets[n..=n]).expect("it runs").remove(0);
            pairs.push((n, one_of.maps.remove(0), wanted));
        }
    }
    let largest = pairs.iter().flat_map(|(.., wanted)| &wanted.map).fold(0.0f32, |m, &x| m.max(x));
    assert!(largest > 0.0, "{id}: every map is zero");
    pairs.iter().for_each(|(n, got, wanted)| same(&format!("{id}, picture {n}"), got, wanted, largest));
}

#[test]
fn by_every_method() {
    for way in Method::all().filter(|way| *way != Method::Recipro) {
        each_as_alone(way.name(), &net::little(), &method(way));
    }
}

#[test]
fn at_every_layer() {
    for layer in ["features", "conv2", "relu1", "conv1", "conv1,features"] {
        each_as_alone(layer, &net::little(), &at(layer));
        each_as_alone(layer, &net::little(), &Options { method: Method::LayerCam, ..at(layer) });
    }
}

/// Opset 9 has no GatherElements; as many pictures as classes must not be taken for them.
#[test]
fn in_every_opset() {
    for opset in [7, 9, 10, 11, 13, 18] {
        each_as_alone(&format!("opset {opset}"), &net::little_for(opset, &net::PICTURE), &options());
    }
    let mut three = net::body(9, &net::PICTURE);
    net::linear(&mut three, "flat", "logits", N);
    net::output(&mut three, "logits");
    each_as_alone("as many classes", &three, &options());
    each_as_alone("as many classes, cam", &three, &method(Method::Cam));
}

#[test]
fn whatever_the_file_says() {
    let dims = |n| [n, Some(3), Some(8), Some(8)];
    each_as_alone("dynamic", &net::little_for(17, &dims(None)), &options());
    each_as_alone("for eight", &net::little_for(17, &dims(Some(8))), &options());
    each_as_alone("another size", &net::little(), &Options { input_size: Some((12, 8)), ..options() });
    let mut last = net::with_input(17, &[Some(1), Some(8), Some(8), Some(3)]);
    last.add_node("Transpose", "to_nchw", &["x"], &["picture"], &[net::ints("perm", &[0, 3, 1, 2])]);
    net::trunk(&mut last, "picture");
    net::pool(&mut last);
    net::linear(&mut last, "flat", "logits", net::CLASSES);
    net::output(&mut last, "logits");
    each_as_alone("channels last", &last, &options());
}

#[test]
fn with_every_kind_of_score() {
    for (id, model) in [("binary", heads_binary::sigmoid_model()), ("segmentation", heads_places::softmax())] {
        each_as_alone(id, &model, &options());
    }
    let said = Options { score_kind: ScoreKind::Detection, ..options() };
    for (id, tail) in [("sigmoid", Tail::Sigmoid), ("logits", Tail::Bare), ("hidden", Tail::Hidden)] {
        each_as_alone(&format!("entries first, {id}"), &v8(0.0, tail, 0), &said);
    }
    each_as_alone("entries last, with an objectness", &v5(0.0), &said);
}

#[test]
fn in_every_number_format() {
    for name in ["float16", "bfloat16", "float64"] {
        each_as_alone(name, &Model::from_bytes(&formats::all_in(name)).expect("sound"), &options());
    }
    each_as_alone("quantised", &formats::quantised(4.0), &options());
}

/// A table read at places that come from the picture is no picture that is picked.
#[test]
fn rows_of_a_table_for_each_picture() {
    let mut model = net::with_input(17, &net::PICTURE);
    net::trunk(&mut model, "x");
    net::pool(&mut model);
    model.add_node("ArgMax", "best", &["flat"], &["best"], &[("axis", Attr::Int(1)), ("keepdims", Attr::Int(0))]);
    model.add_initializer("table", &net::weights(&[6, 6], 41));
    model.add_node("Gather", "rows", &["table", "best"], &["row"], &[]);
    model.add_node("Add", "sum", &["flat", "row"], &["summed"], &[]);
    net::linear(&mut model, "summed", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    each_as_alone("table", &model, &options());
}

#[test]
fn one_class_for_all_and_a_short_batch() {
    let (mut alone, mut several) = (open(&net::little()), open_with(&net::little(), &of(N, &options())));
    for count in 1..=N {
        let inputs = pictures(&several, count);
        for target in [Target::Rank(0), Target::Class(3)] {
            let seen = batch(&mut several, inputs.view(), &[target]).expect("it runs");
            assert_eq!(seen.len(), count);
            for (n, seen) in seen.iter().enumerate() {
                let wanted = run(&mut alone, &one(&inputs, n), &[target]).expect("it runs").remove(0);
                let largest = wanted.map.iter().fold(f32::MIN_POSITIVE, |m, &x| m.max(x));
                same(&format!("{n} of {count}"), &seen.maps[0], &wanted, largest);
            }
        }
    }
}

/// The same picture for each class, in as many runs as it takes.
#[test]
fn several_classes_of_one_picture() {
    let (mut alone, mut several) = (open(&net::little()), open_with(&net::little(), &of(2, &options())));
    let targets: Vec<Target> = (0..net::CLASSES).map(Target::Class).collect();
    let (wanted, got) = (maps(&mut alone, &targets), maps(&mut several, &targets));
    assert_eq!(got.len(), net::CLASSES);
    let largest = wanted.iter().flat_map(|one| &one.map).fold(0.0f32, |m, &x| m.max(x));
    wanted.iter().zip(&got).for_each(|(wanted, got)| same("several classes", got, wanted, largest));
    assert!(maps(&mut several, &[]).is_empty());
}

#[test]
fn each_against_a_class_of_its_own() {
    let versus = |text: &str| Options { versus: Some(text.into()), ..options() };
    let inputs = picture(&[N, 3, 8, 8]);
    let targets = [Target::Class(0), Target::Rank(0), Target::Class(1)];
    for (text, of_each) in [("2", ["2", "2", "2"]), ("-2,3,4", ["-2", "3", "4"])] {
        let seen = batch(&mut open_with(&net::little(), &of(N, &versus(text))), inputs.view(), &targets);
        for (n, seen) in seen.expect("it runs").iter().enumerate() {
            let mut alone = open_with(&net::little(), &versus(of_each[n]));
            let wanted = run(&mut alone, &one(&inputs, n), &targets[n..=n]).expect("it runs").remove(0);
            same(&format!("{n} against {text}"), &seen.maps[0], &wanted, 1.0);
        }
    }
    let mut several = open_with(&net::little(), &of(N, &versus("2,3")));
    let error = batch(&mut several, inputs.view(), &targets).expect_err("two for three");
    says("versus", error, &["2 of them for 3"]);
}

#[test]
fn what_does_not_fit() {
    let mut several = open_with(&net::little(), &of(N, &options()));
    let best = [Target::Rank(0); 4];
    let error = batch(&mut several, picture(&[4, 3, 8, 8]).view(), &best).expect_err("too many");
    says("four pictures", error, &["up to 3", "[4, 3, 8, 8]"]);
    let error = batch(&mut several, picture(&[N, 3, 8, 9]).view(), &best[..1]).expect_err("another size");
    says("another size", error, &["[1, 3, 8, 8]", "[3, 3, 8, 9]"]);
    let error = batch(&mut several, picture(&[0, 3, 8, 8]).view(), &best[..1]).expect_err("none");
    says("no picture", error, &["[0, 3, 8, 8]"]);
    let error = batch(&mut several, picture(&[N, 3, 8, 8]).view(), &best[..2]).expect_err("two for three");
    assert!(matches!(says("two classes", error, &["3 pictures"]), Error::Target { .. }));
    let error = batch(&mut several, picture(&[N, 3, 8, 8]).view(), &[Target::Class(9)]).expect_err("no such class");
    assert!(matches!(says("class 9", error, &["0..=4"]), Error::Target { .. }));
    for count in [0, 257, 100_000] {
        let error = refusal_with("size", &bytes(&net::little()), &of(count, &options()), &["batch-size", "1 to 256"]);
        assert!(matches!(error, Error::Setting { name: "batch-size", .. }));
    }
}

#[test]
fn what_cannot_be() {
    let words = ["batch-size=3", "method=recipro", "one picture"];
    let error = refusal_with("recipro", &bytes(&net::little()), &of(N, &method(Method::Recipro)), &words);
    assert!(matches!(error, Error::Setting { name: "batch-size", .. }));
    let ending = |build: &dyn Fn(&mut Model)| {
        let mut model = net::body(17, &net::PICTURE);
        build(&mut model);
        net::linear(&mut model, "changed", "logits", net::CLASSES);
        net::output(&mut model, "logits");
        bytes(&model)
    };
    let fixed = |id: &str, bytes: &[u8], words: &[&str]| {
        open_bytes(bytes, &options());
        let error = refusal_with(id, bytes, &of(N, &options()), words);
        assert!(matches!(error, Error::Setting { name: "batch-size", .. }), "{error:?}");
    };
    let picked = ending(&|m| {
        m.add_initializer("first", &Tensor { shape: vec![], data: Data::I64(vec![0]) });
        m.add_node("Gather", "pick", &["flat", "first"], &["only"], &[("axis", Attr::Int(0))]);
        m.add_initializer("to", &Tensor::i64s(&[1, 6]));
        m.add_node("Reshape", "row", &["only", "to"], &["changed"], &[]);
    });
    fixed("one is picked", &picked, &["Gather node \"pick\" picks one picture"]);
    let mean = ending(&|m| {
        m.add_node("ReduceMean", "mean", &["flat"], &["changed"], &[net::ints("axes", &[0])]);
    });
    fixed("mean", &mean, &["ReduceMean node \"mean\" works along the pictures"]);
    let squeezed = ending(&|m| {
        m.add_initializer("axes", &Tensor::i64s(&[0]));
        m.add_node("Squeeze", "less", &["flat", "axes"], &["only"], &[]);
        m.add_node("Unsqueeze", "more", &["only", "axes"], &["changed"], &[]);
    });
    fixed("squeezed", &squeezed, &["Squeeze node \"less\" takes the pictures' axis away"]);
    let held = ending(&|m| {
        m.add_initializer("turned", &net::weights(&[1, 1], 9));
        m.add_node("MatMul", "mix", &["turned", "flat"], &["changed"], &[]);
    });
    fixed("held", &held, &["MatMul node \"mix\"", "export it with a dynamic batch size"]);
    // only the figures show that the pictures are summed up
    let summed = ending(&|m| {
        m.add_initializer("axis", &Tensor { shape: vec![], data: Data::I64(vec![0]) });
        m.add_node("CumSum", "strange", &["flat", "axis"], &["changed"], &[]);
    });
    open_bytes(&summed, &options());
    let error = refusal_with("summed", &summed, &of(N, &options()), &["self-check", "mixes pictures", "batch-size=3"]);
    assert!(matches!(error, Error::SelfCheck { .. }));
}

/// What exporters fix to one picture: shapes with a 1 in front, heads merged with it, a token of its own.
#[test]
fn shapes_that_say_one_picture() {
    let mut model = net::with_input(17, &net::PICTURE);
    net::trunk(&mut model, "x");
    let reshape = |model: &mut Model, from: &str, to: &str, dims: &[i64]| {
        model.add_initializer(&format!("{to}.shape"), &Tensor::i64s(dims));
        model.add_node("Reshape", to, &[from, &format!("{to}.shape")], &[to], &[]);
    };
    let turn = |model: &mut Model, from: &str, to: &str, perm: &[i64]| {
        model.add_node("Transpose", to, &[from], &[to], &[net::ints("perm", perm)]);
    };
    reshape(&mut model, "features", "sequence", &[1, 6, 16]);
    // tokens in front, as torch's own attention has them, and two heads beside the picture
    turn(&mut model, "sequence", "tokens", &[2, 0, 1]);
    reshape(&mut model, "tokens", "parted", &[16, 2, 3]);
    turn(&mut model, "parted", "heads", &[1, 0, 2]);
    turn(&mut model, "heads", "keys", &[0, 2, 1]);
    model.add_node("MatMul", "likeness", &["heads", "keys"], &["likeness"], &[]);
    model.add_node("Softmax", "shares", &["likeness"], &["shares"], &[("axis", Attr::Int(-1))]);
    model.add_node("MatMul", "seen", &["shares", "heads"], &["seen"], &[]);
    turn(&mut model, "seen", "back", &[1, 0, 2]);
    reshape(&mut model, "back", "rows", &[16, 6]);
    model.add_initializer("mix", &net::weights(&[6, 6], 32));
    model.add_node("MatMul", "mixed", &["rows", "mix"], &["mixed"], &[]);
    reshape(&mut model, "mixed", "again", &[16, 1, 6]);
    turn(&mut model, "again", "first", &[1, 0, 2]);
    model.add_initializer("token", &net::weights(&[1, 1, 6], 33));
    model.add_node("Concat", "with_token", &["token", "first"], &["with_token"], &[("axis", Attr::Int(1))]);
    model.add_node(
        "ReduceMean",
        "mean",
        &["with_token"],
        &["flat"],
        &[net::ints("axes", &[1]), ("keepdims", Attr::Int(0))],
    );
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    each_as_alone("one picture", &model, &at("features"));
}

/// Axes are computed, as Swin's of rows and columns are, around a 1 that is written down; and all of them, as of a dynamic batch.
#[test]
fn shapes_that_are_computed() {
    for first in ["one", "pictures"] {
        let mut model = net::with_input(17, &net::PICTURE);
        net::trunk(&mut model, "x");
        model.add_node("Shape", "shape", &["features"], &["sizes"], &[]);
        for (name, value) in [("0", 0), ("1", 1), ("2", 2)] {
            model.add_initializer(name, &Tensor::i64s(&[value]));
        }
        model.add_node("Gather", "batch", &["sizes", "0"], &["pictures"], &[]);
        model.add_node("Gather", "channels", &["sizes", "1"], &["c"], &[]);
        model.add_node("Gather", "rows", &["sizes", "2"], &["h"], &[]);
        model.add_node("Mul", "cells", &["h", "h"], &["hh"], &[]);
        model.add_initializer("one", &Tensor::i64s(&[1]));
        model.add_node("Concat", "target", &[first, "c", "hh"], &["to"], &[("axis", Attr::Int(0))]);
        model.add_node("Reshape", "line", &["features", "to"], &["sequence"], &[]);
        let mean = [net::ints("axes", &[2]), ("keepdims", Attr::Int(0))];
        model.add_node("ReduceMean", "mean", &["sequence"], &["flat"], &mean);
        net::linear(&mut model, "flat", "logits", net::CLASSES);
        net::output(&mut model, "logits");
        each_as_alone(first, &model, &at("features"));
    }
}

/// The exported file says what it takes: classes for all pictures, one each.
#[test]
fn the_contract_of_a_batch() {
    let explained = open_with(&net::little(), &of(N, &options())).explained_model().expect("it can be written");
    let explained = Model::from_bytes(&explained).expect("sound");
    let shape = |name: &str, of: Vec<gstgradcam::onnx::ValueInfo>| {
        let found = of.into_iter().find(|value| value.name == name).expect("it is there");
        (found.dtype, found.shape.expect("it has one"))
    };
    let (n, float) = (Some(N), Some(DType::F32));
    assert_eq!(shape("x", explained.inputs()), (float, vec![n, Some(3), Some(8), Some(8)]));
    assert_eq!(shape("gradcam_target", explained.inputs()), (Some(DType::I64), vec![None]));
    assert_eq!(shape("gradcam_class", explained.outputs()), (Some(DType::I64), vec![n, Some(1)]));
    assert_eq!(shape("gradcam_score", explained.outputs()), (float, vec![n, Some(1)]));
    assert_eq!(shape("gradcam_map", explained.outputs()), (float, vec![n, Some(1), Some(4), Some(4)]));
}
