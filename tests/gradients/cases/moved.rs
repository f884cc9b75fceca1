//! Cases in which axis 0 is no batch of one: several pictures, sequences first, windows cut out of the picture.

use gstgradcam::onnx::Data;

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    vec![
        op("Transpose").x(&[1, 4, 6]).ints("perm", &[1, 0, 2]),
        op("Transpose").x(&[3, 1, 6]).ints("perm", &[1, 0, 2]),
        op("Reshape").x(&[1, 4, 6]).places(&[4, 6]),
        op("Reshape").x(&[4, 6]).places(&[1, 4, 6]),
        op("Reshape").x(&[1, 6]).places(&[-1]),
        op("Squeeze").x(&[1, 6]).places(&[0]),
        op("ReduceMean").x(&[3, 4, 2]).ints("axes", &[0, 1]),
        op("ReduceMean").x(&[3, 4]).ints("axes", &[0, 1]).int("keepdims", 0),
        op("ReduceMax").x(&[3, 4]).ints("axes", &[0]).apart(),
        op("Add").x(&[1, 4]).weight(&[3, 4]).note("repeated over axis 0"),
        op("Mul").x(&[4]).weight(&[3, 4]).note("of fewer axes"),
        op("Tanh").x(&[4]).makes(&["a"]).then("Unsqueeze").reads(&["a"]).places(&[0]),
        op("Tanh").x(&[3, 4]).makes(&["a"]).then("Concat").reads(&["x", "a"]).int("axis", 0),
        op("Split").x(&[4, 3]).places(&[1, 3]).makes(&["a", "b"]).then("Concat").reads(&["b", "a"]).int("axis", 0),
        op("Slice").x(&[4, 3]).places(&[1]).places(&[4]).places(&[0]).places(&[2]),
        op("Pad").x(&[3, 2]).places(&[1, 0, 2, 0]),
        op("Gather").x(&[5, 4]).places(&[3, 3, 0]),
        op("Gather").x(&[5, 4]).constant(&[], Data::I64(vec![2])),
        op("Gather").x(&[3, 4]).places(&[2, 0, 1]),
        op("Softmax").x(&[5, 3]).int("axis", 0),
        op("LayerNormalization").x(&[3, 5]).weight(&[3, 5]).weight(&[3, 5]).int("axis", 0),
        op("MatMul").x(&[3, 4]).weight(&[4, 5]),
        op("MatMul").x(&[3, 4]).weight(&[2, 3]).reads(&["w0", "x"]).note("on the right"),
        op("Transpose").x(&[3, 4]).ints("perm", &[1, 0]).makes(&["t"]).then("MatMul").reads(&["x", "t"]),
        op("MatMul").x(&[2, 3, 4]).weight(&[2, 4, 5]),
        op("Gemm").x(&[3, 4]).weight(&[5, 4]).weight(&[5]).int("transB", 1).note("several pictures"),
        op("Conv").x(&[3, 4, 5, 5]).weight(&[6, 4, 3, 3]).ints("pads", &[1, 1, 1, 1]),
        op("Conv").x(&[2, 4, 5, 5]).weight(&[6, 4, 3, 3]).ints("strides", &[2, 2]),
        op("MaxPool").x(&[2, 3, 6, 6]).ints("kernel_shape", &[2, 2]).ints("strides", &[2, 2]).apart(),
        op("MaxPool").x(&[2, 3, 5, 5]).ints("kernel_shape", &[3, 3]).ints("strides", &[2, 2]).apart(),
        op("MaxPool").x(&[1, 2, 5, 6]).ints("kernel_shape", &[1, 3]).ints("strides", &[2, 2]).apart(),
        op("MaxPool").x(&[1, 2, 7, 7]).ints("kernel_shape", &[2, 2]).ints("strides", &[3, 3]).apart(),
        op("Conv")
            .x(&[1, 2, 7, 9])
            .weight(&[4, 1, 3, 5])
            .ints("strides", &[3, 2])
            .int("group", 2)
            .ints("pads", &[1, 2, 0, 1]),
        op("Conv").x(&[1, 2, 8, 7]).weight(&[3, 2, 1, 1]).ints("strides", &[2, 3]),
        op("Conv").x(&[1, 2, 9, 9]).weight(&[3, 2, 3, 2]).ints("strides", &[2, 3]).ints("dilations", &[2, 2]),
        op("AveragePool").x(&[2, 3, 5, 5]).ints("kernel_shape", &[3, 3]),
        op("GlobalAveragePool").x(&[2, 3, 4, 4]),
        // windows of 2x3 out of 4x6, each an entry of axis 0, mixed by attention, and back
        op("Reshape")
            .x(&[1, 4, 6, 2])
            .places(&[1, 2, 2, 2, 3, 2])
            .makes(&["cut"])
            .then("Transpose")
            .reads(&["cut"])
            .ints("perm", &[0, 1, 3, 2, 4, 5])
            .makes(&["apart"])
            .then("Reshape")
            .reads(&["apart"])
            .places(&[4, 6, 2])
            .makes(&["q"])
            .then("Transpose")
            .reads(&["q"])
            .ints("perm", &[0, 2, 1])
            .makes(&["k"])
            .then("MatMul")
            .reads(&["q", "k"])
            .makes(&["scores"])
            .then("Softmax")
            .reads(&["scores"])
            .int("axis", -1)
            .makes(&["shares"])
            .then("MatMul")
            .reads(&["shares", "q"])
            .makes(&["mixed"])
            .then("Reshape")
            .reads(&["mixed"])
            .places(&[1, 2, 2, 2, 3, 2])
            .makes(&["boxes"])
            .then("Transpose")
            .reads(&["boxes"])
            .ints("perm", &[0, 1, 3, 2, 4, 5])
            .makes(&["together"])
            .then("Reshape")
            .reads(&["together"])
            .places(&[1, 4, 6, 2])
            .note("windows"),
        class_token(&[0], &[1, 4]),
        class_token(&[4], &[4]).note("token behind"),
    ]
}

