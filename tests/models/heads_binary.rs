//! B23: one score for two classes.

use gstgradcam::onnx::{Attr, Model, Tensor};
use gstgradcam::{Method, ScoreKind};
use ndarray::ArrayD;

use super::*;

const BOTH: [Target; 2] = [Target::Class(0), Target::Class(1)];

/// The network of one score, with something behind it.
fn one(build: impl Fn(&mut Model)) -> Model {
    let mut model = net::body(17, &net::PICTURE);
    net::linear(&mut model, "flat", "logit", 1);
    build(&mut model);
    model
}

/// The score behind a sigmoid.
pub fn sigmoid_model() -> Model {
    one(sigmoid)
}

fn sigmoid(model: &mut Model) {
    model.add_node("Sigmoid", "sigmoid", &["logit"], &["p"], &[]);
    net::output(model, "p");
}

/// The score as the first of two classes, the second always 0.
fn twin() -> Model {
    let mut model = net::body(17, &net::PICTURE);
    let row = |t: Tensor| [t.as_f32().expect("floats"), &vec![0.0; t.shape[1..].iter().product()]].concat();
    model.add_initializer("fc.weight", &Tensor::f32(&[2, 6], row(net::weights(&[1, 6], 4))));
    model.add_initializer("fc.bias", &Tensor::f32(&[2], row(net::weights(&[1], 5))));
    model.add_node("Gemm", "fc", &["flat", "fc.weight", "fc.bias"], &["logits"], &[("transB", Attr::Int(1))]);
    net::output(&mut model, "logits");
    model
}

/// Class 1 is the score, class 0 its negative: the maps of a Grad-CAM and its counterfactual, in any method.
#[test]
fn both_classes_have_their_map_and_their_probability() {
    let model = one(sigmoid);
    let input = picture(&[1, 3, 8, 8]);
    let p = open(&model).original_outputs(input.view()).expect("runs").remove(0).1[[0, 0]];
    for method in [Method::GradCam, Method::Cam, Method::Recipro, Method::LayerCam, Method::HiResCam] {
        let mut explainer = open_with(&model, &Options { method, ..options() });
        let info = explainer.info();
        assert_eq!((info.score_kind, info.classes, info.activation), (ScoreKind::Binary, 2, "sigmoid"));
        assert!(info.warnings.is_empty(), "{:?}", info.warnings);
        let seen = maps(&mut explainer, &BOTH);
        assert!((seen[1].score - p).abs() < 1e-6 && (seen[0].score - (1.0 - p)).abs() < 1e-6);
        let best = usize::from(p > 0.5);
        let ranked = maps(&mut explainer, &[Target::Rank(0), Target::Rank(1)]);
        assert_eq!((ranked[0].class, ranked[1].class), (best, 1 - best), "{}", method.name());
        // the twin's first class has this score, against a second that has none
        let wanted = maps(&mut open_with(&twin(), &Options { method, ..options() }), &[Target::Class(0)]).remove(0);
        assert!(off(&seen[1].map, &wanted.map) < 1e-5, "{}: {} {}", method.name(), seen[1].map, wanted.map);
        let against = Options { method, versus: Some("0".into()), ..options() };
        let wanted = maps(&mut open_with(&twin(), &against), &[Target::Class(1)]).remove(0);
        assert!(off(&seen[0].map, &wanted.map) < 1e-5, "{}", method.name());
        assert_ne!(seen[0].map, seen[1].map);
    }
}

/// What speaks for 1 and against 0 is what speaks for 1, twice.
#[test]
fn versus_the_other_class_is_twice_the_score() {
    let alone = maps(&mut open(&one(sigmoid)), &BOTH);
    let versus = Options { versus: Some("0,1".into()), ..options() };
    let mut explainer = open_with(&one(sigmoid), &versus);
    let seen = maps(&mut explainer, &[Target::Class(1), Target::Class(0)]);
    for (seen, alone) in seen.iter().zip([&alone[1], &alone[0]]) {
        assert!(off(&seen.map, &(&alone.map * 2.0)) < 1e-5);
    }
}

