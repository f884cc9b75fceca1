//! What an output comes from: walks back through whatever does not change which class wins, to the scores before the activation.

use super::Activation;
use super::view::View;
use super::written::{self, Written};
use crate::onnx::{DType, Node};

/// The end of a model at one output.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub output: String,
    /// What the innermost activation reads; the output itself where there is none.
    pub scores: String,
    /// Their measured shape.
    pub shape: Vec<usize>,
    pub activation: Option<Activation>,
    /// What the activation makes.
    pub probabilities: Option<String>,
    /// The axis of the classes, where a softmax or an ArgMax says it.
    pub axis: Option<usize>,
    /// Of one score for two classes: the class that it speaks for.
    pub positive: usize,
    pub warnings: Vec<String>,
}

impl End {
    /// # Errors
    /// Why the output holds no scores, as the end of a sentence.
    pub fn of(view: &View, output: &str) -> Result<End, String> {
        let mut walk = Walk { view, at: output, axis: None, plain: (output, None), positive: 1, found: Vec::new() };
        while walk.step().is_some() {}
        let mut warnings = Vec::new();
        if let [.., outer, inner] = &walk.found[..]
            && !inner.made.log
        {
            warnings.push(format!(
                "the output {output:?} is a {} over a {} (nodes {:?}, {:?}): the scores before the inner one are explained, and \
                 probabilities are the inner one's",
                outer.made.activation.name(),
                inner.made.activation.name(),
                outer.node.name(),
                inner.node.name()
            ));
        }
        let found = walk.found.last();
        let (scores, axis) =
            found.map_or_else(|| (float(view, walk.plain.0), walk.plain.1), |f| (f.made.reads, f.made.axis));
        let length = |axis: usize| view.shape(scores).get(axis).copied();
        let along_one = found.filter(|f| f.made.activation == Activation::Softmax && axis.and_then(length) == Some(1));
        if let Some(found) = along_one.filter(|_| view.count(scores) > view.pictures()) {
            warnings.push(format!(
                "the softmax node {:?} works along an axis of length 1 and makes 1 of every score: probabilities are taken over the \
                 classes instead",
                found.node.name()
            ));
        }
        Ok(End {
            output: output.into(),
            scores: scores.into(),
            shape: scores_shape(view, scores, output)?,
            activation: found.map(|f| f.made.activation),
            probabilities: found.filter(|f| !f.made.log && along_one.is_none()).map(|f| f.out.into()),
            axis: axis.filter(|_| along_one.is_none()),
            positive: walk.positive,
            warnings,
        })
    }
}

/// The one place that says of which type scores may be.
fn scores_shape(view: &View, scores: &str, output: &str) -> Result<Vec<usize>, String> {
    let fact = view.facts.get(scores).ok_or("is not a tensor")?;
    if !fact.dtype.is_float() {
        let of = if scores == output { String::new() } else { format!("its class scores {scores:?} are ") };
        return Err(format!(
            "{of}{}, and floating-point numbers are needed; export the model in float32",
            fact.dtype.name()
        ));
    }
    Ok(fact.shape.clone())
}

/// The tensor that an output was cast from, where it is not of the supported type itself.
fn float<'m>(view: &View<'_, 'm>, mut tensor: &'m str) -> &'m str {
    while view.facts.get(tensor).is_some_and(|fact| fact.dtype != DType::F32) {
        let Some(from) = view.made_by(tensor, "Cast").and_then(|cast| cast.input(0)) else { break };
        tensor = from;
    }
    tensor
}

/// An activation on the way.
struct Found<'m> {
    node: Node<'m>,
    /// Its output.
    out: &'m str,
    made: Written<'m>,
}

struct Walk<'a, 'v, 'm> {
    view: &'a View<'v, 'm>,
    /// Where the walk is, and the axis of the classes there.
    at: &'m str,
    axis: Option<usize>,
    /// The scores if no activation is found, and their axis of the classes.
    plain: (&'m str, Option<usize>),
    positive: usize,
    /// Outermost first.
    found: Vec<Found<'m>>,
}

