//! B22, B23: where the scores are, and what they are.

use gstgradcam::onnx::{Attr, DType, Model, Tensor};
use gstgradcam::{Error, Method, ScoreKind};

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
    let scaled = ending(|m| {
        m.add_initializer("hundred", &Tensor::f32(&[1], vec![100.0]));
        m.add_node("Softmax", "softmax", &["logits"], &["p"], &axis);
        m.add_node("Mul", "per_cent", &["hundred", "p"], &["per_cent"], &[]);
        m.add_node("Clip", "clip", &["per_cent"], &["clipped"], &[]);
        m.add_node("Transpose", "turn", &["clipped"], &["turned"], &[net::ints("perm", &[1, 0])]);
        m.add_initializer("shape", &Tensor::i64s(&[1, 1, -1]));
        m.add_node("Reshape", "reshape", &["turned", "shape"], &["output"], &[]);
        net::output(m, "output");
    });
    for (name, model) in [
        ("scaled", scaled),
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

/// Whatever axes of length 1 stand around the classes, and with no batch axis at all.
#[test]
fn b23_scores_of_any_rank() {
    let wanted = maps(&mut open(&net::little()), &ALL);
    for shape in [&[-1][..], &[1, 1, 5], &[1, 1, 1, 5], &[5, 1, 1], &[1, 5, 1, 1], &[1, 1, 5, 1]] {
        let model = ending(|m| {
            m.add_initializer("shape", &Tensor::i64s(shape));
            m.add_node("Reshape", "reshape", &["logits", "shape"], &["scores"], &[]);
            net::output(m, "scores");
        });
        for versus in [None, Some("1")] {
            let options = Options { versus: versus.map(String::from), ..options() };
            let mut explainer = open_with(&model, &options);
            assert_eq!((explainer.info().classes, explainer.info().score_kind), (5, ScoreKind::Classes), "{shape:?}");
            let wanted =
                if versus.is_some() { maps(&mut open_with(&net::little(), &options), &ALL) } else { wanted.clone() };
            for (seen, wanted) in maps(&mut explainer, &ALL).iter().zip(&wanted) {
                assert_eq!(seen.class, wanted.class, "{shape:?}");
                assert!(off(&seen.map, &wanted.map) < 1e-6 && (seen.score - wanted.score).abs() < 1e-6, "{shape:?}");
            }
        }
    }
}

/// An ArgMax, a TopK or a maximum beside the scores is no rival; alone, it is explained by what it reads.
#[test]
fn b23_the_best_class_as_output() {
    let wanted = maps(&mut open(&net::little()), &ALL);
    let axis = |axis| [("axis", Attr::Int(axis))];
    let softmax = |m: &mut Model| m.add_node("Softmax", "softmax", &["logits"], &["p"], &axis(1));
    let argmax = |m: &mut Model, from: &str| {
        m.add_node("ArgMax", "best", &[from], &["best"], &[("axis", Attr::Int(1)), ("keepdims", Attr::Int(0))]);
        m.add_node("Cast", "cast", &["best"], &["class"], &[("to", Attr::Int(6))]);
        m.add_output("class", Some(DType::I32), None);
    };
    let top = |m: &mut Model, from: &str| {
        m.add_initializer("k", &Tensor::i64s(&[3]));
        m.add_node("TopK", "top", &[from, "k"], &["values", "indices"], &axis(1));
        net::output(m, "values");
        m.add_output("indices", Some(DType::I64), None);
    };
    let models = [
        ending(|m| argmax(m, "logits")),
        ending(|m| {
            softmax(m);
            argmax(m, "p");
        }),
        ending(|m| {
            softmax(m);
            argmax(m, "p");
            net::output(m, "p");
        }),
        ending(|m| {
            argmax(m, "logits");
            net::output(m, "logits");
        }),
        ending(|m| top(m, "logits")),
        ending(|m| {
            softmax(m);
            top(m, "p");
            let attrs = [net::ints("axes", &[1]), ("keepdims", Attr::Int(0))];
            m.add_node("ReduceMax", "largest", &["p"], &["confidence"], &attrs);
            net::output(m, "confidence");
        }),
    ];
    for (i, model) in models.iter().enumerate() {
        let mut explainer = open(model);
        assert_eq!(explainer.info().score, "logits", "{i}");
        assert!(explainer.info().warnings.is_empty(), "{i}: {:?}", explainer.info().warnings);
        for (seen, wanted) in maps(&mut explainer, &ALL).iter().zip(&wanted) {
            assert!(off(&seen.map, &wanted.map) < 1e-6 && (seen.score - wanted.score).abs() < 1e-6, "{i}");
        }
    }
}

/// The best class is told along an axis that the logits do not have.
#[test]
fn b23_the_best_class_behind_a_constant_of_more_axes() {
    let wanted = maps(&mut open(&net::little()), &ALL);
    let model = ending(|m| {
        m.add_initializer("shape", &Tensor::i64s(&[1, 1, -1]));
        m.add_initializer("two", &Tensor::f32(&[1, 1, 1, 1], vec![2.0]));
        m.add_node("Reshape", "reshape", &["logits", "shape"], &["scores"], &[]);
        m.add_node("Sigmoid", "sigmoid", &["scores"], &["p"], &[]);
        m.add_node("Mul", "more_axes", &["p", "two"], &["twice"], &[]);
        m.add_node("ArgMax", "best", &["twice"], &["best"], &[("axis", Attr::Int(3))]);
        m.add_output("best", Some(DType::I64), None);
    });
    for (seen, wanted) in maps(&mut open(&model), &ALL).iter().zip(&wanted) {
        assert!(seen.class == wanted.class && off(&seen.map, &wanted.map) < 1e-6);
    }
}

#[test]
fn b23_shapes_that_are_no_scores() {
    let mut map = net::with_input(17, &net::PICTURE);
    net::trunk(&mut map, "x");
    net::output(&mut map, "features");
    unusable("B23 features", &map, &["\"features\"", "[1, 6, 4, 4]", "could be segmentation", "score-kind"]);
    let five = ending(|m| {
        m.add_initializer("shape", &Tensor::i64s(&[1, 1, 5, 1, 1]));
        m.add_initializer("more", &Tensor::i64s(&[1, 2, 5, 2, 1]));
        m.add_node("Reshape", "reshape", &["logits", "shape"], &["apart"], &[]);
        m.add_node("Expand", "expand", &["apart", "more"], &["scores"], &[]);
        net::output(m, "scores");
    });
    unusable("B23 [1,2,5,2,1]", &five, &["\"scores\"", "[1, 2, 5, 2, 1]", "can be none"]);
    let whole = ending(|m| {
        m.add_node("Cast", "whole", &["logits"], &["votes"], &[("to", Attr::Int(7))]);
        m.add_node("Abs", "abs", &["votes"], &["class"], &[]);
        m.add_output("class", Some(DType::I64), None);
    });
    unusable("B23 int64", &whole, &["\"class\"", "int64", "float32"]);
    let one = Options { score_kind: ScoreKind::Binary, ..options() };
    let error =
        refusal_with("B23 no binary", &bytes(&net::little()), &one, &["score-kind=binary", "\"logits\"", "[1, 5]"]);
    assert!(matches!(error, Error::Setting { name: "score-kind", .. }));
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
