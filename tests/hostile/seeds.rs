//! The sound models of the corpus: tiny networks of every pattern, with the shapes that a run of them shows written into the file.
//! `cargo test --test hostile -- --ignored` writes them anew.

use gstgradcam::engine::{Config, Engine, Input, Output};
use gstgradcam::onnx::{Attr, DType, Model, Tensor};

use crate::net::{self, CLASSES, PICTURE, ints};
use crate::raw::{Message, edit, value};
use crate::{folder, support};

/// The field of a graph that holds what is known of its inner tensors.
const VALUE_INFO: u64 = 13;

type Build = fn(&mut Model);

/// Name, opset, and what stands between "features" [1, 6, 4, 4] and "flat" [1, 6].
const MIDDLES: &[(&str, i64, Build)] = &[
    ("pooled", 17, net::pool),
    ("old", 9, old),
    ("residual", 13, residual),
    ("pools", 12, pools),
    ("scales", 18, scales),
    ("gates", 14, gates),
    ("moves", 13, moves),
    ("attention", 20, attention),
    ("shuffle", 11, shuffle),
];

pub fn all() -> Vec<(String, Model)> {
    let mut models: Vec<(String, Model)> = MIDDLES
        .iter()
        .map(|(name, opset, middle)| {
            let mut model = net::with_input(*opset, &PICTURE);
            net::trunk(&mut model, "x");
            middle(&mut model);
            net::linear(&mut model, "flat", "logits", CLASSES);
            net::output(&mut model, "logits");
            (name.to_string(), model)
        })
        .collect();
    models.push(("softmax".into(), softmax()));
    models.push(("channels-last".into(), channels_last()));
    models.push(("perceptron".into(), perceptron()));
    models
}

fn mean(model: &mut Model, from: &str) {
    let attrs = [ints("axes", &[2, 3]), ("keepdims", Attr::Int(0))];
    if model.opset() >= 18 {
        model.add_initializer("grid.axes", &Tensor::i64s(&[2, 3]));
        model.add_node("ReduceMean", "/mean", &[from, "grid.axes"], &["flat"], &attrs[1..]);
    } else {
        model.add_node("ReduceMean", "/mean", &[from], &["flat"], &attrs);
    }
}

fn old(model: &mut Model) {
    model.add_node(
        "Clip",
        "/relu6",
        &["features"],
        &["clipped"],
        &[("min", Attr::Float(0.0)), ("max", Attr::Float(6.0))],
    );
    model.add_node("Pad", "/pad", &["clipped"], &["padded"], &[ints("pads", &[0, 0, 1, 1, 0, 0, 1, 1])]);
    model.add_node("LRN", "/lrn", &["padded"], &["even"], &[("size", Attr::Int(3))]);
    model.add_node(
        "Slice",
        "/cut",
        &["even"],
        &["cut"],
        &[ints("axes", &[2]), ints("starts", &[1]), ints("ends", &[5])],
    );
    mean(model, "cut");
}

fn residual(model: &mut Model) {
    model.add_initializer("down.weight", &net::weights(&[6, 1, 3, 3], 21));
    let attrs = [("group", Attr::Int(6)), ints("pads", &[1, 1, 1, 1])];
    model.add_node("Conv", "/down/Conv", &["features", "down.weight"], &["branch"], &attrs);
    for (name, seed) in [("bn.scale", 22), ("bn.bias", 23), ("bn.mean", 24)] {
        model.add_initializer(name, &net::weights(&[6], seed));
    }
    model.add_initializer("bn.var", &Tensor::f32(&[6], vec![0.5; 6]));
    let bn = ["branch", "bn.scale", "bn.bias", "bn.mean", "bn.var"];
    model.add_node("BatchNormalization", "/bn", &bn, &["normal"], &[]);
    model.add_node("Add", "/Add", &["normal", "features"], &["sum"], &[]);
    model.add_node("Concat", "/Concat", &["sum", "features"], &["both"], &[("axis", Attr::Int(1))]);
    model.add_initializer("fuse.weight", &net::weights(&[6, 12, 1, 1], 25));
    model.add_node("Conv", "/fuse/Conv", &["both", "fuse.weight"], &["fused"], &[]);
    model.add_node("GlobalAveragePool", "/gap", &["fused"], &["pooled"], &[]);
    model.add_node("Flatten", "/Flatten", &["pooled"], &["flat"], &[]);
}

