//! Quantisation: rounding passes a gradient straight through, saturation stops it (Bengio et al. 2013, "Estimating or propagating
//! gradients through stochastic neurons"; Jacob et al. 2018, section 3).

use super::back::Back;
use crate::error::{Error, Result};
use crate::onnx::{DType, Emit, Graph, Node, Val};

/// Whether a tensor of that type, made by that operator, may carry a gradient: floats, and quantised integers where a quantiser
/// makes them or elements are but moved.
pub(super) fn carries(op: &str, dtype: DType) -> bool {
    let moved = || {
        let reshaped = matches!(op, "Identity" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze");
        reshaped || matches!(op, "QuantizeLinear" | "Transpose" | "Slice" | "Split" | "Concat" | "Gather" | "Expand")
    };
    dtype.is_float() || (dtype.quantised().is_some() && moved())
}

/// The refusal of a node that computes with integers itself, if it does.
pub fn refuse_integers(node: &Node) -> Option<Error> {
    let op = node.op();
    let bare = op.trim_start_matches("com.microsoft::");
    let dynamic = matches!(bare, "DynamicQuantizeLinear" | "DynamicQuantizeMatMul" | "QGemm" | "QAttention");
    (dynamic || bare.starts_with("QLinear") || bare.contains("Integer")).then(|| Error::NoRule {
        op: op.clone(),
        node: node.name().into(),
        why: "it computes with integers, which are steps; quantise the model in QDQ form (quant_format=QuantFormat.QDQ of \
              onnxruntime's quantize_static), where ordinary operators stand between QuantizeLinear and DequantizeLinear"
            .into(),
    })
}

/// QuantizeLinear: 1 inside the range of the type, 0 at its ends. Quantisers take out ReLU and Clip where saturation does the
/// same, so that the ends are where those had no slope.
pub(super) fn quantize<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    let emit = b.emit();
    let made = b.node.outputs().first().and_then(|y| Some((y, emit.facts().get(y)?)));
    let Some((y, fact)) = made else { return Err(b.refuse("its output was not measured")) };
    let Some((low, high)) = fact.dtype.quantised() else {
        return Err(b.refuse(&format!("it quantises to {}; int8 and its like are supported", fact.dtype.name())));
    };
    if b.maker(0).is_some_and(|maker| maker.only_rounds_after()) {
        return Ok(vec![Some(b.g())]);
    }
    let quantised = emit.named(y, &fact.shape);
    // a scale of 1 gives the integer itself: reading what the model dequantises would cost the runtime its integer operators,
    // and TensorRT lets nothing else read an int8 tensor
    let wide = matches!(fact.dtype.name(), "int16" | "uint16" | "int4" | "uint4");
    let level = if wide && emit.model().opset() < 21 {
        quantised.cast(DType::F32.0)
    } else {
        emit.node("DequantizeLinear", &[quantised, emit.floats(&[], vec![1.0])], &[], &fact.shape)
    };
    Ok(vec![Some(b.g() * level.inside(low + 0.5, high - 0.5))])
}

/// DequantizeLinear.
pub(super) fn dequantize<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    Ok(vec![b.needs(0).then(|| b.g())])
}

/// What a score was before it was quantised, and its seed there: where a score saturates, its class is only the surer, and must
/// not lose its gradient.
pub(super) fn exact<'a, 'g: 'a>(emit: &Emit, graph: &Graph<'g>, score: &'a str, seed: Val<'g>) -> (&'a str, Val<'g>) {
    let first = graph.quantisers_of(score).last().and_then(|node| node.input(0));
    match first.and_then(|found| Some((found, emit.facts().shape(found)?))) {
        Some((found, shape)) => (found, seed.reshape(shape)),
        None => (score, seed),
    }
}

/// ONNX Runtime's own domain has the same quantisers for more types.
pub(super) fn bare(op: &str) -> &str {
    if op.ends_with("QuantizeLinear") || op.ends_with("DequantizeLinear") {
        op.trim_start_matches("com.microsoft::")
    } else {
        op
    }
}
