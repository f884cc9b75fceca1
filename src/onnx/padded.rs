//! Gradients that are zero but for a stretch of one axis, as behind the class token of a transformer: kept as that stretch
//! until something needs the whole.

use super::lead::Lead;
use super::val::{Form, Val, Value};

/// A value that is `inner` from `before` on along `axis`, and zero elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Padded<'g> {
    inner: Val<'g>,
    axis: usize,
    before: usize,
}

impl<'g> Padded<'g> {
    /// Length of the stretch.
    fn len(self) -> usize {
        self.inner.shape()[self.axis]
    }

    /// Another stretch at the same place, `axis` of as many elements as here.
    fn with(self, inner: Val<'g>, axis: usize, length: usize) -> Val<'g> {
        inner.padded_to(axis, self.before, length)
    }

    /// What lies in the stretch of another operand of `rank` axes at most.
    fn cut(self, other: Val<'g>, rank: usize) -> Val<'g> {
        let Some(axis) = (self.axis + other.shape().len()).checked_sub(rank) else { return other };
        match other.padded() {
            Some(p) if p.axis == axis && p.before == self.before && p.len() == self.len() => p.inner,
            _ if other.shape()[axis] == 1 => other,
            _ => other.slice(&[(axis, self.before, self.before + self.len(), 1)]),
        }
    }
}

impl<'g> Val<'g> {
    /// Zeros around along one axis, of `length` then; not written yet.
    pub(super) fn padded_to(self, axis: usize, before: usize, length: usize) -> Val<'g> {
        let mut shape = self.shape();
        shape[axis] = length;
        let lead = if self.is_per_class() { Lead::of(&shape) } else { Lead::None };
        let form = Form::Padded { inner: self.id, axis, before };
        self.emit.val(self.emit.push(Value { form, shape, lead }))
    }

    pub(super) fn padded(self) -> Option<Padded<'g>> {
        match self.emit.value(self.id).form {
            Form::Padded { inner, axis, before } => Some(Padded { inner: self.emit.val(inner), axis, before }),
            _ => None,
        }
    }

    /// As an operand of an operator that broadcasts to `shape`: the same stretch there, unless its axis itself is repeated.
    fn padded_in(self, shape: &[usize]) -> Option<Padded<'g>> {
        let (p, own) = (self.padded()?, self.shape());
        let extra = shape.len().checked_sub(own.len())?;
        let inner = p.inner.reshape(&[vec![1; extra], p.inner.shape()].concat());
        let axis = p.axis + extra;
        (shape[axis] == own[p.axis]).then_some(Padded { inner, axis, ..p })
    }

    /// A broadcasting operator on the stretch alone, where the rest stays zero.
    pub(super) fn binary_within(self, op: &str, other: Val<'g>, shape: &[usize]) -> Option<Val<'g>> {
        let (a, b) = (self.padded_in(shape), other.padded_in(shape));
        let rank = shape.len();
        let (p, inner) = match (op, a, b) {
            ("Mul", Some(p), _) => (p, p.inner.binary(op, p.cut(other, rank))),
            ("Div", Some(p), None) => (p, p.inner.binary(op, p.cut(other, rank))),
            ("Mul", None, Some(p)) => (p, p.cut(self, rank).binary(op, p.inner)),
            ("Add" | "Sub", Some(p), _) | ("Add" | "Sub", None, Some(p)) => {
                // both must be zero outside the same stretch; along other axes they broadcast
                let (a, b) = (a?, b?);
                let same = a.axis == b.axis && a.before == b.before && a.len() == b.len();
                (p, same.then(|| a.inner.binary(op, b.inner))?)
            }
            _ => return None,
        };
        Some(p.with(inner, p.axis, shape[p.axis]))
    }

    /// A matrix product of the stretch alone.
    pub(super) fn matmul_within(self, other: Val<'g>, shape: &[usize]) -> Option<Val<'g>> {
        let (a, b) = (self.shape(), other.shape());
        if let Some(p) = self.padded() {
            if p.axis + 1 == a.len() {
                // the sum runs over the stretch
                let row = b.len() - 2;
                return Some(p.inner.matmul(other.slice(&[(row, p.before, p.before + p.len(), 1)])));
            }
            // a row, so long as it is not also an axis that the other side has
            let rows = p.axis + 2 == a.len() && a.len() == shape.len();
            return rows.then(|| p.with(p.inner.matmul(other), shape.len() - 2, shape[shape.len() - 2]));
        }
        let p = other.padded()?;
        if p.axis + 2 == b.len() {
            return Some(self.slice(&[(a.len() - 1, p.before, p.before + p.len(), 1)]).matmul(p.inner));
        }
        let columns = p.axis + 1 == b.len() && b.len() == shape.len();
        columns.then(|| p.with(self.matmul(p.inner), shape.len() - 1, shape[shape.len() - 1]))
    }

    pub(super) fn transpose_within(self, perm: &[usize]) -> Option<Val<'g>> {
        let p = self.padded()?;
        let axis = perm.iter().position(|&from| from == p.axis)?;
        Some(p.with(p.inner.transpose(perm), axis, self.shape()[p.axis]))
    }

    /// A reshape that leaves the padded axis whole.
    pub(super) fn reshape_within(self, shape: &[usize]) -> Option<Val<'g>> {
        let (p, now) = (self.padded()?, self.shape());
        let in_front: usize = now[..p.axis].iter().product();
        let axis =
            (0..shape.len()).find(|&a| shape[a] == now[p.axis] && shape[..a].iter().product::<usize>() == in_front)?;
        let mut inner = shape.to_vec();
        inner[axis] = p.len();
        Some(p.with(p.inner.reshape(&inner), axis, shape[axis]))
    }

    pub(super) fn sum_within(self, axes: &[usize]) -> Option<Val<'g>> {
        let p = self.padded()?;
        let sum = p.inner.sum(axes);
        Some(if axes.contains(&p.axis) { sum } else { p.with(sum, p.axis, self.shape()[p.axis]) })
    }

    pub(super) fn expand_within(self, shape: &[usize]) -> Option<Val<'g>> {
        let p = self.padded().filter(|p| shape.len() == self.shape().len() && shape[p.axis] == self.shape()[p.axis])?;
        let mut inner = shape.to_vec();
        inner[p.axis] = p.len();
        Some(p.with(p.inner.expand(&inner), p.axis, shape[p.axis]))
    }

    /// The whole as a tensor.
    pub(super) fn filled(self) -> Val<'g> {
        let Some(p) = self.padded() else { return self };
        let shape = self.shape();
        let mut around = vec![(0, 0); shape.len()];
        around[p.axis] = (p.before, shape[p.axis] - p.before - p.len());
        p.inner.pad_now(&around, 0.0).lay(&shape, self.lead())
    }
}
