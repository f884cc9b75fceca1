//! Detection: boxes and scores in one tensor, as YOLO's exports lay them out, against the formula in plain loops.

use std::collections::BTreeSet;

use gstgradcam::onnx::{Attr, Model, Tensor};
use gstgradcam::{Method, ScoreKind};
use ndarray::{Array2, ArrayD};

use super::contract::tensor;
use super::*;

const CLASSES: usize = 3;
/// The layer's grid, and the coarser one of the second scale.
const SCALES: [usize; 2] = [4, 2];

fn reshape(model: &mut Model, from: &str, to: &str, shape: &[usize]) {
    let dims: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
    let name = format!("{to}.shape");
    model.add_initializer(&name, &Tensor::i64s(&dims));
    model.add_node("Reshape", to, &[from, &name], &[to], &[]);
}

/// "features" and, of a strided 1x1 convolution of units, "features2": every second cell. Opset 13.
fn body() -> Model {
    let mut model = net::with_input(13, &net::PICTURE);
    net::trunk(&mut model, "x");
    let unit = |i: usize| if i / 6 == i % 6 { 1.0 } else { 0.0 };
    model.add_initializer("unit", &Tensor::f32(&[6, 6, 1, 1], (0..36).map(unit).collect()));
    model.add_node("Conv", "coarse", &["features", "unit"], &["features2"], &[net::ints("strides", &[2, 2])]);
    model
}

fn features(scale: usize) -> &'static str {
    ["features", "features2"][scale]
}

/// A 1x1 convolution to so many channels; its bias is `bias` everywhere.
fn conv(model: &mut Model, scale: usize, name: &str, channels: usize, seed: u32, bias: f32) {
    model.add_initializer(&format!("{name}.w"), &net::weights(&[channels, 6, 1, 1], seed));
    model.add_initializer(&format!("{name}.b"), &Tensor::f32(&[channels], vec![bias; channels]));
    model.add_node("Conv", name, &[features(scale), &format!("{name}.w"), &format!("{name}.b")], &[name], &[]);
}

/// Whose scores go through what.
#[derive(Clone, Copy, PartialEq)]
pub enum Tail {
    Sigmoid,
    /// Nothing: the output holds logits.
    Bare,
    /// Something that nobody looks through.
    Hidden,
}

/// `[1, 4 + C (+ extra), A]`: boxes, and scores behind one sigmoid.
pub fn v8(bias: f32, tail: Tail, extra: usize) -> Model {
    let mut model = body();
    for (scale, side) in SCALES.into_iter().enumerate() {
        conv(&mut model, scale, &format!("head{scale}"), 4 + CLASSES + extra, 31 + scale as u32, bias);
        reshape(&mut model, &format!("head{scale}"), &format!("flat{scale}"), &[1, 4 + CLASSES + extra, side * side]);
    }
    let concat = |m: &mut Model, name: &str, parts: &[&str], axis| {
        m.add_node("Concat", name, parts, &[name], &[("axis", Attr::Int(axis))])
    };
    concat(&mut model, "all", &["flat0", "flat1"], 2);
    let mut sizes = vec![4, CLASSES as i64];
    sizes.extend((extra > 0).then_some(extra as i64));
    model.add_initializer("sizes", &Tensor::i64s(&sizes));
    let parts = ["boxes", "classes", "more"];
    model.add_node("Split", "split", &["all", "sizes"], &parts[..sizes.len()], &[("axis", Attr::Int(1))]);
    model.add_node("Mul", "decode", &["boxes", "boxes"], &["decoded"], &[]);
    let scores = match tail {
        Tail::Bare => "classes",
        Tail::Sigmoid | Tail::Hidden => {
            model.add_node("Sigmoid", "sigmoid", &["classes"], &["scores"], &[]);
            if tail == Tail::Hidden { "hidden" } else { "scores" }
        }
    };
    if tail == Tail::Hidden {
        model.add_node("Sqrt", "hide", &["scores"], &["hidden"], &[]);
    }
    let more: &[&str] = if extra > 0 { &["more"] } else { &[] };
    concat(&mut model, "output0", &[&["decoded", scores], more].concat(), 1);
    net::output(&mut model, "output0");
    model
}