fn pools(model: &mut Model) {
    let (kernel, pads) = (ints("kernel_shape", &[3, 3]), ints("pads", &[1, 1, 1, 1]));
    model.add_node("MaxPool", "/max", &["features"], &["peaks"], &[kernel.clone(), pads.clone()]);
    let count = ("count_include_pad", Attr::Int(1));
    model.add_node("AveragePool", "/average", &["peaks"], &["smooth"], &[kernel, pads, count]);
    let half = [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2]), ("ceil_mode", Attr::Int(1))];
    model.add_node("MaxPool", "/half", &["smooth"], &["half"], &half);
    model.add_node("GlobalMaxPool", "/gmp", &["half"], &["pooled"], &[]);
    model.add_node("Flatten", "/Flatten", &["pooled"], &["flat"], &[]);
}

fn scales(model: &mut Model) {
    model.add_initializer("double", &Tensor::i64s(&[1, 6, 8, 8]));
    let linear = [("mode", Attr::Str("linear".into()))];
    model.add_node("Resize", "/double", &["features", "", "", "double"], &["large"], &linear);
    model.add_initializer("up.weight", &net::weights(&[6, 6, 2, 2], 26));
    model.add_node("ConvTranspose", "/up", &["large", "up.weight"], &["up"], &[ints("strides", &[2, 2])]);
    model.add_node("PRelu", "/prelu", &["up", "slope"], &["bent"], &[]);
    model.add_initializer("slope", &net::weights(&[6, 1, 1], 27));
    mean(model, "bent");
}

fn gates(model: &mut Model) {
    model.add_node("GlobalAveragePool", "/squeeze", &["features"], &["squeezed"], &[]);
    model.add_initializer("excite.weight", &net::weights(&[6, 6, 1, 1], 28));
    model.add_node("Conv", "/excite", &["squeezed", "excite.weight"], &["excited"], &[]);
    model.add_node("HardSigmoid", "/gate", &["excited"], &["gate"], &[]);
    model.add_node("Mul", "/scale", &["features", "gate"], &["scaled"], &[]);
    model.add_node("HardSwish", "/swish", &["scaled"], &["swish"], &[]);
    model.add_node("Sigmoid", "/sigmoid", &["swish"], &["sigmoid"], &[]);
    model.add_node("Mul", "/silu", &["swish", "sigmoid"], &["silu"], &[]);
    mean(model, "silu");
}

fn moves(model: &mut Model) {
    model.add_initializer("halves", &Tensor::i64s(&[3, 3]));
    model.add_node("Split", "/split", &["features", "halves"], &["a", "b"], &[("axis", Attr::Int(1))]);
    model.add_node("Concat", "/swap", &["b", "a"], &["swapped"], &[("axis", Attr::Int(1))]);
    model.add_initializer("order", &Tensor::i64s(&[5, 0, 1, 2, 4, 3]));
    model.add_node("Gather", "/gather", &["swapped", "order"], &["mixed"], &[("axis", Attr::Int(1))]);
    model.add_initializer("zero", &Tensor::f32(&[], vec![0.0]));
    model.add_node("Greater", "/greater", &["mixed", "zero"], &["above"], &[]);
    model.add_node("Where", "/where", &["above", "mixed", "zero"], &["positive"], &[]);
    model.add_initializer("shape", &Tensor::i64s(&[2, 6, 4, 4]));
    model.add_node("Expand", "/expand", &["positive", "shape"], &["twice"], &[]);
    model.add_node("ReduceMax", "/max", &["twice"], &["one"], &[ints("axes", &[0]), ("keepdims", Attr::Int(1))]);
    mean(model, "one");
}

/// One block over the cells as tokens, with a class token before them.
fn attention(model: &mut Model) {
    model.add_initializer("sequence", &Tensor::i64s(&[1, 6, 16]));
    model.add_node("Reshape", "/tokens", &["features", "sequence"], &["rows"], &[]);
    model.add_node("Transpose", "/turn", &["rows"], &["cells"], &[ints("perm", &[0, 2, 1])]);
    model.add_initializer("class", &net::weights(&[1, 1, 6], 29));
    model.add_node("Concat", "/class", &["class", "cells"], &["tokens"], &[("axis", Attr::Int(1))]);
    model.add_initializer("ln.scale", &net::weights(&[6], 30));
    model.add_node("LayerNormalization", "/norm1", &["tokens", "ln.scale"], &["normal"], &[]);
    for (name, seed) in [("q", 31), ("k", 32), ("v", 33)] {
        model.add_initializer(&format!("{name}.weight"), &net::weights(&[6, 6], seed));
        model.add_node("MatMul", &format!("/{name}"), &["normal", &format!("{name}.weight")], &[name], &[]);
    }
    model.add_node("Transpose", "/kt", &["k"], &["kt"], &[ints("perm", &[0, 2, 1])]);
    model.add_node("MatMul", "/qk", &["q", "kt"], &["near"], &[]);
    model.add_node("Softmax", "/softmax", &["near"], &["weights"], &[("axis", Attr::Int(-1))]);
    model.add_node("MatMul", "/mixed", &["weights", "v"], &["mixed"], &[]);
    model.add_node("Add", "/add", &["mixed", "tokens"], &["added"], &[]);
    model.add_node("Gelu", "/gelu", &["added"], &["bent"], &[]);
    model.add_initializer("first", &Tensor { shape: vec![], data: gstgradcam::onnx::Data::I64(vec![0]) });
    model.add_node("Gather", "/first", &["bent", "first"], &["flat"], &[("axis", Attr::Int(1))]);
}

