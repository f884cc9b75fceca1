//! Operators that pick elements, or put elements in the place of others, by indices.

use gstgradcam::onnx::Data;

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    let pick = |indices: &[i64]| op("Gather").x(&[1, 5, 4]).int("axis", 1).places(indices);
    let table = |shape: &[usize], indices: &[i64]| (shape.to_vec(), Data::I64(indices.to_vec()));
    let by = |name: &'static str, x: &[usize], (shape, data): (Vec<usize>, Data)| op(name).x(x).constant(&shape, data);
    vec![
        pick(&[2]),
        op("Gather").x(&[1, 5, 4]).int("axis", 1).constant(&[], Data::I64(vec![-1])).note("one place"),
        pick(&[3, 1, 0, 4, 2]).note("permutation"),
        pick(&[3, 3, 0]).note("twice the same"),
        op("Gather")
            .x(&[1, 5, 4])
            .int("axis", -1)
            .constant(&[2, 2], Data::I64(vec![0, 3, 3, 1]))
            .note("a table of places"),
        pick(&[1, 2, 3]).note("a run"),
        pick(&[-1, -5, -2]).note("from the end"),
        op("Gather").x(&[1, 5, 4]).int("axis", 2).constant(&[1, 2, 2], Data::I64(vec![0, 3, 3, 1])).opset(11),
        op("ArgMax")
            .x(&[6, 4])
            .apart()
            .int("axis", 1)
            .int("keepdims", 0)
            .makes(&["best"])
            .then("Gather")
            .reads(&["x", "best"])
            .int("axis", 1)
            .note("computed places"),
        by("GatherElements", &[3, 4], table(&[2, 3], &[0, 1, 2, 2, 0, -1])),
        by("GatherElements", &[1, 3, 4], table(&[1, 3, 2], &[3, 0, 1, 1, -4, 2])).int("axis", 2),
        by("GatherElements", &[2, 3, 2], table(&[2, 4, 1], &[2, 2, 0, 1, 1, 1, 1, 0])).int("axis", -2),
        op("ArgMin")
            .x(&[4, 5])
            .apart()
            .int("axis", 1)
            .makes(&["least"])
            .then("GatherElements")
            .reads(&["x", "least"])
            .int("axis", 1)
            .note("computed places"),
        op("TopK").x(&[1, 7]).apart().places(&[3]).makes(&["y", "places"]),
        op("TopK").x(&[2, 5, 3]).apart().places(&[2]).int("axis", 1).int("largest", 0).makes(&["y", "places"]),
        by("GatherND", &[3, 4, 2], table(&[3, 2], &[0, 1, 2, -1, 0, 1])),
        by("GatherND", &[3, 4, 2], table(&[2, 1, 1], &[2, 0])).note("rows"),
        by("GatherND", &[2, 3, 4], table(&[2, 2, 1], &[1, 0, 2, 2])).int("batch_dims", 1).opset(12),
        by("ScatterND", &[3, 4, 2], table(&[2, 2], &[0, 1, 2, -1])).weight(&[2, 2]).note("into x"),
        op("ScatterND")
            .x(&[2, 2])
            .weight(&[3, 4, 2])
            .constant(&[2, 2], Data::I64(vec![0, 1, 2, 3]))
            .reads(&["w0", "w1", "x"])
            .note("of x"),
        op("Exp")
            .x(&[4, 3])
            .makes(&["a"])
            .then("ScatterND")
            .constant(&[4, 1], Data::I64(vec![1, 1, 0, 3]))
            .reads(&["x", "w0", "a"])
            .str("reduction", "add")
            .opset(16)
            .note("added"),
        by("ScatterElements", &[3, 4], table(&[2, 2], &[1, 0, 2, 2])).weight(&[2, 2]),
        op("Exp")
            .x(&[2, 3])
            .makes(&["a"])
            .then("ScatterElements")
            .constant(&[2, 3], Data::I64(vec![2, 0, 1, -3, 1, 2]))
            .reads(&["x", "w0", "a"])
            .int("axis", 1)
            .note("all of x"),
        by("ScatterElements", &[2, 3], table(&[2, 2], &[1, 1, 0, 2]))
            .weight(&[2, 2])
            .int("axis", 1)
            .str("reduction", "add"),
        op("Col2Im").opset(18).x(&[1, 12, 16]).places(&[4, 5]).places(&[2, 3]).ints("pads", &[0, 1, 1, 0]),
        op("Col2Im")
            .opset(18)
            .x(&[2, 4, 6])
            .places(&[5, 6])
            .places(&[2, 2])
            .ints("strides", &[2, 2])
            .ints("dilations", &[2, 1])
            .ints("pads", &[1, 0, 0, 0]),
    ]
}
