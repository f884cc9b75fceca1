//! Softmax and sigmoid written out in simpler operators, as some exporters do.

use super::Activation;
use super::view::View;
use crate::onnx::Node;

/// What a node is the last of: the activation, what it reads, and the axis of a softmax.
pub(super) struct Written<'m> {
    pub activation: Activation,
    pub reads: &'m str,
    pub axis: Option<usize>,
    /// Whether the node's output is the logarithm of the probabilities.
    pub log: bool,
}

/// The activation whose last node this is.
pub(super) fn find<'m>(view: &View<'_, 'm>, node: &Node<'m>) -> Option<Written<'m>> {
    let softmax = |(reads, axis): (&'m str, usize), log| {
        let (reads, axis) = (unshifted(view, reads, axis), Some(axis));
        Written { activation: Activation::Softmax, reads, axis, log }
    };
    match node.op().as_str() {
        "Div" => {
            let (above, below) = (node.input(0)?, node.input(1)?);
            let by_sum = || Some(softmax(summed(view, below, above)?, false));
            by_sum().or_else(|| sigmoid(view, above, below))
        }
        "Mul" => {
            let (a, b) = (node.input(0)?, node.input(1)?);
            let by_sum = |part, reciprocal| {
                let below = view.made_by(reciprocal, "Reciprocal")?.input(0)?;
                Some(softmax(summed(view, below, part)?, false))
            };
            by_sum(a, b).or_else(|| by_sum(b, a))
        }
        "Reciprocal" => Some(sigmoid_of(logistic(view, node.input(0)?)?)),
        // x - log sum exp x
        "Sub" => {
            let (x, log_sum) = (node.input(0)?, node.input(1)?);
            if let Some(sum) = view.made_by(log_sum, "ReduceLogSumExp").filter(|sum| sum.input(0) == Some(x)) {
                return Some(softmax((x, along(view, &sum)?), true));
            }
            let sum = view.made_by(log_sum, "Log")?.input(0)?;
            let of = view.made_by(sum, "ReduceSum")?.input(0)?;
            let (reads, axis) = summed(view, sum, of)?;
            (reads == x).then(|| softmax((reads, axis), true))
        }
        _ => None,
    }
}

fn sigmoid_of(reads: &str) -> Written<'_> {
    Written { activation: Activation::Sigmoid, reads, axis: None, log: false }
}

/// Of `exp` = Exp(x) and `sum` = ReduceSum(`exp`) along one axis: x and the axis.
fn summed<'m>(view: &View<'_, 'm>, sum: &str, exp: &str) -> Option<(&'m str, usize)> {
    let reads = view.made_by(exp, "Exp")?.input(0)?;
    let sum = view.made_by(sum, "ReduceSum").filter(|sum| sum.input(0) == Some(exp))?;
    Some((reads, along(view, &sum)?))
}

/// The one axis that a reduction works along.
fn along(view: &View, node: &Node) -> Option<usize> {
    match view.ints(node, "axes", 1)?[..] {
        [axis] => view.place(axis, node.input(0)?),
        _ => None,
    }
}

/// x of x - max x, which keeps the exponential finite.
fn unshifted<'m>(view: &View<'_, 'm>, reads: &'m str, axis: usize) -> &'m str {
    let shifted = || {
        let sub = view.made_by(reads, "Sub")?;
        let largest = view.made_by(sub.input(1)?, "ReduceMax")?;
        (largest.input(0) == sub.input(0) && along(view, &largest) == Some(axis)).then_some(sub.input(0)?)
    };
    shifted().unwrap_or(reads)
}

/// 1 / (1 + exp -x), or exp x / (1 + exp x).
fn sigmoid<'m>(view: &View<'_, 'm>, above: &str, below: &str) -> Option<Written<'m>> {
    if view.uniform(above) == Some(1.0) {
        return Some(sigmoid_of(logistic(view, below)?));
    }
    let reads = view.made_by(above, "Exp")?.input(0)?;
    (one_more(view, below)? == above).then(|| sigmoid_of(reads))
}

/// x of 1 + exp -x.
fn logistic<'m>(view: &View<'_, 'm>, sum: &str) -> Option<&'m str> {
    let negated = view.made_by(one_more(view, sum)?, "Exp")?.input(0)?;
    let node = view.maker(negated)?;
    match node.op().as_str() {
        "Neg" => node.input(0),
        "Mul" => {
            let (a, b) = (node.input(0)?, node.input(1)?);
            let minus = |x| view.uniform(x) == Some(-1.0);
            if minus(b) { Some(a) } else { minus(a).then_some(b) }
        }
        _ => None,
    }
}

/// x of 1 + x.
fn one_more<'m>(view: &View<'_, 'm>, sum: &str) -> Option<&'m str> {
    let node = view.made_by(sum, "Add")?;
    let (a, b) = (node.input(0)?, node.input(1)?);
    if view.uniform(b) == Some(1.0) { Some(a) } else { (view.uniform(a) == Some(1.0)).then_some(b) }
}
