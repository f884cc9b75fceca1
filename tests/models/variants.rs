//! The same network as different exporters and times write it gives the same map.

use gstgradcam::Method;
use gstgradcam::onnx::{Attr, MAX_OPSET, MIN_OPSET, Model, Tensor};

use super::raw::{Message, edit, graph, model, node, tensor, value};
use super::*;

const ASKED: [Target; 3] = [Target::Rank(0), Target::Rank(1), Target::Class(3)];

fn same_maps(name: &str, bytes: &[u8], wanted: &[ClassMap], method: Method) {
    let mut explainer = open_bytes(bytes, &Options { method, ..options() });
    println!("{name} {}: {} {:?}", method.name(), explainer.info().layer, explainer.info().self_check);
    assert_eq!(explainer.info().layer_shape, net::GRID, "{name}");
    for (seen, wanted) in maps(&mut explainer, &ASKED).iter().zip(wanted) {
        assert_eq!(seen.class, wanted.class, "{name}");
        assert!((seen.score - wanted.score).abs() < 1e-6, "{name}");
        let off = off(&seen.map, &wanted.map);
        assert!(off < 1e-5, "{name} {}: off by {off}", method.name());
    }
}

fn same_both(name: &str, bytes: &[u8], plain: &Model) {
    for method in [Method::Cam, Method::GradCam] {
        let wanted = maps(&mut open_with(plain, &Options { method, ..options() }), &ASKED);
        same_maps(name, bytes, &wanted, method);
    }
}

/// With the operators whose form has changed from opset to opset: Clip, ReduceMean, Unsqueeze, Squeeze, Pad, Dropout.
fn dated(opset: i64) -> Model {
    let mut m = net::with_input(opset, &net::PICTURE);
    m.add_initializer("axes", &Tensor::i64s(&[2, 3]));
    m.add_initializer("pads", &Tensor::i64s(&[0, 0, 0, 0, 0, 0, 0, 0]));
    m.add_initializer("low", &Tensor::f32(&[], vec![0.0]));
    m.add_initializer("high", &Tensor::f32(&[], vec![6.0]));
    net::trunk(&mut m, "x");
    let axes = || net::ints("axes", &[2, 3]);
    if opset >= 11 {
        m.add_node("Clip", "relu6", &["features", "low", "high"], &["clipped"], &[]);
        m.add_node("Pad", "pad", &["clipped", "pads"], &["padded"], &[]);
    } else {
        let range = [("min", Attr::Float(0.0)), ("max", Attr::Float(6.0))];
        m.add_node("Clip", "relu6", &["features"], &["clipped"], &range);
        m.add_node("Pad", "pad", &["clipped"], &["padded"], &[net::ints("pads", &[0; 8])]);
    }
    let flat = ("keepdims", Attr::Int(0));
    if opset >= 18 {
        m.add_node("ReduceMean", "mean", &["padded", "axes"], &["mean"], &[flat]);
    } else {
        m.add_node("ReduceMean", "mean", &["padded"], &["mean"], &[axes(), flat]);
    }
    if opset >= 13 {
        m.add_node("Unsqueeze", "unsqueeze", &["mean", "axes"], &["grid"], &[]);
        m.add_node("Squeeze", "squeeze", &["grid", "axes"], &["flat_"], &[]);
    } else {
        m.add_node("Unsqueeze", "unsqueeze", &["mean"], &["grid"], &[axes()]);
        m.add_node("Squeeze", "squeeze", &["grid"], &["flat_"], &[axes()]);
    }
    m.add_node("Dropout", "dropout", &["flat_"], &["flat"], &[]);
    net::linear(&mut m, "flat", "logits", net::CLASSES);
    m.add_node("Softmax", "softmax", &["logits"], &["probabilities"], &[("axis", Attr::Int(1))]);
    net::output(&mut m, "probabilities");
    m
}

#[test]
fn every_opset_gives_the_same_map() {
    for method in [Method::GradCam, Method::Cam] {
        let wanted = maps(&mut open_with(&dated(13), &Options { method, ..options() }), &ASKED);
        for opset in MIN_OPSET..=MAX_OPSET {
            same_maps(&format!("opset {opset}"), &bytes(&dated(opset)), &wanted, method);
        }
    }
}