/// `[1, A, 5 + C]`: for each scale two boxes a cell, one sigmoid over boxes, objectness and classes, boxes decoded behind it.
pub fn v5(bias: f32) -> Model {
    let (mut model, no) = (body(), 5 + CLASSES);
    for (scale, side) in SCALES.into_iter().enumerate() {
        let name = |part: &str| format!("{part}{scale}");
        conv(&mut model, scale, &name("head"), 2 * no, 31 + scale as u32, bias);
        reshape(&mut model, &name("head"), &name("split"), &[1, 2, no, side, side]);
        model.add_node(
            "Transpose",
            &name("turn"),
            &[&name("split")],
            &[&name("turned")],
            &[net::ints("perm", &[0, 1, 3, 4, 2])],
        );
        model.add_node("Sigmoid", &name("sigmoid"), &[&name("turned")], &[&name("y")], &[]);
        model.add_initializer(&name("sizes"), &Tensor::i64s(&[2, 2, CLASSES as i64 + 1]));
        let parts = [name("xy"), name("wh"), name("conf")];
        model.add_node(
            "Split",
            &name("cut"),
            &[&name("y"), &name("sizes")],
            &parts.each_ref().map(String::as_str),
            &[("axis", Attr::Int(4))],
        );
        model.add_node("Add", &name("xy_decode"), &[&parts[0], &parts[0]], &[&name("xy_decoded")], &[]);
        model.add_node("Mul", &name("wh_decode"), &[&parts[1], &parts[1]], &[&name("wh_decoded")], &[]);
        let joined = [name("xy_decoded"), name("wh_decoded"), parts[2].clone()];
        let joined = joined.each_ref().map(String::as_str);
        model.add_node("Concat", &name("join"), &joined, &[&name("joined")], &[("axis", Attr::Int(4))]);
        reshape(&mut model, &name("joined"), &name("flat"), &[1, 2 * side * side, no]);
    }
    model.add_node("Concat", "all", &["flat0", "flat1"], &["output0"], &[("axis", Attr::Int(1))]);
    net::output(&mut model, "output0");
    model
}

/// An anchor: its scale, its cell in the layer, and which of the boxes there.
struct Anchor {
    scale: usize,
    cell: (usize, usize),
    which: usize,
}

fn anchor(index: usize, boxes: usize) -> Anchor {
    let first = boxes * SCALES[0] * SCALES[0];
    let (scale, rest) = if index < first { (0, index) } else { (1, index - first) };
    let side = SCALES[scale];
    let step = SCALES[0] / side;
    Anchor { scale, cell: (rest / side % side * step, rest % side * step), which: rest / (side * side) }
}

/// The map of a logit that is a row of a 1x1 convolution at one cell: its gradient is that row there, and zero elsewhere.
fn map_by_hand(model: &Model, input: &ArrayD<f32>, at: &Anchor, channel: usize) -> Array2<f32> {
    let activations = tensor(model, "features", input);
    let rows = model.initializer(&format!("head{}.w", at.scale)).expect("it is there");
    let rows = rows.as_f32().expect("floats");
    let weight = |k: usize| rows[channel * 6 + k] / 16.0;
    Array2::from_shape_fn((4, 4), |(y, x)| (0..6).map(|k| weight(k) * activations[[0, k, y, x]]).sum::<f32>().max(0.0))
}

/// What a class's best anchor says.
struct Wanted {
    score: f32,
    map: Array2<f32>,
    cell: (usize, usize),
}

