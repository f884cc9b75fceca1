//! B09, B10: little files that ask for gigabytes, or never end.

use std::time::Duration;

use gstgradcam::Error;
use gstgradcam::onnx::{Attr, Model, Tensor};

use super::raw::{Message, attribute, edit, graph, node, tensor, value};
use super::*;

/// The network with something before its linear layer that makes "bomb" out of "flat" [1, 6].
fn with(build: impl Fn(&mut Model)) -> Vec<u8> {
    let mut model = net::body(17, &net::PICTURE);
    build(&mut model);
    let (axes, flat) = (net::ints("axes", &[1]), ("keepdims", Attr::Int(1)));
    model.add_node("ReduceMean", "shrink", &["bomb"], &["one"], &[axes, flat]);
    model.add_node("Add", "join", &["flat", "one"], &["joined"], &[]);
    net::linear(&mut model, "joined", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    bytes(&model)
}

/// 4 GB and more, by every operator that makes much of little: refused before the runtime asks for them.
#[test]
fn b09_gigabytes_from_a_little_file() {
    let sizes = |model: &mut Model, sizes: &[i64]| model.add_initializer("sizes", &Tensor::i64s(sizes));
    let constant = with(|model| {
        sizes(model, &[1, 1 << 30]);
        model.add_node("ConstantOfShape", "of_shape", &["sizes"], &["bomb"], &[]);
    });
    let expand = with(|model| {
        sizes(model, &[1 << 30, 1, 6]);
        model.add_node("Expand", "spread", &["flat", "sizes"], &["wide"], &[]);
        model.add_node("Reshape", "lay", &["wide", "row"], &["bomb"], &[]);
        model.add_initializer("row", &Tensor::i64s(&[1, -1]));
    });
    let tile = with(|model| {
        sizes(model, &[1, 1 << 29]);
        model.add_node("Tile", "tile", &["flat", "sizes"], &["bomb"], &[]);
    });
    let doubling = with(|model| {
        let mut last = "flat".to_string();
        for i in 0..34 {
            let next = if i == 33 { "bomb".into() } else { format!("double{i}") };
            model.add_node("Concat", &format!("concat{i}"), &[&last, &last], &[&next], &[("axis", Attr::Int(1))]);
            last = next;
        }
    });
    let resize = with(|model| {
        sizes(model, &[1, 6, 1 << 15, 1 << 15]);
        model.add_node("Resize", "enlarge", &["features", "", "", "sizes"], &["large"], &[]);
        model.add_node("Reshape", "lay", &["large", "row"], &["bomb"], &[]);
        model.add_initializer("row", &Tensor::i64s(&[1, -1]));
    });
    let pad = with(|model| {
        sizes(model, &[0, 0, 0, 1 << 30]);
        model.add_node("Pad", "border", &["flat", "sizes"], &["bomb"], &[]);
    });
    let many = with(|model| {
        sizes(model, &[1, 1 << 24]);
        for i in 0..40 {
            let name = if i == 39 { "bomb".into() } else { format!("part{i}") };
            model.add_node("ConstantOfShape", &format!("of_shape{i}"), &["sizes"], &[&name], &[]);
        }
    });
    for (id, bytes, node) in [
        ("B09 ConstantOfShape", constant, "of_shape"),
        ("B09 Expand", expand, "spread"),
        ("B09 Tile", tile, "tile"),
        ("B09 Concat doubling", doubling, "concat33"),
        ("B09 Resize", resize, "enlarge"),
        ("B09 Pad", pad, "border"),
        ("B09 many", many, "of_shape"),
    ] {
        let error = refusal(id, &bytes, &[node, "GB", "8x8", "export it again"]);
        assert!(matches!(error, Error::ModelUnusable { .. }), "{id}: {error:?}");
    }
}

/// Weights that are few in the file and many once they are made dense, and functions that call each other many times: both grow
/// while the runtime loads the file, where nothing stops it.
#[test]
fn b09_what_grows_while_it_is_loaded() {
    let little = bytes(&net::little());
    let tensor = |name: &str, dtype: i64, raw: Vec<u8>| {
        let shape = Message::default().with(tensor::DIMS, 1).with(tensor::TYPE, dtype);
        shape.with(tensor::NAME, name).with(tensor::RAW, &raw[..])
    };
    let values = tensor("few", 1, vec![0; 4]);
    let sparse = values_of(values, tensor("", 7, vec![0; 8]), &[1 << 15, 1 << 16]);
    let error = refusal(
        "B09 sparse",
        &edit(&little, |g| g.with(15, sparse.clone())),
        &["\"few\"", "[32768, 65536]", "dense weights"],
    );
    assert!(matches!(error, Error::ModelUnusable { .. }), "{error:?}");

    let call = |op: &str, from: &str, to: &str| {
        let node = Message::default().with(node::INPUT, from).with(node::OUTPUT, to);
        node.with(node::OP, op).with(node::DOMAIN, "laughs")
    };
    let function = |level: usize, calls: usize| {
        let start = Message::default()
            .with(1, format!("f{level}").as_str())
            .with(4, "a0")
            .with(5, format!("a{calls}").as_str());
        let body = (0..calls).map(|i| (format!("a{i}"), format!("a{}", i + 1)));
        let body = body.fold(start, |f, (from, to)| match level {
            0 => f.with(7, call("Relu", &from, &to).without(node::DOMAIN)),
            _ => f.with(7, call(&format!("f{}", level - 1), &from, &to)),
        });
        let opset = |domain: &str, version: i64| Message::default().with(1, domain).with(2, version);
        body.with(9, opset("", 17)).with(9, opset("laughs", 1)).with(10, "laughs")
    };
    let laughing = |levels: usize, calls: usize| {
        let top = call(&format!("f{}", levels - 1), "flat", "bomb");
        let mut model = net::body(17, &net::PICTURE);
        net::linear(&mut model, "bomb", "logits", net::CLASSES);
        net::output(&mut model, "logits");
        let whole = Message::parse(&edit(&bytes(&model), |g| g.with(graph::NODE, top.clone())));
        let whole = whole.with(raw::model::OPSET, Message::default().with(1, "laughs").with(2, 1));
        (0..levels).fold(whole, |m, level| m.with(raw::model::FUNCTIONS, function(level, calls))).bytes()
    };
    Model::from_bytes(&laughing(3, 3)).expect("27 nodes are none too many");
    refusal("B09 functions", &laughing(10, 10), &["functions", "1048576 nodes", "export it without functions"]);
    refusal("B09 deep functions", &laughing(40, 1), &["functions", "16 deep"]);
}

fn values_of(values: Message, indices: Message, dims: &[i64]) -> Message {
    dims.iter().fold(Message::default().with(1, values).with(2, indices), |sparse, d| sparse.with(3, *d))
}

/// A picture may be large, and so may what is made of it.
#[test]
fn b09_large_pictures_are_no_bombs() {
    let options = Options { input_size: Some((2000, 1500)), self_check: false, ..options() };
    open_with(&net::little_for(17, &[Some(1), Some(3), None, None]), &options);
}

/// A loop that never ends, whatever the picture: `Loop` with a condition that stays true.
fn endless() -> Vec<u8> {
    let named = |name: &str, dtype: i64, dims: &[i64]| {
        let dim = |d: &i64| Message::default().with(1, *d);
        let shape = dims.iter().fold(Message::default(), |shape, d| shape.with(1, dim(d)));
        let tensor = Message::default().with(1, dtype).with(2, shape);
        Message::default().with(value::NAME, name).with(value::TYPE, Message::default().with(1, tensor))
    };
    let copy = |from: &str, to: &str| {
        Message::default().with(node::OP, "Identity").with(node::INPUT, from).with(node::OUTPUT, to)
    };
    let body = Message::default()
        .with(graph::NODE, copy("go_on", "still"))
        .with(graph::NODE, copy("v", "w"))
        .with(graph::INPUT, named("i", 7, &[]))
        .with(graph::INPUT, named("go_on", 9, &[]))
        .with(graph::INPUT, named("v", 1, &[1, 6]))
        .with(graph::OUTPUT, named("still", 9, &[]))
        .with(graph::OUTPUT, named("w", 1, &[1, 6]))
        .with(2, "body");
    let body = Message::default().with(attribute::NAME, "body").with(attribute::GRAPH, body).with(attribute::TYPE, 5);
    let turns = Message::default()
        .with(node::OP, "Loop")
        .with(node::NAME, "for_ever")
        .with(node::INPUT, "")
        .with(node::INPUT, "true")
        .with(node::INPUT, "flat")
        .with(node::OUTPUT, "bomb")
        .with(node::ATTRIBUTE, body);
    let mut model = net::body(17, &net::PICTURE);
    model.add_initializer("true", &Tensor { shape: vec![], data: gstgradcam::onnx::Data::Bool(vec![true]) });
    net::linear(&mut model, "bomb", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    // the checks of the reader want a maker before a reader
    edit(&bytes(&model), |g| g.with(graph::NODE, turns.clone()))
}

#[test]
fn b10_a_loop_that_never_ends_is_stopped_at_load() {
    let limited = Options { inference_timeout: Some(Duration::from_millis(100)), ..options() };
    let error = refusal_with("B10", &endless(), &limited, &["0.1 s", "loop that never ends", "inference-timeout"]);
    assert!(matches!(error, Error::TimeLimit { .. }), "{error:?}");
}
