//! Reductions.

use super::back::Back;
use super::pool::max_over;
use crate::error::Result;
use crate::onnx::Val;

type Grads<'g> = Result<Vec<Option<Val<'g>>>>;

/// Which axes go, and the gradient with them as 1.
fn kept<'g>(b: &Back<'g>) -> Result<(Vec<usize>, Val<'g>)> {
    let shape = b.shape(0);
    let rank = shape.len();
    if b.node.input(1).is_some() && b.constant(1).is_none() {
        return Err(b.refuse("its axes are computed from the picture"));
    }
    let given = b.ints("axes", 1).unwrap_or_default();
    let axes: Vec<usize> = match given.as_slice() {
        [] if b.node.int("noop_with_empty_axes", 0) != 0 => return Ok((Vec::new(), b.g())),
        [] => (0..rank).collect(),
        some => (0..rank).filter(|&a| some.iter().any(|&s| s.rem_euclid(rank as i64) as usize == a)).collect(),
    };
    let g = b.g();
    if b.node.int("keepdims", 1) != 0 {
        return Ok((axes, g));
    }
    let mut left = g.shape().into_iter();
    let with_units: Vec<usize> =
        (0..rank).map(|a| if axes.contains(&a) { 1 } else { left.next().unwrap_or(1) }).collect();
    Ok((axes, g.reshape(&with_units)))
}

/// ReduceSum: the same for every element.
pub(super) fn sum<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(kept(b)?.1)])
}

/// ReduceMean.
pub(super) fn mean<'g>(b: &Back<'g>) -> Grads<'g> {
    let (axes, g) = kept(b)?;
    let shape = b.shape(0);
    let elements: usize = axes.iter().map(|&a| shape[a]).product();
    Ok(vec![Some(if elements == 1 { g } else { g * (1.0 / elements as f32) })])
}

/// ReduceMax: the first maximum takes all.
pub(super) fn max<'g>(b: &Back<'g>) -> Grads<'g> {
    let (axes, g) = kept(b)?;
    let (Some(&first), Some(&last)) = (axes.first(), axes.last()) else { return Ok(vec![Some(g)]) };
    if last - first + 1 != axes.len() {
        return Err(b.refuse(&format!("it takes the maximum over axes {axes:?}, which are not neighbours")));
    }
    Ok(vec![Some(max_over(b, g, first..last + 1))])
}
