//! Collects the nodes and constants that are added to a model; equal ones are written once.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use super::facts::{Fact, Facts};
use super::lead::Lead;
use super::model::Model;
use super::node::{Attr, Node, make};
use super::proto::{NodeProto, TensorProto};
use super::tensor::{DType, Data, Tensor};
use super::val::{Form, Val, Value};
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
    pub(super) model: &'m Model,
    facts: &'m Facts,
    pub(super) weights: HashMap<&'m str, &'m TensorProto>,
    pub(super) patch: RefCell<Patch>,
    pub(super) values: RefCell<Vec<Value>>,
    known: RefCell<HashMap<String, usize>>,
    scope: RefCell<String>,
    used: RefCell<HashSet<String>>,
    counter: Cell<usize>,
    failure: RefCell<Option<String>>,
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
            weights: model.weights(),
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

    /// The value of a tensor that does not depend on the picture, if it is of a type that is read.
    pub fn weight(&self, name: &str) -> Option<Tensor> {
        let measured = self.facts.get(name).and_then(|fact| fact.value.clone());
        measured.or_else(|| self.weights.get(name).and_then(|proto| Tensor::from_proto(proto)))
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

    /// What is known of what was written: float32 values of the shapes they were written for, and the constants.
    pub fn written(&self) -> HashMap<String, Fact> {
        let fact = |dtype, shape: &[usize], value| Fact { dtype, shape: shape.to_vec(), value };
        let values = self.values.borrow();
        let made = values.iter().filter_map(|value| match &value.form {
            Form::Written(name) => Some((name.clone(), fact(DType::F32, &value.shape, None))),
            _ => None,
        });
        let mut facts: HashMap<String, Fact> = made.filter(|(name, _)| self.facts.get(name).is_none()).collect();
        let patch = self.patch.borrow();
        let constants = patch.nodes.iter().filter_map(|proto| {
            let node = Node { proto };
            Some((node.outputs().first()?.clone(), node.tensor("value").filter(|_| node.op() == "Constant")?))
        });
        let weights = patch.initializers.iter().filter_map(|t| Some((t.name().to_string(), Tensor::from_proto(t)?)));
        facts.extend(constants.chain(weights).map(|(name, t)| (name, fact(t.dtype(), &t.shape, Some(t.clone())))));
        facts
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

    pub(super) fn push(&self, value: Value) -> usize {
        let mut values = self.values.borrow_mut();
        values.push(value);
        values.len() - 1
    }

    pub(super) fn value(&self, id: usize) -> Value {
        self.values.borrow()[id].clone()
    }

    /// A forward tensor of the model, of the measured shape. Other floating-point types than float32 are cast to it.
    ///
    /// Not directly: ONNX Runtime computes float16 in float32 on CPUs and rounds only what a Cast of the file reads, so that the
    /// Cast would change what comes behind. Behind a Sum of one it rounds for itself alone.
    pub fn tensor<'g>(&'g self, name: &str) -> Val<'g>
    where
        'm: 'g,
    {
        let Some(fact) = self.facts.get(name) else {
            self.fail(format!("the shape of {name:?} was not measured"));
            return self.floats(&[], vec![0.0]);
        };
        let own = self.named(name, &fact.shape);
        if fact.dtype.is_float() && fact.dtype != DType::F32 { own.unary("Sum").cast(DType::F32.0) } else { own }
    }

    /// A tensor that already has a name, of a shape given by the caller (graph inputs of our own).
    pub fn named<'g>(&'g self, name: &str, shape: &[usize]) -> Val<'g>
    where
        'm: 'g,
    {
        let value = || Value { form: Form::Written(name.into()), shape: shape.to_vec(), lead: Lead::None };
        self.known_or(format!("tensor {name} {shape:?}"), value)
    }

    pub(super) fn val<'g>(&'g self, id: usize) -> Val<'g>
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
            Value { form: Form::Written(name), shape: tensor.shape.clone(), lead: Lead::None }
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

    /// A node as it is written; for each output its shape and where K lies in it.
    pub(super) fn raw<'g>(
        &'g self,
        op: &str,
        inputs: &[Val<'g>],
        attrs: &[(&str, Attr)],
        outputs: &[(&[usize], Lead)],
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
                .map(|(name, (shape, lead))| {
                    self.push(Value { form: Form::Written(name), shape: shape.to_vec(), lead: *lead })
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

    /// The seed of a backward pass: 1 at `class` ([N, 1], int64; of one picture for each class), else 0, in a shape of N pictures with the
    /// classes along one axis. Written only when a rule needs it as a tensor.
    pub fn one_hot<'g>(&'g self, class: Val<'g>, shape: &[usize]) -> Val<'g>
    where
        'm: 'g,
    {
        let lead = if class.is_per_class() { Lead::of(shape) } else { Lead::None };
        self.val(self.push(Value { form: Form::Seed { class: class.id }, shape: shape.to_vec(), lead }))
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
