//! Reductions.

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for by in ["ReduceMean", "ReduceSum"] {
        let as_input = if by == "ReduceSum" { 13 } else { 18 };
        cases.extend([
            op(by).opset(as_input - 1).ints("axes", &[2, 3]).int("keepdims", 1),
            op(by).opset(11).ints("axes", &[-1, -2]).int("keepdims", 0).note("from the end"),
            op(by).opset(as_input).places(&[-1, 2]).int("keepdims", 0),
            op(by).opset(as_input).places(&[1]),
            op(by).opset(as_input).places(&[1, 3]).int("keepdims", 0).note("not neighbours"),
            op(by).opset(as_input).places(&[]).int("noop_with_empty_axes", 1).note("over nothing"),
            op(by).opset(as_input).int("noop_with_empty_axes", 1).note("over nothing, no axes"),
        ]);
    }
    for by in ["ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd"] {
        let op = || op(by).range(0.4, 1.6);
        cases.extend([
            op().ints("axes", &[2, 3]).int("keepdims", 0),
            op().opset(11).ints("axes", &[-3]),
            op().opset(18).places(&[1, -1]).note("not neighbours"),
            op().opset(18).x(&[1, 5]).note("all"),
        ]);
    }
    for by in ["ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ReduceProd"] {
        cases.push(op(by).x(&[1, 3, 4]).kinks(&[0.0]).ints("axes", &[2]).note("of either sign"));
    }
    cases.extend([
        op("ReduceMax").apart().ints("axes", &[2, 3]).int("keepdims", 0),
        op("ReduceMax").apart().ints("axes", &[1]).opset(11),
        op("ReduceMax").apart().places(&[2, -1]).opset(18),
        op("ReduceMax").apart().ints("axes", &[1, 3]).int("keepdims", 0).note("not neighbours"),
        op("ReduceMin").apart().ints("axes", &[2, 3]).int("keepdims", 0),
        op("ReduceMin").apart().ints("axes", &[0, 2]).opset(11).note("not neighbours"),
        op("ReduceMin").apart().places(&[-1]).opset(18),
        op("ReduceMin").apart().opset(20).note("all"),
    ]);
    cases
}
