//! The table: at least one case for each rule, several where an operator has several forms.

use gstgradcam::onnx::{DType, Data};

use crate::case::{Case, op};
use crate::moved;

/// Every case.
pub fn all() -> Vec<Case> {
    [
        activations(),
        arithmetic(),
        convolutions(),
        products(),
        pools(),
        reductions(),
        norms(),
        moves(),
        moved::all(),
        classifiers(),
        quantisers(),
    ]
    .concat()
}

/// In steps much finer than a finite difference, so that it sees the slope between them, and saturation at +-1.6.
fn quantisers() -> Vec<Case> {
    let middle = |n: usize| Data::Raw(DType::named("uint16"), 32768u16.to_le_bytes().repeat(n));
    let there_and_back = |case: Case| {
        case.makes(&["q"]).then("DequantizeLinear").reads(&["q", "w0", "w1"]).opset(21).kinks(&[-1.6384, 1.6384])
    };
    let each = op("QuantizeLinear").floats(&[4], &[5e-5; 4]).constant(&[4], middle(4)).int("axis", 1);
    let all = op("QuantizeLinear").floats(&[], &[5e-5]).constant(&[], middle(1));
    vec![
        there_and_back(all).makes(&["d"]).then("Tanh").reads(&["d"]),
        there_and_back(each).int("axis", 1).makes(&["d"]).then("Tanh").reads(&["d"]).note("a scale for each channel"),
    ]
}

fn activations() -> Vec<Case> {
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
    ]
}

fn arithmetic() -> Vec<Case> {
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
    ]);
    cases
}

fn convolutions() -> Vec<Case> {
    let conv = |shape: &[usize], weight: &[usize]| op("Conv").x(shape).weight(weight);
    let same = |mode: &str| op("Conv").x(&[1, 4, 7, 8]).weight(&[6, 4, 3, 4]).str("auto_pad", mode);
    let back = |weight: &[usize]| op("ConvTranspose").x(&[1, 4, 5, 6]).weight(weight);
    vec![
        conv(&[1, 4, 6, 6], &[6, 4, 3, 3]).weight(&[6]).note("bias"),
        conv(&[1, 4, 6, 6], &[6, 4, 3, 3]).ints("pads", &[1, 1, 1, 1]).opset(9),
        conv(&[1, 4, 6, 7], &[6, 4, 3, 3]).ints("pads", &[2, 0, 1, 2]).note("asymmetric"),
        conv(&[1, 4, 9, 9], &[6, 4, 3, 3]).ints("pads", &[2, 2, 2, 2]).ints("dilations", &[2, 2]).note("dilated"),
        conv(&[1, 4, 8, 8], &[6, 4, 3, 3]).ints("pads", &[1, 1, 1, 1]).ints("strides", &[2, 2]).note("uncovered end"),
        conv(&[1, 4, 9, 7], &[6, 4, 3, 2])
            .ints("pads", &[1, 0, 0, 2])
            .ints("strides", &[3, 2])
            .note("stride, asymmetric"),
        conv(&[1, 4, 9, 9], &[4, 4, 3, 3])
            .ints("strides", &[2, 2])
            .ints("dilations", &[2, 2])
            .note("stride, dilated, square"),
        conv(&[1, 4, 6, 6], &[6, 4, 1, 1]).note("pointwise"),
        conv(&[1, 4, 7, 7], &[6, 4, 1, 1]).ints("strides", &[2, 2]).note("downsample"),
        conv(&[1, 4, 5, 5], &[6, 4, 1, 1]).ints("pads", &[1, 1, 1, 1]).note("pointwise, padded"),
        conv(&[1, 4, 6, 6], &[4, 1, 3, 3]).ints("pads", &[1, 1, 1, 1]).int("group", 4).note("depthwise"),
        conv(&[1, 4, 6, 6], &[8, 1, 3, 3]).int("group", 4).ints("strides", &[2, 2]).note("depthwise times two"),
        conv(&[1, 4, 6, 6], &[6, 2, 3, 3]).int("group", 2).note("two groups"),
        conv(&[1, 4, 6, 6], &[6, 2, 1, 1]).int("group", 2).note("two groups, pointwise"),
        conv(&[1, 4, 9], &[6, 4, 3]).ints("pads", &[1, 1]).note("one axis"),
        conv(&[1, 2, 4, 5, 4], &[3, 2, 2, 3, 2]).note("three axes"),
        same("SAME_UPPER"),
        same("SAME_LOWER"),
        same("SAME_UPPER").ints("strides", &[2, 3]),
        same("SAME_LOWER").ints("strides", &[2, 3]),
        same("VALID"),
        back(&[4, 3, 3, 3]).weight(&[3]),
        back(&[4, 3, 2, 2]).ints("strides", &[2, 2]),
        back(&[4, 3, 3, 3]).ints("strides", &[2, 2]).ints("pads", &[1, 1, 1, 1]).ints("output_padding", &[1, 1]),
        back(&[4, 2, 3, 3])
            .ints("strides", &[3, 2])
            .ints("pads", &[0, 1, 1, 0])
            .int("group", 2)
            .ints("dilations", &[1, 2]),
    ]
}

