//! Activations.

use gstgradcam::onnx::Data;

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    let zero: &[f32] = &[0.0];
    vec![
        op("Identity"),
        op("Cast").int("to", 1),
        op("Dropout").opset(11),
        op("Dropout").floats(&[], &[0.5]).constant(&[], Data::Bool(vec![false])),
        op("Relu").kinks(zero).opset(9),
        op("Relu").kinks(zero),
        op("Sigmoid"),
        op("Tanh"),
        op("Softplus"),
        op("Softsign"),
        op("HardSwish").range(-5.0, 5.0).kinks(&[-3.0, 3.0]),
        op("Clip").opset(9).float("min", 0.0).float("max", 1.5).kinks(&[0.0, 1.5]),
        op("Clip").opset(11).floats(&[], &[-0.5]).kinks(&[-0.5]).note("below only"),
        op("Clip").nothing().floats(&[], &[0.7]).kinks(&[0.7]).note("above only"),
        op("Clip").floats(&[], &[0.0]).floats(&[], &[6.0]).range(-3.0, 9.0).kinks(&[0.0, 6.0]).note("ReLU6"),
        op("Clip").opset(9).note("no bounds"),
        op("LeakyRelu").kinks(zero).float("alpha", 0.2),
        op("LeakyRelu").kinks(zero).float("alpha", -0.3).note("falling"),
        op("PRelu").kinks(zero).weight(&[4, 1, 1]),
        op("PRelu").kinks(zero).weight(&[1]),
        op("Elu").kinks(zero).float("alpha", 0.7),
        op("Celu").kinks(zero).float("alpha", 1.7),
        op("Selu").kinks(zero),
        op("Selu").kinks(zero).float("alpha", 1.2).float("gamma", 0.8),
        op("ThresholdedRelu").kinks(&[0.5]).float("alpha", 0.5),
        op("HardSigmoid").range(-4.0, 4.0).kinks(&[-2.5, 2.5]),
        op("HardSigmoid").range(-4.0, 4.0).kinks(&[-3.0, 3.0]).float("alpha", 1.0 / 6.0),
        op("Mish").opset(18),
        op("Gelu").opset(20),
        op("Gelu").opset(20).str("approximate", "tanh"),
        op("Softmax").opset(11).x(&[1, 3, 2, 4]).int("axis", 2).note("flattens"),
        op("Softmax").opset(9).x(&[1, 7]),
        op("Softmax").x(&[1, 3, 2, 4]).int("axis", 1),
        op("Softmax").x(&[1, 7]),
        op("LogSoftmax").opset(11).x(&[1, 3, 4]),
        op("LogSoftmax").x(&[1, 3, 4]).int("axis", -2),
        op("PRelu")
            .kinks(zero)
            .makes(&["a"])
            .weight(&[4, 1, 1])
            .then("GlobalAveragePool")
            .reads(&["x"])
            .makes(&["s"])
            .then("PRelu")
            .reads(&["x", "s"])
            .note("slope computed"),
        op("Dropout").opset(7).float("ratio", 0.5),
        op("Dropout").floats(&[], &[0.5]).makes(&["y", ""]),
        op("Cast").int("to", 1).makes(&["a"]).then("Cast").reads(&["a"]).int("to", 1).note("chain"),
        op("CastLike").weight(&[2]),
        op("Swish").opset(24),
        op("Swish").opset(24).float("alpha", 0.6),
        op("Shrink").kinks(&[-0.7, 0.7]).float("lambd", 0.7).float("bias", 0.2),
        op("com.microsoft::Gelu"),
        op("com.microsoft::QuickGelu"),
        op("com.microsoft::QuickGelu").float("alpha", 0.8),
        op("com.microsoft::FastGelu").x(&[1, 3, 5]),
        op("com.microsoft::FastGelu").x(&[1, 3, 5]).weight(&[5]),
        op("com.microsoft::BiasGelu").x(&[1, 3, 5]).weight(&[5]),
        written_out_gelu("Erf"),
        written_out_gelu("Tanh"),
        op("Softmax").opset(11).x(&[1, 3, 2, 4]).int("axis", -1),
        op("Softmax").opset(12).x(&[1, 3, 2, 4]).note("flattens from 1"),
        op("LogSoftmax").opset(9).x(&[1, 3, 2, 4]).int("axis", 3),
    ]
}

/// x * (1 + f(x)) / 2, as exporters write Gelu in simpler operators.
fn written_out_gelu(by: &'static str) -> Case {
    op("Mul")
        .floats(&[], &[0.7])
        .makes(&["scaled"])
        .then(by)
        .reads(&["scaled"])
        .makes(&["bent"])
        .then("Add")
        .floats(&[], &[1.0])
        .reads(&["bent", "w1"])
        .makes(&["gate"])
        .then("Mul")
        .reads(&["x", "gate"])
        .makes(&["twice"])
        .then("Mul")
        .floats(&[], &[0.5])
        .reads(&["twice", "w2"])
        .note("written out")
}
