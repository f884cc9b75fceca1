//! B07, B08: sizes that a file claims and does not hold.

use gstgradcam::Error;

use super::raw::{Message, Value, edit_node, edit_weight, node, tensor};
use super::*;

fn dims(sizes: &[i64]) -> impl Fn(Message) -> Message + '_ {
    |tensor| sizes.iter().fold(tensor.without(tensor::DIMS), |t, &d| t.with(tensor::DIMS, d))
}

fn damaged(id: &str, change: impl Fn(Message) -> Message, words: &[&str]) {
    let bytes = edit_weight(&bytes(&net::little()), "conv2.weight", change);
    let error = refusal(id, &bytes, &[&["\"conv2.weight\""], words].concat());
    assert!(matches!(error, Error::ModelDamaged { .. }), "{error:?}");
}

#[test]
fn b07_shapes_that_cannot_be() {
    damaged("B07 2^40", dims(&[1 << 40]), &["1099511627776", "216"]);
    damaged("B07 2^40 four times", dims(&[1 << 40, 1 << 40, 1 << 40, 1 << 40]), &["impossible shape"]);
    damaged("B07 negative", dims(&[6, 4, -3, 3]), &["impossible shape", "-3"]);
    damaged("B07 smallest", dims(&[i64::MIN, 4]), &["impossible shape"]);
    damaged("B07 overflow to the right size", dims(&[1 << 62, 4, 216]), &["impossible shape"]);
    damaged("B07 too small", dims(&[6, 4, 3]), &["72", "216"]);
    let many = vec![1i64; 100_000];
    damaged("B07 100 000 axes", dims(&many), &["100000 axes"]);
}

#[test]
fn b07_data_that_does_not_fit() {
    let raw = |bytes: usize| move |t: Message| t.set(tensor::RAW, Value::Bytes(vec![0; bytes]));
    damaged("B07 short data", raw(100), &["25", "216"]);
    damaged("B07 not whole floats", raw(863), &["863 bytes"]);
    damaged("B07 long data", raw(868), &["217", "216"]);
    damaged("B07 no data", |t| t.without(tensor::RAW), &["216", "holds 0"]);
    damaged("B07 unknown type", |t| t.set(tensor::TYPE, 99), &["99"]);
    damaged("B07 negative type", |t| t.set(tensor::TYPE, -1), &["-1"]);
    damaged("B07 no type", |t| t.without(tensor::TYPE), &["type number 0"]);
    damaged("B07 type string", |t| t.set(tensor::TYPE, 8), &["216"]);
}

#[test]
fn b07_in_an_attribute() {
    let mut model = net::with_input(17, &net::PICTURE);
    let shift = gstgradcam::onnx::Attr::Tensor(net::weights(&[1, 3, 1, 1], 9));
    model.add_node("Constant", "shift", &[], &["by"], &[("value", shift)]);
    model.add_node("Add", "add", &["x", "by"], &["shifted"], &[]);
    net::trunk(&mut model, "shifted");
    net::pool(&mut model);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    open(&model);
    let broken = edit_node(&bytes(&model), "shift", |n| {
        n.each(node::ATTRIBUTE, |a| a.each(raw::attribute::TENSOR, dims(&[1 << 50])))
    });
    let error = refusal("B07 attribute", &broken, &["shift"]);
    assert!(matches!(error, Error::ModelDamaged { .. }));
}

#[test]
fn b08_a_picture_too_large() {
    let huge = [Some(1), Some(3), Some(200_000), Some(200_000)];
    let error = refusal("B08", &bytes(&net::little_for(17, &huge)), &["200000x200000", "67108864 pixels", "export"]);
    assert!(matches!(error, Error::ModelUnusable { .. }));
    let most = usize::MAX >> 1;
    let sides = [Some(1), Some(3), Some(most), Some(most)];
    let error = refusal("B08 overflow", &bytes(&net::little_for(17, &sides)), &["pixels are supported"]);
    assert!(matches!(error, Error::ModelUnusable { .. }));
    let none = [Some(1), Some(3), Some(0), Some(8)];
    refusal("B08 no pixels", &bytes(&net::little_for(17, &none)), &["1x3x0x8"]);
    let asked = Options { input_size: Some((1 << 20, 1 << 20)), ..options() };
    let dynamic = [Some(1), Some(3), None, None];
    let error = refusal_with(
        "B08 asked for",
        &bytes(&net::little_for(17, &dynamic)),
        &asked,
        &["input-size=1048576x1048576", "67108864 pixels"],
    );
    assert!(matches!(error, Error::Setting { name: "input-size", .. }), "{error:?}");
}