fn products() -> Vec<Case> {
    vec![
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
    ]
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

fn pools() -> Vec<Case> {
    let max = |shape: &[usize], kernel: &[i64]| op("MaxPool").x(shape).apart().ints("kernel_shape", kernel);
    let mean = |shape: &[usize], kernel: &[i64]| op("AveragePool").x(shape).ints("kernel_shape", kernel);
    let two: &[i64] = &[2, 2];
    let ones: &[i64] = &[1, 1, 1, 1];
    vec![
        max(&[1, 3, 6, 8], &[2, 4]).ints("strides", &[2, 4]).note("tiles").opset(9),
        max(&[1, 3, 7, 9], two).ints("strides", two).note("tiles, left over"),
        max(&[1, 3, 7, 7], two).ints("strides", two).int("ceil_mode", 1).note("ceil"),
        max(&[1, 3, 8, 8], &[3, 3]).ints("strides", two).ints("pads", ones).note("ResNet's stem"),
        max(&[1, 3, 8, 8], &[3, 3]).ints("strides", two).ints("pads", ones).opset(9).note("no strided Slice yet"),
        max(&[1, 3, 9, 8], &[3, 2]).ints("strides", &[2, 3]).opset(9).note("no strided Slice yet"),
        max(&[1, 3, 8, 9], &[3, 3]).ints("strides", two).int("ceil_mode", 1),
        max(&[1, 3, 6, 6], &[3, 3]).ints("pads", ones).note("Inception"),
        max(&[1, 3, 7, 8], &[3, 2]).ints("pads", &[1, 0, 0, 1]).ints("strides", &[1, 3]).note("asymmetric"),
        max(&[1, 3, 8, 8], &[3, 3]).ints("dilations", two).ints("strides", two).note("dilated"),
        max(&[1, 3, 7, 8], &[3, 3]).ints("strides", two).str("auto_pad", "SAME_UPPER"),
        max(&[1, 3, 7, 8], &[3, 3]).ints("strides", two).str("auto_pad", "SAME_LOWER"),
        max(&[1, 3, 9], &[3]).ints("strides", &[2]).note("one axis"),
        max(&[1, 2, 4, 6, 4], &[2, 2, 2]).ints("strides", &[2, 2, 2]).note("three axes"),
        mean(&[1, 3, 6, 8], &[2, 4]).ints("strides", &[2, 4]).note("tiles").opset(9),
        mean(&[1, 3, 6, 6], &[6, 6]).note("global"),
        mean(&[1, 3, 7, 9], two).ints("strides", two).note("left over"),
        mean(&[1, 3, 6, 6], &[3, 3]).note("stride 1"),
        mean(&[1, 3, 6, 6], &[3, 3]).ints("pads", ones).int("count_include_pad", 1).note("Inception"),
        mean(&[1, 3, 6, 6], &[3, 3]).ints("pads", ones).note("padding not counted"),
        mean(&[1, 3, 7, 7], &[3, 3]).ints("pads", ones).ints("strides", two),
        mean(&[1, 3, 7, 7], &[3, 3]).ints("pads", ones).ints("strides", two).int("count_include_pad", 1),
        mean(&[1, 3, 8, 8], &[3, 3]).ints("strides", two).int("ceil_mode", 1).opset(19),
        mean(&[1, 3, 8, 8], &[3, 2]).ints("pads", &[1, 0, 0, 1]).ints("strides", &[2, 3]).note("asymmetric"),
        mean(&[1, 3, 7, 8], &[3, 3]).ints("strides", two).str("auto_pad", "SAME_UPPER"),
        mean(&[1, 3, 7, 8], &[3, 3]).ints("strides", two).str("auto_pad", "SAME_LOWER"),
        mean(&[1, 3, 8, 8], &[3, 3]).ints("dilations", two).opset(19).note("dilated"),
        op("GlobalAveragePool"),
        op("GlobalAveragePool").x(&[1, 4, 5]).note("one axis"),
        op("GlobalMaxPool").apart(),
    ]
}

fn reductions() -> Vec<Case> {
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
    cases.extend([
        op("ReduceMax").apart().ints("axes", &[2, 3]).int("keepdims", 0),
        op("ReduceMax").apart().ints("axes", &[1]).opset(11),
        op("ReduceMax").apart().places(&[2, -1]).opset(18),
    ]);
    cases
}

fn norms() -> Vec<Case> {
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
    ]
}

fn moves() -> Vec<Case> {
    let part = |outputs: &'static [&'static str]| op("Split").x(&[1, 6, 3]).int("axis", 1).makes(outputs);
    let pick = |indices: &[i64]| op("Gather").x(&[1, 5, 4]).int("axis", 1).places(indices);
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
        pick(&[2]),
        op("Gather").x(&[1, 5, 4]).int("axis", 1).constant(&[], Data::I64(vec![-1])).note("one place"),
        pick(&[3, 1, 0, 4, 2]).note("permutation"),
        pick(&[3, 3, 0]).note("twice the same"),
        op("Gather")
            .x(&[1, 5, 4])
            .int("axis", -1)
            .constant(&[2, 2], Data::I64(vec![0, 3, 3, 1]))
            .note("a table of places"),
    ]
}
