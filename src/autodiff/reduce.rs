//! Reductions.

use super::back::Back;
use super::pool::max_over;
use super::shape::inverse;
use crate::error::Result;
use crate::onnx::Val;

type Grads<'g> = Result<Vec<Option<Val<'g>>>>;

/// What a reduction goes over.
struct Over<'b, 'g> {
    b: &'b Back<'g>,
    axes: Vec<usize>,
}

impl<'b, 'g> Over<'b, 'g> {
    fn read(b: &'b Back<'g>) -> Result<Over<'b, 'g>> {
        let rank = b.shape(0).len();
        if b.node.input(1).is_some() && b.constant(1).is_none() {
            return Err(b.refuse("its axes are computed from the picture"));
        }
        let given = b.ints("axes", 1).unwrap_or_default();
        let axes = match given.as_slice() {
            [] if b.node.int("noop_with_empty_axes", 0) != 0 => Vec::new(),
            [] => (0..rank).collect(),
            some => (0..rank).filter(|&a| some.iter().any(|&s| b.place(s, rank) == Some(a))).collect(),
        };
        Ok(Over { b, axes })
    }

    /// A value of the output's axes with those that went as 1.
    fn kept(&self, v: Val<'g>) -> Val<'g> {
        if self.b.node.int("keepdims", 1) != 0 {
            return v;
        }
        let mut left = v.shape().into_iter();
        let rank = self.b.shape(0).len();
        let unit = |a: usize| if self.axes.contains(&a) { 1 } else { left.next().unwrap_or(1) };
        v.reshape(&(0..rank).map(unit).collect::<Vec<_>>())
    }

    fn g(&self) -> Val<'g> {
        self.kept(self.b.g())
    }

    fn y(&self) -> Val<'g> {
        self.kept(self.b.y(0))
    }

    /// The gradient of the largest element of `x`: the first takes all.
    fn of_largest(&self, x: Val<'g>) -> Val<'g> {
        let (g, rank) = (self.g(), self.b.shape(0).len());
        let (Some(&first), Some(&last)) = (self.axes.first(), self.axes.last()) else { return g };
        if last - first + 1 == self.axes.len() {
            return max_over(x, g, first..last + 1);
        }
        let stay = (0..rank).filter(|a| !self.axes.contains(a));
        let order: Vec<usize> = stay.chain(self.axes.iter().copied()).collect();
        let largest = max_over(x.transpose(&order), g.transpose(&order), rank - self.axes.len()..rank);
        largest.transpose(&inverse(&order))
    }
}

/// ReduceSum: the same for every element.
pub(super) fn sum<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(Over::read(b)?.g())])
}

/// ReduceMean.
pub(super) fn mean<'g>(b: &Back<'g>) -> Grads<'g> {
    let (over, shape) = (Over::read(b)?, b.shape(0));
    let elements: usize = over.axes.iter().map(|&a| shape[a]).product();
    Ok(vec![Some(if elements == 1 { over.g() } else { over.g() * (1.0 / elements as f32) })])
}

/// ReduceMax.
pub(super) fn max<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(Over::read(b)?.of_largest(b.x(0)))])
}

/// ReduceMin.
pub(super) fn min<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(Over::read(b)?.of_largest(-b.x(0)))])
}

/// ReduceL1.
pub(super) fn l1<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(Over::read(b)?.g() * b.x(0).sign())])
}

/// ReduceL2.
pub(super) fn l2<'g>(b: &Back<'g>) -> Grads<'g> {
    let over = Over::read(b)?;
    Ok(vec![Some(over.g() / over.y().or_one() * b.x(0))])
}

/// ReduceSumSquare.
pub(super) fn sum_square<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(Over::read(b)?.g() * 2.0 * b.x(0))])
}

/// ReduceLogSum: the sum is read off its logarithm.
pub(super) fn log_sum<'g>(b: &Back<'g>) -> Grads<'g> {
    let over = Over::read(b)?;
    Ok(vec![Some(over.g() * (-over.y()).unary("Exp"))])
}

/// ReduceLogSumExp.
pub(super) fn log_sum_exp<'g>(b: &Back<'g>) -> Grads<'g> {
    let over = Over::read(b)?;
    Ok(vec![Some(over.g() * (b.x(0) - over.y()).unary("Exp"))])
}

/// ReduceProd: the product of the others; where one of them is zero, only the zero itself has such.
pub(super) fn prod<'g>(b: &Back<'g>) -> Grads<'g> {
    let (over, x) = (Over::read(b)?, b.x(0));
    let filled = x.or_one();
    let is_zero = x.is_zero();
    let others = filled.prod(&over.axes) / filled;
    let zeros = is_zero.sum(&over.axes) - is_zero;
    Ok(vec![Some(over.g() * others * zeros.below(0.5))])
}
