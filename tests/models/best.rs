//! The best classes of a run that explains one: those that explaining them by rank would give, whatever stands behind the logits.

use gstgradcam::frame::Region;
use gstgradcam::onnx::{Attr, Model};
use gstgradcam::{Explanation, Guess, ScoreKind};

use super::*;

const EVERYWHERE: Region = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };

fn explain(explainer: &mut Explainer, targets: &[Target]) -> Explanation {
    let input = picture(explainer.input_shape());
    explainer.explain_tensor(input.view(), targets, EVERYWHERE).unwrap()
}

/// Against the graph's own ranks and probabilities.
fn agrees(name: &str, explainer: &mut Explainer, classes: usize) {
    let ranks: Vec<Target> = (0..classes).map(Target::Rank).collect();
    let want: Vec<Guess> = explain(explainer, &ranks).maps.iter().map(ClassMap::guess).collect();
    for target in [Target::Rank(0), Target::Class(classes - 1)] {
        let seen = explain(explainer, &[target]);
        for k in [1, 2, classes, classes + 3] {
            let best = seen.best(k);
            assert_eq!(best.len(), k.min(classes), "{name}");
            for (have, want) in best.iter().zip(&want) {
                assert_eq!((have.class, &have.label), (want.class, &want.label), "{name}, {k} best");
                assert!((have.score - want.score).abs() < 1e-6, "{name}, {k} best: {have:?} is not {want:?}");
            }
        }
    }
}

#[test]
fn the_best_classes_are_those_of_the_ranks() {
    let axis = [("axis", Attr::Int(1))];
    let ending = |build: &dyn Fn(&mut Model)| {
        let mut model = net::body(17, &net::PICTURE);
        net::linear(&mut model, "flat", "logits", net::CLASSES);
        build(&mut model);
        model
    };
    let behind = |op: &str| {
        ending(&|m| {
            m.add_node(op, "end", &["logits"], &["p"], if op == "Sigmoid" { &[] } else { &axis });
            net::output(m, "p");
        })
    };
    let named = ending(&|m| {
        m.add_node("Softmax", "softmax", &["logits"], &["p"], &axis);
        m.add_node("Identity", "name", &["p"], &["output"], &[]);
        net::output(m, "output");
    });
    let chosen = ending(&|m| {
        m.add_node("ArgMax", "best", &["logits"], &["best"], &axis);
        m.add_output("best", None, None);
    });
    for (name, model) in [
        ("logits", net::little()),
        ("softmax", behind("Softmax")),
        ("log softmax", behind("LogSoftmax")),
        ("sigmoid", behind("Sigmoid")),
        ("softmax under another name", named),
        ("argmax alone", chosen),
    ] {
        agrees(name, &mut open(&model), net::CLASSES);
    }
}

#[test]
fn one_score_for_two_classes_has_two_that_add_up_to_one() {
    let mut model = net::body(17, &net::PICTURE);
    net::linear(&mut model, "flat", "logit", 1);
    model.add_node("Sigmoid", "sigmoid", &["logit"], &["p"], &[]);
    net::output(&mut model, "p");
    let mut explainer = open(&model);
    assert_eq!(explainer.info().score_kind, ScoreKind::Binary);
    agrees("binary", &mut explainer, 2);
}

#[test]
fn of_the_demo_model_the_five_best_are_told_with_their_names() {
    let mut explainer = support::demo(options());
    let ranks: Vec<Target> = (0..5).map(Target::Rank).collect();
    let want = explain(&mut explainer, &ranks);
    let best = explain(&mut explainer, &[Target::Class(0)]).best(5);
    for (have, want) in best.iter().zip(&want.maps) {
        assert_eq!((have.class, &have.label), (want.class, &want.label));
        assert!((have.score - want.score).abs() < 1e-6, "{have:?}");
    }
    assert_eq!(best.len(), 5);
}
