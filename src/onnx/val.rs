//! Writing nodes by arithmetic: `g * y * (1.0 - y)` becomes Mul, Sub, Mul in the graph.
//!
//! Every value knows its shape, measured or derived: the shape for one class. Gradients of several classes carry them in a
//! dimension that the shape does not show (see `lead.rs`).

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::emit::Emit;
use super::lead::Lead;
use super::node::Attr;
use super::steps;
use super::tensor::{Data, Tensor};

/// What is known of a tensor that is written.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) form: Form,
    pub(super) shape: Vec<usize>,
    pub(super) lead: Lead,
}

/// How a value stands in the graph. What is not written yet is written when a node needs it as a tensor.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// A tensor of that name.
    Written(String),
    /// 1 where `class` [N, 1] points along the axis of the classes, else 0.
    Seed { class: usize },
    /// Zeros around `inner` along one axis.
    Padded { inner: usize, axis: usize, before: usize },
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

    /// The tensor's name; writes what was not written yet.
    pub fn name(self) -> String {
        let value = self.emit.value(self.id);
        let name = match value.form {
            Form::Written(name) => return name,
            Form::Seed { class } => self.seed(self.emit.val(class)).name(),
            Form::Padded { .. } => self.filled().name(),
        };
        self.emit.values.borrow_mut()[self.id].form = Form::Written(name.clone());
        name
    }

    /// A seed as a tensor.
    fn seed(self, class: Val<'g>) -> Val<'g> {
        let value = self.emit.value(self.id);
        let pictures = class.shape()[0];
        let classes = value.shape.iter().product::<usize>() / pictures.max(1);
        let arange =
            self.emit.constant(&Tensor { shape: vec![1, classes], data: Data::I64((0..classes as i64).collect()) });
        let equal = self.emit.node("Equal", &[class, arange], &[], &[pictures, classes]);
        equal.cast(1).lay(&value.shape, value.lead)
    }

    /// For a seed not written yet: the class, [N, 1], if the classes lie along `axis`; of one class alone any of length 1 will do.
    pub fn seed_class(self, axis: usize) -> Option<Val<'g>> {
        let value = self.emit.value(self.id);
        let Form::Seed { class } = value.form else { return None };
        let class = self.emit.val(class);
        along(&value.shape, class.shape()[0])
            .filter(|&a| a == axis || (value.shape[a], value.shape.get(axis)) == (1, Some(&1)))
            .map(|_| class)
    }

    /// Shape, for one class.
    pub fn shape(self) -> Vec<usize> {
        self.emit.values.borrow()[self.id].shape.clone()
    }

    pub(super) fn binary(self, op: &str, other: Val<'g>) -> Val<'g> {
        let shape = self.emit.broadcast(&self.shape(), &other.shape());
        let within = self.binary_within(op, other, &shape);
        within.unwrap_or_else(|| self.emit.node(op, &[self, other], &[], &shape))
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

    /// 1.0 where `self > x`, else 0.0.
    pub fn above(self, x: f32) -> Val<'g> {
        self.step(1.0, x)
    }

    /// 1.0 where `self < x`, else 0.0.
    pub fn below(self, x: f32) -> Val<'g> {
        self.step(-1.0, x)
    }

    /// 1.0 where `low < self < high`, else 0.0.
    pub fn inside(self, low: f32, high: f32) -> Val<'g> {
        self.above(low) * self.below(high)
    }

    /// 1.0 where `self` lies beyond `x` on the side of `sign`, else 0.0: a HardSigmoid too steep to have values between. One
    /// operator, which ONNX Runtime keeps in the blocked layout of the convolutions around it;
    /// Greater and Cast would have both operands brought into plain order, and Where is slower still.
    fn step(self, sign: f32, x: f32) -> Val<'g> {
        self.emit.node("HardSigmoid", &[self], &steps::attrs(sign, x), &self.shape())
    }

    /// Where `self < other`, as bool.
    pub fn smaller(self, other: Val<'g>) -> Val<'g> {
        self.binary("Less", other)
    }

    /// Both, of bools.
    pub fn and(self, other: Val<'g>) -> Val<'g> {
        self.binary("And", other)
    }

    /// The contrary, of bools.
    pub fn complement(self) -> Val<'g> {
        self.unary("Not")
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

    /// 1.0, 0.0 or -1.0, as it is above zero, zero or below.
    pub fn sign(self) -> Val<'g> {
        self.above(0.0) - self.below(0.0)
    }

    /// Itself, and 1.0 where it is zero: to divide by.
    pub fn or_one(self) -> Val<'g> {
        self + self.is_zero()
    }

    /// 1.0 where it is zero, else 0.0.
    pub fn is_zero(self) -> Val<'g> {
        1.0 - self.above(0.0) - self.below(0.0)
    }

    /// The same values in another shape.
    pub fn reshape(self, shape: &[usize]) -> Val<'g> {
        let now = self.shape();
        if now == shape {
            return self;
        }
        if now.iter().product::<usize>() != shape.iter().product::<usize>() {
            self.emit.fail(format!("a reshape from {now:?} to {shape:?}"));
            return self;
        }
        if let Form::Seed { class } = self.emit.value(self.id).form {
            let class = self.emit.val(class);
            // a seed stays unwritten while all its classes lie along one axis
            if along(shape, class.shape()[0]).is_some() {
                return self.emit.one_hot(class, shape);
            }
        }
        if let Some(within) = self.reshape_within(shape) {
            return within;
        }
        self.lay(shape, if self.is_per_class() { Lead::of(shape) } else { Lead::None })
    }

    /// Axes in another order.
    pub fn transpose(self, perm: &[usize]) -> Val<'g> {
        if perm.iter().enumerate().all(|(to, &from)| to == from) {
            return self;
        }
        let mut axes = perm.to_vec();
        axes.sort_unstable();
        if !axes.into_iter().eq(0..self.shape().len()) {
            self.emit.fail(format!("axes {:?} in the order {perm:?}", self.shape()));
            return self;
        }
        if let Some(within) = self.transpose_within(perm) {
            return within;
        }
        let v = if perm.first() == Some(&0) { self } else { self.before() };
        let (now, lead) = (v.shape(), v.lead());
        let shape: Vec<usize> = perm.iter().map(|&p| now[p]).collect();
        let front = 0..lead.offset() as i64;
        let perm = front.chain(perm.iter().map(|&p| (p + lead.offset()) as i64)).collect();
        self.emit.raw("Transpose", &[v], &[("perm", Attr::Ints(perm))], &[(&shape, lead)])[0]
    }

    /// Repeats unit axes until the shape is `shape`.
    pub fn expand(self, shape: &[usize]) -> Val<'g> {
        let now = self.shape();
        if now == shape {
            return self;
        }
        if let Some(within) = self.expand_within(shape) {
            return within;
        }
        let lead = if self.is_per_class() { Lead::of(shape) } else { Lead::None };
        let v = self.operand(shape.len(), lead);
        let mut dims: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
        match lead {
            Lead::None => {}
            Lead::InPlace => dims[0] = 1,
            Lead::Before => dims.insert(0, 1),
        }
        if self.emit.model.opset() >= 8 {
            return self.emit.raw("Expand", &[v, self.emit.ints(&dims)], &[], &[(shape, lead)])[0];
        }
        // before Expand there was Tile, which is told how often
        let now = [vec![1; dims.len() - now.len()], now].concat();
        let times: Vec<i64> = dims.iter().zip(&now).map(|(&to, &from)| if from == 1 { to } else { 1 }).collect();
        let v = if lead == Lead::None { v.lay(&now, lead) } else { v };
        self.emit.raw("Tile", &[v, self.emit.ints(&times)], &[], &[(shape, lead)])[0]
    }

    /// Sum over axes, which stay as 1. An axis that is already 1 costs nothing.
    pub fn sum(self, axes: &[usize]) -> Val<'g> {
        self.sum_within(axes).unwrap_or_else(|| self.reduce("ReduceSum", 13, axes))
    }

    /// Mean over axes, which stay as 1.
    pub fn mean(self, axes: &[usize]) -> Val<'g> {
        if self.padded().is_none() {
            return self.reduce("ReduceMean", 18, axes);
        }
        let shape = self.shape();
        let elements: usize = axes.iter().filter_map(|&a| shape.get(a)).product();
        self.sum(axes) * (1.0 / elements as f32)
    }

    /// Largest value over axes, which stay as 1.
    pub fn max(self, axes: &[usize]) -> Val<'g> {
        self.reduce("ReduceMax", 18, axes)
    }

    /// Product over axes, which stay as 1.
    pub fn prod(self, axes: &[usize]) -> Val<'g> {
        self.reduce("ReduceProd", 18, axes)
    }

    fn reduce(self, op: &str, axes_as_input: i64, axes: &[usize]) -> Val<'g> {
        let (mut shape, lead) = (self.shape(), self.lead());
        if let Some(axis) = axes.iter().find(|&&a| a >= shape.len()) {
            self.emit.fail(format!("axis {axis} of a tensor of shape {shape:?} is asked for"));
            return self;
        }
        let axes: Vec<usize> = axes.iter().copied().filter(|&a| shape[a] != 1).collect();
        if axes.is_empty() {
            return self;
        }
        axes.iter().for_each(|&a| shape[a] = 1);
        let axes: Vec<i64> = axes.iter().map(|a| (a + lead.offset()) as i64).collect();
        if self.emit.model.opset() >= axes_as_input {
            self.emit.raw(op, &[self, self.emit.ints(&axes)], &[], &[(&shape, lead)])[0]
        } else {
            self.emit.raw(op, &[self], &[("axes", Attr::Ints(axes))], &[(&shape, lead)])[0]
        }
    }

    /// `self[.., start..end by step, ..]` along each axis named; `(axis, start, end, step)`.
    pub fn slice(self, cuts: &[(usize, usize, usize, usize)]) -> Val<'g> {
        let v = if cuts.iter().any(|c| c.0 == 0) { self.before() } else { self };
        let (e, mut shape, lead) = (self.emit, v.shape(), v.lead());
        if let Some(cut) = cuts.iter().find(|c| c.1 >= c.2 || shape.get(c.0).is_none_or(|&length| c.2 > length)) {
            e.fail(format!("a slice {}..{} of axis {} of {shape:?}", cut.1, cut.2, cut.0));
            return self;
        }
        let column =
            |f: fn(&(usize, usize, usize, usize)) -> usize| cuts.iter().map(|c| f(c) as i64).collect::<Vec<_>>();
        let (starts, ends, steps) = (column(|c| c.1), column(|c| c.2), column(|c| c.3));
        let axes: Vec<i64> = cuts.iter().map(|c| (c.0 + lead.offset()) as i64).collect();
        if e.model.opset() >= 10 {
            cuts.iter().for_each(|&(axis, start, end, step)| shape[axis] = (end - start).div_ceil(step));
            let inputs = [v, e.ints(&starts), e.ints(&ends), e.ints(&axes), e.ints(&steps)];
            return e.raw("Slice", &inputs, &[], &[(&shape, lead)])[0];
        }
        cuts.iter().for_each(|&(axis, start, end, _)| shape[axis] = end - start);
        let attrs = [("axes", Attr::Ints(axes)), ("starts", Attr::Ints(starts)), ("ends", Attr::Ints(ends))];
        let stretch = e.raw("Slice", &[v], &attrs, &[(&shape, lead)])[0];
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
        let mut padded = pads.iter().enumerate().filter(|(_, p)| **p != (0, 0));
        if let (Some((axis, p)), None, true) = (padded.next(), padded.next(), value == 0.0 && self.is_per_class()) {
            return self.padded_to(axis, p.0, p.0 + self.shape()[axis] + p.1);
        }
        self.pad_now(pads, value)
    }

    pub(super) fn pad_now(self, pads: &[(usize, usize)], value: f32) -> Val<'g> {
        let v = if pads[0] == (0, 0) { self } else { self.before() };
        let (e, lead) = (self.emit, v.lead());
        let shape: Vec<usize> = v.shape().iter().zip(pads).map(|(d, (a, b))| d + a + b).collect();
        let front = vec![(0, 0); lead.offset()];
        let around = || front.iter().chain(pads);
        let amounts: Vec<i64> = around().map(|p| p.0 as i64).chain(around().map(|p| p.1 as i64)).collect();
        if e.model.opset() >= 11 {
            return e.raw("Pad", &[v, e.ints(&amounts), self.scalar(value)], &[], &[(&shape, lead)])[0];
        }
        e.raw("Pad", &[v], &[("pads", Attr::Ints(amounts)), ("value", Attr::Float(value))], &[(&shape, lead)])[0]
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
        if let Some(within) = self.matmul_within(other, &shape) {
            return within;
        }
        let in_the_rows = shape.len() == 2 && other.is_per_class();
        let lead = match (self.is_per_class() || other.is_per_class(), in_the_rows) {
            (false, _) => Lead::None,
            // K cannot take the place of an axis that the product sums over
            (true, true) => Lead::Before,
            (true, false) => Lead::of(&shape),
        };
        let operands = [self.operand(shape.len(), lead), other.operand(shape.len(), lead)];
        self.emit.raw("MatMul", &operands, &[], &[(&shape, lead)])[0]
    }

    /// Side by side along an axis.
    pub fn concat(parts: &[Val<'g>], axis: usize) -> Val<'g> {
        if let [only] = parts {
            return *only;
        }
        let (e, mut shape) = (parts[0].emit, parts[0].shape());
        shape[axis] = parts.iter().map(|p| p.shape()[axis]).sum();
        let per_class = parts.iter().filter(|p| p.is_per_class()).count();
        let lead = match per_class {
            0 => Lead::None,
            _ if axis == 0 => Lead::Before,
            _ => Lead::of(&shape),
        };
        if per_class != 0 && per_class != parts.len() {
            e.fail("a Concat of values that differ from class to class and others that do not".into());
        }
        let parts: Vec<Val> = parts.iter().map(|p| p.operand(shape.len(), lead)).collect();
        let axis = ("axis", Attr::Int((axis + lead.offset()) as i64));
        e.raw("Concat", &parts, &[axis], &[(&shape, lead)])[0]
    }

    /// The entries of an axis at constant places, in their order.
    pub fn gather(self, axis: usize, places: &[usize]) -> Val<'g> {
        let v = if axis == 0 { self.before() } else { self };
        let (mut shape, lead) = (v.shape(), v.lead());
        shape[axis] = places.len();
        let places: Vec<i64> = places.iter().map(|&p| p as i64).collect();
        let axis = ("axis", Attr::Int((axis + lead.offset()) as i64));
        self.emit.raw("Gather", &[v, self.emit.ints(&places)], &[axis], &[(&shape, lead)])[0]
    }
}

/// The axis of the classes in the shape of a seed of so many pictures, if they lie along one; the last where any would do.
fn along(shape: &[usize], pictures: usize) -> Option<usize> {
    let (front, rest) = if pictures == 1 { (0, shape) } else { (1, shape.get(1..)?) };
    if pictures != 1 && shape[0] != pictures {
        return None;
    }
    let mut long = (0..rest.len()).filter(|&a| rest[a] != 1);
    let axis = long.next().or(rest.len().checked_sub(1))?;
    long.next().is_none().then_some(axis + front)
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
        if self.padded().is_some() { self * -1.0 } else { self.unary("Neg") }
    }
}
