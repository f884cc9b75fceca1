//! B23: softmax and sigmoid written out in simpler operators, doubled, or over the wrong axis.

use gstgradcam::ScoreKind;
use gstgradcam::onnx::{Attr, Model, Tensor};

use super::*;

const ALL: [Target; 3] = [Target::Rank(0), Target::Rank(1), Target::Class(2)];

/// The network of `classes` with something behind its logits.
fn ending(classes: usize, build: impl Fn(&mut Model)) -> Model {
    let mut model = net::body(11, &net::PICTURE);
    net::linear(&mut model, "flat", "logits", classes);
    for (name, value) in [("one", 1.0), ("minus", -1.0), ("cold", 0.5)] {
        model.add_initializer(name, &Tensor::f32(&[], vec![value]));
    }
    build(&mut model);
    net::output(&mut model, "output");
    model
}

fn node(model: &mut Model, op: &str, inputs: &[&str], to: &str) {
    let attrs = match op {
        "ReduceSum" | "ReduceMax" | "ReduceLogSumExp" => vec![net::ints("axes", &[1])],
        "Softmax" | "LogSoftmax" => vec![("axis", Attr::Int(1))],
        _ => Vec::new(),
    };
    model.add_node(op, to, inputs, &[to], &attrs);
}

/// Operator, inputs, output of each node, one a line.
fn written(classes: usize, lines: &[(&str, &[&str], &str)]) -> Model {
    ending(classes, |m| lines.iter().for_each(|(op, inputs, to)| node(m, op, inputs, to)))
}

fn softmaxes() -> Vec<Model> {
    let of = |lines: &[(&str, &[&str], &str)]| written(net::CLASSES, lines);
    vec![
        of(&[("Exp", &["logits"], "e"), ("ReduceSum", &["e"], "s"), ("Div", &["e", "s"], "output")]),
        of(&[
            ("ReduceMax", &["logits"], "m"),
            ("Sub", &["logits", "m"], "d"),
            ("Exp", &["d"], "e"),
            ("ReduceSum", &["e"], "s"),
            ("Div", &["e", "s"], "output"),
        ]),
        of(&[
            ("Exp", &["logits"], "e"),
            ("ReduceSum", &["e"], "s"),
            ("Reciprocal", &["s"], "r"),
            ("Mul", &["r", "e"], "p"),
            ("Log", &["p"], "output"),
        ]),
        of(&[("ReduceLogSumExp", &["logits"], "l"), ("Sub", &["logits", "l"], "output")]),
        of(&[
            ("ReduceMax", &["logits"], "m"),
            ("Sub", &["logits", "m"], "d"),
            ("Exp", &["d"], "e"),
            ("ReduceSum", &["e"], "s"),
            ("Log", &["s"], "l"),
            ("Sub", &["d", "l"], "output"),
        ]),
        of(&[("LogSoftmax", &["logits"], "l"), ("Exp", &["l"], "output")]),
    ]
}

#[test]
fn a_softmax_written_out_is_a_softmax() {
    let wanted = maps(&mut open(&net::little()), &ALL);
    for (i, model) in softmaxes().iter().enumerate() {
        let mut explainer = open(model);
        let info = explainer.info();
        assert_eq!(
            (info.score.as_str(), info.activation, info.warnings.len()),
            ("logits", "softmax", 0),
            "{i}: {info:?}"
        );
        for (seen, wanted) in maps(&mut explainer, &ALL).iter().zip(&wanted) {
            assert_eq!(seen.class, wanted.class, "{i}");
            assert!((seen.score - wanted.score).abs() < 1e-6, "{i}: {} {}", seen.score, wanted.score);
            assert!(off(&seen.map, &wanted.map) < 1e-5, "{i}");
        }
    }
}

/// What is no softmax is not taken for one: the sum of other exponentials.
#[test]
fn a_quotient_that_is_no_softmax_is_explained_as_it_is() {
    let lines: [(&str, &[&str], &str); 5] = [
        ("Exp", &["logits"], "e"),
        ("Mul", &["logits", "cold"], "half"),
        ("Exp", &["half"], "f"),
        ("ReduceSum", &["f"], "s"),
        ("Div", &["e", "s"], "output"),
    ];
    assert_eq!(open(&written(net::CLASSES, &lines)).info().score, "output");
}

