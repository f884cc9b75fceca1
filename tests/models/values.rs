//! B24, B26: numbers that are none, maps that are empty, and operators that fail only when they run.

use gstgradcam::Error;
use gstgradcam::onnx::{Attr, Model, Tensor};

use super::*;

const BEST: [Target; 1] = [Target::Rank(0)];

/// The network with these values for the linear layer.
fn with_rows(weight: impl Fn(usize) -> f32, bias: f32) -> Model {
    let mut model = net::little();
    let rows = (0..net::CLASSES * 6).map(|i| weight(i / 6)).collect();
    model.set_initializer("fc.weight", &Tensor::f32(&[net::CLASSES, 6], rows));
    model.set_initializer("fc.bias", &Tensor::f32(&[net::CLASSES], vec![bias; net::CLASSES]));
    model
}

#[test]
fn b24_nan_and_infinity() {
    for (id, bad) in [("B24 NaN", f32::NAN), ("B24 infinity", f32::INFINITY), ("B24 overflow", f32::MAX)] {
        let mut explainer = open(&with_rows(|_| bad, 0.0));
        println!("{id}: self-check: {:?}", explainer.info().self_check);
        let input = picture(&[1, 3, 8, 8]);
        let error = run(&mut explainer, &input, &BEST).expect_err("the map is no map");
        let error = says(id, error, &["finite", "NaN or infinity", "mean and std"]);
        assert!(matches!(error, Error::NotFinite { .. }));
    }
    let mut explainer = open(&net::little());
    let mut input = picture(&[1, 3, 8, 8]);
    input[[0, 0, 4, 4]] = f32::NAN;
    says("B24 NaN in the picture", run(&mut explainer, &input, &BEST).expect_err("NaN"), &["finite"]);
    input[[0, 0, 4, 4]] = 0.0;
    assert!(run(&mut explainer, &input, &BEST).is_ok(), "one bad frame spoils the next");
}

#[test]
fn b24_maps_without_heat() {
    let mut zero = open(&with_rows(|_| 0.0, 0.5));
    let seen = maps(&mut zero, &BEST).remove(0);
    assert!((seen.score - 0.2).abs() < 1e-6);
    assert!(seen.map.iter().all(|&x| x == 0.0));
    // class 1 is voted down by every channel: its map is negative everywhere, and ReLU makes it zero
    let mut negative = open(&with_rows(|class| if class == 1 { -1.0 } else { 1.0 }, 0.0));
    let seen = maps(&mut negative, &[Target::Class(1), Target::Class(0)]);
    assert!(seen[0].map.iter().all(|&x| x == 0.0), "{}", seen[0].map);
    assert!(seen[1].map.iter().any(|&x| x > 0.0));
}

/// The scores are numbers, and their gradient is not: sqrt(0).
#[test]
fn b24_a_gradient_that_is_no_number() {
    let mut model = net::body(17, &net::PICTURE);
    model.add_node("Sub", "none", &["flat", "flat"], &["zero"], &[]);
    model.add_node("Sqrt", "root", &["zero"], &["rooted"], &[]);
    model.add_node("Add", "join", &["flat", "rooted"], &["joined"], &[]);
    net::linear(&mut model, "joined", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    let mut explainer = open(&model);
    println!("B24 gradient: self-check: {:?}", explainer.info().self_check);
    let input = picture(&[1, 3, 8, 8]);
    let logits = explainer.original_outputs(input.view()).expect("it runs").remove(0).1;
    assert!(logits.iter().all(|x| x.is_finite()));
    let error = run(&mut explainer, &input, &BEST).expect_err("the map is no map");
    says("B24 gradient", error, &["map", "finite", "NaN or infinity"]);
}

/// The network with other attributes at its second convolution.
fn convolution(attrs: &[(&str, Attr)]) -> Vec<u8> {
    let mut model = net::with_input(17, &net::PICTURE);
    model.add_initializer("weight", &net::weights(&[6, 3, 3, 3], 3));
    model.add_node("Conv", "strange_conv", &["x", "weight"], &["features"], attrs);
    net::pool(&mut model);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    bytes(&model)
}

#[test]
fn b26_convolutions_that_cannot_run() {
    open_bytes(&convolution(&[net::ints("pads", &[1, 1, 1, 1])]), &options());
    for (id, attr) in [
        ("B26 stride 0", net::ints("strides", &[0, 0])),
        ("B26 group 0", ("group", Attr::Int(0))),
        ("B26 group -1", ("group", Attr::Int(-1))),
        ("B26 group 2 of 3 channels", ("group", Attr::Int(2))),
        ("B26 huge pads", net::ints("pads", &[1 << 40, 1 << 40, 1 << 40, 1 << 40])),
        ("B26 pads -100", net::ints("pads", &[-100, -100, -100, -100])),
        ("B26 kernel mismatch", net::ints("kernel_shape", &[5, 5])),
        ("B26 kernel of three axes", net::ints("kernel_shape", &[3, 3, 3])),
        ("B26 dilation 100", net::ints("dilations", &[100, 100])),
    ] {
        let error = refusal(id, &convolution(&[attr]), &["strange_conv", "export it again"]);
        assert!(matches!(error, Error::ModelUnusable { .. } | Error::Session { .. }), "{id}: {error:?}");
    }
}

#[test]
fn b26_shapes_that_meet_only_at_run_time() {
    let mut model = net::body(17, &net::PICTURE);
    model.add_initializer("other", &net::weights(&[1, 7], 3));
    model.add_node("Add", "strange_add", &["flat", "other"], &["flat2"], &[]);
    net::linear(&mut model, "flat2", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    let error = refusal("B26 add", &bytes(&model), &["strange_add"]);
    assert!(matches!(error, Error::ModelUnusable { .. } | Error::Session { .. }), "{error:?}");

    // a linear layer made for pictures of another size: the way out is input-size
    let mut model = net::with_input(17, &[Some(1), Some(3), None, None]);
    net::trunk(&mut model, "x");
    model.add_node("Flatten", "flatten", &["features"], &["flat"], &[]);
    model.add_initializer("weight", &net::weights(&[96, net::CLASSES], 3));
    model.add_node("MatMul", "linear", &["flat", "weight"], &["logits"], &[]);
    net::output(&mut model, "logits");
    let error = refusal("B26 other size", &bytes(&model), &["linear", "224x224", "input-size"]);
    assert!(matches!(error, Error::ModelUnusable { .. } | Error::Session { .. }), "{error:?}");
    open_with(&model, &Options { input_size: Some((8, 8)), ..options() });
}
