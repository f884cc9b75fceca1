//! B12: very many nodes. Times are printed, not judged; a walk that is quadratic would make them minutes.

use std::collections::HashMap;
use std::time::Instant;

use gstgradcam::cam::{self, Request};
use gstgradcam::onnx::{DType, Fact, Facts, Graph, Model, Tensor};

use super::*;

const NODES: usize = 20_000;

/// The network with a chain of `n` Relu and Add, each with a weight of its own, behind its first convolution.
fn chain(n: usize) -> Model {
    let mut model = net::with_input(17, &net::PICTURE);
    net::trunk(&mut model, "x");
    let mut last = "features".to_string();
    for i in 0..n / 2 {
        let (bias, sum, next) = (format!("bias{i}"), format!("sum{i}"), format!("relu_{i}"));
        model.add_initializer(&bias, &Tensor::f32(&[1, 6, 1, 1], vec![1e-3; 6]));
        model.add_node("Add", &format!("/Add_{i}"), &[&last, &bias], &[&sum], &[]);
        model.add_node("Relu", &format!("/Relu_{i}"), &[&sum], &[&next], &[]);
        last = next;
    }
    model.add_node("GlobalAveragePool", "/pool", &[&last], &["pooled"], &[]);
    model.add_node("Flatten", "/Flatten", &["pooled"], &["flat"], &[]);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    model
}

/// What a probe run would measure.
fn facts(model: &Model) -> Facts {
    let fact = |shape: &[usize]| Fact { dtype: DType::F32, shape: shape.to_vec(), value: None };
    let mut facts: HashMap<String, Fact> = HashMap::new();
    for node in model.nodes() {
        let shape: &[usize] = match node.outputs()[0].as_str() {
            "conv1" | "relu1" => &[1, 4, 8, 8],
            "pooled" => &[1, 6, 1, 1],
            "flat" => &[1, 6],
            "logits" => &[1, net::CLASSES],
            _ => &net::GRID,
        };
        facts.insert(node.outputs()[0].clone(), fact(shape));
    }
    facts.insert("x".into(), fact(&[1, 3, 8, 8]));
    for i in 0..NODES / 2 {
        facts.insert(format!("bias{i}"), fact(&[1, 6, 1, 1]));
    }
    for (name, shape) in [("fc.weight", &[net::CLASSES, 6][..]), ("fc.bias", &[net::CLASSES])] {
        facts.insert(name.into(), fact(shape));
    }
    Facts(facts)
}

#[test]
fn b12_twenty_thousand_nodes() {
    let model = chain(NODES);
    let (_folder, path) = save(&bytes(&model));
    let mut start = Instant::now();
    let mut lap = |what: &str| {
        println!("B12 {what}: {:?}", start.elapsed());
        start = Instant::now();
    };
    let model = Model::load(&path).expect("it is sound");
    lap("read and check");
    let order = Graph::new(&model).expect("no cycle").order.len();
    assert_eq!(order, NODES + 7);
    lap("sort");
    let facts = facts(&model);
    lap("facts");
    let request = Request { target_layer: Some("features"), ..Request::default() };
    let lowered = cam::lower(&model, &facts, "x", &request).expect("it is explained");
    lap("lower, the gradient through all of them");
    assert_eq!(lowered.usable.len(), NODES + 4);
    let explained = bytes(&lowered.model);
    lap("write");
    Model::from_bytes(&explained).expect("the explained model is sound");
    lap("read again");
}

/// Whole, with the runtime and the self-check: fewer, as the runtime's own optimiser takes its time.
#[test]
fn b12_two_thousand_nodes_run() {
    let start = Instant::now();
    let mut explainer = open_with(&chain(2000), &Options { target_layer: Some("features".into()), ..options() });
    println!("B12 opened: {:?}; {:?}", start.elapsed(), explainer.info().self_check);
    assert_eq!(maps(&mut explainer, &[Target::Rank(0)])[0].map.dim(), (4, 4));
}
