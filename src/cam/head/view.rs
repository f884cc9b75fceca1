//! The model as a head's readers see it: graph, measured shapes, constants.

use crate::onnx::{Data, Facts, Graph, Model, Node, Tensor};

/// What the readers look at.
#[derive(Debug, Clone, Copy)]
pub(in crate::cam) struct View<'a, 'm> {
    pub model: &'m Model,
    pub graph: &'a Graph<'m>,
    pub facts: &'a Facts,
    /// The picture's input tensor.
    pub input: &'a str,
    /// How many class names are known.
    pub names: Option<usize>,
}

/// Operators with weights: behind the last of them stand the scores.
pub(super) fn is_weighted(op: &str) -> bool {
    matches!(
        op,
        "Conv"
            | "ConvTranspose"
            | "Gemm"
            | "MatMul"
            | "Einsum"
            | "com.microsoft::FusedConv"
            | "com.microsoft::Attention"
    )
}

impl<'m> View<'_, 'm> {
    /// Pictures in a run.
    pub fn pictures(&self) -> usize {
        self.facts.shape(self.input).and_then(|shape| shape.first()).copied().unwrap_or(1)
    }

    pub fn shape(&self, tensor: &str) -> &[usize] {
        self.facts.shape(tensor).unwrap_or_default()
    }

    pub fn count(&self, tensor: &str) -> usize {
        self.shape(tensor).iter().product()
    }

    pub fn maker(&self, tensor: &str) -> Option<Node<'m>> {
        self.graph.maker_node(tensor)
    }

    /// The node that makes a tensor, if it is of that operator.
    pub fn made_by(&self, tensor: &str, op: &str) -> Option<Node<'m>> {
        self.maker(tensor).filter(|node| node.op() == op)
    }

    /// The value of a tensor that does not depend on the picture.
    fn constant(&self, tensor: &str) -> Option<Tensor> {
        let measured = self.facts.get(tensor).and_then(|fact| fact.value.clone());
        measured.or_else(|| self.model.initializer(tensor))
    }

    /// The one value that a constant has everywhere.
    pub fn uniform(&self, tensor: &str) -> Option<f32> {
        let constant = self.constant(tensor)?;
        let values = constant.as_f32()?;
        let first = *values.first()?;
        values.iter().all(|&value| value == first).then_some(first)
    }

    /// Integers that older opsets keep in an attribute and newer ones in input `i`.
    pub fn ints(&self, node: &Node, attr: &str, i: usize) -> Option<Vec<i64>> {
        let given = node.ints(attr).map(<[i64]>::to_vec);
        given.or_else(|| match self.constant(node.input(i)?)?.data {
            Data::I64(values) => Some(values),
            _ => None,
        })
    }

    /// The attribute `axis`, counted from the front of input 0.
    pub fn axis(&self, node: &Node, default: i64) -> Option<usize> {
        self.place(node.int("axis", default), node.input(0)?)
    }

    /// An axis of a tensor that may count from the end.
    pub fn place(&self, axis: i64, tensor: &str) -> Option<usize> {
        let rank = self.shape(tensor).len() as i64;
        usize::try_from(if axis < 0 { axis + rank } else { axis }).ok().filter(|&axis| (axis as i64) < rank)
    }

    /// For a node that only moves elements, where an axis of its output lies in its input: an axis with the same entries in the
    /// same order.
    pub fn before(&self, node: &Node, axis: usize) -> Option<usize> {
        let (from, to) = (self.shape(node.input(0)?), self.shape(node.outputs().first()?));
        match node.op().as_str() {
            "Identity" | "Cast" | "Dropout" => Some(axis),
            "Transpose" => match node.ints("perm") {
                Some(perm) => usize::try_from(*perm.get(axis)?).ok(),
                None => to.len().checked_sub(axis + 1),
            },
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {
                let outer = |shape: &[usize], axis: usize| shape[..axis].iter().product::<usize>();
                let (length, before) = (*to.get(axis)?, outer(to, axis));
                (0..from.len()).find(|&a| from[a] == length && outer(from, a) == before)
            }
            _ => None,
        }
    }

    /// The nodes between a tensor and the last layers of weights before it.
    pub fn since_weights(&self, tensor: &str) -> Vec<Node<'m>> {
        let mut seen = vec![false; self.graph.order.len()];
        let mut open = vec![tensor];
        let mut found = Vec::new();
        while let Some(i) = open.pop().map(|tensor| self.graph.maker(tensor)) {
            let Some(i) = i.filter(|&i| !seen[i] && !is_weighted(&self.graph.order[i].op())) else { continue };
            seen[i] = true;
            found.push(self.graph.order[i]);
            open.extend(self.graph.order[i].inputs().iter().map(String::as_str));
        }
        found
    }
}
