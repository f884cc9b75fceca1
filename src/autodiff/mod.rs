//! Reverse-mode differentiation of a graph: the walk from the score back to a layer.
//!
//! Only activations are differentiated, never weights, and only the nodes between layer and score are visited.

mod act;
mod attention;
mod back;
mod conv;
mod cut;
mod einsum;
mod gather;
mod guided;
mod linear;
mod lp_pool;
mod math;
mod matrix;
mod norm;
mod phase;
mod pool;
mod quantize;
mod reduce;
mod resize;
mod rules;
mod shape;
mod window;

use std::collections::{BTreeMap, HashMap, HashSet};

pub use back::Back;
pub use quantize::refuse_integers;
pub use rules::{RULES, Row, Rule};

use crate::error::{Error, Result};
use crate::onnx::{Emit, Facts, Graph, Val};

/// The nodes through which a gradient flows from a tensor to a score, as positions in [`Graph::order`], ascending.
pub fn path(graph: &Graph, from: &str, score: &str) -> Vec<usize> {
    paths(graph, &[from], score)
}

/// The same from any of several tensors.
fn paths(graph: &Graph, from: &[&str], score: &str) -> Vec<usize> {
    let mut active: HashSet<&str> = from.iter().copied().collect();
    let mut ahead = Vec::new();
    for (i, node) in graph.order.iter().enumerate() {
        let reads = node.reads().any(|x| active.contains(x));
        if reads && !matches!(rules::find(&node.op()), Some(Row { rule: Rule::Zero, .. })) {
            active.extend(node.outputs().iter().map(String::as_str).filter(|y| !y.is_empty()));
            ahead.push(i);
        }
    }
    let mut wanted = HashSet::from([score]);
    let mut path = Vec::new();
    for &i in ahead.iter().rev() {
        let node = graph.order[i];
        if node.outputs().iter().any(|y| wanted.contains(y.as_str())) {
            wanted.extend(node.reads().filter(|x| active.contains(x)));
            path.push(i);
        }
    }
    path.reverse();
    path
}

/// Operators on a path: how many of each, and whether there is a rule.
pub fn operators(graph: &Graph, path: &[usize], opset: i64) -> Vec<(String, usize, bool)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    path.iter().for_each(|&i| *counts.entry(graph.order[i].op()).or_default() += 1);
    let known = |op: &str| rules::find(op).is_some_and(|row| opset >= row.since);
    counts.into_iter().map(|(op, n)| (op.clone(), n, known(&op))).collect()
}

/// How gradients pass the activations on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// As the chain rule says.
    Plain,
    /// Guided backpropagation (Springenberg et al. 2015): through a ReLU, and through whatever stands for one (LeakyRelu, Elu,
    /// SiLU, GELU, HardSwish, Relu6, ..., also written out in simpler operators), only where its input and the gradient that
    /// arrives are both positive; there the gradient is multiplied by the activation's own derivative, which for ReLU is 1.
    Guided,
}

/// Emits the gradient of a score with respect to a tensor.
///
/// `seed` is the gradient of what is explained with respect to `score`. What comes back has the rank of `to`; axes along which
/// the gradient is constant may still be 1 (behind a pooled head it is one value a channel).
///
/// # Errors
/// [`Error::Unsupported`] with all operators that have no rule; [`Error::NoRule`] where a rule does not cover the way an operator
/// is used; [`Error::Layer`] if the score does not depend on `to`.
pub fn gradient<'g>(emit: &'g Emit<'g>, graph: &Graph<'g>, score: &str, seed: Val<'g>, to: &str) -> Result<Val<'g>> {
    Ok(gradients(emit, graph, score, seed, &[to], Flow::Plain)?[0])
}

/// The same with respect to several tensors, in one walk.
///
/// # Errors
/// As [`gradient`].
pub fn gradients<'g>(
    emit: &'g Emit<'g>,
    graph: &Graph<'g>,
    score: &str,
    seed: Val<'g>,
    to: &[&str],
    flow: Flow,
) -> Result<Vec<Val<'g>>> {
    let facts = emit.facts();
    let (score, seed) = quantize::exact(emit, graph, score, seed);
    let path = paths(graph, to, score);
    check_path(graph, facts, &path, emit.model().opset())?;
    let mut active: HashSet<&str> = to.iter().copied().collect();
    active.extend(path.iter().flat_map(|&i| graph.order[i].outputs()).map(String::as_str));
    let mut grads: HashMap<&str, Val<'g>> = HashMap::from([(score, seed)]);
    let mut gates = (flow == Flow::Guided).then(|| guided::Gates::new(emit, graph));
    for &i in path.iter().rev() {
        let node = graph.order[i];
        let mut gs: Vec<Option<Val<'g>>> = node.outputs().iter().map(|y| grads.get(y.as_str()).copied()).collect();
        if gs.iter().all(Option::is_none) {
            continue; // a rule further on did this one too
        }
        emit.set_scope(&format!("gradcam/{}/{}", node.name(), if gates.is_some() { "guided" } else { "grad" }));
        if let Some(gates) = &mut gates {
            gs = gs.into_iter().map(|g| g.map(|g| gates.pass(&node, g))).collect();
        }
        let maker = |x: &'g str| graph.maker_node(x).filter(|_| !to.contains(&x));
        let back = Back::new(emit, node, gs, &active, maker);
        for (input, grad) in node.inputs().iter().zip(back.apply()?) {
            let Some(grad) = grad.filter(|_| active.contains(input.as_str())) else { continue };
            // the same tensor may be read twice, by one node or by several
            grads.entry(input).and_modify(|sum| *sum = *sum + grad).or_insert(grad);
        }
        if let Some(why) = emit.failed() {
            return Err(Error::ModelUnusable { why: format!("{} node {:?}, {why}", node.op(), node.name()) });
        }
    }
    emit.set_scope("gradcam");
    let found = |to: &&str| {
        grads.get(to).copied().ok_or_else(|| Error::Layer {
            asked: to.to_string(),
            why: format!("has no influence on the score {score:?}"),
            usable: Vec::new(),
        })
    };
    to.iter().map(found).collect()
}

/// All that is missing, at once, before anything is emitted.
fn check_path(graph: &Graph, facts: &Facts, path: &[usize], opset: i64) -> Result<()> {
    let mut ops = Vec::new();
    for &i in path {
        let node = graph.order[i];
        match rules::find(&node.op()) {
            Some(row) if opset >= row.since => {}
            _ => match refuse_integers(&node) {
                Some(refusal) => return Err(refusal),
                None => ops.push((node.op(), node.name().to_string())),
            },
        }
    }
    if !ops.is_empty() {
        return Err(Error::Unsupported { ops });
    }
    for &i in path {
        let node = graph.order[i];
        let unusable =
            |why: String| Error::ModelUnusable { why: format!("{} node {:?} {why}", node.op(), node.name()) };
        for name in node.inputs().iter().chain(node.outputs().first()).filter(|name| !name.is_empty()) {
            facts
                .get(name)
                .ok_or_else(|| unusable(format!("has the tensor {name:?}, whose shape was not measured")))?;
        }
        let made = node.outputs().first().and_then(|y| facts.get(y));
        if let Some(fact) = made.filter(|f| !quantize::carries(quantize::bare(&node.op()), f.dtype)) {
            let computes = format!("computes in {}, and gradients pass floating-point numbers only", fact.dtype.name());
            return Err(unusable(format!("{computes}; export the model in float32, float16 or quantised in QDQ form")));
        }
    }
    Ok(())
}
