//! THE TABLE: one row an operator. A rule that fits one line stands here, others in their family's file.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::back::Back;
use super::{
    act, attention, conv, cut, einsum, gather, linear, lp_pool, math, matrix, norm, pool, quantize, reduce, resize,
    shape,
};
use crate::error::Result;
use crate::onnx::Val;

/// How an operator passes a gradient back.
pub enum Rule {
    /// One input, one output, same shape: `(x, y, g) -> gradient of x`.
    Unary(for<'g> fn(Val<'g>, Val<'g>, Val<'g>) -> Val<'g>),
    /// Anything else: one gradient an input, `None` for inputs that get none.
    Full(for<'g> fn(&Back<'g>) -> Result<Vec<Option<Val<'g>>>>),
    /// The same of an operator with several outputs whose rule reads the gradient of each.
    Many(for<'g> fn(&Back<'g>) -> Result<Vec<Option<Val<'g>>>>),
    /// Zero by definition: the output is a step function of the input, or its shape.
    Zero,
}

/// A row of the table.
pub struct Row {
    /// Operator; `domain::Operator` outside the standard domain.
    pub op: &'static str,
    /// First opset whose form of the operator the rule understands.
    pub since: i64,
    /// The rule.
    pub rule: Rule,
}

const fn row(op: &'static str, since: i64, rule: Rule) -> Row {
    Row { op, since, rule }
}

use Rule::{Full, Many, Unary, Zero};

