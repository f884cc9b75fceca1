//! Activations that have settings. Masks are read off the output where that is possible: a convolution that is fused with its
//! activation stays fused.

use super::back::Back;
use crate::error::Result;
use crate::onnx::{Attr, Data, Val};

type Grads<'g> = Result<Vec<Option<Val<'g>>>>;

/// `slope` where `side` is negative, else 1.
fn leak<'g>(g: Val<'g>, side: Val<'g>, slope: Val<'g>) -> Val<'g> {
    let positive = side.above(0.0);
    g * (positive + (1.0 - positive) * slope)
}

pub(super) fn leaky_relu<'g>(b: &Back<'g>) -> Grads<'g> {
    let slope = b.node.float("alpha", 0.01);
    let side = if slope > 0.0 { b.y(0) } else { b.x(0) };
    Ok(vec![Some(leak(b.g(), side, b.emit().floats(&[], vec![slope])))])
}

pub(super) fn prelu<'g>(b: &Back<'g>) -> Grads<'g> {
    let slope = b.needs(1).then(|| b.unbroadcast(b.g() * -(-b.x(0)).unary("Relu"), 1));
    Ok(vec![Some(leak(b.g(), b.x(0), b.x(1))), slope])
}

pub(super) fn elu<'g>(b: &Back<'g>) -> Grads<'g> {
    let (alpha, y) = (b.node.float("alpha", 1.0), b.y(0));
    let side = if alpha > 0.0 { y } else { b.x(0) };
    Ok(vec![Some(leak(b.g(), side, y + alpha))])
}

pub(super) fn celu<'g>(b: &Back<'g>) -> Grads<'g> {
    let (alpha, y) = (b.node.float("alpha", 1.0), b.y(0));
    Ok(vec![Some(leak(b.g(), b.x(0), y * (1.0 / alpha) + 1.0))])
}

pub(super) fn selu<'g>(b: &Back<'g>) -> Grads<'g> {
    let alpha = b.node.float("alpha", 1.673_263_2);
    let gamma = b.node.float("gamma", 1.050_701);
    let (x, y) = (b.x(0), b.y(0));
    let positive = x.above(0.0);
    Ok(vec![Some(b.g() * (positive * gamma + (1.0 - positive) * (y + alpha * gamma)))])
}

pub(super) fn thresholded_relu<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(b.g() * b.x(0).above(b.node.float("alpha", 1.0)))])
}

pub(super) fn hard_sigmoid<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(b.g() * (b.y(0).inside(0.0, 1.0) * b.node.float("alpha", 0.2)))])
}

/// HardSwish, x * HardSigmoid(x): with h = HardSigmoid(x), 2 h - 1/2 between the kinks, 0 before and 1 behind.
pub(super) fn hard_swish<'g>(b: &Back<'g>) -> Grads<'g> {
    let x = b.x(0);
    let attrs = [("alpha", Attr::Float(1.0 / 6.0)), ("beta", Attr::Float(0.5))];
    let h = b.emit().node("HardSigmoid", &[x], &attrs, &x.shape());
    let slope = h + h + (x.above(-3.0) + x.above(3.0)).scaled(-0.5);
    Ok(vec![Some(b.g() * slope)])
}

/// Clip: attributes before opset 11, inputs since. Nothing passes at the bounds themselves, as in torch's hardtanh.
pub(super) fn clip<'g>(b: &Back<'g>) -> Grads<'g> {
    let bound = |attr: &str, i: usize, none: f32| -> Result<f32> {
        if b.node.input(i).is_none() {
            return Ok(b.node.float(attr, none));
        }
        let value = b.weight(i)?;
        value.as_f32().and_then(|v| v.first()).copied().ok_or_else(|| b.refuse("its bound is no float32 number"))
    };
    let (low, high) = (bound("min", 1, f32::NEG_INFINITY)?, bound("max", 2, f32::INFINITY)?);
    let (g, y) = (b.g(), b.y(0));
    // exporters write the largest float32 for "no bound"
    let (below, above) = (low > f32::MIN, high < f32::MAX);
    Ok(vec![Some(match (below, above) {
        (true, true) => g * y.inside(low, high),
        (true, false) => g * y.above(low),
        (false, true) => g * y.below(high),
        (false, false) => g,
    })])
}

