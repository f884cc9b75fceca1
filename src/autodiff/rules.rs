//! THE TABLE: one row an operator. A rule that fits one line stands here, others in their family's file.

use super::back::Back;
use super::{act, conv, linear, math, norm, pool, quantize, reduce, shape};
use crate::error::Result;
use crate::onnx::Val;

/// How an operator passes a gradient back.
pub enum Rule {
    /// One input, one output, same shape: `(x, y, g) -> gradient of x`.
    Unary(for<'g> fn(Val<'g>, Val<'g>, Val<'g>) -> Val<'g>),
    /// Anything else: one gradient an input, `None` for inputs that get none.
    Full(for<'g> fn(&Back<'g>) -> Result<Vec<Option<Val<'g>>>>),
    /// Zero by definition: the output is a step function of the input, or its shape.
    Zero,
}

/// A row of the table.
pub struct Row {
    /// Operator of the standard domain.
    pub op: &'static str,
    /// First opset whose form of the operator the rule understands.
    pub since: i64,
    /// The rule.
    pub rule: Rule,
}

const fn row(op: &'static str, since: i64, rule: Rule) -> Row {
    Row { op, since, rule }
}

use Rule::{Full, Unary, Zero};

/// Sorted into families; looked up by [`find`].
pub static RULES: &[Row] = &[
    // zero by definition: shapes, places, comparisons, roundings
    row("ArgMax", 1, Zero),
    row("ArgMin", 1, Zero),
    row("Ceil", 1, Zero),
    row("ConstantOfShape", 9, Zero),
    row("Equal", 1, Zero),
    row("Floor", 1, Zero),
    row("Greater", 1, Zero),
    row("GreaterOrEqual", 12, Zero),
    row("Less", 1, Zero),
    row("LessOrEqual", 12, Zero),
    row("Not", 1, Zero),
    row("And", 1, Zero),
    row("Or", 1, Zero),
    row("Xor", 1, Zero),
    row("NonZero", 9, Zero),
    row("Round", 11, Zero),
    row("Shape", 1, Zero),
    row("Sign", 9, Zero),
    row("Size", 1, Zero),
    // what changes nothing
    row("Identity", 1, Unary(|_, _, g| g)),
    row("Cast", 6, Full(shape::cast)),
    row("Dropout", 7, Full(act::dropout)),
    // rounding to integers and back
    row("QuantizeLinear", 10, Full(quantize::quantize)),
    row("DequantizeLinear", 10, Full(quantize::dequantize)),
    // activations
    row("Relu", 1, Unary(|_, y, g| g * y.above(0.0))),
    row("Sigmoid", 1, Unary(|_, y, g| g * (y * (1.0 - y)))),
    row("Tanh", 1, Unary(|_, y, g| g * (1.0 - y * y))),
    row("Softplus", 1, Unary(|x, _, g| g * x.unary("Sigmoid"))),
    row("Softsign", 1, Unary(|x, _, g| g / ((x.unary("Abs") + 1.0) * (x.unary("Abs") + 1.0)))),
    row("HardSwish", 14, Full(act::hard_swish)),
    row("Clip", 6, Full(act::clip)),
    row("LeakyRelu", 6, Full(act::leaky_relu)),
    row("PRelu", 7, Full(act::prelu)),
    row("Elu", 6, Full(act::elu)),
    row("Celu", 12, Full(act::celu)),
    row("Selu", 6, Full(act::selu)),
    row("ThresholdedRelu", 10, Full(act::thresholded_relu)),
    row("HardSigmoid", 6, Full(act::hard_sigmoid)),
    row("Mish", 18, Full(act::mish)),
    row("Gelu", 20, Full(act::gelu)),
    row("Softmax", 1, Full(norm::softmax)),
    row("LogSoftmax", 1, Full(norm::log_softmax)),
    // arithmetic
    row("Add", 7, Full(math::sum)),
    row("Sub", 7, Full(math::sub)),
    row("Mul", 7, Full(math::mul)),
    row("Div", 7, Full(math::div)),
    row("Sum", 8, Full(math::sum)),
    row("Mean", 8, Full(math::mean)),
    row("Max", 8, Full(math::max)),
    row("Min", 8, Full(math::min)),
    row("Pow", 7, Full(math::pow)),
    row("Where", 9, Full(math::choose)),
    row("Neg", 6, Unary(|_, _, g| -g)),
    row("Abs", 6, Unary(|x, _, g| g * (x.above(0.0) - x.below(0.0)))),
    row("Exp", 6, Unary(|_, y, g| g * y)),
    row("Log", 6, Unary(|x, _, g| g / x)),
    row("Sqrt", 6, Unary(|_, y, g| g * 0.5 / y)),
    row("Reciprocal", 6, Unary(|_, y, g| -(g * y * y))),
    row("Erf", 9, Unary(|x, _, g| g * ((-(x * x)).unary("Exp") * std::f32::consts::FRAC_2_SQRT_PI))),
    row("Sin", 7, Unary(|x, _, g| g * x.unary("Cos"))),
    row("Cos", 7, Unary(|x, _, g| -(g * x.unary("Sin")))),
    // weighted sums
    row("Conv", 1, Full(conv::conv)),
    row("ConvTranspose", 1, Full(conv::conv_transpose)),
    row("Gemm", 7, Full(linear::gemm)),
    row("MatMul", 1, Full(linear::matmul)),
    // pooling and reduction
    row("AveragePool", 1, Full(pool::average_pool)),
    row("GlobalAveragePool", 1, Full(pool::global_average)),
    row("MaxPool", 1, Full(pool::max_pool)),
    row("GlobalMaxPool", 1, Full(pool::global_max)),
    row("ReduceMean", 1, Full(reduce::mean)),
    row("ReduceSum", 1, Full(reduce::sum)),
    row("ReduceMax", 1, Full(reduce::max)),
    // normalisation
    row("BatchNormalization", 7, Full(norm::batch_norm)),
    row("LRN", 1, Full(norm::lrn)),
    row("LayerNormalization", 17, Full(norm::layer_norm)),
    // moving elements
    row("Reshape", 5, Full(shape::reshape)),
    row("Flatten", 1, Full(shape::reshape)),
    row("Squeeze", 1, Full(shape::reshape)),
    row("Unsqueeze", 1, Full(shape::reshape)),
    row("Transpose", 1, Full(shape::transpose)),
    row("Concat", 4, Full(shape::concat)),
    row("Split", 2, Full(shape::split)),
    row("Slice", 1, Full(shape::slice)),
    row("Pad", 2, Full(shape::pad)),
    row("Expand", 8, Full(shape::expand)),
    row("Gather", 1, Full(shape::gather)),
];

/// The row of an operator, if there is one.
pub fn find(op: &str) -> Option<&'static Row> {
    RULES.iter().find(|row| row.op == quantize::bare(op))
}
