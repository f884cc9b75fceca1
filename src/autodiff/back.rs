//! What a rule sees of its node: forward values, shapes, attributes, and the gradient that arrives.

use std::collections::HashSet;

use super::rules::{self, Rule};
use crate::error::{Error, Result};
use crate::onnx::{DType, Emit, Graph, Node, Tensor, Val};

/// One node on the way back. `x` are its inputs, `y` its outputs, `g` the gradient of `y`.
#[derive(Debug)]
pub struct Back<'g> {
    /// The node.
    pub node: Node<'g>,
    emit: &'g Emit<'g>,
    gs: Vec<Option<Val<'g>>>,
    active: Vec<bool>,
    maker: Option<Node<'g>>,
}

impl<'g> Back<'g> {
    pub(super) fn new(
        emit: &'g Emit<'g>,
        graph: &Graph<'g>,
        node: Node<'g>,
        gs: Vec<Option<Val<'g>>>,
        active: &HashSet<&str>,
    ) -> Back<'g> {
        let active = node.inputs().iter().map(|x| active.contains(x.as_str())).collect();
        let maker = node.input(0).and_then(|x| graph.maker_node(x));
        Back { node, emit, gs, active, maker }
    }

    /// One gradient for each input, as the table's rule gives them.
    pub(super) fn apply(&self) -> Result<Vec<Option<Val<'g>>>> {
        let grads = match rules::find(&self.node.op()).map(|row| &row.rule) {
            Some(Rule::Unary(rule)) => vec![Some(rule(self.x(0), self.y(0), self.g()))],
            Some(Rule::Full(rule)) => rule(self)?,
            Some(Rule::Zero) | None => Vec::new(),
        };
        for (i, grad) in grads.iter().enumerate() {
            let Some(grad) = grad.filter(|_| self.needs(i)) else { continue };
            let (got, want) = (grad.shape(), self.shape(i));
            if got.len() != want.len() || got.iter().zip(&want).any(|(g, w)| g != w && *g != 1) {
                self.emit.fail(format!("the gradient of input {i} has shape {got:?}, not {want:?}"));
            }
        }
        Ok(grads)
    }

    /// The emitter.
    pub fn emit(&self) -> &'g Emit<'g> {
        self.emit
    }

    /// The node that makes input 0.
    pub fn maker(&self) -> Option<Node<'g>> {
        self.maker
    }

    /// Whether the gradient of input `i` is wanted.
    pub fn needs(&self, i: usize) -> bool {
        self.active.get(i).copied().unwrap_or(false)
    }

    /// Forward value of input `i`; of a constant our own copy: OpenVINO computes garbage where one weight serves forward and
    /// backward.
    pub fn x(&self, i: usize) -> Val<'g> {
        match self.node.input(i) {
            Some(name) if self.needs(i) => self.emit.tensor(name),
            Some(name) => self.side(name),
            None => {
                self.emit.fail(format!("input {i} is missing"));
                self.emit.floats(&[], vec![0.0])
            }
        }
    }

    /// A forward value off the path: our own copy of a constant, else the tensor itself.
    fn side(&self, name: &str) -> Val<'g> {
        match self.value_of(name) {
            Some(tensor) => self.emit.constant(&tensor),
            None => self.emit.tensor(name),
        }
    }

    /// Forward value of output `i`.
    pub fn y(&self, i: usize) -> Val<'g> {
        match self.node.outputs().get(i) {
            Some(name) => self.emit.tensor(name),
            None => self.x(0),
        }
    }

    /// Gradient of output 0. Axes along which it is constant may still be 1.
    pub fn g(&self) -> Val<'g> {
        self.g_at(0).unwrap_or_else(|| self.emit.floats(&vec![1; self.y_shape(0).len()], vec![0.0]))
    }

    /// Gradient of output `i`; `None` if nothing on the path reads it.
    pub fn g_at(&self, i: usize) -> Option<Val<'g>> {
        self.gs.get(i).copied().flatten()
    }

    /// Gradient of output 0 in its full shape.
    pub fn g_full(&self) -> Val<'g> {
        self.g().expand(&self.y_shape(0))
    }

    /// Shape of input `i`: measured, or a weight's own.
    pub fn shape(&self, i: usize) -> Vec<usize> {
        let measured = self.node.input(i).and_then(|name| self.emit.facts().shape(name)).map(<[usize]>::to_vec);
        measured.or_else(|| self.constant(i).map(|weight| weight.shape)).unwrap_or_default()
    }

    /// Measured shape of output `i`.
    pub fn y_shape(&self, i: usize) -> Vec<usize> {
        self.node
            .outputs()
            .get(i)
            .and_then(|name| self.emit.facts().shape(name))
            .map(<[usize]>::to_vec)
            .unwrap_or_default()
    }

    /// The value of input `i` if it does not depend on the picture (weights, shapes, axes).
    pub fn constant(&self, i: usize) -> Option<Tensor> {
        self.node.input(i).and_then(|name| self.value_of(name))
    }

    fn value_of(&self, name: &str) -> Option<Tensor> {
        self.emit.weight(name)
    }

    /// The model's own tensor behind constant input `i`, if it is float32. To be read by a Gather only: see [`Back::x`].
    pub fn own(&self, i: usize) -> Option<Val<'g>> {
        let name = self.node.input(i).filter(|_| !self.needs(i))?;
        let fact = self.emit.facts().get(name).filter(|fact| fact.dtype == DType::F32)?;
        Some(self.emit.named(name, &fact.shape))
    }

    /// While the gradient is a seed that was not written, its classes along `axis`: the row of `weight` [classes, rest..] at
    /// the seed's class, [N, rest..]. That is one row read instead of a product with the whole weight.
    pub fn seed_row(&self, weight: Val<'g>, axis: usize) -> Option<Val<'g>> {
        let g = self.g();
        let class = g.seed_class(axis).filter(|_| weight.shape().first() == g.shape().get(axis))?;
        Some(weight.at_class(class))
    }

    /// The value of input `i`, which must not depend on the picture.
    ///
    /// # Errors
    /// [`Error::NoRule`] naming the node.
    pub fn weight(&self, i: usize) -> Result<Tensor> {
        self.constant(i).ok_or_else(|| self.refuse(&format!("its input {i} is computed from the picture")))
    }

    /// "This use of the operator has no rule."
    pub fn refuse(&self, why: &str) -> Error {
        Error::NoRule { op: self.node.op(), node: self.node.name().into(), why: why.into() }
    }

    /// The axis that an attribute names, counted from the front.
    pub fn axis(&self, attr: &str, default: i64) -> usize {
        let rank = self.shape(0).len() as i64;
        self.node.int(attr, default).rem_euclid(rank.max(1)) as usize
    }

    /// Integers that older opsets keep in an attribute and newer ones in input `i`.
    pub fn ints(&self, attr: &str, i: usize) -> Option<Vec<i64>> {
        let given = self.node.ints(attr).map(<[i64]>::to_vec);
        given.or_else(|| self.constant(i).and_then(|t| t.as_i64().map(<[i64]>::to_vec)))
    }

    /// Undoes broadcasting: sums `g`, which belongs to an output of shape `out`, over the axes along which input `i` was
    /// repeated. Where `g` itself is still unexpanded, the sum is a product.
    pub fn unbroadcast(&self, g: Val<'g>, i: usize) -> Val<'g> {
        let (out, input) = (self.y_shape(0), self.shape(i));
        let Some(extra) = out.len().checked_sub(input.len()).filter(|_| g.shape().len() == out.len()) else {
            self.emit.fail(format!("a gradient of shape {:?} for input {i} of shape {input:?}", g.shape()));
            return g;
        };
        let shape = g.shape();
        let repeated: Vec<usize> =
            (0..out.len()).filter(|&a| out[a] > 1 && a.checked_sub(extra).is_none_or(|a| input[a] == 1)).collect();
        let copies: usize = repeated.iter().filter(|&&a| shape[a] == 1).map(|&a| out[a]).product();
        let sum = g.sum(&repeated);
        let sum = sum.reshape(&sum.shape()[extra..]);
        if copies > 1 { sum * copies as f32 } else { sum }
    }
}