/// Sorted into families; looked up by `find`.
pub static RULES: &[Row] = &[
    // zero by definition: shapes, places, comparisons, roundings, bits
    row("ArgMax", 1, Zero),
    row("ArgMin", 1, Zero),
    row("BitShift", 11, Zero),
    row("BitwiseAnd", 18, Zero),
    row("BitwiseNot", 18, Zero),
    row("BitwiseOr", 18, Zero),
    row("BitwiseXor", 18, Zero),
    row("Ceil", 1, Zero),
    row("ConstantOfShape", 9, Zero),
    row("Equal", 1, Zero),
    row("EyeLike", 9, Zero),
    row("Floor", 1, Zero),
    row("Greater", 1, Zero),
    row("GreaterOrEqual", 12, Zero),
    row("Hardmax", 1, Zero),
    row("IsInf", 10, Zero),
    row("IsNaN", 9, Zero),
    row("Less", 1, Zero),
    row("LessOrEqual", 12, Zero),
    row("Not", 1, Zero),
    row("And", 1, Zero),
    row("Or", 1, Zero),
    row("Xor", 1, Zero),
    row("NonZero", 9, Zero),
    row("OneHot", 9, Zero),
    row("Round", 11, Zero),
    row("Shape", 1, Zero),
    row("Sign", 9, Zero),
    row("Size", 1, Zero),
    // what changes nothing
    row("Identity", 1, Unary(|_, _, g| g)),
    row("Cast", 6, Full(shape::cast)),
    row("CastLike", 15, Full(shape::cast)),
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
    row("Swish", 24, Full(act::swish)),
    row("Shrink", 9, Full(act::shrink)),
    row("com.microsoft::Gelu", 1, Full(act::gelu)),
    row("com.microsoft::BiasGelu", 1, Full(act::bias_gelu)),
    row("com.microsoft::FastGelu", 1, Full(act::fast_gelu)),
    row("com.microsoft::QuickGelu", 1, Full(act::quick_gelu)),
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
    row("Mod", 10, Full(math::modulo)),
    row("CumSum", 11, Full(matrix::cum_sum)),
    row("Where", 9, Full(math::choose)),
    row("Neg", 6, Unary(|_, _, g| -g)),
    row("Abs", 6, Unary(|x, _, g| g * x.sign())),
    row("Exp", 6, Unary(|_, y, g| g * y)),
    row("Log", 6, Unary(|x, _, g| g / x)),
    row("Sqrt", 6, Unary(|_, y, g| g * 0.5 / y)),
    row("Reciprocal", 6, Unary(|_, y, g| -(g * y * y))),
    row("Erf", 9, Unary(|x, _, g| g * ((-(x * x)).unary("Exp") * std::f32::consts::FRAC_2_SQRT_PI))),
    row("Sin", 7, Unary(|x, _, g| g * x.unary("Cos"))),
    row("Cos", 7, Unary(|x, _, g| -(g * x.unary("Sin")))),
    row("Tan", 7, Unary(|_, y, g| g * (y * y + 1.0))),
    row("Asin", 7, Unary(|x, _, g| g / (1.0 - x * x).unary("Sqrt"))),
    row("Acos", 7, Unary(|x, _, g| -(g / (1.0 - x * x).unary("Sqrt")))),
    row("Atan", 7, Unary(|x, _, g| g / (x * x + 1.0))),
    row("Sinh", 9, Unary(|x, _, g| g * ((x.unary("Exp") + (-x).unary("Exp")) * 0.5))),
    row("Cosh", 9, Unary(|x, _, g| g * ((x.unary("Exp") - (-x).unary("Exp")) * 0.5))),
    row("Asinh", 9, Unary(|x, _, g| g / (x * x + 1.0).unary("Sqrt"))),
    row("Acosh", 9, Unary(|x, _, g| g / (x * x - 1.0).unary("Sqrt"))),
    row("Atanh", 9, Unary(|x, _, g| g / (1.0 - x * x))),
    // weighted sums
    row("Conv", 1, Full(conv::conv)),
    row("ConvTranspose", 1, Full(conv::conv_transpose)),
    row("Gemm", 7, Full(linear::gemm)),
    row("MatMul", 1, Full(linear::matmul)),
    row("com.microsoft::FusedMatMul", 1, Full(linear::fused_matmul)),
    row("Einsum", 12, Full(einsum::einsum)),
    row("Attention", 23, Many(attention::attention)),
    // pooling and reduction
    row("AveragePool", 1, Full(pool::average_pool)),
    row("GlobalAveragePool", 1, Full(pool::global_average)),
    row("MaxPool", 1, Full(pool::max_pool)),
    row("GlobalMaxPool", 1, Full(pool::global_max)),
    row("LpPool", 2, Full(lp_pool::pool)),
    row("GlobalLpPool", 2, Full(lp_pool::global)),
    row("ReduceMean", 1, Full(reduce::mean)),
    row("ReduceSum", 1, Full(reduce::sum)),
    row("ReduceMax", 1, Full(reduce::max)),
    row("ReduceMin", 1, Full(reduce::min)),
    row("ReduceProd", 1, Full(reduce::prod)),
    row("ReduceL1", 1, Full(reduce::l1)),
    row("ReduceL2", 1, Full(reduce::l2)),
    row("ReduceSumSquare", 1, Full(reduce::sum_square)),
    row("ReduceLogSum", 1, Full(reduce::log_sum)),
    row("ReduceLogSumExp", 1, Full(reduce::log_sum_exp)),
    // normalisation
    row("BatchNormalization", 7, Full(norm::batch_norm)),
    row("LRN", 1, Full(norm::lrn)),
    row("LayerNormalization", 1, Full(norm::layer_norm)),
    row("InstanceNormalization", 6, Full(norm::instance_norm)),
    row("GroupNormalization", 18, Full(norm::group_norm)),
    row("RMSNormalization", 23, Full(norm::rms_norm)),
    row("SimplifiedLayerNormalization", 1, Full(norm::rms_norm)),
    row("MeanVarianceNormalization", 9, Full(norm::mean_variance_norm)),
    row("LpNormalization", 1, Full(norm::lp_norm)),
    row("com.microsoft::SkipLayerNormalization", 1, Many(norm::skip_layer_norm)),
    row("com.microsoft::SkipSimplifiedLayerNormalization", 1, Many(norm::skip_rms_norm)),
    // moving elements
    row("Reshape", 5, Full(shape::reshape)),
    row("Flatten", 1, Full(shape::reshape)),
    row("Squeeze", 1, Full(shape::reshape)),
    row("Unsqueeze", 1, Full(shape::reshape)),
    row("Transpose", 1, Full(shape::transpose)),
    row("Concat", 4, Full(shape::concat)),
    row("Split", 2, Many(shape::split)),
    row("Expand", 8, Full(shape::expand)),
    row("Tile", 6, Full(shape::tile)),
    row("DepthToSpace", 1, Full(shape::depth_to_space)),
    row("SpaceToDepth", 1, Full(shape::space_to_depth)),
    row("Slice", 1, Full(cut::slice)),
    row("Pad", 2, Full(cut::pad)),
    row("Trilu", 14, Full(cut::trilu)),
    row("Resize", 10, Full(resize::resize)),
    row("Upsample", 7, Full(resize::resize)),
    // picking elements
    row("Gather", 1, Full(gather::gather)),
    row("GatherElements", 11, Full(gather::gather_elements)),
    row("GatherND", 11, Full(gather::gather_nd)),
    row("ScatterElements", 11, Full(gather::scatter_elements)),
    row("ScatterND", 11, Full(gather::scatter_nd)),
    row("Col2Im", 18, Full(gather::col2im)),
    row("TopK", 1, Full(gather::top_k)),
];

/// The row of an operator, if there is one.
pub fn find(op: &str) -> Option<&'static Row> {
    static INDEX: LazyLock<HashMap<&str, &Row>> = LazyLock::new(|| RULES.iter().map(|row| (row.op, row)).collect());
    INDEX.get(quantize::bare(op)).copied()
}
