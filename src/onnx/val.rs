//! Writing nodes by arithmetic: `g * y * (1.0 - y)` becomes Mul, Sub, Mul in the graph.
//!
//! Every value knows its shape, measured or derived. Axis 0 is the batch: N pictures, or K classes of one picture, which
//! the graph learns only when it runs. So no emitted constant ever holds its length, and values of one picture meet
//! gradients of K classes by broadcasting.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::emit::Emit;
use super::node::Attr;
use super::tensor::{Data, Tensor};

/// What is known of a tensor that is written.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// Axis 0 is the batch.
    pub(super) batch: bool,
    /// Not written yet: 1 where `class` [K, 1] points along the axis of length > 1, else 0.
    pub(super) one_hot: Option<usize>,
}

/// A tensor in the graph being written.
#[derive(Debug, Clone, Copy)]
pub struct Val<'g> {
    pub(super) emit: &'g Emit<'g>,
    pub(super) id: usize,
}

impl<'g> Val<'g> {
    /// The emitter.
    pub fn emit(self) -> &'g Emit<'g> {
        self.emit
    }

    /// The tensor's name; writes a seed that was not written yet.
    pub fn name(self) -> String {
        let value = self.emit.value(self.id);
        let Some(class) = value.one_hot else { return value.name };
        let classes: usize = value.shape.iter().product::<usize>() / value.shape.first().copied().unwrap_or(1).max(1);
        let class = self.emit.val(class);
        let arange =
            self.emit.constant(&Tensor { shape: vec![1, classes], data: Data::I64((0..classes as i64).collect()) });
        let equal = self.emit.node("Equal", &[class, arange], &[], &[value.shape[0], classes]);
        let dense = equal.cast(1).reshape(&value.shape);
        let name = dense.name();
        self.emit.values.borrow_mut()[self.id] = Value { name: name.clone(), one_hot: None, ..value };
        name
    }

