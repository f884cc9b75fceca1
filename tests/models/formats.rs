//! B21, the same little network in other number formats: each pattern that exporters and quantisers write.

use gstgradcam::onnx::{Attr, DType, Data, Model, Tensor};
use half::f16;

use super::raw::{Message, edit, graph, pair, tensor, value};
use super::*;

const BEST: [Target; 1] = [Target::Rank(0)];
const LINEAR: [(&str, Attr); 1] = [("transB", Attr::Int(1))];

fn bytes_of(name: &str, values: &[f32]) -> Vec<u8> {
    match name {
        "float16" => values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
        "bfloat16" => values.iter().flat_map(|&x| half::bf16::from_f32(x).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect(),
    }
}

/// The network with everything in one float type.
pub fn all_in(name: &str) -> Vec<u8> {
    let dtype = i64::from(DType::named(name).0);
    let little = net::little();
    let typed = |declared: Message| declared.each(value::TYPE, |ty| ty.each(1, |tensor| tensor.set(1, dtype)));
    edit(&bytes(&little), |g| {
        g.each(graph::INPUT, typed).each(graph::OUTPUT, typed).each(graph::INITIALIZER, |t| {
            let values = little.initializer(&t.text(tensor::NAME).expect("named")).expect("float32");
            let raw = bytes_of(name, values.as_f32().expect("float32"));
            t.set(tensor::TYPE, dtype).set(tensor::RAW, raw.as_slice())
        })
    })
}

fn same_map(name: &str, explainer: &mut Explainer, near: f32) {
    let wanted = maps(&mut open(&net::little()), &BEST).remove(0);
    let seen = maps(explainer, &BEST).remove(0);
    let off = off(&seen.map, &wanted.map);
    println!("{name}: {}, off by {off:.1e}; {:?}", explainer.info().format, explainer.info().self_check);
    assert_eq!(seen.class, wanted.class, "{name}");
    assert!(off < near, "{name}: off by {off}");
}

#[test]
fn b21_graphs_in_other_floats() {
    for (name, near) in [("float16", 0.01), ("bfloat16", 0.05), ("float64", 1e-5)] {
        let mut explainer = open_bytes(&all_in(name), &options());
        assert_eq!(explainer.info().input_type, name);
        assert_eq!(explainer.info().warnings.len(), usize::from(name != "float16"), "{:?}", explainer.info().warnings);
        same_map(name, &mut explainer, near);
        let input = picture(explainer.input_shape());
        let (a, b) = (explainer.original_outputs(input.view()), explainer.explained_outputs(input.view()));
        assert_eq!(a.expect("runs"), b.expect("runs"), "{name}: the outputs");
        // the file keeps its types
        let written = Model::from_bytes(&explainer.explained_model().expect("written")).expect("read");
        assert_eq!(written.inputs()[0].dtype, Some(DType::named(name)));
        assert_eq!(written.outputs()[0].dtype, Some(DType::named(name)));
    }
}

#[test]
fn b21_float16_outside() {
    let (folder, path) = save(&[]);
    let mut data = Vec::new();
    let little = net::little();
    let names: Vec<String> = little.initializer_names().map(String::from).collect();
    let places: Vec<(usize, usize)> = (names.iter())
        .map(|name| {
            let raw = bytes_of(
                "float16",
                little.initializer(name).and_then(|t| t.as_f32().map(<[f32]>::to_vec)).as_deref().expect("floats"),
            );
            data.extend(&raw);
            (data.len() - raw.len(), raw.len())
        })
        .collect();
    let outside = edit(&all_in("float16"), |g| {
        g.each(graph::INITIALIZER, |t| {
            let at = names.iter().position(|name| t.text(tensor::NAME).as_ref() == Some(name)).expect("named");
            let entries = [
                ("location", "w.bin".to_string()),
                ("offset", places[at].0.to_string()),
                ("length", places[at].1.to_string()),
            ];
            let bare = t.without(tensor::RAW).with(tensor::LOCATION, 1);
            entries.iter().fold(bare, |t, (key, value)| t.with(tensor::EXTERNAL, pair(key, value)))
        })
    });
    std::fs::write(folder.path().join("w.bin"), data).expect("written");
    std::fs::write(&path, outside).expect("written");
    same_map("float16 outside", &mut Explainer::open(&path, &options()).expect("it opens"), 0.01);
}

fn int8(values: &[i8]) -> Data {
    Data::Raw(DType::I8, values.iter().map(|&x| x as u8).collect())
}

/// `x` rounded to int8 and back.
fn around(m: &mut Model, x: &str, to: &str, scale: f32) {
    m.add_initializer(&format!("{x}.scale"), &Tensor::f32(&[], vec![scale]));
    m.add_initializer(&format!("{x}.zero"), &Tensor { shape: vec![], data: int8(&[0]) });
    let (s, z, q) = (format!("{x}.scale"), format!("{x}.zero"), format!("{x}.int8"));
    m.add_node("QuantizeLinear", &format!("{x}/Q"), &[x, &s, &z], &[&q], &[]);
    m.add_node("DequantizeLinear", &format!("{x}/DQ"), &[&q, &s, &z], &[to], &[]);
}

/// Quantised from the pooled features to the scores, whose range ends at `most`.
pub fn quantised(most: f32) -> Model {
    let mut m = net::with_input(17, &net::PICTURE);
    net::trunk(&mut m, "x");
    around(&mut m, "features", "features_", 16.0 / 127.0);
    m.add_node("GlobalAveragePool", "pool", &["features_"], &["pooled"], &[]);
    m.add_node("Flatten", "flatten", &["pooled"], &["flat"], &[]);
    around(&mut m, "flat", "flat_", 8.0 / 127.0);
    net::linear(&mut m, "flat_", "scores", net::CLASSES);
    around(&mut m, "scores", "logits", most / 127.0);
    net::output(&mut m, "logits");
    m
}

#[test]
fn b21_qdq_with_a_saturated_score() {
    for most in [8.0, 0.05] {
        let mut explainer = open(&quantised(most));
        assert_eq!(explainer.info().format.quantised, Some(DType::I8));
        let target = maps(&mut open(&net::little()), &BEST).remove(0);
        let seen = maps(&mut explainer, &[Target::Class(target.class)]).remove(0);
        let off = off(&seen.map, &target.map);
        println!("scores to {most}: off by {off:.1e}; {:?}", explainer.info().self_check);
        assert!(off < 0.15, "scores to {most}: off by {off}");
    }
}

/// The linear layer's weights in 4 bits, a scale for each block of three.
#[test]
fn b21_int4_weights_in_blocks() {
    let mut m = net::body(21, &net::PICTURE);
    let weight = net::weights(&[net::CLASSES, 6], 4);
    let steps: Vec<u8> = weight.as_f32().expect("floats").iter().map(|x| (x * 7.0).round() as i8 as u8 & 15).collect();
    let packed = steps.chunks(2).map(|two| two[0] | two[1] << 4).collect();
    m.add_initializer("w4", &Tensor { shape: vec![net::CLASSES, 6], data: Data::Raw(DType::named("int4"), packed) });
    m.add_initializer("s4", &Tensor::f32(&[net::CLASSES, 2], vec![1.0 / 7.0; 2 * net::CLASSES]));
    m.add_initializer("fc.bias", &net::weights(&[net::CLASSES], 5));
    let blocks = [("axis", Attr::Int(1)), ("block_size", Attr::Int(3))];
    m.add_node("DequantizeLinear", "dq", &["w4", "s4"], &["w"], &blocks);
    m.add_node("Gemm", "fc", &["flat", "w", "fc.bias"], &["logits"], &LINEAR);
    net::output(&mut m, "logits");
    let mut explainer = open(&m);
    let class = maps(&mut open(&net::little()), &BEST).remove(0);
    let seen = maps(&mut explainer, &[Target::Class(class.class)]).remove(0);
    println!("int4: off by {:.1e}; {:?}", off(&seen.map, &class.map), explainer.info().self_check);
    assert!(off(&seen.map, &class.map) < 0.3);
}

/// Pixels in as they are; what they are not is refused.
#[test]
fn b21_pictures_of_integers() {
    for (dtype, zero, mean) in [(DType::U8, 0u8, 0.0f32), (DType::I8, 128, 128.0)] {
        let mut m = Model::new(17);
        m.add_input("pixels", dtype, &net::PICTURE);
        m.add_initializer("s", &Tensor::f32(&[], vec![1.0 / 128.0]));
        m.add_initializer("z", &Tensor { shape: vec![], data: Data::Raw(dtype, vec![zero]) });
        m.add_node("DequantizeLinear", "dq", &["pixels", "s", "z"], &["picture"], &[]);
        net::trunk(&mut m, "picture");
        net::pool(&mut m);
        net::linear(&mut m, "flat", "logits", net::CLASSES);
        net::output(&mut m, "logits");
        let mut explainer = open(&m);
        let wanted_type = if dtype == DType::U8 { "uint8" } else { "int8" };
        assert_eq!(explainer.info().input_type, wanted_type);
        let levels = picture(&[1, 3, 8, 8]).mapv(|x| (x * 100.0 + 120.0).round() - mean);
        let floats = levels.mapv(|x| (x + mean) / 128.0);
        let seen = run(&mut explainer, &levels, &BEST).expect("runs");
        let wanted = run(&mut open(&net::little()), &floats, &BEST).expect("runs");
        assert!(off(&seen[0].map, &wanted[0].map) < 1e-5, "{wanted_type}");
    }
}

/// What computes with integers itself has no gradient: the way out is named.
#[test]
fn b21_integer_operators() {
    let mut m = net::body(17, &net::PICTURE);
    let turned: Vec<i8> = (0..6 * net::CLASSES as i8).map(|i| i * 4 - 60).collect();
    m.add_initializer("w", &Tensor { shape: vec![6, net::CLASSES], data: int8(&turned) });
    m.add_node("DynamicQuantizeLinear", "dynamic", &["flat"], &["q", "s", "z"], &[]);
    m.add_node("MatMulInteger", "product", &["q", "w", "z"], &["sums"], &[]);
    m.add_node("Cast", "cast", &["sums"], &["floats"], &[("to", Attr::Int(1))]);
    m.add_node("Mul", "scale", &["floats", "s"], &["logits"], &[]);
    net::output(&mut m, "logits");
    let gradcam = Options { method: gstgradcam::Method::GradCam, ..options() };
    let words = ["QDQ", "integers", "QuantFormat.QDQ"];
    let error = refusal_with("B21 dynamic quantisation", &bytes(&m), &gradcam, &words);
    assert!(matches!(error, Error::NoRule { .. }), "{error:?}");
}

/// Integers from the picture to the score: no layer of floating-point numbers is left.
#[test]
fn b21_integers_all_the_way() {
    let mut m = net::with_input(17, &net::PICTURE);
    m.add_initializer("w", &Tensor { shape: vec![net::CLASSES, 3, 8, 8], data: int8(&[1; net::CLASSES * 3 * 64]) });
    m.add_node("DynamicQuantizeLinear", "dynamic", &["x"], &["q", "s", "z"], &[]);
    m.add_node("ConvInteger", "product", &["q", "w", "z"], &["sums"], &[]);
    m.add_node("Cast", "cast", &["sums"], &["floats"], &[("to", Attr::Int(1))]);
    m.add_node("Mul", "scale", &["floats", "s"], &["logits"], &[]);
    net::output(&mut m, "logits");
    let error = refusal("B21 integers", &bytes(&m), &["DynamicQuantizeLinear", "\"dynamic\"", "QDQ"]);
    assert!(matches!(error, Error::ModelUnusable { .. }), "{error:?}");
    assert_eq!(error.to_string().matches("QuantFormat.QDQ").count(), 1, "said once");
}