impl<'m> Walk<'_, '_, 'm> {
    /// One node back; `None` at the end.
    fn step(&mut self) -> Option<()> {
        let view = self.view;
        let node = view.maker(self.at)?;
        if let Some(made) = activation(view, &node) {
            let reads = made.reads;
            self.axis = made.axis.or(self.axis);
            let made = Written { axis: self.axis, ..made };
            self.found.push(Found { node, out: self.at, made });
            self.at = reads;
            return Some(());
        }
        match node.op().as_str() {
            "Identity" | "Cast" | "QuantizeLinear" | "DequantizeLinear" | "Dropout" | "Transpose" | "Reshape"
            | "Flatten" | "Squeeze" | "Unsqueeze" => {
                self.axis = self.axis.and_then(|axis| view.before(&node, axis));
                self.at = node.input(0)?;
            }
            // of probabilities or scores: the order stays
            "Clip" | "Log" | "Exp" => self.at = node.input(0)?,
            "Mul" | "Div" => {
                // a constant of more axes has put some in front
                let (outer, inner) = (self.at, scaled(view, &node)?);
                let more = view.shape(outer).len().saturating_sub(view.shape(inner).len());
                self.axis = self.axis.and_then(|axis| axis.checked_sub(more));
                self.at = inner;
            }
            "ArgMax" | "TopK" | "ReduceMax" if self.found.is_empty() => {
                let axis = picks(view, &node)?;
                self.at = node.input(0)?;
                (self.axis, self.plain) = (Some(axis), (self.at, Some(axis)));
            }
            "Concat" if self.found.is_empty() => {
                (self.at, self.positive) = complement(view, &node)?;
                self.axis = None;
            }
            _ => return None,
        }
        Some(())
    }
}

fn activation<'m>(view: &View<'_, 'm>, node: &Node<'m>) -> Option<Written<'m>> {
    let reads = node.input(0)?;
    match node.op().as_str() {
        "Sigmoid" => Some(Written { activation: Activation::Sigmoid, reads, axis: None, log: false }),
        op @ ("Softmax" | "LogSoftmax") => Some(Written {
            activation: Activation::Softmax,
            reads,
            axis: softmax_axis(view, node),
            log: op == "LogSoftmax",
        }),
        _ => written::find(view, node),
    }
}

/// Before opset 13 a softmax worked over all axes from its own on: one, where the others have length 1.
fn softmax_axis(view: &View, node: &Node) -> Option<usize> {
    if view.model.opset() >= 13 {
        return view.axis(node, -1);
    }
    let axis = view.axis(node, 1)?;
    let shape = view.shape(node.input(0)?);
    let mut long = (axis..shape.len()).filter(|&a| shape[a] != 1);
    let only = long.next().unwrap_or(axis);
    long.next().is_none().then_some(only)
}

/// What is multiplied or divided by one positive constant.
fn scaled<'m>(view: &View<'_, 'm>, node: &Node<'m>) -> Option<&'m str> {
    let (a, b) = (node.input(0)?, node.input(1)?);
    let positive = |x: &str| view.uniform(x).is_some_and(|value| value > 0.0);
    if positive(b) { Some(a) } else { (node.op() == "Mul" && positive(a)).then_some(b) }
}

/// The axis of the classes of a node that keeps the best of them, or the few best.
fn picks(view: &View, node: &Node) -> Option<usize> {
    let axis = match node.op().as_str() {
        "ArgMax" => view.axis(node, 0)?,
        "TopK" => view.axis(node, -1)?,
        // where a grid is reduced, it is a pooling
        _ => match view.ints(node, "axes", 1)?[..] {
            [axis] if view.count(node.outputs().first()?) == view.pictures() => view.place(axis, node.input(0)?)?,
            _ => return None,
        },
    };
    view.shape(node.input(0)?).get(axis).is_some_and(|&length| length > 1).then_some(axis)
}

/// p of [1 - p, p] or [p, 1 - p], and where it stands.
fn complement<'m>(view: &View<'_, 'm>, node: &Node<'m>) -> Option<(&'m str, usize)> {
    let [a, b] = node.inputs() else { return None };
    if view.count(a) != view.pictures() {
        return None;
    }
    let rest = |x: &'m str, of: &str| {
        let sub = view.made_by(x, "Sub")?;
        (view.uniform(sub.input(0)?) == Some(1.0) && sub.input(1) == Some(of)).then_some(())
    };
    rest(a, b).map(|_| (b.as_str(), 1)).or_else(|| rest(b, a).map(|_| (a.as_str(), 0)))
}
