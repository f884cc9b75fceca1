//! Arithmetic on operands that broadcast, and functions of one operand.

use gstgradcam::onnx::Data;

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    // a channel's own mean as the second operand: squeeze and excite
    let gated = |by: &'static str| op("GlobalAveragePool").range(0.5, 2.0).makes(&["s"]).then(by);
    let mut cases = Vec::new();
    for by in ["Add", "Sub", "Mul", "Div"] {
        cases.extend([
            op("Exp").range(0.5, 2.0).makes(&["a"]).then(by).reads(&["x", "a"]).note("both computed"),
            gated(by).reads(&["x", "s"]).note("channel on the right"),
            gated(by).reads(&["s", "x"]).note("channel on the left"),
            op(by).floats(&[4, 1, 1], &[0.5, -1.0, 2.0, 1.5]).note("constant"),
            op(by).floats(&[], &[0.5]).note("number"),
            op(by).range(0.5, 2.0).floats(&[4, 1, 1], &[0.5, -1.0, 2.0, 1.5]).reads(&["w0", "x"]).note("constant left"),
            op(by)
                .x(&[1, 4, 1, 1])
                .range(0.5, 2.0)
                .floats(&[1, 1, 2, 3], &[1.0, 2.0, -1.0, 0.5, 0.7, 3.0])
                .note("x is repeated"),
        ]);
    }
    cases.extend(["Add", "Mul"].map(|by| op(by).range(0.5, 2.0).reads(&["x", "x"]).note("with itself")));
    let exponent = |p: f32| op("Pow").range(0.3, 2.0).floats(&[], &[p]);
    let condition: Vec<bool> = (0..24).map(|i| i % 3 == 0).collect();
    cases.extend([
        op("Relu")
            .kinks(&[0.0])
            .makes(&["a"])
            .then("Tanh")
            .reads(&["x"])
            .makes(&["b"])
            .then("Sum")
            .reads(&["x", "a", "b"]),
        op("GlobalAveragePool").makes(&["s"]).then("Sum").reads(&["s", "x"]).note("channel"),
        op("Tanh").makes(&["a"]).then("Mean").reads(&["x", "a", "x"]),
        op("Max").kinks(&[0.3]).floats(&[1], &[0.3]),
        op("Min").kinks(&[0.3]).floats(&[1], &[0.3]),
        op("Neg").makes(&["a"]).then("Max").reads(&["a", "x"]).kinks(&[0.0]).note("Abs"),
        op("Tanh").makes(&["a"]).then("Min").reads(&["x", "a"]).kinks(&[0.0]),
        exponent(2.0),
        exponent(0.5),
        exponent(-1.5),
        op("Pow").floats(&[], &[3.0]).note("negative base"),
        op("Pow").constant(&[1], Data::I64(vec![3])).note("integer exponent"),
        op("Pow").range(0.3, 2.0).floats(&[4, 1, 1], &[1.0, 2.0, 2.5, -1.0]),
        op("Tanh")
            .x(&[1, 4, 6])
            .makes(&["a"])
            .then("Where")
            .constant(&[1, 4, 6], Data::Bool(condition.clone()))
            .reads(&["w0", "x", "a"]),
        op("Greater")
            .floats(&[], &[0.5])
            .kinks(&[0.5])
            .makes(&["m"])
            .then("Where")
            .floats(&[], &[0.1])
            .reads(&["m", "x", "w1"]),
        op("Neg"),
        op("Abs").kinks(&[0.0]),
        op("Exp"),
        op("Log").range(0.3, 2.0),
        op("Sqrt").range(0.3, 2.0),
        op("Reciprocal").range(0.3, 2.0),
        op("Erf"),
        op("Sin"),
        op("Cos"),
        op("Tanh").makes(&["a"]).then("Pow").reads(&["x", "a"]).range(0.5, 2.0).note("both computed"),
        op("GlobalAveragePool").range(0.5, 2.0).makes(&["s"]).then("Pow").reads(&["x", "s"]).note("exponent a channel"),
        op("Pow").range(0.5, 2.0).floats(&[4, 1, 1], &[0.5, 1.0, 2.0, 1.5]).reads(&["w0", "x"]).note("constant base"),
        op("Mod").int("fmod", 1).floats(&[], &[5.0]).kinks(&[0.0]),
        op("Mod").int("fmod", 1).range(0.7, 0.9).floats(&[], &[2.0]).reads(&["w0", "x"]),
        op("Tanh")
            .x(&[1, 4, 6])
            .makes(&["a"])
            .then("Where")
            .constant(&[4, 1], Data::Bool(vec![true, false, false, true]))
            .reads(&["w0", "x", "a"])
            .note("broadcast condition"),
        op("Where")
            .x(&[1, 1, 6])
            .constant(&[4, 1], Data::Bool(vec![true, false, false, true]))
            .weight(&[1, 4, 6])
            .reads(&["w0", "x", "w1"])
            .note("x is repeated"),
        op("Tan").range(-1.0, 1.0),
        op("Asin").range(-0.8, 0.8),
        op("Acos").range(-0.8, 0.8),
        op("Atan"),
        op("Sinh"),
        op("Cosh").range(0.2, 2.0),
        op("Asinh"),
        op("Acosh").range(1.3, 3.0),
        op("Atanh").range(-0.8, 0.8),
    ]);
    cases
}
