//! Writing nodes by arithmetic: `g * y * (1.0 - y)` becomes Mul, Sub, Mul in the graph.
//!
//! Every value knows its shape, measured or derived. Axis 0 is the batch: N pictures, or K classes of one picture, which
//! the graph learns only when it runs. So no emitted constant ever holds its length, and values of one picture meet
//! gradients of K classes by broadcasting.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::facts::Facts;
use super::model::Model;
use super::node::{Attr, make};
use super::proto::{NodeProto, TensorProto};
use super::tensor::{Data, Tensor};
use crate::error::{Error, Result};

/// Nodes and constants to append to a model.
#[derive(Debug, Default)]
pub struct Patch {
    pub(super) nodes: Vec<NodeProto>,
    pub(super) initializers: Vec<TensorProto>,
}

/// Collects emitted nodes. Equal nodes are emitted once.
#[derive(Debug)]
pub struct Emit<'m> {
    model: &'m Model,
    facts: &'m Facts,
    patch: RefCell<Patch>,
    values: RefCell<Vec<Value>>,
    known: RefCell<HashMap<String, usize>>,
    scope: RefCell<String>,
    used: RefCell<HashSet<String>>,
    counter: Cell<usize>,
    failure: RefCell<Option<String>>,
}

#[derive(Debug, Clone)]
struct Value {
    name: String,
    shape: Vec<usize>,
    /// Axis 0 is the batch.
    batch: bool,
    /// Not written yet: 1 where `class` [K, 1] points along the axis of length > 1, else 0.
    one_hot: Option<usize>,
}

/// A tensor in the graph being written.
#[derive(Debug, Clone, Copy)]
pub struct Val<'g> {
    emit: &'g Emit<'g>,
    id: usize,
}

