//! Operators that only move elements.

use super::back::Back;
use crate::error::Result;
use crate::onnx::{Tensor, Val};

type Grads<'g> = Result<Vec<Option<Val<'g>>>>;

/// Reshape and its kin: back to the shape that was.
pub(super) fn reshape<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(regroup(b.g(), &b.y_shape(0), &b.shape(0)))])
}

/// A gradient of a tensor of shape `from` as one of shape `to`. Axes fall into groups of the same number of elements; a group
/// along which the gradient was not expanded stays so.
fn regroup<'g>(g: Val<'g>, from: &[usize], to: &[usize]) -> Val<'g> {
    let lazy = g.shape();
    let (mut full, mut shape) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    while i < from.len() || j < to.len() {
        let (start_i, start_j) = (i, j);
        let (mut p, mut q) = (1, 1);
        // at least one axis of each side, then whichever is behind; axes of length 1 join the group before them
        while i < from.len() && (i == start_i || p < q || from[i] == 1) {
            p *= from[i];
            i += 1;
            while j < to.len() && (j == start_j || q < p || (q == p && to[j] == 1)) {
                q *= to[j];
                j += 1;
            }
        }
        if (i, j) == (start_i, start_j) {
            // nothing left to pair with: only axes of length 1 can remain
            full.extend(&from[i..]);
            shape.extend(&to[j..]);
            break;
        }
        if lazy[start_i..i].iter().all(|&d| d == 1) {
            full.extend(vec![1; i - start_i]);
            shape.extend(vec![1; j - start_j]);
        } else {
            full.extend(&from[start_i..i]);
            shape.extend(&to[start_j..j]);
        }
    }
    g.expand(&full).reshape(&shape)
}

/// Cast to a floating-point type: the gradient is kept in float32. (From an integer, which is a picture's pixel or a quantised
/// number, it is the same.)
pub(super) fn cast<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(b.g())])
}

/// Expand: the sum over what was repeated.
pub(super) fn expand<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(b.unbroadcast(b.g(), 0))])
}

/// Transpose: the inverse order.
pub(super) fn transpose<'g>(b: &Back<'g>) -> Grads<'g> {
    let rank = b.shape(0).len();
    let perm: Vec<usize> = match b.node.ints("perm") {
        Some(perm) => perm.iter().map(|&p| p as usize).collect(),
        None => (0..rank).rev().collect(),
    };
    let mut axes = perm.clone();
    axes.sort_unstable();
    if !axes.into_iter().eq(0..rank) {
        return Err(b.refuse(&format!("its order of axes, {perm:?}, does not fit a tensor of {rank} axes")));
    }
    Ok(vec![Some(b.g().transpose(&inverse(&perm)))])
}

fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; perm.len()];
    perm.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
    inverse
}

/// The stretch `start..end` of `g` along an axis; all of it is alike where `g` was not expanded.
fn stretch(g: Val<'_>, axis: usize, start: usize, end: usize) -> Val<'_> {
    if g.shape()[axis] == 1 { g } else { g.slice(&[(axis, start, end, 1)]) }
}

/// Expanded along one axis only.
fn full_along<'g>(g: Val<'g>, axis: usize, length: usize) -> Val<'g> {
    let mut shape = g.shape();
    shape[axis] = length;
    g.expand(&shape)
}

/// Zeros around `g` along one axis.
fn embed(g: Val<'_>, axis: usize, before: usize, after: usize) -> Val<'_> {
    let mut around = vec![(0, 0); g.shape().len()];
    around[axis] = (before, after);
    g.pad(&around, 0.0)
}

/// Concat: each input's stretch.
pub(super) fn concat<'g>(b: &Back<'g>) -> Grads<'g> {
    let axis = b.axis("axis", 1);
    let (g, mut start) = (b.g(), 0);
    let total: Option<usize> = (0..b.node.inputs().len()).map(|i| b.shape(i).get(axis).copied()).sum();
    if total.is_none() || total != b.y_shape(0).get(axis).copied() {
        return Err(b.refuse("its parts do not make up what was measured"));
    }
    let mut part = |i: usize| {
        let from = start;
        start += b.shape(i)[axis];
        b.needs(i).then(|| stretch(g, axis, from, start))
    };
    Ok((0..b.node.inputs().len()).map(&mut part).collect())
}

/// Split: side by side again; zeros for a part that nothing reads.
pub(super) fn split<'g>(b: &Back<'g>) -> Grads<'g> {
    let axis = b.axis("axis", 0);
    let parts = b.node.outputs().len();
    let lengths: Vec<usize> = (0..parts).map(|i| b.y_shape(i).get(axis).copied().unwrap_or_default()).collect();
    if lengths.iter().sum::<usize>() != b.shape(0).get(axis).copied().unwrap_or_default() {
        return Err(b.refuse("its parts do not make up what was measured"));
    }
    let read: Option<Vec<Val>> = (0..parts).map(|i| b.g_at(i).map(|g| g.expand(&b.y_shape(i)))).collect();
    if let Some(read) = read {
        return Ok(vec![Some(Val::concat(&read, axis))]);
    }
    let total = b.shape(0)[axis];
    let alone = |i: usize| {
        let before = lengths[..i].iter().sum::<usize>();
        b.g_at(i).map(|g| embed(full_along(g, axis, lengths[i]), axis, before, total - before - lengths[i]))
    };
    Ok(vec![(0..parts).filter_map(alone).reduce(|sum, g| sum + g)])
}

