//! Arithmetic on operands that broadcast.

use super::back::Back;
use crate::error::Result;
use crate::onnx::{Data, Val};

type Grads<'g> = Result<Vec<Option<Val<'g>>>>;

/// The gradient of each active input, from what each would be without broadcasting.
fn each<'g>(b: &Back<'g>, of: impl Fn(usize) -> Val<'g>) -> Grads<'g> {
    let grad = |i| b.needs(i).then(|| b.unbroadcast(of(i), i));
    Ok((0..b.node.inputs().len()).map(grad).collect())
}

pub(super) fn sum<'g>(b: &Back<'g>) -> Grads<'g> {
    each(b, |_| b.g())
}

pub(super) fn mean<'g>(b: &Back<'g>) -> Grads<'g> {
    each(b, |_| b.g() * (1.0 / b.node.inputs().len() as f32))
}

pub(super) fn sub<'g>(b: &Back<'g>) -> Grads<'g> {
    each(b, |i| if i == 0 { b.g() } else { -b.g() })
}

/// Of x * Sigmoid(x), as exporters write SiLU, the gradient of both ways at once.
pub(super) fn mul<'g>(b: &Back<'g>) -> Grads<'g> {
    let gates = |i: &usize| {
        let gate = b.maker(*i).filter(|gate| gate.op() == "Sigmoid" && b.needs(1 - i));
        gate.is_some_and(|gate| gate.input(0) == b.node.input(1 - i))
    };
    if let Some(i) = (0..2).find(gates) {
        let (s, y) = (b.x(i), b.y(0));
        let mut grads = vec![None; 2];
        grads[1 - i] = Some(b.g() * (s + y + (y * s).scaled(-1.0)));
        return Ok(grads);
    }
    each(b, |i| b.g() * b.x(usize::from(i == 0)))
}

pub(super) fn div<'g>(b: &Back<'g>) -> Grads<'g> {
    each(b, |i| if i == 0 { b.g() / b.x(1) } else { -(b.g() * b.y(0) / b.x(1)) })
}

/// Pow. An exponent that depends on the picture wants a base above zero, as it has where the function is smooth.
pub(super) fn pow<'g>(b: &Back<'g>) -> Grads<'g> {
    if b.needs(1) {
        let (x, y, p) = (b.x(0), b.y(0), b.x(1));
        // not y / x: the base may be zero
        return each(b, |i| match i {
            0 => b.g() * p * b.emit().node("Pow", &[x, p - 1.0], &[], &b.y_shape(0)),
            _ => b.g() * y * x.unary("Log"),
        });
    }
    let exponent = b.weight(1)?;
    let values: Vec<f32> = match &exponent.data {
        Data::F32(v) => v.clone(),
        Data::I64(v) => v.iter().map(|&p| p as f32).collect(),
        _ => return Err(b.refuse("its exponent is no number")),
    };
    let (x, emit) = (b.x(0), b.emit());
    let slope = if values.iter().all(|&p| p == 2.0) {
        x * 2.0
    } else {
        let less_one = emit.floats(&exponent.shape, values.iter().map(|p| p - 1.0).collect());
        let shape = emit.broadcast(&x.shape(), &exponent.shape);
        emit.node("Pow", &[x, less_one], &[], &shape) * emit.floats(&exponent.shape, values)
    };
    each(b, |_| b.g() * slope)
}

/// Max and Min: the first of equal operands takes all.
fn extreme<'g>(b: &Back<'g>, wins: fn(Val<'g>, Val<'g>) -> Val<'g>) -> Grads<'g> {
    each(b, |i| {
        (0..b.node.inputs().len()).filter(|&j| j != i).fold(b.g(), |g, j| {
            let (this, other) = (b.x(i), b.x(j));
            if i < j { g * (1.0 - wins(other, this)) } else { g * wins(this, other) }
        })
    })
}

pub(super) fn max<'g>(b: &Back<'g>) -> Grads<'g> {
    extreme(b, Val::above_val)
}

pub(super) fn min<'g>(b: &Back<'g>) -> Grads<'g> {
    extreme(b, Val::below_val)
}

/// Where: the condition, a step, gets nothing.
pub(super) fn choose<'g>(b: &Back<'g>) -> Grads<'g> {
    let first = b.x(0).cast(1);
    each(b, |i| if i == 1 { b.g() * first } else { b.g() * (1.0 - first) })
}

/// Mod with fmod=1, as C has it: x - y * trunc(x / y).
pub(super) fn modulo<'g>(b: &Back<'g>) -> Grads<'g> {
    let whole = || {
        let ratio = b.x(0) / b.x(1);
        ratio.sign() * ratio.unary("Abs").unary("Floor")
    };
    each(b, |i| if i == 0 { b.g() } else { -(b.g() * whole()) })
}
