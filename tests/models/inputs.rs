//! B20, B21, B22, B25: what the model wants to be given.

use gstgradcam::Error;
use gstgradcam::onnx::{Attr, DType, Model};

use super::raw::{Message, edit, graph, value};
use super::*;

const BEST: [Target; 1] = [Target::Rank(0)];

fn unusable(id: &str, bytes: &[u8], words: &[&str]) {
    let error = refusal(id, bytes, words);
    assert!(matches!(error, Error::ModelUnusable { .. }), "{id}: {error:?}");
}

#[test]
fn b20_dynamic_batch() {
    let mut fixed = open(&net::little());
    let mut dynamic = open(&net::little_for(17, &[None, Some(3), Some(8), Some(8)]));
    assert_eq!(dynamic.input_shape(), [1, 3, 8, 8]);
    assert!(dynamic.info().warnings.is_empty());
    assert_eq!(maps(&mut dynamic, &BEST)[0].map, maps(&mut fixed, &BEST)[0].map);
}

#[test]
fn b20_dynamic_size() {
    let model = net::little_for(17, &[Some(1), Some(3), None, None]);
    let explainer = open(&model);
    assert_eq!(explainer.input_shape(), [1, 3, 224, 224]);
    let warning = &explainer.info().warnings[0];
    println!("B20 warning: {warning}");
    assert!(warning.contains("input-size") && warning.contains("224x224"));
    let mut explainer = open_with(&model, &Options { input_size: Some((12, 8)), ..options() });
    assert_eq!(explainer.input_shape(), [1, 3, 8, 12]);
    assert!(explainer.info().warnings.is_empty());
    assert_eq!(maps(&mut explainer, &BEST)[0].map.dim(), (4, 6));
}

#[test]
fn b20_no_shape_at_all() {
    let tensor = Message::default().with(1, 1);
    let typed = Message::default().with(value::TYPE, Message::default().with(1, tensor)).with(value::NAME, "x");
    let bytes = edit(&bytes(&net::little()), |g| g.set(graph::INPUT, typed.clone()));
    let mut explainer = open_bytes(&bytes, &Options { input_size: Some((8, 8)), ..options() });
    assert_eq!(explainer.input_shape(), [1, 3, 8, 8]);
    assert_eq!(maps(&mut explainer, &BEST)[0].map.dim(), (4, 4));
}

#[test]
fn b08_too_large_a_picture() {
    let model = net::little_for(17, &[Some(1), Some(3), Some(200_000), Some(200_000)]);
    unusable("B08", &bytes(&model), &["\"x\"", "1x3x200000x200000", "another size"]);
    let asked = Options { input_size: Some((8, 8)), ..options() };
    refusal_with("B08 asked for another", &bytes(&model), &asked, &["1x3x200000x200000", "another size"]);
    for size in [(0, 8), (200_000, 200_000), (usize::MAX, 2)] {
        let asked = Options { input_size: Some(size), ..options() };
        let error = refusal_with("B08 input-size", &bytes(&net::little()), &asked, &["pixels"]);
        assert!(matches!(error, Error::Setting { name: "input-size", .. }));
    }
}

#[test]
fn b20_eight_pictures_at_a_time() {
    let mut eight = open(&net::little_for(17, &[Some(8), Some(3), Some(8), Some(8)]));
    assert_eq!(eight.input_shape(), [1, 3, 8, 8]);
    assert_eq!(maps(&mut eight, &BEST)[0].map, maps(&mut open(&net::little()), &BEST)[0].map);

    let mut model = net::body(17, &[Some(8), Some(3), Some(8), Some(8)]);
    net::linear(&mut model, "flat", "scores", net::CLASSES);
    model.add_initializer("prior", &net::weights(&[8, net::CLASSES], 9));
    model.add_node("Add", "/prior/Add", &["scores", "prior"], &["each"], &[]);
    model.add_node(
        "ReduceMean",
        "/mean",
        &["each"],
        &["logits"],
        &[net::ints("axes", &[0]), ("keepdims", Attr::Int(1))],
    );
    net::output(&mut model, "logits");
    unusable(
        "B20 batch 8",
        &bytes(&model),
        &["/prior/Add", "axis of 8", "1x3x8x8", "8x3x8x8", "batch size 1 or dynamic"],
    );
    let many = net::little_for(17, &[Some(100_000), Some(3), Some(8), Some(8)]);
    unusable("B20 batch 100000", &bytes(&many), &["100000x3x8x8", "batch size 1 or dynamic"]);
}