/// Upsample and BatchNormalization as they were written before opset 9.
#[test]
fn forms_that_opset_9_gave_up() {
    let network = |opset: i64, spatial: i64| {
        let mut model = net::with_input(opset, &net::PICTURE);
        net::trunk(&mut model, "x");
        let scales = ("scales", Attr::Floats(vec![1.0, 1.0, 2.0, 1.5]));
        let statistics = ["scale", "shift", "mean", "variance"];
        statistics.iter().zip(21..).for_each(|(name, seed)| {
            let positive = net::noise(&[6], seed).iter().map(|x| x.abs() + 0.5).collect();
            model.add_initializer(name, &Tensor::f32(&[6], positive));
        });
        let of = |first| [&[first], statistics.as_slice()].concat();
        if opset < 9 {
            model.add_node("Upsample", "wider", &["features"], &["wide"], &[scales]);
            model.add_node("BatchNormalization", "norm", &of("wide"), &["n"], &[("spatial", Attr::Int(spatial))]);
        } else {
            model.add_initializer("scales", &Tensor::f32(&[4], vec![1.0, 1.0, 2.0, 1.5]));
            model.add_node("Upsample", "wider", &["features", "scales"], &["wide"], &[]);
            model.add_node("BatchNormalization", "norm", &of("wide"), &["n"], &[]);
        }
        model.add_node("GlobalAveragePool", "/pool/GlobalAveragePool", &["n"], &["pooled"], &[]);
        model.add_node("Flatten", "/Flatten", &["pooled"], &["flat"], &[]);
        net::linear(&mut model, "flat", "logits", net::CLASSES);
        net::output(&mut model, "logits");
        bytes(&model)
    };
    let early = Options { target_layer: Some("features".into()), ..options() };
    let wanted = maps(&mut open_bytes(&network(9, 1), &early), &ASKED);
    for opset in [7, 8] {
        let old = maps(&mut open_bytes(&network(opset, 1), &early), &ASKED);
        assert!(old.iter().zip(&wanted).all(|(a, b)| a.map == b.map && a.class == b.class), "opset {opset}");
    }
    refusal("spatial=0", &network(8, 0), &["BatchNormalization", "\"norm\"", "spatial=0", "version_converter"]);
}

/// Up to IR version 3 every initializer is an input as well.
fn legacy(bytes: &[u8]) -> Vec<u8> {
    let old = edit(bytes, |g| {
        let declared = |t: &Message| {
            let dims = t.0.iter().filter(|(n, _)| *n == tensor::DIMS).map(|(_, d)| Message(vec![(1, d.clone())]));
            let shape = dims.fold(Message::default(), |shape, dim| shape.with(1, dim));
            let typed =
                Message::default().with(1, t.0.iter().find(|(n, _)| *n == tensor::TYPE).expect("typed").1.clone());
            let name = t.text(tensor::NAME).expect("named");
            let ty = Message::default().with(1, typed.with(2, shape));
            Message::default().with(value::NAME, name.as_str()).with(value::TYPE, ty)
        };
        g.inner(graph::INITIALIZER).iter().fold(g.clone(), |g, t| g.with(graph::INPUT, declared(t)))
    });
    Message::parse(&old).set(model::IR, 3).bytes()
}

#[test]
fn ir_version_3_with_initializers_as_inputs() {
    let old = legacy(&bytes(&dated(9)));
    same_both("IR 3", &old, &dated(9));
    // and the explained model is one of IR version 3 as well
    let explained = open_bytes(&old, &options()).explained_model().expect("it can be written");
    let message = Message::parse(&explained);
    assert!(message.0.contains(&(model::IR, raw::Value::Int(3))));
    let g = &message.inner(model::GRAPH)[0];
    assert_eq!(g.inner(graph::INITIALIZER).len() + 2, g.inner(graph::INPUT).len(), "a weight that is no input");
}

#[test]
fn weights_behind_identity() {
    let mut m = net::with_input(17, &net::PICTURE);
    net::trunk(&mut m, "x");
    net::pool(&mut m);
    m.add_initializer("shared.weight", &net::weights(&[net::CLASSES, 6], 4));
    m.add_initializer("shared.bias", &net::weights(&[net::CLASSES], 5));
    m.add_node("Identity", "Identity_1", &["shared.weight"], &["once"], &[]);
    m.add_node("Identity", "Identity_2", &["once"], &["twice"], &[]);
    m.add_node("Gemm", "fc", &["flat", "twice", "shared.bias"], &["logits"], &[("transB", Attr::Int(1))]);
    net::output(&mut m, "logits");
    same_both("Identity", &bytes(&m), &net::little());
}

