//! Operators whose gradient is zero by definition: a small change of `x` within a step changes nothing.

use crate::case::{Case, op};

/// One case for each; `x` keeps off the places where they jump.
pub fn all() -> Vec<Case> {
    let number = |name: &'static str| op(name).floats(&[], &[0.5]).kinks(&[0.5]);
    let logic = |name: &'static str| {
        let sides = number("Greater").makes(&["a"]).then("Less").floats(&[], &[-0.5]).reads(&["x", "w1"]).makes(&["b"]);
        sides.kinks(&[-0.5, 0.5]).then(name).reads(&["a", "b"])
    };
    let rounding = |name: &'static str| op(name).kinks(&[-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0]);
    vec![
        op("Floor")
            .kinks(&[-2.0, -1.0, 0.0, 1.0, 2.0])
            .makes(&["a"])
            .then("Cast")
            .reads(&["a"])
            .int("to", 12)
            .makes(&["b"])
            .then("BitShift")
            .reads(&["b", "b"])
            .str("direction", "LEFT")
            .makes(&["c"])
            .then("Cast")
            .reads(&["c"])
            .int("to", 7)
            .range(0.0, 4.0)
            .kinks(&[0.0, 1.0, 2.0, 3.0, 4.0]),
        bits("BitwiseAnd", &["i", "i"]),
        bits("BitwiseOr", &["i", "i"]),
        bits("BitwiseXor", &["i", "j"]),
        bits("BitwiseNot", &["i"]),
        op("Hardmax").x(&[1, 6]).apart(),
        op("IsNaN"),
        op("IsInf"),
        op("EyeLike").x(&[4, 5]),
        op("ArgMax")
            .x(&[3, 5])
            .apart()
            .int("axis", 1)
            .makes(&["a"])
            .then("OneHot")
            .places(&[5])
            .floats(&[2], &[0.5, 2.0])
            .reads(&["a", "w0", "w1"]),
        op("ArgMax").x(&[1, 20]).apart().int("axis", 1),
        op("ArgMin").x(&[1, 20]).apart().int("axis", 1),
        rounding("Ceil"),
        rounding("Floor"),
        rounding("Round"),
        rounding("Sign"),
        op("Shape").makes(&["s"]).then("ConstantOfShape").reads(&["s"]),
        op("Size"),
        number("Equal"),
        number("Greater"),
        number("GreaterOrEqual"),
        number("Less"),
        number("LessOrEqual"),
        logic("And"),
        logic("Or"),
        logic("Xor"),
        number("Greater").makes(&["a"]).then("Not").reads(&["a"]),
        op("Floor").kinks(&[-2.0, -1.0, 0.0, 1.0, 2.0]).makes(&["a"]).then("NonZero").reads(&["a"]),
    ]
}

/// A bitwise operator on rounded numbers.
fn bits(name: &'static str, reads: &[&str]) -> Case {
    let floor = op("Floor").opset(18).range(0.0, 9.0).kinks(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    let whole = floor.makes(&["a"]).then("Cast").reads(&["a"]).int("to", 7).makes(&["i"]);
    whole.then("Neg").reads(&["i"]).makes(&["j"]).then(name).reads(reads)
}
