//! Matrix products, and the ends of networks.

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    let mut cases = vec![
        op("Gemm").x(&[1, 6]).weight(&[6, 5]).weight(&[5]),
        op("Gemm").x(&[1, 6]).weight(&[5, 6]).int("transB", 1).float("alpha", 0.5).float("beta", 2.0).weight(&[1, 5]),
        op("Gemm").x(&[1, 6]).weight(&[6, 6]).int("transB", 1).note("square, no bias").opset(11),
        op("Tanh")
            .x(&[1, 5])
            .makes(&["a"])
            .then("Gemm")
            .weight(&[5, 5])
            .reads(&["x", "w0", "a"])
            .float("beta", 0.3)
            .note("C computed"),
        op("MatMul").x(&[1, 6]).weight(&[6, 5]),
        op("MatMul").x(&[1, 3, 6]).weight(&[6, 5]),
        op("MatMul").x(&[1, 2, 3, 6]).weight(&[2, 6, 5]),
        op("MatMul").x(&[1, 2, 3, 6]).weight(&[4, 3]).reads(&["w0", "x"]).note("constant left"),
        op("Transpose")
            .x(&[1, 2, 3, 6])
            .ints("perm", &[0, 1, 3, 2])
            .makes(&["t"])
            .then("MatMul")
            .reads(&["x", "t"])
            .note("Gram"),
        op("Gemm").x(&[6, 3]).weight(&[6, 5]).int("transA", 1).note("A transposed"),
        op("Gemm").x(&[6, 3]).weight(&[5, 6]).int("transA", 1).int("transB", 1).float("alpha", 0.5).weight(&[5]),
        op("Gemm").x(&[4, 5]).weight(&[3, 4]).reads(&["w0", "x"]).note("B computed"),
        op("Gemm").x(&[5, 4]).weight(&[3, 4]).reads(&["w0", "x"]).int("transB", 1).float("alpha", 2.0),
        op("Gemm").x(&[4, 5]).weight(&[4, 3]).reads(&["w0", "x"]).int("transA", 1),
        op("Gemm").x(&[4, 4]).reads(&["x", "x"]).int("transA", 1).note("with itself"),
        op("MatMul").x(&[6]).weight(&[6, 5]).note("a row"),
        op("MatMul").x(&[6]).weight(&[2, 6, 5]).note("a row, several matrices"),
        op("MatMul").x(&[1, 3, 6]).weight(&[6]).note("a column"),
        op("MatMul").x(&[6]).weight(&[6]).note("two vectors"),
        op("MatMul").x(&[6]).weight(&[2, 3, 6]).reads(&["w0", "x"]).note("a column on the right"),
        op("MatMul").x(&[6, 5]).weight(&[6]).reads(&["w0", "x"]).note("a row on the left"),
        op("MatMul").x(&[1, 3, 6]).weight(&[2, 1, 6, 5]).note("both repeated"),
        op("com.microsoft::FusedMatMul").x(&[2, 3, 6]).weight(&[2, 6, 5]).float("alpha", 0.3),
        op("com.microsoft::FusedMatMul").x(&[2, 6, 3]).weight(&[2, 5, 6]).int("transA", 1).int("transB", 1),
        op("com.microsoft::FusedMatMul").x(&[1, 3, 6]).weight(&[5, 6]).int("transB", 1).note("matrix"),
    ];
    cases.extend(classifiers());
    cases
}

/// Ends of networks: what the backward pass is made of there.
fn classifiers() -> Vec<Case> {
    let row: &[&str] = &["Gather", "Reshape", "Identity"];
    let pooled: &[&str] = &["Gather", "Reshape", "Mul", "Identity", "Expand"];
    vec![
        op("Gemm").x(&[1, 6]).weight(&[5, 6]).int("transB", 1).weight(&[5]).seed_ops(row),
        op("Gemm").x(&[1, 6]).weight(&[6, 5]).seed_ops(row),
        op("MatMul").x(&[1, 6]).weight(&[6, 5]).seed_ops(row),
        op("Gemm").x(&[1, 6]).weight(&[1, 6]).int("transB", 1).note("one class").seed_ops(row),
        op("Conv").x(&[1, 4, 1, 1]).weight(&[7, 4, 1, 1]).seed_ops(row),
        op("Conv").x(&[1, 4, 1, 1]).weight(&[7, 4, 1, 1]).makes(&["z"]).then("Flatten").reads(&["z"]).seed_ops(row),
        op("Conv").x(&[1, 4, 3, 3]).weight(&[7, 4, 3, 3]).note("over the whole picture"),
        op("Conv").x(&[1, 4, 1, 1]).weight(&[8, 2, 1, 1]).int("group", 2).note("grouped classifier"),
        op("GlobalAveragePool")
            .makes(&["p"])
            .then("Flatten")
            .reads(&["p"])
            .makes(&["f"])
            .then("Gemm")
            .weight(&[5, 4])
            .reads(&["f", "w0"])
            .int("transB", 1)
            .seed_ops(pooled),
        op("ReduceMean")
            .ints("axes", &[2, 3])
            .int("keepdims", 0)
            .makes(&["p"])
            .then("MatMul")
            .weight(&[4, 5])
            .reads(&["p", "w0"])
            .makes(&["m"])
            .then("Add")
            .weight(&[5])
            .reads(&["m", "w1"])
            .seed_ops(pooled),
        op("GlobalAveragePool").makes(&["p"]).then("Flatten").reads(&["p"]).note("scores are channel means"),
    ]
}
