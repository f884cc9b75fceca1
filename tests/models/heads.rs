//! B22, B23: where the scores are, and what they are.

use gstgradcam::onnx::{Attr, DType, Model, Tensor};
use gstgradcam::{Error, Method};

use super::*;

fn unusable(id: &str, model: &Model, words: &[&str]) {
    let error = refusal(id, &bytes(model), words);
    assert!(matches!(error, Error::ModelUnusable { .. }), "{id}: {error:?}");
}

/// The network with something behind its logits.
fn ending(build: impl Fn(&mut Model)) -> Model {
    let mut model = net::body(17, &net::PICTURE);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    build(&mut model);
    model
}

fn of_classes(classes: usize) -> Model {
    let mut model = net::body(17, &net::PICTURE);
    net::linear(&mut model, "flat", "logits", classes);
    net::output(&mut model, "logits");
    model
}

const ALL: [Target; 3] = [Target::Rank(0), Target::Rank(1), Target::Class(2)];

/// The map is that of the logits wherever a softmax, a cast or a change of shape stands behind them.
#[test]
fn b23_behind_the_logits() {
    let axis = [("axis", Attr::Int(1))];
    let to = |dtype: i64| [("to", Attr::Int(dtype))];
    let wanted = maps(&mut open(&net::little()), &ALL);
    let softmax = ending(|m| {
        m.add_node("Softmax", "softmax", &["logits"], &["probabilities"], &axis);
        net::output(m, "probabilities");
    });
    let log = ending(|m| {
        m.add_node("LogSoftmax", "log", &["logits"], &["log_probabilities"], &axis);
        net::output(m, "log_probabilities");
    });
    let float64 = ending(|m| {
        m.add_node("Softmax", "softmax", &["logits"], &["p"], &axis);
        m.add_node("Cast", "cast", &["p"], &["wide"], &to(11));
        m.add_output("wide", Some(DType::named("float64")), None);
    });
    let cast_only = ending(|m| {
        m.add_node("Cast", "cast", &["logits"], &["wide"], &to(11));
        m.add_output("wide", Some(DType::named("float64")), None);
    });
    let both = ending(|m| {
        m.add_node("Softmax", "softmax", &["logits"], &["probabilities"], &axis);
        net::output(m, "probabilities");
        net::output(m, "logits");
    });
    let identity = ending(|m| {
        m.add_node("Softmax", "softmax", &["logits"], &["p"], &axis);
        m.add_node("Identity", "name", &["p"], &["output"], &[]);
        net::output(m, "output");
    });
    for (name, model) in [
        ("softmax", softmax),
        ("log softmax", log),
        ("float64", float64),
        ("cast only", cast_only),
        ("both", both),
        ("identity", identity),
    ] {
        let mut explainer = open(&model);
        assert_eq!((explainer.info().score.as_str(), explainer.info().activation), ("logits", "softmax"), "{name}");
        for (seen, wanted) in maps(&mut explainer, &ALL).iter().zip(&wanted) {
            assert_eq!(seen.class, wanted.class, "{name}");
            assert!((seen.score - wanted.score).abs() < 1e-6, "{name}: {} {}", seen.score, wanted.score);
            assert!(off(&seen.map, &wanted.map) < 1e-6, "{name}");
        }
    }
}

#[test]
fn b23_sigmoid_gives_each_class_its_own_probability() {
    let model = ending(|m| {
        m.add_node("Sigmoid", "sigmoid", &["logits"], &["probabilities"], &[]);
        net::output(m, "probabilities");
    });
    let mut explainer = open(&model);
    assert_eq!(explainer.info().activation, "sigmoid");
    let input = picture(&[1, 3, 8, 8]);
    let own = explainer.original_outputs(input.view()).expect("runs").remove(0).1;
    for map in maps(&mut explainer, &[0, 1, 2, 3, 4].map(Target::Class)) {
        assert!((map.score - own[[0, map.class]]).abs() < 1e-6);
    }
}