/// A block of a transformer of which one token is read: the gradient is zero at all others until attention spreads it.
fn class_token(token: &[i64], shape: &[i64]) -> Case {
    op("LayerNormalization")
        .x(&[1, 5, 4])
        .weight(&[4])
        .makes(&["n"])
        .then("MatMul")
        .weight(&[4, 4])
        .reads(&["n", "w1"])
        .makes(&["q"])
        .then("Transpose")
        .reads(&["n"])
        .ints("perm", &[0, 2, 1])
        .makes(&["k"])
        .then("MatMul")
        .reads(&["q", "k"])
        .makes(&["scores"])
        .then("Softmax")
        .reads(&["scores"])
        .int("axis", -1)
        .makes(&["shares"])
        .then("MatMul")
        .reads(&["shares", "n"])
        .makes(&["mixed"])
        .then("Add")
        .reads(&["mixed", "x"])
        .makes(&["sum"])
        .then("Reshape")
        .reads(&["sum"])
        .places(&[5, 4])
        .reads(&["sum", "w2"])
        .makes(&["rows"])
        .then("MatMul")
        .weight(&[4, 6])
        .reads(&["rows", "w3"])
        .makes(&["wide"])
        .then("Tanh")
        .reads(&["wide"])
        .makes(&["bent"])
        .then("MatMul")
        .weight(&[6, 4])
        .reads(&["bent", "w4"])
        .makes(&["narrow"])
        .then("Add")
        .reads(&["narrow", "rows"])
        .makes(&["out"])
        .then("Gather")
        .places(token)
        .reads(&["out", "w5"])
        .makes(&["one"])
        .then("Reshape")
        .places(shape)
        .reads(&["one", "w6"])
        .note("class token")
}