fn shuffle(model: &mut Model) {
    model.add_node("Constant", "", &[], &["groups"], &[("value", Attr::Tensor(Tensor::i64s(&[1, 2, 3, 4, 4])))]);
    model.add_node("Reshape", "/apart", &["features", "groups"], &["grouped"], &[]);
    model.add_node("Transpose", "/turn", &["grouped"], &["turned"], &[ints("perm", &[0, 2, 1, 3, 4])]);
    model.add_node("Constant", "", &[], &["channels"], &[("value", Attr::Tensor(Tensor::i64s(&[1, 6, 4, 4])))]);
    model.add_node("Reshape", "/together", &["turned", "channels"], &["shuffled"], &[]);
    mean(model, "shuffled");
}

fn softmax() -> Model {
    let mut model = net::body(13, &PICTURE);
    net::linear(&mut model, "flat", "logits", CLASSES);
    model.add_node("Softmax", "/softmax", &["logits"], &["probabilities"], &[("axis", Attr::Int(1))]);
    net::output(&mut model, "probabilities");
    model
}

fn channels_last() -> Model {
    let mut model = net::with_input(13, &[Some(1), Some(8), Some(8), Some(3)]);
    model.add_node("Transpose", "to_nchw", &["x"], &["picture"], &[ints("perm", &[0, 3, 1, 2])]);
    net::trunk(&mut model, "picture");
    net::pool(&mut model);
    net::linear(&mut model, "flat", "logits", CLASSES);
    net::output(&mut model, "logits");
    model
}

/// A fully connected layer on the whole grid: it takes one size only.
fn perceptron() -> Model {
    let mut model = net::with_input(13, &PICTURE);
    net::trunk(&mut model, "x");
    model.add_node("Flatten", "/Flatten", &["features"], &["wide"], &[]);
    model.add_initializer("fc.weight", &net::weights(&[96, CLASSES], 34));
    model.add_node("MatMul", "/fc", &["wide", "fc.weight"], &["logits"], &[]);
    net::output(&mut model, "logits");
    model
}

/// The file, every tensor's type and shape declared as measured.
fn measured(model: &Model) -> Vec<u8> {
    let names: Vec<&str> = model.nodes().flat_map(|node| node.outputs()).map(String::as_str).collect();
    let mut probe = model.clone();
    probe.keep_outputs(&names);
    let config = Config { library: support::runtime(), threads: 1, unoptimized: true, ..Config::default() };
    let mut engine = Engine::new(&probe.to_bytes().expect("written"), &config).expect("it is sound");
    let dims: Vec<usize> = model.inputs()[0].shape.clone().expect("declared").into_iter().flatten().collect();
    let picture = net::noise(&dims, 1);
    let made = engine.run(&[("x", Input::F32(picture.view()))], &names).expect("it runs");
    let bytes = model.to_bytes().expect("written");
    names.iter().zip(made).fold(bytes, |bytes, (name, output)| {
        let (dtype, shape) = match output {
            Output::F32(a) => (DType::F32, a.shape().to_vec()),
            Output::I64(a) => (DType::I64, a.shape().to_vec()),
            Output::Bool(a) => (DType::BOOL, a.shape().to_vec()),
            other => panic!("no seed makes {other:?}"),
        };
        let dim = |d: &usize| Message::default().with(1, *d as i64);
        let shape = shape.iter().fold(Message::default(), |message, d| message.with(1, dim(d)));
        let tensor = Message::default().with(1, i64::from(dtype.0)).with(2, shape);
        let info = Message::default().with(value::NAME, *name).with(value::TYPE, Message::default().with(1, tensor));
        edit(&bytes, |graph| graph.with(VALUE_INFO, info.clone()))
    })
}

#[test]
#[ignore = "writes the corpus"]
fn write_the_corpus() {
    for (name, model) in all() {
        std::fs::write(folder().join(format!("{name}.onnx")), measured(&model)).expect("written");
    }
}