/// For each class, from the model's own output.
fn by_hand(model: &Model, boxes: usize) -> Vec<Wanted> {
    let input = picture(&[1, 3, 8, 8]);
    let out = tensor(model, "output0", &input);
    let (first, no, last) = if boxes == 2 { (5, 5 + CLASSES, true) } else { (4, 4 + CLASSES, false) };
    let anchors = out.len() / out.shape()[if last { 2 } else { 1 }];
    let value = |entry: usize, a: usize| if last { out[[0, a, entry]] } else { out[[0, entry, a]] };
    (0..CLASSES)
        .map(|class| {
            let score = |a: usize| value(first + class, a) * if last { value(4, a) } else { 1.0 };
            let best = (0..anchors).fold(0, |best, a| if score(a) > score(best) { a } else { best });
            let at = anchor(best, boxes);
            let map = map_by_hand(model, &input, &at, at.which * no + first + class);
            Wanted { score: score(best), map, cell: at.cell }
        })
        .collect()
}

fn agrees(name: &str, model: &Model, wanted: &[Wanted]) {
    let explainer = &mut open(model);
    let info = explainer.info();
    assert_eq!(
        (info.score_kind, info.classes, info.layer.as_str()),
        (ScoreKind::Detection, CLASSES, "features"),
        "{name}"
    );
    assert!(
        info.self_check.as_ref().is_some_and(|check| check.to_string().contains("gradient within")),
        "{name}: {:?}",
        info.self_check
    );
    for seen in maps(explainer, &[0, 1, 2].map(Target::Class)) {
        let Wanted { score, map, .. } = &wanted[seen.class];
        assert!((seen.score - score).abs() < 1e-6, "{name} {}: {} {score}", seen.class, seen.score);
        assert!(off(&seen.map, map) < 1e-5, "{name} {}: {} {map}", seen.class, seen.map);
    }
    // gradient times activation, place by place, is there at the anchor's cell alone
    let hires = Options { method: Method::HiResCam, ..options() };
    for seen in maps(&mut open_with(model, &hires), &[0, 1, 2].map(Target::Class)) {
        let Wanted { map, cell, .. } = &wanted[seen.class];
        let one = Array2::from_shape_fn((4, 4), |at| if at == *cell { map[at] * 16.0 } else { 0.0 });
        assert!(off(&seen.map, &one) < 1e-5, "{name} {} at {cell:?}: {} {map}", seen.class, seen.map);
    }
    let mut ranking: Vec<usize> = (0..CLASSES).collect();
    ranking.sort_by(|&a, &b| wanted[b].score.total_cmp(&wanted[a].score));
    let ranked: Vec<usize> = maps(explainer, &[0, 1, 2].map(Target::Rank)).iter().map(|seen| seen.class).collect();
    assert_eq!(ranked, ranking, "{name}");
}

#[test]
fn entries_before_anchors_have_no_objectness() {
    let model = v8(0.1, Tail::Sigmoid, 0);
    let explainer = open(&model);
    let info = explainer.info();
    assert_eq!((info.score.as_str(), info.activation, info.warnings.len()), ("classes", "sigmoid", 0), "{info:?}");
    agrees("v8", &model, &by_hand(&model, 1));
}

#[test]
fn entries_behind_anchors_have_one() {
    let model = v5(0.1);
    let explainer = open(&model);
    let info = explainer.info();
    assert_eq!(
        (info.score.as_str(), info.activation, info.warnings.len()),
        ("gradcam_logits", "sigmoid", 0),
        "{info:?}"
    );
    agrees("v5", &model, &by_hand(&model, 2));
    // the class by its number of names, too
    let mut named = model.clone();
    named.set_metadata("names", "{0: 'a', 1: 'b', 2: 'c'}");
    agrees("v5, named", &named, &by_hand(&model, 2));
}

/// Every score is 1 in float32: the output's gradient is zero, that of what the sigmoid reads is not.
#[test]
fn a_saturated_sigmoid_does_not_kill_the_gradient() {
    for (name, model, boxes) in [("v8", v8(60.0, Tail::Sigmoid, 0), 1), ("v5", v5(60.0), 2)] {
        let wanted = by_hand(&model, boxes);
        assert!(wanted.iter().all(|wanted| wanted.score == 1.0), "{name}");
        for seen in maps(&mut open(&model), &[0, 1, 2].map(Target::Class)) {
            assert!(off(&seen.map, &wanted[seen.class].map) < 1e-5, "{name} {}: {}", seen.class, seen.map);
        }
    }
}

