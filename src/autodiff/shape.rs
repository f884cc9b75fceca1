//! Operators that only move elements.

use super::back::Back;
use crate::error::Result;
use crate::onnx::Val;

type Grads<'g> = Result<Vec<Option<Val<'g>>>>;

/// Reshape and its kin: back to the shape that was.
pub(super) fn reshape<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(regroup(b.g(), &b.y_shape(0), &b.shape(0)))])
}

/// A gradient of a tensor of shape `from` as one of shape `to`. Axes fall into groups of the same number of elements; a group
/// along which the gradient was not expanded stays so.
pub(super) fn regroup<'g>(g: Val<'g>, from: &[usize], to: &[usize]) -> Val<'g> {
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

pub(super) fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; perm.len()];
    perm.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
    inverse
}

/// The stretch `start..end` of `g` along an axis; all of it is alike where `g` was not expanded.
pub(super) fn stretch(g: Val<'_>, axis: usize, start: usize, end: usize) -> Val<'_> {
    if g.shape()[axis] == 1 { g } else { g.slice(&[(axis, start, end, 1)]) }
}

/// Expanded along one axis only.
pub(super) fn full_along<'g>(g: Val<'g>, axis: usize, length: usize) -> Val<'g> {
    let mut shape = g.shape();
    shape[axis] = length;
    g.expand(&shape)
}

/// Zeros around `g` along one axis.
pub(super) fn embed(g: Val<'_>, axis: usize, before: usize, after: usize) -> Val<'_> {
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

/// Tile: the sum over the copies.
pub(super) fn tile<'g>(b: &Back<'g>) -> Grads<'g> {
    let (x, y) = (b.shape(0), b.y_shape(0));
    if x.len() != y.len() || x.iter().zip(&y).any(|(x, y)| *x == 0 || y % x != 0) {
        return Err(b.refuse("its repeats do not fit the shapes that were measured"));
    }
    let mut g = b.g();
    for axis in (0..x.len()).filter(|&a| x[a] != y[a]) {
        let (shape, times) = (g.shape(), y[axis] / x[axis]);
        if shape[axis] == 1 {
            g = g * times as f32;
            continue;
        }
        let apart = [&shape[..axis], &[times, x[axis]], &shape[axis + 1..]].concat();
        g = g.reshape(&apart).sum(&[axis]).reshape(&[&shape[..axis], &x[axis..=axis], &shape[axis + 1..]].concat());
    }
    Ok(vec![Some(g)])
}

/// DepthToSpace: blocks of the picture become channels again.
pub(super) fn depth_to_space<'g>(b: &Back<'g>) -> Grads<'g> {
    let (x, y) = (b.shape(0), b.y_shape(0));
    let size = usize::try_from(b.node.int("blocksize", 1)).unwrap_or(0);
    let &[n, channels, height, width] = x.as_slice() else { return Err(b.refuse("its input is no picture")) };
    let depth = size.checked_mul(size).and_then(|cells| channels.checked_div(cells));
    let (Some(depth), true) = (depth, y.get(2).copied() == height.checked_mul(size)) else {
        return Err(b.refuse("its blocks do not fit the shapes that were measured"));
    };
    let apart = b.g_full().reshape(&[n, depth, height, size, width, size]);
    let order = if b.node.str("mode", "DCR") == "CRD" { [0, 1, 3, 5, 2, 4] } else { [0, 3, 5, 1, 2, 4] };
    Ok(vec![Some(apart.transpose(&order).reshape(&x))])
}

/// SpaceToDepth: channels become blocks of the picture again.
pub(super) fn space_to_depth<'g>(b: &Back<'g>) -> Grads<'g> {
    let (x, y) = (b.shape(0), b.y_shape(0));
    let size = usize::try_from(b.node.int("blocksize", 1)).unwrap_or(0);
    let (&[n, channels, height, ..], &[_, _, rows, columns]) = (x.as_slice(), y.as_slice()) else {
        return Err(b.refuse("its input is no picture"));
    };
    if rows.checked_mul(size) != Some(height) {
        return Err(b.refuse("its blocks do not fit the shapes that were measured"));
    }
    let apart = b.g_full().reshape(&[n, size, size, channels, rows, columns]);
    Ok(vec![Some(apart.transpose(&[0, 3, 4, 1, 5, 2]).reshape(&x))])
}
