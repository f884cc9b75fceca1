//! What a newer ONNX wrote is not lost: fields that we do not know survive loading, saving and explaining.

use gstgradcam::onnx::Model;

use super::raw::{Message, Value, graph, model, node, tensor, value};
use super::*;

/// Field numbers far beyond what onnx.proto uses, one for each wire type.
fn marked(message: Message, mark: &str) -> Message {
    let message = message.with(9001, 77).with(9002, mark);
    let message = Message([message.0, vec![(9003, Value::Fixed32(*b"four"))]].concat());
    Message([message.0, vec![(9004, Value::Fixed64(*b"eightby8"))]].concat())
}

fn is_marked(message: &Message, mark: &str) -> bool {
    let marks = marked(Message::default(), mark).0;
    marks.iter().all(|field| message.0.contains(field))
}

fn future() -> Vec<u8> {
    let whole = Message::parse(&bytes(&net::little()));
    let whole = whole.each(model::GRAPH, |g| {
        let g = g.each(graph::NODE, |n| marked(n.each(node::ATTRIBUTE, |a| marked(a, "attribute")), "node"));
        let g = g.each(graph::INITIALIZER, |t| marked(t, "weight"));
        let g = g.each(graph::INPUT, |v| marked(v, "input"));
        marked(g.each(graph::OUTPUT, |v| marked(v, "output")), "graph")
    });
    marked(whole.each(model::OPSET, |o| marked(o, "opset")), "model").bytes()
}

fn check(bytes: &[u8]) {
    let whole = Message::parse(bytes);
    assert!(is_marked(&whole, "model"));
    assert!(whole.inner(model::OPSET).iter().all(|o| is_marked(o, "opset")));
    let g = &whole.inner(model::GRAPH)[0];
    assert!(is_marked(g, "graph"));
    let original = ["/conv1/Conv", "/relu1/Relu", "/layer2/layer2.0/Conv", "/fc/Gemm"];
    let nodes = g.inner(graph::NODE);
    for name in original {
        let n = nodes.iter().find(|n| n.text(node::NAME).as_deref() == Some(name)).expect("the node is there");
        assert!(is_marked(n, "node"), "{name}");
        assert!(n.inner(node::ATTRIBUTE).iter().all(|a| is_marked(a, "attribute")), "{name}");
    }
    let weights = g.inner(graph::INITIALIZER);
    let weight = weights.iter().find(|m| m.text(tensor::NAME).as_deref() == Some("fc.weight"));
    assert!(is_marked(weight.expect("the weight is there"), "weight"));
    assert!(g.inner(graph::INPUT).iter().any(|v| v.text(value::NAME).as_deref() == Some("x") && is_marked(v, "input")));
    assert!(g.inner(graph::OUTPUT).iter().any(|v| is_marked(v, "output")));
}

#[test]
fn unknown_fields_survive_loading_and_saving() {
    let (_folder, path) = save(&future());
    let saved = Model::load(&path).expect("it is sound").to_bytes().expect("written");
    check(&saved);
    // nothing else was lost or made up either, in whatever order it is written
    assert_eq!(saved.len(), future().len());
    assert_eq!(Model::from_bytes(&saved).expect("sound"), Model::from_bytes(&future()).expect("sound"));
}

#[test]
fn unknown_fields_survive_explaining() {
    let mut explainer = open_bytes(&future(), &options());
    check(&explainer.explained_model().expect("it can be written"));
    assert_eq!(maps(&mut explainer, &[Target::Rank(0)]).len(), 1);
}
