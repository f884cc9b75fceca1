//! Matrix products. What arrives at a classifier is a seed, and then the product is one row of its weight.

use super::back::Back;
use crate::error::Result;
use crate::onnx::{Tensor, Val};

/// Gemm: `alpha * A * B + beta * C`, B transposed or not.
pub(super) fn gemm<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    if b.node.int("transA", 0) != 0 {
        return Err(b.refuse("it transposes A, which moves the batch axis"));
    }
    if b.needs(1) {
        return Err(b.refuse("its matrix B is computed from the picture"));
    }
    let scaled = |v: Val<'g>, by: f32| if by == 1.0 { v } else { v * by };
    let a = if b.needs(0) {
        let row = if b.node.int("transB", 0) != 0 {
            let row = b.own(1).and_then(|weight| b.seed_row(weight, 1));
            row.unwrap_or_else(|| b.g_full().matmul(b.x(1)))
        } else {
            back_through(b, &b.weight(1)?)?
        };
        Some(scaled(row, b.node.float("alpha", 1.0)))
    } else {
        None
    };
    let c = b.needs(2).then(|| scaled(b.unbroadcast(b.g(), 2), b.node.float("beta", 1.0)));
    Ok(vec![a, None, c])
}

/// MatMul, with a constant on either side or none.
pub(super) fn matmul<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    let (left, right) = (b.shape(0), b.shape(1));
    if left.len() < 2 || right.len() < 2 {
        return Err(b.refuse("one of its sides has a single axis; reshape it to a matrix"));
    }
    let last_two_swapped = |rank: usize| {
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(rank - 2, rank - 1);
        perm
    };
    let a = match b.constant(1) {
        _ if !b.needs(0) => None,
        Some(weight) if right.len() == 2 => Some(back_through(b, &weight)?),
        _ => Some(b.unbroadcast(b.g_full().matmul(b.x(1).transpose(&last_two_swapped(right.len()))), 0)),
    };
    let right =
        b.needs(1).then(|| b.unbroadcast(b.x(0).transpose(&last_two_swapped(left.len())).matmul(b.g_full()), 1));
    Ok(vec![a, right])
}

/// `g` times the transpose of `weight` [inputs, outputs].
fn back_through<'g>(b: &Back<'g>, weight: &Tensor) -> Result<Val<'g>> {
    let data = weight.as_f32().ok_or_else(|| b.refuse("its weight is not float32"))?;
    let &[inputs, outputs] = weight.shape.as_slice() else { return Err(b.refuse("its weight is no matrix")) };
    let transposed = (0..outputs).flat_map(|o| (0..inputs).map(move |i| data[i * outputs + o])).collect();
    let transposed = b.emit().floats(&[outputs, inputs], transposed);
    let g = b.g();
    let last = g.shape().len() - 1;
    let shape = [&g.shape()[..last], &[inputs]].concat();
    Ok(b.seed_row(transposed, last).map_or_else(|| b.g_full().matmul(transposed), |row| row.reshape(&shape)))
}