/// What a model of this input says.
fn typed(dtype: DType, dims: &[Option<usize>]) -> Vec<u8> {
    let mut model = Model::new(17);
    model.add_input("x", dtype, dims);
    model.add_node("Cast", "cast", &["x"], &["picture"], &[("to", Attr::Int(1))]);
    net::trunk(&mut model, "picture");
    net::pool(&mut model);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    bytes(&model)
}

#[test]
fn b21_other_types() {
    for name in ["int8", "uint16", "int32", "int64", "bool", "string"] {
        unusable("B21", &typed(DType::named(name), &net::PICTURE), &["\"x\"", name, "float32"]);
    }
    let wanted = maps(&mut open_bytes(&typed(DType::F32, &net::PICTURE), &options()), &BEST).remove(0).map;
    for name in ["float16", "bfloat16", "float64"] {
        let mut explainer = open_bytes(&typed(DType::named(name), &net::PICTURE), &options());
        assert_eq!(explainer.info().input_type, name);
        assert!(off(&maps(&mut explainer, &BEST)[0].map, &wanted) < 0.02, "{name}");
    }
}

#[test]
fn b21_channels_last() {
    let mut model = net::with_input(17, &[Some(1), Some(8), Some(8), Some(3)]);
    model.add_node("Transpose", "to_nchw", &["x"], &["picture"], &[net::ints("perm", &[0, 3, 1, 2])]);
    net::trunk(&mut model, "picture");
    net::pool(&mut model);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    let mut last = open(&model);
    let mut first = open(&net::little());
    assert_eq!(last.info().spec.layout, gstgradcam::prep::Layout::ChannelsLast);
    let input = picture(&[1, 3, 8, 8]);
    let turned = input.view().permuted_axes(vec![0, 2, 3, 1]).as_standard_layout().into_owned();
    let (a, b) = (run(&mut last, &turned, &BEST).expect("runs"), run(&mut first, &input, &BEST).expect("runs"));
    assert!(off(&a[0].map, &b[0].map) < 1e-6);
}