/// Scores that nothing has made probabilities of are logits; behind what is not looked through they are taken as they are.
#[test]
fn bare_scores_and_hidden_ones() {
    let bare = v8(0.1, Tail::Bare, 0);
    let wanted = by_hand(&v8(0.1, Tail::Sigmoid, 0), 1);
    let explainer = open(&bare);
    assert_eq!((explainer.info().score.as_str(), explainer.info().activation), ("output0", "sigmoid"));
    agrees("bare", &bare, &wanted);
    let hidden = v8(0.1, Tail::Hidden, 0);
    let mut explainer = open(&hidden);
    assert_eq!((explainer.info().score.as_str(), explainer.info().activation), ("output0", "none"));
    for seen in maps(&mut explainer, &[0, 1, 2].map(Target::Class)) {
        // by the chain rule: sqrt(s)' = s' / (2 sqrt s), s' = s (1 - s)
        let Wanted { score, map, .. } = &wanted[seen.class];
        assert!((seen.score - score.sqrt()).abs() < 1e-6);
        let slope = score * (1.0 - score) / (2.0 * score.sqrt());
        assert!(off(&seen.map, &(map * slope)) < 1e-5, "{}", seen.class);
    }
}

/// Mask coefficients or key points behind the classes: the graph shows where these end.
#[test]
fn what_stands_behind_the_classes_is_no_class() {
    for extra in [1, 5] {
        let model = v8(0.1, Tail::Sigmoid, extra);
        let mut explainer = open(&model);
        assert_eq!((explainer.info().classes, explainer.info().score.as_str()), (CLASSES, "classes"));
        let seen = maps(&mut explainer, &[Target::Rank(0)]).remove(0);
        let own = explainer.original_outputs(picture(&[1, 3, 8, 8]).view()).expect("runs").remove(0).1;
        let best = (0..20).map(|a| own[[0, 4 + seen.class, a]]).fold(0.0f32, f32::max);
        assert!((seen.score - best).abs() < 1e-6);
    }
}

/// No cut behind the boxes is seen: nothing says that these are boxes, until somebody does; or the number of names.
#[test]
fn boxes_that_the_graph_does_not_show() {
    let hide = |mut model: Model| {
        model.keep_outputs(&[]);
        model.add_node("Abs", "hide", &["output0"], &["final"], &[]);
        net::output(&mut model, "final");
        model
    };
    let detection = Options { score_kind: ScoreKind::Detection, ..options() };
    let v8 = hide(v8(0.1, Tail::Sigmoid, 0));
    refusal("hidden boxes", &bytes(&v8), &["\"final\" (float32 [1, 7, 20])", "could be detection", "score-kind"]);
    let explainer = open_with(&v8, &detection);
    assert_eq!((explainer.info().classes, explainer.info().score.as_str()), (3, "final"));
    assert!(
        explainer.info().warnings[0].contains("without an objectness and 3 classes"),
        "{:?}",
        explainer.info().warnings
    );
    let v5 = hide(v5(0.1));
    let explainer = open_with(&v5, &detection);
    assert!(
        explainer.info().warnings[0].contains("with an objectness and 3 classes"),
        "{:?}",
        explainer.info().warnings
    );
    for (names, classes) in [("a\nb\nc", 3), ("a\nb\nc\nd", 4)] {
        let mut named = v5.clone();
        named.set_metadata("labels", names);
        let explainer = open(&named);
        assert_eq!((explainer.info().classes, explainer.info().warnings.len()), (classes, 0), "{names}");
    }
}

