//! Operators that keep a part of a tensor, or add to it around.

use super::back::Back;
use super::gather::unpick;
use super::shape::{embed, full_along, stretch};
use crate::error::Result;
use crate::onnx::Val;

type Grads<'g> = Result<Vec<Option<Val<'g>>>>;

/// Slice: zeros around, and between where it takes steps.
pub(super) fn slice<'g>(b: &Back<'g>) -> Grads<'g> {
    let (x, y) = (b.shape(0), b.y_shape(0));
    let Some(starts) = b.ints("starts", 1) else {
        return Err(b.refuse("its starts are computed from the picture"));
    };
    for i in 3..5 {
        if b.node.input(i).is_some() && b.constant(i).is_none() {
            return Err(b.refuse("its axes or steps are computed from the picture"));
        }
    }
    let axes = b.ints("axes", 3).unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = b.ints("steps", 4).unwrap_or_else(|| vec![1; starts.len()]);
    let mut g = b.g();
    for ((&axis, &start), &step) in axes.iter().zip(&starts).zip(&steps) {
        let axis = b.place(axis, x.len()).ok_or_else(|| b.refuse("its axes do not fit its input"))?;
        let (length, count) = (x[axis], y[axis]);
        if (count, step) == (length, 1) {
            continue;
        }
        if count == 0 || step == 0 {
            return Err(b.refuse("it takes nothing"));
        }
        let from_end = if start < 0 { start.saturating_add(length as i64) } else { start };
        let mut start = from_end.clamp(0, if step < 0 { length as i64 - 1 } else { length as i64 }) as usize;
        let unfit = || b.refuse("its places do not fit the shapes that were measured");
        let (backwards, step) = (step < 0, usize::try_from(step.unsigned_abs()).unwrap_or(length).min(length));
        g = full_along(g, axis, count);
        if backwards {
            g = g.gather(axis, &(0..count).rev().collect::<Vec<_>>());
            start = start.checked_sub((count - 1) * step).ok_or_else(unfit)?;
        }
        if step > 1 {
            g = stepped(g, axis, step);
            let room = (length - start).min(g.shape()[axis]);
            g = stretch(g, axis, 0, room);
        }
        let behind = length.checked_sub(start + g.shape()[axis]).ok_or_else(unfit)?;
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

/// Pad: the part that was there before, and what was copied of it in the modes that copy.
pub(super) fn pad<'g>(b: &Back<'g>) -> Grads<'g> {
    let mode = b.node.str("mode", "constant");
    let Some(pads) = b.ints("pads", 1) else { return Err(b.refuse("its pads are computed from the picture")) };
    let (x, y) = (b.shape(0), b.y_shape(0));
    let axes = b.ints("axes", 3).unwrap_or_else(|| (0..x.len() as i64).collect());
    let mut g = b.g();
    for (i, &axis) in axes.iter().enumerate() {
        let axis = b.place(axis, x.len()).ok_or_else(|| b.refuse("its axes do not fit its input"))?;
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
        let left = x[axis].saturating_sub(cut(before) + cut(after));
        if before > 0 || after > 0 {
            g = match mode.as_str() {
                "constant" => stretch(g, axis, added(before), y[axis] - added(after)),
                _ if left == 0 => return Err(b.refuse("it pads what it cut off")),
                mode => {
                    let copied = copied(mode, left, before.max(0))
                        .ok_or_else(|| b.refuse(&format!("it pads in mode {mode:?}")))?;
                    unpick(b, g, axis, &(0..y[axis]).map(copied).collect::<Vec<_>>(), left)?
                }
            };
        }
        if before < 0 || after < 0 {
            g = embed(full_along(g, axis, left), axis, cut(before), cut(after));
        }
    }
    Ok(vec![Some(g)])
}

/// Of which of `length` elements a place of a padded axis is a copy, `before` of them in front.
fn copied(mode: &str, length: usize, before: i64) -> Option<impl Fn(usize) -> usize> {
    let (last, period) = (length as i64 - 1, (2 * length as i64 - 2).max(1));
    let source: fn(i64, i64, i64) -> i64 = match mode {
        "edge" => |at, last, _| at.clamp(0, last),
        "wrap" => |at, last, _| at.rem_euclid(last + 1),
        "reflect" => |at, last, period| last - (at.rem_euclid(period) - last).abs(),
        _ => return None,
    };
    Some(move |place: usize| source(place as i64 - before, last, period) as usize)
}

/// Trilu: what it sets to zero gets nothing.
pub(super) fn trilu<'g>(b: &Back<'g>) -> Grads<'g> {
    let shape = b.shape(0);
    let [.., rows, columns] = shape[..] else { return Err(b.refuse("it works on no matrix")) };
    let k = match b.node.input(1) {
        Some(_) => b.weight(1)?.as_i64().and_then(|v| v.first().copied()).unwrap_or(0),
        None => 0,
    };
    let upper = b.node.int("upper", 1) != 0;
    let side = |r: usize, c: usize| {
        let from = c as i128 - r as i128 - i128::from(k);
        f32::from(if upper { from >= 0 } else { from <= 0 })
    };
    let mask = (0..rows).flat_map(|r| (0..columns).map(move |c| side(r, c))).collect();
    Ok(vec![Some(b.g() * b.emit().floats(&[rows, columns], mask))])
}
