//! B04, B05, B06, B11, B15: the graph itself is broken, of an unknown kind, too deep, or oddly named.

use gstgradcam::Error;
use gstgradcam::onnx::Model;

use super::raw::{Message, Value, attribute, edit, edit_node, graph, model, node, value};
use super::*;

fn damaged(id: &str, bytes: &[u8], words: &[&str]) {
    let error = refusal(id, bytes, words);
    assert!(matches!(error, Error::ModelDamaged { .. }), "{id}: {error:?}");
}

fn unusable(id: &str, bytes: &[u8], words: &[&str]) {
    let error = refusal(id, bytes, words);
    assert!(matches!(error, Error::ModelUnusable { .. }), "{id}: {error:?}");
}

fn little() -> Vec<u8> {
    bytes(&net::little())
}

#[test]
fn b04_parts_missing() {
    unusable("B04 no graph", &Message::parse(&little()).without(model::GRAPH).bytes(), &["no graph"]);
    unusable("B04 no nodes", &edit(&little(), |g| g.without(graph::NODE)), &["no nodes"]);
    unusable("B04 no input", &edit(&net_without_input(), |g| g), &["no input"]);
    unusable("B04 no output", &edit(&little(), |g| g.without(graph::OUTPUT)), &["no output", "export it again"]);
    let output = Message::default().with(value::NAME, "scores");
    damaged(
        "B04 output made by nothing",
        &edit(&little(), |g| g.set(graph::OUTPUT, output.clone())),
        &["\"scores\"", "made by no node"],
    );
    damaged(
        "B04 input made by nothing",
        &edit_node(&little(), "/relu1/Relu", |n| n.set(node::INPUT, "nowhere")),
        &["/relu1/Relu", "Relu", "\"nowhere\""],
    );
}

/// A network that makes its own picture.
fn net_without_input() -> Vec<u8> {
    let mut model = Model::new(17);
    model.add_initializer("x", &net::weights(&[1, 3, 8, 8], 8));
    net::trunk(&mut model, "x");
    net::pool(&mut model);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    bytes(&model)
}

#[test]
fn b04_doubled_names() {
    let twice = edit_node(&little(), "/layer2/layer2.1/Relu", |n| n.set(node::OUTPUT, "relu1"));
    damaged("B04 made twice", &twice, &["\"relu1\"", "twice"]);
    let shadow = edit_node(&little(), "/relu1/Relu", |n| n.set(node::OUTPUT, "fc.weight"));
    damaged("B04 weight made twice", &shadow, &["\"fc.weight\"", "twice"]);
    let first = Message::parse(&little()).inner(model::GRAPH)[0].inner(graph::INPUT)[0].clone();
    damaged("B04 input twice", &edit(&little(), |g| g.with(graph::INPUT, first.clone())), &["\"x\"", "twice"]);
}

#[test]
fn b05_cycle_is_named() {
    let mut model = net::with_input(17, &net::PICTURE);
    net::trunk(&mut model, "x");
    // far behind the cycle, and before it in the file
    model.add_node("Relu", "behind", &["c"], &["features2"], &[]);
    model.add_node("Add", "loop_a", &["features", "c"], &["a"], &[]);
    model.add_node("Relu", "loop_b", &["a"], &["b"], &[]);
    model.add_node("Relu", "loop_c", &["b"], &["c"], &[]);
    net::output(&mut model, "features2");
    let error = refusal("B05", &bytes(&model), &["loop_a", "loop_b", "loop_c", "cycle", "export"]);
    assert!(matches!(error, Error::ModelDamaged { .. }));
    assert!(!error.to_string().contains("behind"), "a node that is not on the cycle is named");

    let own = edit_node(&little(), "/relu1/Relu", |n| n.set(node::INPUT, "relu1"));
    damaged("B05 its own input", &own, &["/relu1/Relu", "cycle"]);
}

#[test]
fn b06_unknown_operator_or_domain() {
    let unknown = edit_node(&little(), "/relu1/Relu", |n| n.set(node::OP, "Frobnicate"));
    let error = refusal("B06 operator", &unknown, &["Frobnicate", "/relu1/Relu"]);
    assert!(matches!(error, Error::Session { .. }), "{error:?}");
    let domain = edit_node(&little(), "/relu1/Relu", |n| n.set(node::DOMAIN, "com.example"));
    let error = refusal("B06 domain", &domain, &["com.example", "/relu1/Relu"]);
    assert!(matches!(error, Error::Session { .. }), "{error:?}");
    let opset = Message::default().with(1, "com.example").with(2, 1);
    let imported = Message::parse(&domain).with(model::OPSET, opset).bytes();
    let error = refusal("B06 domain imported", &imported, &["com.example", "/relu1/Relu"]);
    assert!(matches!(error, Error::Session { .. }), "{error:?}");
}