/// Slice: zeros around, and between where it takes steps.
pub(super) fn slice<'g>(b: &Back<'g>) -> Grads<'g> {
    let (x, y) = (b.shape(0), b.y_shape(0));
    let (Some(starts), Some(ends)) = (b.ints("starts", 1), b.ints("ends", 2)) else {
        return Err(b.refuse("its starts or ends are computed from the picture"));
    };
    for i in 3..5 {
        if b.node.input(i).is_some() && b.constant(i).is_none() {
            return Err(b.refuse("its axes or steps are computed from the picture"));
        }
    }
    let axes = b.ints("axes", 3).unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = b.ints("steps", 4).unwrap_or_else(|| vec![1; starts.len()]);
    let mut g = b.g();
    for (((&axis, &start), _end), &step) in axes.iter().zip(&starts).zip(&ends).zip(&steps) {
        let axis = axis.rem_euclid(x.len() as i64) as usize;
        let length = x[axis];
        let Some(step) = usize::try_from(step).ok().filter(|&s| s > 0) else {
            return Err(b.refuse(&format!("it takes steps of {step}")));
        };
        let step = step.min(length.max(1));
        let start =
            if start < 0 { start.saturating_add(length as i64) } else { start }.clamp(0, length as i64) as usize;
        let count = y[axis];
        if count == length {
            continue;
        }
        if count == 0 {
            return Err(b.refuse("it takes nothing"));
        }
        g = full_along(g, axis, count);
        if step > 1 {
            g = stepped(g, axis, step);
            let room = (length - start).min(g.shape()[axis]);
            g = stretch(g, axis, 0, room);
        }
        let Some(behind) = length.checked_sub(start + g.shape()[axis]) else {
            return Err(b.refuse("its places do not fit the shapes that were measured"));
        };
        g = embed(g, axis, start, behind);
    }
    Ok(vec![Some(g)])
}

/// `step - 1` zeros behind each element of an axis.
fn stepped(g: Val<'_>, axis: usize, step: usize) -> Val<'_> {
    let shape = g.shape();
    let apart = [&shape[..=axis], &[1], &shape[axis + 1..]].concat();
    let mut together = shape;
    together[axis] *= step;
    embed(g.reshape(&apart), axis + 1, 0, step - 1).reshape(&together)
}

/// Pad with a constant: the part that was there before.
pub(super) fn pad<'g>(b: &Back<'g>) -> Grads<'g> {
    if b.node.str("mode", "constant") != "constant" {
        return Err(b.refuse(&format!("it pads in mode {:?}", b.node.str("mode", ""))));
    }
    let Some(pads) = b.ints("pads", 1) else { return Err(b.refuse("its pads are computed from the picture")) };
    let (x, y) = (b.shape(0), b.y_shape(0));
    let axes = b.ints("axes", 3).unwrap_or_else(|| (0..x.len() as i64).collect());
    let mut g = b.g();
    for (i, &axis) in axes.iter().enumerate() {
        let axis = axis.rem_euclid(x.len() as i64) as usize;
        let (Some(&before), Some(&after)) = (pads.get(i), pads.get(i + axes.len())) else {
            return Err(b.refuse("its pads do not fit its axes"));
        };
        if (before, after) == (0, 0) {
            continue;
        }
        if y[axis] as i128 != x[axis] as i128 + i128::from(before) + i128::from(after) {
            return Err(b.refuse("its pads do not fit the shapes that were measured"));
        }
        // a negative pad cuts off, and what was cut off gets nothing
        let cut = |n: i64| n.min(0).unsigned_abs() as usize;
        let added = |n: i64| n.max(0) as usize;
        if before > 0 || after > 0 {
            g = stretch(g, axis, added(before), y[axis] - added(after));
        }
        if before < 0 || after < 0 {
            let left = x[axis] - cut(before) - cut(after);
            g = embed(full_along(g, axis, left), axis, cut(before), cut(after));
        }
    }
    Ok(vec![Some(g)])
}

/// Gather with constant indices: as a matrix of ones and zeros; a permutation by its inverse, one index by zeros around.
pub(super) fn gather<'g>(b: &Back<'g>) -> Grads<'g> {
    let (axis, x, y) = (b.axis("axis", 0), b.shape(0), b.y_shape(0));
    let indices = b.weight(1)?;
    let Some(places) = indices.as_i64() else { return Err(b.refuse("its indices are no integers")) };
    let length = x[axis];
    let places: Vec<usize> = places.iter().map(|p| p.rem_euclid(length.max(1) as i64) as usize).collect();
    let picked = [&x[..axis], &[places.len()], &x[axis + 1..]].concat();
    let g = full_along(regroup(b.g(), &y, &picked), axis, places.len());
    if let [place] = places[..] {
        return Ok(vec![Some(embed(g, axis, place, length - place - 1))]);
    }
    let mut seen = vec![false; length];
    places.iter().for_each(|&p| seen[p] = true);
    if places.len() == length && seen.iter().all(|&s| s) {
        return Ok(vec![Some(g.gather(axis, &inverse(&places)))]);
    }
    let mut ones = vec![0.0; places.len() * length];
    places.iter().enumerate().for_each(|(row, place)| ones[row * length + place] = 1.0);
    let ones = b.emit().constant(&Tensor::f32(&[places.len(), length], ones));
    let mut last: Vec<usize> = (0..x.len()).collect();
    last.swap(axis, x.len() - 1);
    let moved = last[axis] != axis;
    let g = if moved { g.transpose(&last) } else { g };
    let g = g.matmul(ones);
    Ok(vec![Some(if moved { g.transpose(&last) } else { g })])
}