/// float16 for a stretch: the gradient passes it in float32.
#[test]
fn b21_float16_inside() {
    let mut model = net::body(17, &net::PICTURE);
    model.add_node("Cast", "down", &["flat"], &["half"], &[("to", Attr::Int(10))]);
    model.add_node("Relu", "in_half", &["half"], &["half_relu"], &[]);
    model.add_node("Cast", "up", &["half_relu"], &["flat2"], &[("to", Attr::Int(1))]);
    net::linear(&mut model, "flat2", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    let (a, b) = (maps(&mut open(&model), &BEST), maps(&mut open(&net::little()), &BEST));
    assert!(off(&a[0].map, &b[0].map) < 0.02);
}

/// Integers on the way that are no quantised numbers: told by the node.
#[test]
fn b21_integers_inside() {
    let mut model = net::body(17, &net::PICTURE);
    model.add_node("Cast", "down", &["flat"], &["whole"], &[("to", Attr::Int(6))]);
    model.add_node("Cast", "up", &["whole"], &["flat2"], &[("to", Attr::Int(1))]);
    net::linear(&mut model, "flat2", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    unusable("B21 int32 inside", &bytes(&model), &["down", "int32", "float32"]);
}

#[test]
fn b22_several_inputs() {
    let mut model = net::little();
    model.add_input("mask", DType::F32, &[Some(1), Some(8)]);
    model.add_node("Relu", "masked", &["mask"], &["aside"], &[]);
    net::output(&mut model, "aside");
    unusable("B22", &bytes(&model), &["\"x\"", "1x3x8x8", "\"mask\"", "1x8", "one input"]);
}

#[test]
fn b22_an_input_with_a_default() {
    let mut model = net::little();
    model.add_input("fc.bias", DType::F32, &[Some(net::CLASSES)]);
    let mut explainer = open(&model);
    assert_eq!(maps(&mut explainer, &BEST)[0].map, maps(&mut open(&net::little()), &BEST)[0].map);
}

#[test]
fn b22_not_a_tensor() {
    let tensor = Message::default().with(1, Message::default().with(1, 1));
    for (kind, number) in [("sequence", 4), ("map", 5), ("optional", 9)] {
        let inner = if kind == "map" {
            Message::default().with(1, 7).with(2, tensor.clone())
        } else {
            Message::default().with(1, tensor.clone())
        };
        let input = Message::default().with(value::NAME, "x").with(value::TYPE, Message::default().with(number, inner));
        let bytes = edit(&bytes(&net::little()), |g| g.set(graph::INPUT, input.clone()));
        unusable(&format!("B22 {kind}"), &bytes, &["\"x\"", "not a tensor", "float32"]);
    }
    let untyped = Message::default().with(value::NAME, "x");
    unusable("B22 no type", &edit(&bytes(&net::little()), |g| g.set(graph::INPUT, untyped.clone())), &["\"x\""]);
}

#[test]
fn b25_channels() {
    for channels in [0, 2, 4, 5] {
        let dims = [Some(1), Some(channels), Some(8), Some(8)];
        let text = format!("{channels} channels");
        unusable("B25", &bytes(&net::little_for(17, &dims)), &["\"x\"", &text, "3 (colour) or 1 (grey)"]);
    }
    let mut grey = net::with_input(17, &[Some(1), Some(1), Some(8), Some(8)]);
    grey.add_node("Concat", "three", &["x", "x", "x"], &["picture"], &[("axis", Attr::Int(1))]);
    net::trunk(&mut grey, "picture");
    net::pool(&mut grey);
    net::linear(&mut grey, "flat", "logits", net::CLASSES);
    net::output(&mut grey, "logits");
    let mut explainer = open(&grey);
    assert_eq!(explainer.info().spec.color_format, gstgradcam::prep::ColorFormat::Gray);
    assert_eq!(maps(&mut explainer, &BEST).len(), 1);
    // the file says three, its first convolution has weights for three, the picture has one: found before any frame
    let wrong = net::little_for(17, &[Some(1), Some(1), Some(8), Some(8)]);
    refusal("B25 convolution of another", &bytes(&wrong), &["/conv1/Conv"]);
}

#[test]
fn b25_no_picture() {
    for dims in
        [&[Some(1), Some(16)][..], &[Some(3), Some(8), Some(8)], &[], &[Some(1), Some(3), Some(4), Some(8), Some(8)]]
    {
        unusable("B25 axes", &bytes(&net::little_for(17, dims)), &["\"x\"", "four axes"]);
    }
}

/// tf2onnx leaves behind inputs that nothing reads.
#[test]
fn inputs_that_nothing_reads_are_left_out() {
    let mut model = net::little();
    model.add_input("Sub/y:0", gstgradcam::onnx::DType::F32, &[Some(1), Some(1), Some(1), Some(3)]);
    let explainer = open(&model);
    assert_eq!(explainer.info().input, "x");
    let warning = explainer.info().warnings.iter().find(|w| w.contains("Sub/y:0")).expect("it says so").clone();
    assert!(warning.contains("nothing in the model reads"), "{warning}");
}