    /// For a seed not written yet: the class, [K, 1].
    pub fn seed_class(self) -> Option<Val<'g>> {
        self.emit.value(self.id).one_hot.map(|id| self.emit.val(id))
    }

    /// Shape; axis 0 of a batch value is the number of pictures that was measured, whatever K is.
    pub fn shape(self) -> Vec<usize> {
        self.emit.values.borrow()[self.id].shape.clone()
    }

    /// Whether axis 0 is the batch.
    pub fn is_batch(self) -> bool {
        self.emit.values.borrow()[self.id].batch
    }

    fn binary(self, op: &str, other: Val<'g>) -> Val<'g> {
        let shape = self.emit.broadcast(&self.shape(), &other.shape());
        self.emit.node(op, &[self, other], &[], &shape)
    }

    fn scalar(self, x: f32) -> Val<'g> {
        self.emit.floats(&[], vec![x])
    }

    /// An operator of one operand that keeps the shape.
    pub fn unary(self, op: &str) -> Val<'g> {
        self.emit.node(op, &[self], &[], &self.shape())
    }

    /// Cast to an ONNX type number.
    pub fn cast(self, to: i32) -> Val<'g> {
        self.emit.node("Cast", &[self], &[("to", Attr::Int(to.into()))], &self.shape())
    }

    /// 1.0 where `self > x`, else 0.0. (Cast and Mul are three times as fast as Where on ONNX Runtime's CPU provider.)
    pub fn above(self, x: f32) -> Val<'g> {
        self.binary("Greater", self.scalar(x)).cast(1)
    }

    /// 1.0 where `self < x`, else 0.0.
    pub fn below(self, x: f32) -> Val<'g> {
        self.binary("Less", self.scalar(x)).cast(1)
    }

    /// 1.0 where `low < self < high`, else 0.0.
    pub fn inside(self, low: f32, high: f32) -> Val<'g> {
        let above = self.binary("Greater", self.scalar(low));
        above.binary("And", self.binary("Less", self.scalar(high))).cast(1)
    }

    /// 1.0 where `self > other`, else 0.0.
    pub fn above_val(self, other: Val<'g>) -> Val<'g> {
        self.binary("Greater", other).cast(1)
    }

    /// 1.0 where `self < other`, else 0.0.
    pub fn below_val(self, other: Val<'g>) -> Val<'g> {
        self.binary("Less", other).cast(1)
    }

    /// 1.0 where they are equal, else 0.0.
    pub fn same(self, other: Val<'g>) -> Val<'g> {
        self.binary("Equal", other).cast(1)
    }

    /// The same values in another shape; axis 0 of a batch value stays what it is.
    pub fn reshape(self, shape: &[usize]) -> Val<'g> {
        let now = self.shape();
        if now == shape {
            return self;
        }
        let fits = now.iter().product::<usize>() == shape.iter().product::<usize>();
        if !fits || (self.is_batch() && now.first() != shape.first()) {
            self.emit.fail(format!("a reshape from {now:?} to {shape:?} moves the batch axis, which is not supported"));
            return self;
        }
        // a seed stays unwritten while all its classes lie along axis 1
        if let Some(class) = self.seed_class().filter(|_| shape.get(1) == now.get(1)) {
            return self.emit.one_hot(class, shape);
        }
        let mut dims: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
        if self.is_batch() {
            dims[0] = -1;
        }
        self.emit.node("Reshape", &[self, self.emit.ints(&dims)], &[], shape)
    }

    /// Axes in another order; axis 0 of a batch value must stay first.
    pub fn transpose(self, perm: &[usize]) -> Val<'g> {
        if self.is_batch() && perm.first() != Some(&0) {
            self.emit.fail("a transpose moves the batch axis, which is not supported".into());
        }
        let now = self.shape();
        let shape: Vec<usize> = perm.iter().map(|&p| now[p]).collect();
        let perm = perm.iter().map(|&p| p as i64).collect();
        self.emit.node("Transpose", &[self], &[("perm", Attr::Ints(perm))], &shape)
    }

    /// Repeats unit axes until the shape is `shape` (axis 0 of a batch value excepted).
    pub fn expand(self, shape: &[usize]) -> Val<'g> {
        if self.shape() == shape {
            return self;
        }
        let mut dims: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
        if self.is_batch() {
            dims[0] = 1;
        }
        self.emit.node("Expand", &[self, self.emit.ints(&dims)], &[], shape)
    }

    /// Sum over axes, which stay as 1. An axis that is already 1 costs nothing.
    pub fn sum(self, axes: &[usize]) -> Val<'g> {
        self.reduce("ReduceSum", 13, axes)
    }

    /// Mean over axes, which stay as 1.
    pub fn mean(self, axes: &[usize]) -> Val<'g> {
        self.reduce("ReduceMean", 18, axes)
    }

    fn reduce(self, op: &str, axes_as_input: i64, axes: &[usize]) -> Val<'g> {
        let mut shape = self.shape();
        let axes: Vec<i64> = axes.iter().filter(|&&a| shape[a] != 1).map(|&a| a as i64).collect();
        if axes.is_empty() {
            return self;
        }
        axes.iter().for_each(|&a| shape[a as usize] = 1);
        if self.emit.model.opset() >= axes_as_input {
            self.emit.node(op, &[self, self.emit.ints(&axes)], &[], &shape)
        } else {
            self.emit.node(op, &[self], &[("axes", Attr::Ints(axes))], &shape)
        }
    }

    /// `self[.., start..end by step, ..]` along each axis named; `(axis, start, end, step)`.
    pub fn slice(self, cuts: &[(usize, usize, usize, usize)]) -> Val<'g> {
        let column =
            |f: fn(&(usize, usize, usize, usize)) -> usize| cuts.iter().map(|c| f(c) as i64).collect::<Vec<_>>();
        let (axes, starts, ends, steps) = (column(|c| c.0), column(|c| c.1), column(|c| c.2), column(|c| c.3));
        let (e, mut shape) = (self.emit, self.shape());
        if e.model.opset() >= 10 {
            cuts.iter().for_each(|&(axis, start, end, step)| shape[axis] = (end - start).div_ceil(step));
            let inputs = [self, e.ints(&starts), e.ints(&ends), e.ints(&axes), e.ints(&steps)];
            return e.node("Slice", &inputs, &[], &shape);
        }
        cuts.iter().for_each(|&(axis, start, end, _)| shape[axis] = end - start);
        let attrs = [("axes", Attr::Ints(axes)), ("starts", Attr::Ints(starts)), ("ends", Attr::Ints(ends))];
        let stretch = e.node("Slice", &[self], &attrs, &shape);
        cuts.iter().fold(stretch, |v, &(axis, _, _, step)| v.every(axis, step))
    }

    /// Every `step`-th element of an axis without a strided Slice, which opset 10 brought: the first of each group.
    fn every(self, axis: usize, step: usize) -> Val<'g> {
        let shape = self.shape();
        let count = shape[axis].div_ceil(step);
        if step == 1 {
            return self;
        }
        let mut room = vec![(0, 0); shape.len()];
        room[axis] = (0, count * step - shape[axis]);
        let groups = [&shape[..axis], &[count, step], &shape[axis + 1..]].concat();
        let first = self.pad(&room, 0.0).reshape(&groups).slice(&[(axis + 1, 0, 1, 1)]);
        first.reshape(&[&shape[..axis], &[count], &shape[axis + 1..]].concat())
    }

    /// `value` added around: `(before, after)` for each axis.
    pub fn pad(self, pads: &[(usize, usize)], value: f32) -> Val<'g> {
        if pads.iter().all(|&p| p == (0, 0)) {
            return self;
        }
        let shape: Vec<usize> = self.shape().iter().zip(pads).map(|(d, (a, b))| d + a + b).collect();
        let amounts: Vec<i64> = pads.iter().map(|p| p.0 as i64).chain(pads.iter().map(|p| p.1 as i64)).collect();
        if self.emit.model.opset() >= 11 {
            return self.emit.node("Pad", &[self, self.emit.ints(&amounts), self.scalar(value)], &[], &shape);
        }
        self.emit.node("Pad", &[self], &[("pads", Attr::Ints(amounts)), ("value", Attr::Float(value))], &shape)
    }

    /// Matrix product over the last two axes.
    pub fn matmul(self, other: Val<'g>) -> Val<'g> {
        let (a, b) = (self.shape(), other.shape());
        let (Some((a_rows, b_cols)), true) =
            (a.len().checked_sub(2).and_then(|i| a.get(i)).zip(b.last()), b.len() >= 2)
        else {
            self.emit.fail(format!("a matrix product of {a:?} and {b:?}"));
            return self;
        };
        let mut shape = self.emit.broadcast(&a[..a.len() - 2], &b[..b.len() - 2]);
        shape.extend([a_rows, b_cols]);
        self.emit.node("MatMul", &[self, other], &[], &shape)
    }

    /// Side by side along an axis.
    pub fn concat(parts: &[Val<'g>], axis: usize) -> Val<'g> {
        if let [only] = parts {
            return *only;
        }
        let mut shape = parts[0].shape();
        shape[axis] = parts.iter().map(|p| p.shape()[axis]).sum();
        parts[0].emit.node("Concat", parts, &[("axis", Attr::Int(axis as i64))], &shape)
    }
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $op:literal),*) => {$(
        impl<'g> $trait for Val<'g> {
            type Output = Val<'g>;
            fn $method(self, other: Val<'g>) -> Val<'g> {
                self.binary($op, other)
            }
        }
        impl<'g> $trait<f32> for Val<'g> {
            type Output = Val<'g>;
            fn $method(self, other: f32) -> Val<'g> {
                self.binary($op, self.scalar(other))
            }
        }
        impl<'g> $trait<Val<'g>> for f32 {
            type Output = Val<'g>;
            fn $method(self, other: Val<'g>) -> Val<'g> {
                other.scalar(self).binary($op, other)
            }
        }
    )*};
}
arithmetic!(Add add "Add", Sub sub "Sub", Mul mul "Mul", Div div "Div");

impl<'g> Neg for Val<'g> {
    type Output = Val<'g>;
    fn neg(self) -> Val<'g> {
        self.unary("Neg")
    }
}
