//! Matrix products. What arrives at a classifier is a seed, and then the product is one row of its weight.

use super::back::Back;
use crate::error::Result;
use crate::onnx::{Tensor, Val};

fn scaled(v: Val<'_>, by: f32) -> Val<'_> {
    if by == 1.0 { v } else { v * by }
}

/// The last two axes swapped, if that is asked for.
fn turned(v: Val<'_>, turn: bool) -> Val<'_> {
    let rank = v.shape().len();
    let mut perm: Vec<usize> = (0..rank).collect();
    if turn && rank >= 2 {
        perm.swap(rank - 2, rank - 1);
    }
    v.transpose(&perm)
}

/// Gemm: `alpha * A * B + beta * C`, A and B transposed or not.
pub(super) fn gemm<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    let (turn_a, turn_b) = (b.node.int("transA", 0) != 0, b.node.int("transB", 0) != 0);
    let alpha = b.node.float("alpha", 1.0);
    let to_a = || -> Result<Val<'g>> {
        if turn_a || b.needs(1) {
            return Ok(turned(b.g_full().matmul(turned(b.x(1), !turn_b)), turn_a));
        }
        if !turn_b {
            return back_through(b, &b.weight(1)?);
        }
        let row = b.own(1).and_then(|weight| b.seed_row(weight, 1));
        Ok(row.unwrap_or_else(|| b.g_full().matmul(b.x(1))))
    };
    let a = b.needs(0).then(to_a).transpose()?.map(|a| scaled(a, alpha));
    let right = b.needs(1).then(|| scaled(turned(turned(b.x(0), !turn_a).matmul(b.g_full()), turn_b), alpha));
    let c = b.needs(2).then(|| scaled(b.unbroadcast(b.g(), 2), b.node.float("beta", 1.0)));
    Ok(vec![a, right, c])
}

/// MatMul, with a constant on either side or none. A side of one axis counts as a row on the left, as a column on the right.
pub(super) fn matmul<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    product(b, false, false, 1.0)
}

/// ONNX Runtime's MatMul with a factor and transposed sides.
pub(super) fn fused_matmul<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    if b.node.int("transBatchA", 0) != 0 || b.node.int("transBatchB", 0) != 0 {
        return Err(b.refuse("it transposes its batch axes"));
    }
    product(b, b.node.int("transA", 0) != 0, b.node.int("transB", 0) != 0, b.node.float("alpha", 1.0))
}

fn product<'g>(b: &Back<'g>, turn_a: bool, turn_b: bool, alpha: f32) -> Result<Vec<Option<Val<'g>>>> {
    let (left, right) = (b.shape(0), b.shape(1));
    if left.is_empty() || right.is_empty() {
        return Err(b.refuse("one of its sides has no axis"));
    }
    let constant = b.constant(1).filter(|_| right.len() == 2 && left.len() > 1 && !turn_a && !turn_b);
    if let (Some(weight), true, false) = (constant, b.needs(0), b.needs(1)) {
        return Ok(vec![Some(scaled(back_through(b, &weight)?, alpha)), None]);
    }
    let mut rows = b.y_shape(0);
    if right.len() == 1 {
        rows.push(1);
    }
    if left.len() == 1 {
        rows.insert(rows.len() - 1, 1);
    }
    let g = scaled(b.g_full(), alpha).reshape(&rows);
    let matrix = |i: usize, unit: usize| {
        let mut shape = b.shape(i);
        if shape.len() == 1 {
            shape.insert(unit, 1);
        }
        b.x(i).reshape(&shape)
    };
    // as they stand in the product
    let (a, right) = (turned(matrix(0, 0), turn_a), turned(matrix(1, 1), turn_b));
    let unrepeated = |grad: Val<'g>, turn: bool, i: usize| {
        let shape = b.shape(i);
        let repeated = grad.shape().len().saturating_sub(shape.len().max(2));
        let mut over: Vec<usize> = (0..repeated).collect();
        let grad = turned(grad, turn);
        let here = grad.shape();
        over.extend(
            (repeated..here.len()).filter(|&axis| here[axis] > 1 && shape.len() > 1 && shape[axis - repeated] == 1),
        );
        grad.sum(&over).reshape(&shape)
    };
    Ok(vec![
        b.needs(0).then(|| unrepeated(g.matmul(turned(right, true)), turn_a, 0)),
        b.needs(1).then(|| unrepeated(turned(a, true).matmul(g), turn_b, 1)),
    ])
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
