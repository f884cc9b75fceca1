//! Operators that move elements.

use gstgradcam::onnx::Data;

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    let part = |outputs: &'static [&'static str]| op("Split").x(&[1, 6, 3]).int("axis", 1).makes(outputs);
    let copies = |mode: &str| op("Pad").x(&[1, 2, 4, 5]).str("mode", mode);
    let last = i64::MAX;
    vec![
        op("Reshape").places(&[1, -1]).note("flatten"),
        op("Reshape").places(&[0, 2, 2, 36]).note("groups"),
        op("Reshape").x(&[1, 4, 6]).places(&[1, 4, 6, 1, 1]),
        op("Reshape").x(&[1, 4, 6]).places(&[1, 3, 8]).note("no common axes"),
        op("Flatten"),
        op("Flatten").x(&[1, 4, 1, 1]).note("behind a pooled head"),
        op("Flatten").x(&[1, 1, 3, 4]).int("axis", 2).note("two axes stay in front"),
        op("Squeeze").x(&[1, 4, 1, 1]).opset(11).ints("axes", &[2, 3]),
        op("Squeeze").x(&[1, 4, 1, 3]).places(&[-2]),
        op("Unsqueeze").x(&[1, 4]).opset(11).ints("axes", &[2, 3]),
        op("Unsqueeze").x(&[1, 4]).places(&[2, 3]),
        op("Transpose").ints("perm", &[0, 2, 3, 1]),
        op("Transpose").x(&[1, 2, 3, 4, 5]).ints("perm", &[0, 2, 1, 4, 3]),
        op("Tanh").makes(&["a"]).then("Concat").weight(&[1, 3, 6, 6]).reads(&["x", "w0", "a", "x"]).int("axis", 1),
        op("Concat").reads(&["x", "x"]).int("axis", -1).opset(11),
        part(&["a", "b"]).opset(11).ints("split", &[2, 4]).then("Concat").reads(&["b", "a"]).int("axis", 1),
        part(&["a", "b"]).places(&[2, 4]).then("Concat").reads(&["b", "a"]).int("axis", 1),
        part(&["a", "b", "y"]).note("one part read"),
        part(&["a", "b", "c"]).then("Add").reads(&["a", "c"]).note("two parts read"),
        op("Slice").opset(9).ints("axes", &[2, 3]).ints("starts", &[1, -4]).ints("ends", &[5, last]),
        op("Slice").places(&[1]).places(&[last]).places(&[1]).places(&[2]).note("steps to the end"),
        op("Slice").places(&[0, 1]).places(&[-1, 6]).places(&[2, 3]).places(&[3, 2]).note("steps"),
        op("Slice").places(&[-100, 0]).places(&[100, 3]).places(&[1, -1]).note("out of range"),
        op("Slice").x(&[1, 6]).places(&[0, 2]).places(&[1, 5]).note("no axes"),
        op("Pad").opset(9).ints("pads", &[0, 0, 1, 2, 0, 0, 0, 1]),
        op("Pad").places(&[0, 0, 1, 2, 0, 3, 0, 1]).floats(&[], &[0.5]),
        op("Pad").places(&[0, 0, -1, 2, 0, 0, -2, -1]).note("cuts"),
        op("Pad").opset(18).places(&[1, 0, 0, 2]).nothing().places(&[-1, 2]).note("axes"),
        op("Expand").x(&[1, 4, 1, 1]).places(&[1, 4, 3, 2]),
        op("Expand").x(&[1, 1, 4]).places(&[3, 1]),
        part(&["a", "b", "c"]).opset(11).then("Add").reads(&["a", "c"]).note("even parts without sizes"),
        op("Split")
            .opset(18)
            .x(&[1, 7, 3])
            .int("axis", 1)
            .int("num_outputs", 3)
            .makes(&["y", "b", "c"])
            .note("uneven parts"),
        op("Squeeze").x(&[1, 4, 1, 1]).note("all units").opset(11),
        op("Unsqueeze").x(&[1, 4]).places(&[-1, 0]),
        op("Slice").x(&[1, 4, 7]).places(&[-1]).places(&[-100]).places(&[2]).places(&[-1]).note("backwards"),
        op("Slice").x(&[1, 4, 7]).places(&[5]).places(&[0]).places(&[2]).places(&[-2]).note("backwards in steps"),
        op("Slice").x(&[1, 4, 7]).places(&[100, 1]).places(&[-100, 6]).places(&[1, 2]).places(&[-3, 2]),
        op("Slice").x(&[1, 4, 7]).places(&[2]).places(&[-100]).places(&[-1]).places(&[-1]).note("a start backwards"),
        copies("reflect").places(&[0, 0, 1, 2, 0, 0, 0, 1]),
        copies("reflect").opset(9).ints("pads", &[0, 0, 3, 0, 0, 0, 2, 3]),
        copies("edge").places(&[0, 0, 1, 2, 0, 0, 0, 1]),
        copies("edge").opset(18).places(&[2, 0, 0, 3]).nothing().places(&[-1, 2]).note("axes"),
        copies("edge").x(&[1, 5]).places(&[0, 2, 0, 1]).note("two axes"),
        copies("wrap").opset(19).places(&[0, 0, 1, 2, 0, 0, 0, 1]),
        op("Tile").places(&[1, 2, 1, 3]),
        op("Tile").x(&[1, 4, 1]).places(&[2, 1, 3]).note("unit axes"),
        op("Tile").x(&[3]).places(&[2]).note("one axis"),
        op("DepthToSpace").x(&[1, 8, 3, 2]).int("blocksize", 2),
        op("DepthToSpace").x(&[1, 18, 2, 3]).int("blocksize", 3).str("mode", "CRD"),
        op("DepthToSpace").opset(9).x(&[2, 4, 3, 2]).int("blocksize", 2),
        op("SpaceToDepth").x(&[1, 3, 4, 6]).int("blocksize", 2),
        op("SpaceToDepth").x(&[2, 1, 6, 3]).int("blocksize", 3),
        op("Trilu").x(&[1, 4, 5]),
        op("Trilu").x(&[4, 5]).int("upper", 0).constant(&[], Data::I64(vec![1])),
        op("Trilu").x(&[2, 4, 4]).constant(&[], Data::I64(vec![-1])),
        op("CumSum").x(&[1, 5, 4]).constant(&[], Data::I64(vec![1])),
        op("CumSum").x(&[1, 5, 4]).constant(&[1], Data::I64(vec![-1])).int("exclusive", 1),
        op("CumSum").x(&[5, 4]).constant(&[], Data::I64(vec![0])).int("reverse", 1),
        op("CumSum").x(&[5]).constant(&[], Data::I64(vec![0])).int("reverse", 1).int("exclusive", 1),
    ]
}
