//! Finds the target layer: by its name, or the deepest tensor with a spatial grid on which every path from picture to score
//! depends.

use std::collections::{HashMap, HashSet};

use super::attention::Attention;
use super::grid::Grid;
use super::head::{self, Head, ScoreKind};
use super::trace::Trace;
use crate::autodiff;
use crate::error::{Error, Result};
use crate::onnx::{Facts, Graph};

/// A layer whose activations are explained.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Tensor name.
    pub tensor: String,
    /// Measured shape.
    pub shape: Vec<usize>,
    /// How its axes lie over the picture.
    pub grid: Grid,
}

/// Layers that the automatic choice would take, best first: in a network that ends in attention the normalised input of its
/// last block (see `attention.rs`); then, deepest first, the tensors through which every path from picture to score leads.
pub fn usable(graph: &Graph, facts: &Facts, input: &str, head: &Head) -> Vec<Layer> {
    let trace = Trace::new(graph, facts);
    let attention = Attention::last(graph, input, &head.logits);
    let mut names = bottlenecks(graph, input, &head.logits);
    if let Some(attention) = &attention {
        names.retain(|name| attention.reads_cells(graph, &trace, name));
    }
    names.extend(attention.and_then(|attention| attention.layer(graph, facts, &trace)));
    // a pooled classifier may pool maps of classes; where classes have places of their own, those would explain themselves
    if matches!(head.kind(), ScoreKind::Segmentation | ScoreKind::Detection) {
        let scores = head::reduced(graph, facts, head);
        names.retain(|name| !scores.contains(name));
    }
    let mut seen = HashSet::new();
    names.reverse();
    names.retain(|name| seen.insert(*name));
    names.into_iter().filter_map(|name| Layer::of(facts, &trace, name)).collect()
}

impl Layer {
    /// The layer of that name, where it is a tensor with a grid.
    pub(super) fn of(facts: &Facts, trace: &Trace, tensor: &str) -> Option<Layer> {
        let fact = facts.get(tensor).filter(|fact| fact.dtype.is_float())?;
        Some(Layer { tensor: tensor.into(), shape: fact.shape.clone(), grid: Grid::of(trace.axes(tensor)?)? })
    }

    /// The layer asked for by tensor, node or module name; else the best usable one.
    ///
    /// # Errors
    /// [`Error::Layer`] with the usable layers.
    pub fn find(graph: &Graph, facts: &Facts, head: &Head, asked: Option<&str>, usable: &[Layer]) -> Result<Layer> {
        let refuse = |asked: &str, why: String| Error::Layer {
            asked: asked.into(),
            why,
            usable: usable.iter().take(12).map(|l| l.tensor.clone()).collect(),
        };
        let Some(asked) = asked else {
            return usable.first().cloned().ok_or_else(|| {
                if let Some(refusal) = graph.order.iter().find_map(autodiff::refuse_integers) {
                    // no layer is no layer for methods without gradients either
                    return Error::ModelUnusable { why: refusal.without_rule().unwrap_or_default() };
                }
                let why = "finds no layer with a spatial grid (rows and columns behind a convolution) between picture and \
                           score; this network cannot be explained by a map";
                refuse("auto", why.into())
            });
        };
        let tensor = resolve(graph, facts, asked)
            .ok_or_else(|| refuse(asked, "names no computed tensor, node or module of the model".into()))?;
        let fact = facts.get(tensor).ok_or_else(|| refuse(asked, "was not computed in the probe run".into()))?;
        let Some(layer) = Layer::of(facts, &Trace::new(graph, facts), tensor) else {
            let of = if tensor == asked { "has".into() } else { format!("is {tensor:?}, which has") };
            let why = format!(
                "{of} shape {:?} and is no layer with a spatial grid: rows and columns of the picture, in order, and channels",
                fact.shape
            );
            return Err(refuse(asked, why));
        };
        if autodiff::path(graph, tensor, &head.logits).is_empty() {
            return Err(refuse(asked, format!("has no influence on the score {:?}", head.logits)));
        }
        Ok(layer)
    }
}

/// A tensor, else a node's first output, else the last output made inside a module (`layer4`, `features.17`).
fn resolve<'m>(graph: &Graph<'m>, facts: &Facts, asked: &str) -> Option<&'m str> {
    let outputs = || graph.order.iter().flat_map(|n| n.outputs().iter().map(move |o| (n, o.as_str())));
    let exact = outputs().find(|(_, o)| *o == asked && facts.get(o).is_some());
    let by_node = || outputs().find(|(n, _)| n.name() == asked);
    let inside = |scope: &str| scope == asked || scope.strip_prefix(asked).is_some_and(|rest| rest.starts_with('.'));
    let by_module = || outputs().rfind(|(n, _)| n.scope().is_some_and(|s| inside(&s)));
    exact.or_else(by_node).or_else(by_module).map(|(_, tensor)| tensor)
}

/// Tensors through which every path from input to score leads, in order. In a topological order they are the points where
/// just one tensor is still to be read.
pub(super) fn bottlenecks<'m>(graph: &Graph<'m>, input: &str, score: &str) -> Vec<&'m str> {
    let path = autodiff::path(graph, input, score);
    let mut active: HashSet<&str> = path.iter().flat_map(|&i| graph.order[i].outputs()).map(String::as_str).collect();
    active.insert(input);
    let mut to_read: HashMap<&str, usize> = HashMap::new();
    for &i in &path {
        for x in graph.order[i].reads().filter(|x| active.contains(x)) {
            *to_read.entry(x).or_default() += 1;
        }
    }
    let mut open: HashSet<&str> = HashSet::from([input]);
    let mut found = Vec::new();
    for &i in &path {
        let node = graph.order[i];
        for x in node.reads() {
            if let Some(n) = to_read.get_mut(x) {
                *n -= 1;
                if *n == 0 {
                    open.remove(x);
                }
            }
        }
        open.extend(node.outputs().iter().map(String::as_str).filter(|y| *y == score || to_read.contains_key(y)));
        if open.len() == 1 {
            found.extend(node.outputs().iter().map(String::as_str).filter(|y| open.contains(y)));
        }
    }
    found
}