#[test]
fn b06_versions() {
    let opset = |version: i64| {
        let import = Message::default().with(1, "").with(2, version);
        Message::parse(&little()).set(model::OPSET, import).bytes()
    };
    for version in [999, 1, 6, 0, -1, i64::MIN] {
        let text = version.to_string();
        unusable("B06 opset", &opset(version), &["opset", &text, "7 to", "version_converter"]);
    }
    unusable("B06 no opset", &Message::parse(&little()).without(model::OPSET).bytes(), &["opset", "7 to"]);
    for version in [999, 0, -1] {
        let text = version.to_string();
        let bytes = Message::parse(&little()).set(model::IR, version).bytes();
        unusable("B06 IR version", &bytes, &["IR version", &text, "1 to"]);
    }
    unusable("B06 no IR version", &Message::parse(&little()).without(model::IR).bytes(), &["IR version"]);
}

/// An operator's node that holds `depth` graphs, each in the other.
fn nested(depth: usize) -> Message {
    let mut inner = Message::default().with(node::OP, "Relu").with(node::INPUT, "x").with(node::OUTPUT, "y");
    for _ in 0..depth {
        let body = Message::default().with(graph::NODE, inner);
        let branch = Message::default()
            .with(attribute::NAME, "then_branch")
            .with(attribute::GRAPH, body)
            .with(attribute::TYPE, 5);
        inner = Message::default().with(node::OP, "If").with(node::NAME, "deep").with(node::ATTRIBUTE, branch);
    }
    inner
}

#[test]
fn b11_deep_nesting() {
    let deep = |depth| edit(&little(), |g| g.with(graph::NODE, nested(depth)));
    unusable("B11 20 deep", &deep(20), &["nest", "16 deep"]);
    unusable("B11 30 deep", &deep(30), &["nest", "16 deep"]);
    // these do not even get past the protobuf reader, whose own limit is 100 messages
    damaged("B11 2000 deep", &deep(2000), &["recursion"]);
    damaged("B11 5000 deep", &deep(5000), &["recursion"]);
    // open groups of an unknown field, which protobuf nests too
    damaged("B11 groups", &[little(), [0xa3, 0x06].repeat(100_000)].concat(), &["do not parse"]);
    let function = Message::default().with(1, "f").with(7, nested(20));
    let bytes = Message::parse(&little()).with(model::FUNCTIONS, function).bytes();
    refusal("B11 in a function", &bytes, &["nest", "16 deep"]);
}

#[test]
fn b15_odd_names() {
    let renamed = |name: &[u8]| {
        let second = edit_node(&little(), "/layer2/layer2.0/Conv", |mut n| {
            n.0.iter_mut().find(|(k, _)| *k == node::INPUT).expect("it has inputs").1 = Value::Bytes(name.into());
            n
        });
        edit_node(&second, "/relu1/Relu", |n| n.set(node::OUTPUT, name))
    };
    damaged("B15 not UTF-8", &renamed(b"caf\xe9"), &["UTF-8"]);
    damaged("B15 NUL", &renamed(b"a\0b"), &["NUL"]);
    damaged("B15 1 MB long", &renamed(&vec![b'n'; 1 << 20]), &["nnnn", "1048576 bytes"]);
    let mut explainer = open_bytes(&renamed("Schicht 1: «größte» 層 😀".as_bytes()), &options());
    assert_eq!(maps(&mut explainer, &[Target::Rank(0)]).len(), 1);

    let nameless = edit(&little(), |g| g.each(graph::INPUT, |v| v.set(value::NAME, "")));
    damaged("B15 input without a name", &nameless, &["input", "no name"]);
    let nameless = edit(&little(), |g| g.each(graph::OUTPUT, |v| v.set(value::NAME, "")));
    damaged("B15 output without a name", &nameless, &["output", "no name"]);
}

/// Names that we would have given ourselves.
#[test]
fn b15_our_own_names_are_taken() {
    let mut model = net::body(17, &net::PICTURE);
    model.add_node("Relu", "gradcam_score", &["flat"], &["gradcam_target"], &[]);
    model.add_node("Neg", "gradcam/const_1", &["gradcam_target"], &["gradcam_map"], &[]);
    model.add_initializer("gradcam_map_2", &net::weights(&[1, 6], 6));
    model.add_node("Mul", "", &["gradcam_map", "gradcam_map_2"], &["gradcam_class"], &[]);
    net::linear(&mut model, "gradcam_class", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    let mut explainer = open(&model);
    let explained =
        Model::from_bytes(&explainer.explained_model().expect("it can be written")).expect("it is a sound model");
    let metadata = explained.metadata();
    for (key, plain) in [("target", "gradcam_target"), ("class", "gradcam_class"), ("score", "gradcam_score")] {
        let name = &metadata[&format!("gradcam.name.{key}")];
        println!("{key}: {name}");
        assert!(name.starts_with(plain) && name != plain, "{key}: {name}");
        let declared = explained.inputs().into_iter().chain(explained.outputs());
        assert!(declared.into_iter().any(|v| v.name == *name), "{name} is not declared");
    }
    assert_eq!(metadata["gradcam.name.map"], "gradcam_map_3");
    assert_eq!(maps(&mut explainer, &[Target::Rank(0), Target::Class(3)])[1].class, 3);
}