#[test]
fn selected_boxes_are_refused() {
    let mut model = v8(0.1, Tail::Sigmoid, 0);
    model.keep_outputs(&[]);
    model.add_initializer("k", &Tensor::i64s(&[2]));
    let turn = [net::ints("perm", &[0, 2, 1])];
    model.add_node("Transpose", "turn", &["output0"], &["rows"], &turn);
    model.add_node(
        "ReduceMax",
        "best",
        &["scores"],
        &["confidence"],
        &[net::ints("axes", &[1]), ("keepdims", Attr::Int(0))],
    );
    model.add_node("TopK", "select", &["confidence", "k"], &["values", "places"], &[("axis", Attr::Int(1))]);
    reshape(&mut model, "places", "flat_places", &[2]);
    model.add_node("Gather", "pick", &["rows", "flat_places"], &["final"], &[("axis", Attr::Int(1))]);
    net::output(&mut model, "final");
    refusal("selected", &bytes(&model), &["\"final\"", "selected already", "\"select\""]);
}

#[test]
fn versus_and_other_methods() {
    let input = picture(&[1, 3, 8, 8]);
    for (name, model, boxes) in [("v8", v8(0.1, Tail::Sigmoid, 0), 1), ("v5", v5(0.1), 2)] {
        let alone = by_hand(&model, boxes);
        let against = Options { versus: Some("1".into()), ..options() };
        let seen = maps(&mut open_with(&model, &against), &[Target::Class(1), Target::Class(0), Target::Class(2)]);
        assert!(seen[0].reason.is_some(), "{name}: against itself");
        for one in &seen[1..] {
            // the signed maps are not to hand, but where class 1 alone is zero the difference is at least the class's own
            let own = &alone[one.class].map;
            for ((y, x), &value) in one.map.indexed_iter() {
                assert!(alone[1].map[[y, x]] > 0.0 || value >= own[[y, x]] - 1e-5, "{name} {}", one.class);
            }
        }
        for method in Method::all().filter(|&method| method != Method::Cam) {
            let mut explainer = open_with(&model, &Options { method, ..options() });
            run(&mut explainer, &input, &[Target::Rank(0)]).unwrap_or_else(|e| panic!("{name} {}: {e}", method.name()));
        }
        let cam = Options { method: Method::Cam, ..options() };
        refusal_with("cam of boxes", &bytes(&model), &cam, &["method=cam", "detection"]);
    }
}

/// What heads add to a graph is what TensorRT takes.
#[test]
fn what_heads_add_is_what_tensorrt_takes() {
    let allowed: BTreeSet<&str> =
        include_str!("../../src/onnx/tensorrt.txt").lines().filter(|l| !l.starts_with('#')).collect();
    let mut places = net::with_input(13, &net::PICTURE);
    net::trunk(&mut places, "x");
    net::output(&mut places, "features");
    let mut one = net::body(13, &net::PICTURE);
    net::linear(&mut one, "flat", "logit", 1);
    net::output(&mut one, "logit");
    let segmentation = ScoreKind::Segmentation;
    for (model, score_kind) in [
        (v8(0.1, Tail::Sigmoid, 0), ScoreKind::Auto),
        (v8(0.1, Tail::Bare, 0), ScoreKind::Auto),
        (v5(0.1), ScoreKind::Auto),
        (places, segmentation),
        (one, ScoreKind::Binary),
        (net::little(), ScoreKind::Classes),
    ] {
        let layer = Some("relu1".into());
        for method in [Method::GradCam, Method::Recipro] {
            let explainer = open_with(
                &model,
                &Options { score_kind, method, target_layer: layer.clone(), versus: Some("-2".into()), ..options() },
            );
            let explained = Model::from_bytes(&explainer.explained_model().expect("written")).expect("sound");
            let own: BTreeSet<String> = model.nodes().map(|node| node.op()).collect();
            let added: BTreeSet<String> =
                explained.nodes().map(|node| node.op()).filter(|op| !own.contains(op)).collect();
            let strange: Vec<&String> = added.iter().filter(|op| !allowed.contains(op.as_str())).collect();
            assert!(strange.is_empty(), "{score_kind:?} {}: {strange:?}", method.name());
        }
    }
}
