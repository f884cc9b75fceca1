//! Normalisations.

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    let parameters =
        |c: Case| c.weight(&[4]).weight(&[4]).weight(&[4]).floats(&[4], &[0.5, 1.0, 2.0, 0.1]).float("epsilon", 1e-3);
    vec![
        parameters(op("BatchNormalization").opset(9)),
        parameters(op("BatchNormalization").opset(15)),
        parameters(op("BatchNormalization").x(&[1, 4])).note("no picture"),
        op("LRN").x(&[1, 7, 3, 3]).int("size", 5).float("alpha", 0.8).float("beta", 0.75).float("bias", 1.5),
        op("LRN").x(&[1, 7, 3, 3]).int("size", 3).float("alpha", 0.8).float("beta", 0.6),
        op("LayerNormalization").x(&[1, 5, 6]).weight(&[6]).weight(&[6]),
        op("LayerNormalization").x(&[1, 3, 4, 2]).weight(&[4, 2]).int("axis", 2).float("epsilon", 1e-2),
        op("LRN").x(&[1, 3, 3, 3]).int("size", 5).float("alpha", 0.8).note("wider than the channels"),
        op("LayerNormalization").x(&[1, 5, 6]).weight(&[6]).makes(&["y", "mean", "scale"]).note("all outputs, no bias"),
        op("LayerNormalization").x(&[1, 5, 6]).weight(&[1]).float("epsilon", 1e-3).note("one scale"),
        written_out_layer_norm("Pow"),
        written_out_layer_norm("Mul"),
        op("InstanceNormalization").weight(&[4]).weight(&[4]),
        op("InstanceNormalization").x(&[1, 3, 7]).weight(&[3]).weight(&[3]).float("epsilon", 1e-2).note("one axis"),
        op("InstanceNormalization").x(&[2, 3, 3, 5]).opset(22).weight(&[3]).weight(&[3]).note("two pictures"),
        op("GroupNormalization").opset(18).weight(&[2]).weight(&[2]).int("num_groups", 2),
        op("GroupNormalization").opset(21).weight(&[4]).weight(&[4]).int("num_groups", 2),
        op("GroupNormalization").opset(21).weight(&[4]).weight(&[4]).int("num_groups", 1).float("epsilon", 1e-2),
        op("GroupNormalization")
            .opset(18)
            .x(&[2, 6, 5])
            .weight(&[3])
            .weight(&[3])
            .int("num_groups", 3)
            .note("two pictures"),
        op("RMSNormalization").opset(23).x(&[1, 5, 6]).weight(&[6]),
        op("RMSNormalization").opset(23).x(&[1, 3, 4, 2]).weight(&[4, 2]).int("axis", 2).float("epsilon", 1e-2),
        op("SimplifiedLayerNormalization").x(&[1, 5, 6]).weight(&[6]),
        op("com.microsoft::SkipLayerNormalization")
            .x(&[1, 5, 6])
            .weight(&[1, 5, 6])
            .weight(&[6])
            .weight(&[6])
            .weight(&[6]),
        op("Tanh")
            .x(&[1, 5, 6])
            .makes(&["a"])
            .then("com.microsoft::SkipLayerNormalization")
            .weight(&[6])
            .weight(&[6])
            .reads(&["x", "a", "w0", "w1"])
            .makes(&["n", "", "", "sum"])
            .then("Mul")
            .reads(&["n", "sum"])
            .note("the sum read too"),
        op("com.microsoft::SkipSimplifiedLayerNormalization")
            .x(&[1, 5, 6])
            .weight(&[1, 5, 6])
            .weight(&[6])
            .weight(&[6]),
        op("MeanVarianceNormalization").x(&[2, 3, 4, 4]),
        op("MeanVarianceNormalization").x(&[1, 3, 4, 5]).ints("axes", &[1, -1]),
        op("LpNormalization").x(&[1, 5, 4]),
        op("LpNormalization").x(&[1, 5, 4]).int("axis", 1).int("p", 1).kinks(&[0.0]),
        op("LpNormalization").opset(22).x(&[1, 5, 4]).int("axis", -2).int("p", 2),
    ]
}

/// LayerNormalization as torch's older exporter writes it.
fn written_out_layer_norm(square: &'static str) -> Case {
    let centred = op("ReduceMean")
        .x(&[1, 5, 6])
        .ints("axes", &[-1])
        .makes(&["mean"])
        .then("Sub")
        .reads(&["x", "mean"])
        .makes(&["centred"])
        .then(square);
    let squared = match square {
        "Pow" => centred.floats(&[], &[2.0]).reads(&["centred", "w0"]),
        _ => centred.reads(&["centred", "centred"]).floats(&[], &[0.0]).reads(&["centred", "centred"]),
    };
    squared
        .makes(&["square"])
        .then("ReduceMean")
        .reads(&["square"])
        .ints("axes", &[-1])
        .makes(&["variance"])
        .then("Add")
        .floats(&[], &[1e-5])
        .reads(&["variance", "w1"])
        .makes(&["sum"])
        .then("Sqrt")
        .reads(&["sum"])
        .makes(&["deviation"])
        .then("Div")
        .reads(&["centred", "deviation"])
        .note("written out")
}