/// `[1 - p, p]`, as some exporters write it, and its mirror image.
#[test]
fn the_complement_beside_it_is_the_same_head() {
    let wanted = maps(&mut open(&one(sigmoid)), &BOTH);
    for positive in [0, 1] {
        let model = one(|m| {
            m.add_initializer("one", &Tensor::f32(&[], vec![1.0]));
            m.add_node("Sigmoid", "sigmoid", &["logit"], &["p"], &[]);
            m.add_node("Sub", "rest", &["one", "p"], &["q"], &[]);
            let order = if positive == 1 { ["q", "p"] } else { ["p", "q"] };
            m.add_node("Concat", "both", &order, &["output"], &[("axis", Attr::Int(1))]);
            net::output(m, "output");
        });
        let mut explainer = open(&model);
        assert_eq!((explainer.info().score_kind, explainer.info().score.as_str()), (ScoreKind::Binary, "logit"));
        let own: ArrayD<f32> = explainer.original_outputs(picture(&[1, 3, 8, 8]).view()).expect("runs").remove(0).1;
        for (class, seen) in maps(&mut explainer, &BOTH).iter().enumerate() {
            assert!((seen.score - own[[0, class]]).abs() < 1e-6);
            let wanted = if positive == 1 { &wanted[class] } else { &wanted[1 - class] };
            assert!(off(&seen.map, &wanted.map) < 1e-6, "{positive} {class}");
        }
    }
}

/// A score without a sigmoid may be anything: it is said what was taken, and both readings can be asked for.
#[test]
fn a_bare_score_is_taken_for_a_logit_and_said() {
    let model = one(|m| net::output(m, "logit"));
    let bare = open(&model);
    let warnings = &bare.info().warnings;
    assert_eq!((bare.info().classes, warnings.len()), (2, 1));
    assert!(warnings[0].contains("score-kind=binary") && warnings[0].contains("score-kind=classes"), "{warnings:?}");
    for (score_kind, classes) in [(ScoreKind::Binary, 2), (ScoreKind::Classes, 1)] {
        let mut explainer = open_with(&model, &Options { score_kind, ..options() });
        let info = explainer.info();
        assert_eq!((info.classes, info.score_kind, info.warnings.len()), (classes, score_kind, 0));
        let logit = explainer.original_outputs(picture(&[1, 3, 8, 8]).view()).expect("runs").remove(0).1[[0, 0]];
        let seen = maps(&mut explainer, &[Target::Class(classes - 1)]).remove(0);
        assert!((seen.score - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6);
    }
    // beside real class scores it is no rival, but is named
    let mut beside = net::little();
    beside.add_node("ReduceMean", "age", &["logits"], &["age"], &[net::ints("axes", &[1])]);
    net::output(&mut beside, "age");
    let explainer = open(&beside);
    assert_eq!(explainer.info().score, "logits");
    assert!(explainer.info().warnings[0].contains("\"age\""), "{:?}", explainer.info().warnings);
}

#[test]
fn a_softmax_over_one_class_is_refused() {
    let model = one(|m| {
        m.add_node("Softmax", "softmax", &["logit"], &["p"], &[("axis", Attr::Int(1))]);
        net::output(m, "p");
    });
    refusal("B23 softmax of one", &bytes(&model), &["\"p\"", "softmax over one class", "export"]);
}

#[test]
fn one_name_or_two() {
    for (names, wanted) in [("good\nbad", ["good", "bad"]), ("[\"defect\"]", ["not defect", "defect"])] {
        let mut model = one(sigmoid);
        model.set_metadata("labels", names);
        let seen = maps(&mut open(&model), &BOTH);
        assert_eq!([&seen[0].label[..], &seen[1].label], wanted);
    }
}
