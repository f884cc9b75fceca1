//! LpPool and GlobalLpPool: (sum of |x|^p over a window)^(1/p).

use super::back::Back;
use super::window::{self, spread};
use crate::error::Result;
use crate::onnx::{Tensor, Val};

type Grads<'g> = Result<Vec<Option<Val<'g>>>>;

fn p(b: &Back) -> Result<f32> {
    let p = b.node.int("p", 2);
    if (1..=64).contains(&p) { Ok(p as f32) } else { Err(b.refuse(&format!("it has p={p}"))) }
}

fn power<'g>(x: Val<'g>, p: f32) -> Val<'g> {
    match p {
        1.0 => x,
        2.0 => x * x,
        p => x.emit().node("Pow", &[x, x.emit().floats(&[], vec![p])], &[], &x.shape()),
    }
}

/// d|x|^p / dx, less a factor p.
fn slope<'g>(x: Val<'g>, p: f32) -> Val<'g> {
    match p {
        1.0 => x.sign(),
        2.0 => x,
        p => x.sign() * power(x.unary("Abs"), p - 1.0),
    }
}

/// What arrives at the root, passed on to the sum, less a factor 1 / p: `g * y^(1 - p)`.
fn through_root<'g>(g: Val<'g>, y: Val<'g>, p: f32) -> Val<'g> {
    if p == 1.0 { g } else { g / power(y.or_one(), p - 1.0) }
}

/// LpPool.
pub(super) fn pool<'g>(b: &Back<'g>) -> Grads<'g> {
    let (x, p) = (b.shape(0), p(b)?);
    let kernel = b.node.ints("kernel_shape").ok_or_else(|| b.refuse("it has no kernel_shape"))?;
    let kernel: Vec<usize> = kernel.iter().map(|&k| k.max(0) as usize).collect();
    let axes = window::axes(b, &x, &b.y_shape(0), &kernel)?;
    let ones = [&[x[1], 1], kernel.as_slice()].concat();
    let ones = Tensor::f32(&ones, vec![1.0; ones.iter().product()]);
    let sums = spread(through_root(b.g_full(), b.y(0), p), &ones, &axes, x[1], &x);
    Ok(vec![Some(sums * slope(b.x(0), p))])
}

/// GlobalLpPool.
pub(super) fn global<'g>(b: &Back<'g>) -> Grads<'g> {
    let p = p(b)?;
    Ok(vec![Some(through_root(b.g(), b.y(0), p) * slope(b.x(0), p))])
}