#[test]
fn b23_one_class() {
    let mut explainer = open(&of_classes(1));
    assert_eq!((explainer.info().classes, explainer.info().activation), (1, "sigmoid"));
    let input = picture(&[1, 3, 8, 8]);
    let logit = explainer.original_outputs(input.view()).expect("runs").remove(0).1[[0, 0]];
    let seen = maps(&mut explainer, &[Target::Rank(0)]).remove(0);
    assert_eq!(seen.class, 0);
    assert!((seen.score - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6);
}

#[test]
fn b23_zero_classes() {
    unusable("B23 zero", &of_classes(0), &["\"logits\"", "zero classes"]);
}

#[test]
fn b23_very_many_classes() {
    let mut explainer = open(&of_classes(21_843));
    let seen = maps(&mut explainer, &[Target::Rank(0), Target::Class(21_842)]);
    assert_eq!(seen[1].class, 21_842);
}

/// A classifier that is a 1x1 convolution: [N, C, 1, 1], flattened behind it or not.
#[test]
fn b23_classes_on_a_grid_of_one() {
    let wanted = maps(&mut open(&net::little()), &ALL);
    let fc = net::weights(&[net::CLASSES, 6], 4);
    let kernel = Tensor { shape: vec![net::CLASSES, 6, 1, 1], data: fc.data };
    for flat in [false, true] {
        let mut model = net::with_input(17, &net::PICTURE);
        net::trunk(&mut model, "x");
        model.add_node("GlobalAveragePool", "pool", &["features"], &["pooled"], &[]);
        model.add_initializer("fc.weight", &kernel);
        model.add_initializer("fc.bias", &net::weights(&[net::CLASSES], 5));
        model.add_node("Conv", "fc", &["pooled", "fc.weight", "fc.bias"], &["scores"], &[]);
        if flat {
            model.add_node("Flatten", "flatten", &["scores"], &["output"], &[]);
        }
        net::output(&mut model, if flat { "output" } else { "scores" });
        for method in [Method::GradCam, Method::Cam] {
            let mut explainer = open_with(&model, &Options { method, ..options() });
            assert_eq!(explainer.info().classes, net::CLASSES);
            assert_eq!(explainer.info().layer_shape, net::GRID);
            for (seen, wanted) in maps(&mut explainer, &ALL).iter().zip(&wanted) {
                let scale = if method == Method::Cam { 16.0 } else { 1.0 };
                assert_eq!(seen.class, wanted.class);
                assert!(off(&seen.map, &(&wanted.map * scale)) < 1e-5, "{method:?} {flat}");
            }
        }
    }
}

#[test]
fn b23_shapes_that_are_no_scores() {
    let vector = ending(|m| {
        m.add_initializer("shape", &Tensor::i64s(&[-1]));
        m.add_node("Reshape", "to_vector", &["logits", "shape"], &["scores"], &[]);
        m.add_node("Relu", "relu", &["scores"], &["output"], &[]);
        net::output(m, "output");
    });
    unusable("B23 [C]", &vector, &["\"output\"", "[5]", "[N, classes]"]);
    let mut map = net::with_input(17, &net::PICTURE);
    net::trunk(&mut map, "x");
    net::output(&mut map, "features");
    unusable("B23 segmentation", &map, &["\"features\"", "[1, 6, 4, 4]", "segmentation"]);
    let best = ending(|m| {
        m.add_node("ArgMax", "best", &["logits"], &["class"], &[("axis", Attr::Int(1))]);
        m.add_output("class", Some(DType::I64), None);
    });
    unusable("B23 int64 class", &best, &["\"class\"", "int64", "float32"]);
}

#[test]
fn b22_several_outputs() {
    let mut two = net::body(17, &net::PICTURE);
    net::linear(&mut two, "flat", "logits", net::CLASSES);
    two.add_node("Neg", "other", &["logits"], &["age"], &[]);
    net::output(&mut two, "age");
    net::output(&mut two, "logits");
    unusable("B22 two heads", &two, &["\"age\"", "\"logits\"", "[1, 5]", "score-output"]);
    let chosen = Options { score_output: Some("logits".into()), ..options() };
    let mut explainer = open_with(&two, &chosen);
    let wanted = maps(&mut open(&net::little()), &ALL);
    assert_eq!(maps(&mut explainer, &ALL)[0].map, wanted[0].map);

    let wrong = Options { score_output: Some("scores".into()), ..options() };
    let error =
        refusal_with("B22 no such output", &bytes(&two), &wrong, &["score-output=scores", "\"age\"", "\"logits\""]);
    assert!(matches!(error, Error::Setting { name: "score-output", .. }));

    // features beside the scores do not disturb
    let mut features = net::little();
    net::output(&mut features, "features");
    assert_eq!(maps(&mut open(&features), &ALL)[0].map, wanted[0].map);
    let wrong = Options { score_output: Some("features".into()), ..options() };
    let error = refusal_with("B22 not scores", &bytes(&features), &wrong, &["score-output=features", "[1, 6, 4, 4]"]);
    assert!(matches!(error, Error::Setting { name: "score-output", .. }));
}

/// Outputs of strange types are left alone.
#[test]
fn b22_an_output_that_is_a_sequence() {
    let mut model = net::little();
    model.add_node("SequenceConstruct", "list", &["logits", "flat"], &["list"], &[]);
    model.add_output("list", None, None);
    let mut explainer = open(&model);
    assert_eq!(explainer.info().score, "logits");
    assert_eq!(maps(&mut explainer, &ALL).len(), 3);
}
