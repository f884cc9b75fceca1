//! What an inspection says of a model, and of one that cannot be explained; and a gradient that is wrong.

use gstgradcam::explain::{MapCheck, Verdict};
use gstgradcam::onnx::{Attr, Data, Model, Tensor};
use gstgradcam::{Error, Inspection, Method};

use super::*;

fn inspect(bytes: &[u8], options: &Options) -> Inspection {
    let (_folder, path) = save(bytes);
    let seen = Inspection::of(&path, options);
    seen.verdicts.iter().for_each(|verdict| println!("{verdict}"));
    seen
}

fn says(seen: &Inspection, name: &str, words: &[&str]) {
    let fits = |v: &Verdict| v.name() == name && words.iter().all(|word| v.why().contains(word));
    assert!(seen.verdicts.iter().any(fits), "{name}: {words:?} in {:?}", seen.verdicts);
}

/// The network with all that a user could wish to be told in the file.
fn complete() -> Model {
    let mut model = net::little();
    model.set_metadata("gradcam.labels", "ant\nbee\ncat\ndog\neel");
    model.set_metadata("gradcam.preprocess", "zero-one");
    model
}

#[test]
fn a_complete_model_is_ready() {
    let seen = inspect(&bytes(&complete()), &options());
    assert_eq!(seen.verdicts, [Verdict::Ready("gradcam at \"features\", a map of 4x4 cells a frame".into())]);
    let info = seen.info.expect("it is explained");
    let check = info.self_check.expect("it was checked");
    assert!(matches!(check.map, MapCheck::Gradient(error) if error < 1e-2), "{check:?}");
    // CAM's weights are Grad-CAM's times the number of cells
    let equality = seen.equality.expect("the head is pooled and linear");
    assert!(equality.cosine > 0.999_999 && (equality.ratio / 16.0 - 1.0).abs() < 1e-4, "{equality:?}");
    assert_eq!(
        seen.operators.iter().map(|(op, ..)| op.as_str()).collect::<Vec<_>>(),
        ["Flatten", "Gemm", "GlobalAveragePool"]
    );
    assert_eq!(seen.layers[0].tensor, "features");
    assert!(seen.tensorrt.expect("it was looked up").iter().all(|obstacle| !obstacle.refused));
    assert_eq!(seen.score.expect("there is one").found, "the output itself");
}

#[test]
fn what_is_missing_is_told() {
    let seen = inspect(&bytes(&net::little()), &Options { self_check: false, ..options() });
    says(&seen, "works, but", &["mean and deviation are assumed", "set preprocess"]);
    says(&seen, "works, but", &["no class names", "labels-file"]);
    says(&seen, "works, but", &["nothing was checked", "self-check"]);
    let mut softmax = net::body(17, &net::PICTURE);
    net::linear(&mut softmax, "flat", "logits", net::CLASSES);
    softmax.add_node("Softmax", "prob", &["logits"], &["probabilities"], &[("axis", Attr::Int(1))]);
    net::output(&mut softmax, "probabilities");
    let score = inspect(&bytes(&softmax), &options()).score.expect("found behind the softmax");
    assert!(score.tensor == "logits" && score.found.contains("Softmax node \"prob\""), "{score:?}");
    let dynamic = net::little_for(17, &[Some(1), Some(3), None, None]);
    let seen = inspect(&bytes(&dynamic), &options());
    says(&seen, "works, but", &["input size is dynamic", "input-size"]);
    assert_eq!(seen.file.expect("it was read").inputs[0].shape, Some(vec![Some(1), Some(3), None, None]));
}

/// An operator without a rule, and that TensorRT does not take either.
#[test]
fn a_model_that_cannot_be_explained_is_inspected_as_far_as_one_gets() {
    let mut model = net::body(17, &net::PICTURE);
    model.add_initializer("all", &Tensor { shape: vec![6], data: Data::Bool(vec![true; 6]) });
    model.add_node("Compress", "strange", &["flat", "all"], &["changed"], &[("axis", Attr::Int(1))]);
    net::linear(&mut model, "changed", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    let seen = inspect(&bytes(&model), &Options { method: Method::GradCam, ..options() });
    assert!(seen.error.is_some() && seen.info.is_none());
    let [Verdict::Cannot(why)] = &seen.verdicts[..] else { panic!("{:?}", seen.verdicts) };
    assert!(!why.starts_with("the model cannot"), "{why}");
    assert_eq!(seen.score.as_ref().map(|score| score.classes), Some(net::CLASSES));
    assert_eq!(seen.layers.first().map(|layer| layer.tensor.as_str()), Some("features"));
    let missing: Vec<&str> = seen.without_rule.iter().map(|(_, node)| node.as_str()).collect();
    assert_eq!(missing, ["strange"]);
    let obstacles = seen.tensorrt.expect("it was looked up");
    assert_eq!(obstacles[0].nodes, [("Compress".to_string(), "strange".to_string())], "{obstacles:?}");

    // not even the probe: the input and the file are told
    let mut wrong = net::with_input(17, &[Some(1), Some(1), Some(8), Some(8)]);
    net::trunk(&mut wrong, "x");
    net::output(&mut wrong, "features");
    let seen = inspect(&bytes(&wrong), &options());
    assert_eq!(seen.input.as_ref().map(|(name, shape)| (name.as_str(), shape.len())), Some(("x", 4)));
    assert!(seen.spec.is_some() && seen.score.is_none() && seen.layers.is_empty());
    assert_eq!(seen.file.as_ref().and_then(|file| file.operators.first().cloned()), Some(("Conv".into(), 2)));
    says(&seen, "cannot be explained", &["/conv1/Conv"]);

    let seen = inspect(b"no model", &options());
    assert!(seen.file.is_none() && seen.input.is_none());
    says(&seen, "cannot be explained", &["not a usable ONNX file"]);
}

/// A staircase of steps that are finer than any that the check takes: its derivative is zero, as the rule of Floor says, and yet
/// it rises. What the rules give is not how the score moves, and the model is refused.
#[test]
fn a_gradient_that_is_not_how_the_score_moves_is_refused() {
    let staircase = |height: f32| {
        let mut model = net::body(17, &net::PICTURE);
        model.add_initializer("fine", &Tensor::f32(&[1], vec![1e6]));
        model.add_initializer("high", &Tensor::f32(&[1], vec![height * 1e-6]));
        model.add_node("Mul", "up", &["flat", "fine"], &["large"], &[]);
        model.add_node("Floor", "steps", &["large"], &["whole"], &[]);
        model.add_node("Mul", "down", &["whole", "high"], &["stairs"], &[]);
        model.add_node("Add", "join", &["flat", "stairs"], &["joined"], &[]);
        net::linear(&mut model, "joined", "logits", net::CLASSES);
        net::output(&mut model, "logits");
        model
    };
    open(&staircase(0.01));
    let error =
        refusal("self-check", &bytes(&staircase(3.0)), &["self-check failed", "\"features\"", "finite differences"]);
    assert!(matches!(error, Error::SelfCheck { .. }));
    let seen = inspect(&bytes(&staircase(3.0)), &options());
    says(&seen, "cannot be explained", &["finite differences"]);
    assert!(!seen.operators.is_empty(), "what was found before it is told");
}