#[test]
fn constant_nodes_instead_of_initializers() {
    let plain = net::little();
    let names: Vec<String> = plain.initializer_names().map(String::from).collect();
    let without = edit(&bytes(&plain), |g| g.without(graph::INITIALIZER));
    // put together by hand: the reader would refuse the graph while its weights are missing
    let constants = names.iter().fold(without, |bytes, name| {
        let value = plain.initializer(name).expect("it is there");
        let mut holder = Model::new(17);
        holder.add_node("Constant", &format!("const {name}"), &[], &[name], &[("value", Attr::Tensor(value))]);
        let node = Message::parse(&super::bytes(&holder)).inner(model::GRAPH)[0].inner(graph::NODE)[0].clone();
        edit(&bytes, |mut g| {
            g.0.insert(0, (graph::NODE, node.clone().into()));
            g
        })
    });
    assert_eq!(Model::from_bytes(&constants).expect("it is sound").initializer_names().count(), 0);
    same_both("Constant nodes", &constants, &plain);
}

/// Scores as 1x1 convolution, MatMul and Add, Gemm with the weights the other way round.
#[test]
fn other_ways_to_write_the_linear_layer() {
    let turned: Vec<f32> = {
        let rows = net::weights(&[net::CLASSES, 6], 4);
        let rows = rows.as_f32().expect("floats");
        (0..6 * net::CLASSES).map(|i| rows[i % net::CLASSES * 6 + i / net::CLASSES]).collect()
    };
    for op in ["MatMul", "Gemm"] {
        let mut m = net::body(17, &net::PICTURE);
        m.add_initializer("w", &Tensor::f32(&[6, net::CLASSES], turned.clone()));
        m.add_initializer("b", &net::weights(&[net::CLASSES], 5));
        if op == "MatMul" {
            m.add_node(op, "fc", &["flat", "w"], &["product"], &[]);
            m.add_node("Add", "bias", &["b", "product"], &["logits"], &[]);
        } else {
            m.add_node(op, "fc", &["flat", "w", "b"], &["logits"], &[]);
        }
        net::output(&mut m, "logits");
        same_both(op, &bytes(&m), &net::little());
    }
}

/// `x.view(x.size(0), -1)` as torch's older exporter writes it for a dynamic batch.
#[test]
fn flatten_by_measured_shape() {
    let mut m = net::with_input(11, &[None, Some(3), Some(8), Some(8)]);
    net::trunk(&mut m, "x");
    m.add_node("GlobalAveragePool", "pool", &["features"], &["pooled"], &[]);
    m.add_node("Shape", "Shape_5", &["pooled"], &["shape"], &[]);
    let zero = Tensor { shape: vec![], data: gstgradcam::onnx::Data::I64(vec![0]) };
    m.add_node("Constant", "Constant_6", &[], &["zero"], &[("value", Attr::Tensor(zero))]);
    m.add_node("Gather", "Gather_7", &["shape", "zero"], &["batch"], &[("axis", Attr::Int(0))]);
    m.add_node("Unsqueeze", "Unsqueeze_8", &["batch"], &["batch1"], &[net::ints("axes", &[0])]);
    let rest = ("value", Attr::Tensor(Tensor::i64s(&[-1])));
    m.add_node("Constant", "Constant_9", &[], &["rest"], &[rest]);
    m.add_node("Concat", "Concat_10", &["batch1", "rest"], &["wanted"], &[("axis", Attr::Int(0))]);
    m.add_node("Reshape", "Reshape_11", &["pooled", "wanted"], &["flat"], &[]);
    net::linear(&mut m, "flat", "logits", net::CLASSES);
    net::output(&mut m, "logits");
    same_both("dynamic flatten", &bytes(&m), &net::little());
}

/// Some exporters write nodes without names, some in any order.
#[test]
fn nameless_nodes_in_any_order() {
    let shuffled = edit(&bytes(&net::little()), |g| {
        let nodes = g.inner(graph::NODE).into_iter().rev().map(|n| n.without(node::NAME));
        nodes.fold(g.without(graph::NODE), |g, n| g.with(graph::NODE, n))
    });
    same_both("any order", &shuffled, &net::little());
    let nameless = edit(&bytes(&net::little()), |g| g.each(graph::NODE, |n| n.without(node::NAME)));
    same_both("nameless", &nameless, &net::little());
}