/// x * tanh(softplus(x))
pub(super) fn mish<'g>(b: &Back<'g>) -> Grads<'g> {
    let x = b.x(0);
    let t = x.unary("Softplus").unary("Tanh");
    Ok(vec![Some(b.g() * (t + x * (1.0 - t * t) * x.unary("Sigmoid")))])
}

/// Gelu in its exact and its tanh form.
pub(super) fn gelu<'g>(b: &Back<'g>) -> Grads<'g> {
    let is_tanh = b.node.str("approximate", "none") == "tanh";
    Ok(vec![Some(b.g() * if is_tanh { tanh_gelu(b.x(0)) } else { erf_gelu(b.x(0)) })])
}

fn erf_gelu(x: Val<'_>) -> Val<'_> {
    let bell = (x * x * -0.5).unary("Exp") * (0.5 * std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2);
    ((x * std::f32::consts::FRAC_1_SQRT_2).unary("Erf") + 1.0) * 0.5 + x * bell
}

fn tanh_gelu(x: Val<'_>) -> Val<'_> {
    let scale = (2.0 / std::f32::consts::PI).sqrt();
    let t = ((x + x * x * x * 0.044_715) * scale).unary("Tanh");
    (1.0 + t) * 0.5 + x * (1.0 - t * t) * (x * x * (3.0 * 0.044_715) + 1.0) * (0.5 * scale)
}

/// ONNX Runtime's fused sum and Gelu.
pub(super) fn bias_gelu<'g>(b: &Back<'g>) -> Grads<'g> {
    biased(b, erf_gelu)
}

/// ONNX Runtime's Gelu in its tanh form, with a bias or none.
pub(super) fn fast_gelu<'g>(b: &Back<'g>) -> Grads<'g> {
    biased(b, tanh_gelu)
}

fn biased<'g>(b: &Back<'g>, slope: fn(Val<'g>) -> Val<'g>) -> Grads<'g> {
    let x = if b.node.input(1).is_some() { b.x(0) + b.x(1) } else { b.x(0) };
    let g = b.g() * slope(x);
    Ok((0..b.node.inputs().len()).map(|i| b.needs(i).then(|| b.unbroadcast(g, i))).collect())
}

/// x * sigmoid(alpha * x): Swish, ONNX Runtime's QuickGelu.
fn sloped_swish<'g>(b: &Back<'g>, alpha: f32) -> Grads<'g> {
    let x = b.x(0);
    let s = (x * alpha).unary("Sigmoid");
    Ok(vec![Some(b.g() * s * (x * alpha * (1.0 - s) + 1.0))])
}

pub(super) fn swish<'g>(b: &Back<'g>) -> Grads<'g> {
    sloped_swish(b, b.node.float("alpha", 1.0))
}

pub(super) fn quick_gelu<'g>(b: &Back<'g>) -> Grads<'g> {
    sloped_swish(b, b.node.float("alpha", 1.702))
}

/// Shrink: zero from -lambd to lambd.
pub(super) fn shrink<'g>(b: &Back<'g>) -> Grads<'g> {
    let lambd = b.node.float("lambd", 0.5);
    Ok(vec![Some(b.g() * (b.x(0).above(lambd) + b.x(0).below(-lambd)))])
}

/// Dropout, which does nothing at inference.
pub(super) fn dropout<'g>(b: &Back<'g>) -> Grads<'g> {
    match b.constant(2).map(|t| t.data) {
        None if b.node.input(2).is_none() => Ok(vec![Some(b.g())]),
        Some(Data::Bool(training)) if training.iter().all(|on| !on) => Ok(vec![Some(b.g())]),
        _ => Err(b.refuse("it is in training mode; export the model in inference mode (model.eval())")),
    }
}
