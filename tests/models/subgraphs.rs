//! B28: control flow and sequences. On the way from the layer to the score they are refused by name; elsewhere they do no harm.

use gstgradcam::cam::Method;
use gstgradcam::onnx::{Data, Model, Tensor};
use gstgradcam::{Error, Options, Target};

use super::raw::{Message, attribute, edit, graph, node, value};
use super::*;

fn plain_node(op: &str, inputs: &[&str], output: &str) -> Message {
    let node = inputs.iter().fold(Message::default().with(node::OP, op), |n, &input| n.with(node::INPUT, input));
    node.with(node::OUTPUT, output)
}

/// A graph of one node that makes `output`.
fn body(name: &str, inner: Message, output: &str) -> Message {
    let branch = Message::default()
        .with(graph::NODE, inner)
        .with(2, "body")
        .with(graph::OUTPUT, Message::default().with(value::NAME, output));
    Message::default().with(attribute::NAME, name).with(attribute::GRAPH, branch).with(attribute::TYPE, 5)
}

/// An If named "choice": `output` is Tanh or Sigmoid of `from`, which its graphs take from outside.
fn choice(from: &str, output: &str) -> Message {
    plain_node("If", &["always"], output)
        .with(node::NAME, "choice")
        .with(node::ATTRIBUTE, body("then_branch", plain_node("Tanh", &[from], "then_made"), "then_made"))
        .with(node::ATTRIBUTE, body("else_branch", plain_node("Sigmoid", &[from], "else_made"), "else_made"))
}

/// The little network, its pooling reading `reads`.
fn network(reads: &str) -> Model {
    let mut model = net::with_input(17, &net::PICTURE);
    net::trunk(&mut model, "x");
    model.add_initializer("always", &Tensor { shape: vec![], data: Data::Bool(vec![true]) });
    model.add_node("GlobalAveragePool", "/pool/GlobalAveragePool", &[reads], &["pooled"], &[]);
    model.add_node("Flatten", "/Flatten", &["pooled"], &["flat"], &[]);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    model
}

fn gradcam() -> Options {
    Options { method: Method::GradCam, target_layer: Some("features".into()), ..options() }
}

/// The network with `added` between "features" and "chosen", which the pooling reads.
fn on_the_way(added: &[Message]) -> Vec<u8> {
    // "chosen" is there from the start, so that the network can be written
    let mut model = network("chosen");
    model.add_node("Identity", "placeholder", &["features"], &["chosen"], &[]);
    edit(&bytes(&model), |mut g| {
        g.0.retain(|(field, value)| match value {
            super::raw::Value::Bytes(b) if *field == graph::NODE => {
                Message::parse(b).text(node::NAME).as_deref() != Some("placeholder")
            }
            _ => true,
        });
        added.iter().fold(g, |g, n| g.with(graph::NODE, n.clone()))
    })
}

#[test]
fn b28_control_flow_on_the_way_is_refused_by_name() {
    let model = on_the_way(&[choice("features", "chosen")]);
    let error = refusal_with("B28 If", &model, &gradcam(), &["If (node \"choice\")", "target-layer", "recipro"]);
    assert!(matches!(&error, Error::Unsupported { ops } if ops[..] == [("If".into(), "choice".into())]), "{error:?}");
    let recipro = Options { method: Method::Recipro, ..gradcam() };
    refusal_with("B28 If, recipro", &model, &recipro, &["If node \"choice\"", "sub-graph"]);
}

#[test]
fn b28_sequences_on_the_way_are_refused_by_name() {
    let sequence = plain_node("SequenceConstruct", &["features", "features"], "list").with(node::NAME, "pack");
    let at = plain_node("SequenceAt", &["list", "first"], "chosen").with(node::NAME, "unpack");
    let first = plain_node("Size", &["always"], "one");
    let first_index = plain_node("Sub", &["one", "one"], "first");
    let model = on_the_way(&[first, first_index, sequence, at]);
    refusal_with(
        "B28 sequence",
        &model,
        &gradcam(),
        &["SequenceConstruct (node \"pack\")", "SequenceAt (node \"unpack\")", "recipro"],
    );
}

#[test]
fn b28_control_flow_elsewhere_does_no_harm() {
    let plain = maps(&mut open_with(&network("features"), &gradcam()), &[Target::Class(1)]);
    // beside the way, with an output of its own
    let beside = edit(&bytes(&network("features")), |g| {
        g.with(graph::NODE, choice("features", "beside")).with(graph::NODE, plain_node("Neg", &["beside"], "unused"))
    });
    let with = maps(&mut open_bytes(&beside, &gradcam()), &[Target::Class(1)]);
    assert_eq!(plain[0].map, with[0].map);
    // before the layer
    let mut model = net::with_input(17, &net::PICTURE);
    model.add_initializer("always", &Tensor { shape: vec![], data: Data::Bool(vec![true]) });
    model.add_node("Identity", "placeholder", &["x"], &["before"], &[]);
    net::trunk(&mut model, "before");
    net::pool(&mut model);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    let before = super::raw::edit_node(&bytes(&model), "placeholder", |_| choice("x", "before"));
    assert_eq!(maps(&mut open_bytes(&before, &options()), &[Target::Rank(0)])[0].map.dim(), (4, 4));
    // where it makes a weight of constants alone
    let mut model = network("scaled");
    model.add_initializer("raw", &net::weights(&[1, 6, 1, 1], 9));
    model.add_node("Identity", "placeholder", &["raw"], &["factor"], &[]);
    model.add_node("Mul", "scale", &["features", "factor"], &["scaled"], &[]);
    let weight = super::raw::edit_node(&bytes(&model), "placeholder", |_| choice("raw", "factor"));
    assert_eq!(maps(&mut open_bytes(&weight, &gradcam()), &[Target::Rank(0)])[0].map.dim(), (4, 4));
}