#[test]
fn a_sigmoid_written_out_is_a_sigmoid() {
    let forms: [&[(&str, &[&str], &str)]; 4] = [
        &[
            ("Neg", &["logits"], "n"),
            ("Exp", &["n"], "e"),
            ("Add", &["e", "one"], "s"),
            ("Div", &["one", "s"], "output"),
        ],
        &[
            ("Neg", &["logits"], "n"),
            ("Exp", &["n"], "e"),
            ("Add", &["one", "e"], "s"),
            ("Reciprocal", &["s"], "output"),
        ],
        &[
            ("Mul", &["logits", "minus"], "n"),
            ("Exp", &["n"], "e"),
            ("Add", &["e", "one"], "s"),
            ("Reciprocal", &["s"], "output"),
        ],
        &[("Exp", &["logits"], "e"), ("Add", &["e", "one"], "s"), ("Div", &["e", "s"], "output")],
    ];
    for (i, lines) in forms.into_iter().enumerate() {
        let several = open(&written(net::CLASSES, lines));
        assert_eq!((several.info().score.as_str(), several.info().activation), ("logits", "sigmoid"), "{i}");
        let mut one = open(&written(1, lines));
        assert_eq!((one.info().score_kind, one.info().classes), (ScoreKind::Binary, 2), "{i}");
        let seen = maps(&mut one, &[Target::Class(0), Target::Class(1)]);
        assert!((seen[0].score + seen[1].score - 1.0).abs() < 1e-6, "{i}");
    }
}

/// The logits are those before the inner softmax, and the probabilities the inner one's; the outer one is flat.
#[test]
fn a_softmax_over_a_softmax_is_seen_through_and_said() {
    let wanted = maps(&mut open(&net::little()), &ALL);
    let double = written(net::CLASSES, &[("Softmax", &["logits"], "p"), ("Softmax", &["p"], "output")]);
    let mut explainer = open(&double);
    let warnings = &explainer.info().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("softmax over a softmax"), "{warnings:?}");
    for (seen, wanted) in maps(&mut explainer, &ALL).iter().zip(&wanted) {
        assert!(off(&seen.map, &wanted.map) < 1e-6 && (seen.score - wanted.score).abs() < 1e-6);
    }
}

/// `nn.Softmax(dim=0)`: every probability is 1.
#[test]
fn a_softmax_over_the_pictures_is_said() {
    let mut model = net::body(13, &net::PICTURE);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    model.add_node("Softmax", "wrong", &["logits"], &["output"], &[("axis", Attr::Int(0))]);
    net::output(&mut model, "output");
    let mut explainer = open(&model);
    let warnings = &explainer.info().warnings;
    assert!(
        warnings.len() == 1 && warnings[0].contains("\"wrong\"") && warnings[0].contains("length 1"),
        "{warnings:?}"
    );
    let wanted = maps(&mut open(&net::little()), &ALL);
    for (seen, wanted) in maps(&mut explainer, &ALL).iter().zip(&wanted) {
        assert!(off(&seen.map, &wanted.map) < 1e-6 && (seen.score - wanted.score).abs() < 1e-6);
    }
}

/// 1000 of 1001 probabilities, the background cut off: no logit is there for the output, which is said.
#[test]
fn a_part_of_probabilities_is_explained_as_it_is_and_said() {
    let model = ending(net::CLASSES, |m| {
        node(m, "Softmax", &["logits"], "p");
        for (name, value) in [("from", 1), ("to", 5), ("axis", 1)] {
            m.add_initializer(name, &Tensor::i64s(&[value]));
        }
        m.add_node("Slice", "cut", &["p", "from", "to", "axis"], &["output"], &[]);
    });
    let explainer = open(&model);
    let info = explainer.info();
    assert_eq!((info.score.as_str(), info.classes), ("output", 4));
    assert!(info.warnings.len() == 1 && info.warnings[0].contains("made of probabilities"), "{:?}", info.warnings);
}