impl<'m> Emit<'m> {
    /// Starts on a model with its measured shapes.
    pub fn new(model: &'m Model, facts: &'m Facts) -> Emit<'m> {
        let names = model.nodes().flat_map(|n| n.outputs().iter().cloned().chain([n.name().to_string()]));
        let declared = model.inputs().into_iter().chain(model.outputs()).map(|v| v.name);
        let used = names.chain(declared).chain(model.initializer_names().map(String::from)).collect();
        Emit {
            model,
            facts,
            patch: RefCell::default(),
            values: RefCell::default(),
            known: RefCell::default(),
            scope: RefCell::new("gradcam".into()),
            used: RefCell::new(used),
            counter: Cell::new(0),
            failure: RefCell::default(),
        }
    }

    /// The model written for.
    pub fn model(&self) -> &'m Model {
        self.model
    }

    /// The facts it works from.
    pub fn facts(&self) -> &'m Facts {
        self.facts
    }

    /// Names of nodes emitted from here on begin with this.
    pub fn set_scope(&self, scope: &str) {
        *self.scope.borrow_mut() = scope.into();
    }

    /// Remembers why what is being written cannot be right; the first reason is reported by [`Emit::finish`].
    pub fn fail(&self, why: String) {
        let scope = self.scope.borrow();
        self.failure.borrow_mut().get_or_insert_with(|| format!("at {scope}: {why}"));
    }

    /// Whether something failed already.
    pub fn failed(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    /// What was written.
    pub fn finish(self) -> Result<Patch> {
        match self.failure.into_inner() {
            Some(why) => Err(Error::ModelUnusable { why }),
            None => Ok(self.patch.into_inner()),
        }
    }

    /// A name that neither the model nor the patch uses; `wanted` itself if it is free.
    pub fn fresh(&self, wanted: &str) -> String {
        let mut used = self.used.borrow_mut();
        let mut name = wanted.to_string();
        let mut n = 1;
        while !used.insert(name.clone()) {
            n += 1;
            name = format!("{wanted}_{n}");
        }
        name
    }

    fn push(&self, value: Value) -> usize {
        let mut values = self.values.borrow_mut();
        values.push(value);
        values.len() - 1
    }

    fn value(&self, id: usize) -> Value {
        self.values.borrow()[id].clone()
    }

    /// A forward tensor of the model, of the measured shape; `batch`: its axis 0 is the picture's.
    pub fn tensor<'g>(&'g self, name: &str, batch: bool) -> Val<'g>
    where
        'm: 'g,
    {
        let shape = self.facts.shape(name).map(<[usize]>::to_vec).unwrap_or_else(|| {
            self.fail(format!("the shape of {name:?} was not measured"));
            Vec::new()
        });
        self.known_or(format!("tensor {name} {batch}"), || Value { name: name.into(), shape, batch, one_hot: None })
    }

    /// A tensor that already has a name, of a shape given by the caller (graph inputs of our own).
    pub fn named<'g>(&'g self, name: &str, shape: &[usize], batch: bool) -> Val<'g>
    where
        'm: 'g,
    {
        self.val(self.push(Value { name: name.into(), shape: shape.to_vec(), batch, one_hot: None }))
    }

    fn val<'g>(&'g self, id: usize) -> Val<'g>
    where
        'm: 'g,
    {
        // a shared borrow of a longer-lived emitter serves as a shorter-lived one
        Val { emit: self.shorten(), id }
    }

    fn shorten<'g>(&'g self) -> &'g Emit<'g>
    where
        'm: 'g,
    {
        self
    }

    fn known_or<'g>(&'g self, key: String, make: impl FnOnce() -> Value) -> Val<'g>
    where
        'm: 'g,
    {
        let found = self.known.borrow().get(&key).copied();
        let id = found.unwrap_or_else(|| {
            let id = self.push(make());
            self.known.borrow_mut().insert(key, id);
            id
        });
        self.val(id)
    }

    /// A constant; never shared with the model's own weights.
    pub fn constant<'g>(&'g self, tensor: &Tensor) -> Val<'g>
    where
        'm: 'g,
    {
        let key = match &tensor.data {
            Data::F32(v) if v.len() <= 16 => {
                format!("const f {:?} {:?}", tensor.shape, v.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
            }
            Data::I64(v) if v.len() <= 16 => format!("const i {:?} {v:?}", tensor.shape),
            _ => format!("const #{}", self.counter.get()),
        };
        self.known_or(key, || {
            self.counter.set(self.counter.get() + 1);
            let name = self.fresh(&format!("{}/const_{}", self.scope.borrow(), self.counter.get()));
            let mut patch = self.patch.borrow_mut();
            if self.model.initializers_allowed() {
                patch.initializers.push(tensor.to_proto(&name));
            } else {
                patch.nodes.push(make("Constant", &name, &[], &[&name], &[("value", Attr::Tensor(tensor.clone()))]));
            }
            Value { name, shape: tensor.shape.clone(), batch: false, one_hot: None }
        })
    }

    /// A float constant of any shape.
    pub fn floats<'g>(&'g self, shape: &[usize], data: Vec<f32>) -> Val<'g>
    where
        'm: 'g,
    {
        self.constant(&Tensor::f32(shape, data))
    }

    /// A one-axis int64 constant (shapes, axes, starts).
    pub fn ints<'g>(&'g self, data: &[i64]) -> Val<'g>
    where
        'm: 'g,
    {
        self.constant(&Tensor::i64s(data))
    }

    /// A node of any operator with one output of the shape given. The batch is the inputs'.
    pub fn node<'g>(&'g self, op: &str, inputs: &[Val<'g>], attrs: &[(&str, Attr)], shape: &[usize]) -> Val<'g>
    where
        'm: 'g,
    {
        let batch = inputs.iter().any(|v| v.is_batch());
        self.node_out(op, inputs, attrs, &[(shape, batch)])[0]
    }

    /// A node of any operator; for each output its shape and whether axis 0 is the batch.
    pub fn node_out<'g>(
        &'g self,
        op: &str,
        inputs: &[Val<'g>],
        attrs: &[(&str, Attr)],
        outputs: &[(&[usize], bool)],
    ) -> Vec<Val<'g>>
    where
        'm: 'g,
    {
        let names: Vec<String> = inputs.iter().map(|v| v.name()).collect();
        let key = format!("{op} {names:?} {attrs:?} {outputs:?}");
        let first = self.known.borrow().get(&key).copied();
        let first = first.unwrap_or_else(|| {
            self.counter.set(self.counter.get() + 1);
            let name = self.fresh(&format!("{}/{}_{}", self.scope.borrow(), op.to_lowercase(), self.counter.get()));
            let made: Vec<String> = (0..outputs.len())
                .map(|i| if i == 0 { name.clone() } else { self.fresh(&format!("{name}:{i}")) })
                .collect();
            let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
            let made_refs: Vec<&str> = made.iter().map(String::as_str).collect();
            self.patch.borrow_mut().nodes.push(make(op, &name, &inputs, &made_refs, attrs));
            let ids: Vec<usize> = made
                .into_iter()
                .zip(outputs)
                .map(|(name, (shape, batch))| {
                    self.push(Value { name, shape: shape.to_vec(), batch: *batch, one_hot: None })
                })
                .collect();
            self.known.borrow_mut().insert(key, ids[0]);
            ids[0]
        });
        (0..outputs.len()).map(|i| self.val(first + i)).collect()
    }

    /// An Identity node that gives a value its public name.
    pub fn publish(&self, value: Val<'_>, name: &str) {
        let from = value.name();
        self.patch.borrow_mut().nodes.push(make("Identity", name, &[&from], &[name], &[]));
    }

    /// The seed of a backward pass: 1 at `class` ([K, 1], int64, batch), along axis 1 of `shape`. Written only when a rule
    /// needs it as a tensor.
    pub fn one_hot<'g>(&'g self, class: Val<'g>, shape: &[usize]) -> Val<'g>
    where
        'm: 'g,
    {
        self.val(self.push(Value { name: String::new(), shape: shape.to_vec(), batch: true, one_hot: Some(class.id) }))
    }
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
        let mut shape = self.shape();
        for &(axis, start, end, step) in cuts {
            shape[axis] = (end - start).div_ceil(step);
        }
        let column =
            |f: fn(&(usize, usize, usize, usize)) -> usize| cuts.iter().map(|c| f(c) as i64).collect::<Vec<_>>();
        let (axes, starts, ends, steps) = (column(|c| c.0), column(|c| c.1), column(|c| c.2), column(|c| c.3));
        if self.emit.model.opset() >= 10 {
            let e = self.emit;
            return e.node(
                "Slice",
                &[self, e.ints(&starts), e.ints(&ends), e.ints(&axes), e.ints(&steps)],
                &[],
                &shape,
            );
        }
        if steps.iter().any(|&s| s != 1) {
            self.emit.fail("a strided slice needs opset 10; convert the model with onnx.version_converter".into());
        }
        let attrs = [("axes", Attr::Ints(axes)), ("starts", Attr::Ints(starts)), ("ends", Attr::Ints(ends))];
        self.emit.node("Slice", &[self], &attrs, &shape)
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

impl Emit<'_> {
    /// NumPy's broadcast shape.
    pub fn broadcast(&self, a: &[usize], b: &[usize]) -> Vec<usize> {
        let rank = a.len().max(b.len());
        let dim = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |j| s[j]);
        (0..rank)
            .map(|i| match (dim(a, i), dim(b, i)) {
                (x, y) if x == y || y == 1 => x,
                (1, y) => y,
                _ => {
                    self.fail(format!("shapes {a:?} and {b:?} do not broadcast"));
                    dim(a, i)
                }
            })
            .collect()
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
