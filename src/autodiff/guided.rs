//! Guided backpropagation: what stands for a ReLU passes only positive gradients, and only where its input is positive.

use std::collections::HashSet;

use crate::onnx::{Emit, Graph, Node, Val};

/// Activations in one operator, ReLU-like all: zero or nearly so below zero, rising above.
const RELU_LIKE: [&str; 14] = [
    "Relu",
    "LeakyRelu",
    "PRelu",
    "Elu",
    "Celu",
    "Selu",
    "ThresholdedRelu",
    "HardSwish",
    "Mish",
    "Gelu",
    "Swish",
    "com.microsoft::Gelu",
    "com.microsoft::FastGelu",
    "com.microsoft::QuickGelu",
];
/// What an activation x * s(x) may bend s with ...
const BENT: [&str; 5] = ["Sigmoid", "HardSigmoid", "Erf", "Tanh", "Clip"];
/// ... and what else may stand in s.
const PLAIN: [&str; 10] = ["Add", "Sub", "Mul", "Div", "Pow", "Neg", "Softplus", "Exp", "Cast", "Identity"];
/// Nodes that an activation is written out in, at most.
const DEEP: usize = 12;

/// Where gradients are held back on one walk.
#[derive(Debug)]
pub(super) struct Gates<'e, 'g> {
    emit: &'g Emit<'g>,
    graph: &'e Graph<'g>,
    /// Outputs of nodes inside an activation that is written out: they are no activations by themselves.
    inside: HashSet<&'g str>,
}

impl<'e, 'g> Gates<'e, 'g> {
    pub(super) fn new(emit: &'g Emit<'g>, graph: &'e Graph<'g>) -> Gates<'e, 'g> {
        Gates { emit, graph, inside: HashSet::new() }
    }

    /// What of `g`, which arrives at a node's output, goes on to the node's rule.
    pub(super) fn pass(&mut self, node: &Node<'g>, g: Val<'g>) -> Val<'g> {
        let own = node.outputs().iter().any(|y| self.inside.contains(y.as_str()));
        match self.activation(node).filter(|_| !own) {
            // what is fused with a convolution stays so where the output has the sign
            Some(_) if node.op() == "Relu" => g.unary("Relu"),
            Some(x) => g.unary("Relu") * self.emit.tensor(x).above(0.0),
            None => g,
        }
    }

    /// The input of the activation that ends in this node, if one does.
    fn activation(&mut self, node: &Node<'g>) -> Option<&'g str> {
        let op = node.op();
        if RELU_LIKE.contains(&op.as_str()) || (op == "Clip" && self.cuts_at_zero(node)) {
            return node.input(0);
        }
        let (Some(a), Some(b), true) = (node.input(0), node.input(1), op == "Mul") else { return None };
        [(a, b), (b, a)].into_iter().find_map(|(x, s)| {
            let x = self.unscaled(x);
            let (mut inside, mut bent) = (HashSet::new(), false);
            let found = self.is_function(s, x, &mut inside, &mut bent) && bent;
            found.then(|| {
                self.inside.extend(inside);
                x
            })
        })
    }

    /// ReLU6 and its like.
    fn cuts_at_zero(&self, clip: &Node<'g>) -> bool {
        let low = clip.input(1).and_then(|name| self.emit.weight(name));
        let low = low.and_then(|low| low.as_f32().and_then(|v| v.first()).copied());
        low.unwrap_or_else(|| clip.float("min", f32::NEG_INFINITY)) == 0.0
    }

    /// What a tensor is a multiple of: 0.5 * x is x.
    fn unscaled(&self, name: &'g str) -> &'g str {
        let maker = self.graph.maker_node(name).filter(|n| matches!(n.op().as_str(), "Mul" | "Div"));
        match maker.map(|n| (n.input(0), n.input(1))) {
            Some((Some(x), Some(by))) if self.is_constant(by) => x,
            Some((Some(by), Some(x))) if self.is_constant(by) => x,
            _ => name,
        }
    }

    fn is_constant(&self, name: &str) -> bool {
        self.emit.facts().get(name).is_some_and(|fact| fact.value.is_some()) || self.emit.is_weight(name)
    }

    /// Whether `name` is computed from `x` and constants alone, place by place.
    fn is_function(&self, name: &'g str, x: &str, inside: &mut HashSet<&'g str>, bent: &mut bool) -> bool {
        if name == x || self.is_constant(name) {
            return true;
        }
        let Some(node) = self.graph.maker_node(name).filter(|_| inside.len() < DEEP) else { return false };
        let op = node.op();
        *bent |= BENT.contains(&op.as_str());
        inside.insert(name);
        (BENT.contains(&op.as_str()) || PLAIN.contains(&op.as_str()))
            && node.inputs().iter().filter(|i| !i.is_empty()).all(|i| self.is_function(i, x, inside, bent))
    }
}
