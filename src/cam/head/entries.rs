//! The entries of a detector's output: how its boxes and scores were put side by side, and the scores before their sigmoid.

use super::view::{View, is_weighted};
use crate::onnx::{Emit, Graph, Node, Val};

/// A stretch of entries, taken from before the sigmoid that all of them went through.
pub(super) struct Stretch<'g> {
    /// As it lies in the output, the other entries left out.
    pub value: Val<'g>,
    pub made: Made,
    /// How many entries went through the same operator.
    pub beside: usize,
}

/// What made a stretch of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// A sigmoid; the stretch is what it read.
    Sigmoid,
    /// A layer of weights, or its bias: logits that nothing has made probabilities of.
    Weights,
}

/// Entries `start..end` along `axis` of a tensor, followed back through what only moves them. `None` where something else made
/// them, or not the same for all.
pub(super) fn before_sigmoid<'g>(
    emit: &'g Emit<'g>,
    view: &View<'_, 'g>,
    tensor: &str,
    axis: usize,
    (start, end): (usize, usize),
) -> Option<Stretch<'g>> {
    let node = view.maker(tensor)?;
    let here = |tensor: &str, made| {
        let shape = view.shape(tensor);
        let whole = emit.tensor(tensor);
        let value = if (start, end) == (0, shape[axis]) { whole } else { whole.slice(&[(axis, start, end, 1)]) };
        Some(Stretch { value, made, beside: shape[axis] })
    };
    let follow = |tensor: &str, axis, range| before_sigmoid(emit, view, tensor, axis, range);
    match node.op().as_str() {
        "Sigmoid" => here(node.input(0)?, Made::Sigmoid),
        op if is_weighted(op) => here(tensor, Made::Weights),
        "Add" if node.inputs().iter().any(|x| view.maker(x).is_some_and(|made| is_weighted(&made.op()))) => {
            here(tensor, Made::Weights)
        }
        "Concat" => {
            let along = view.axis(&node, 1)?;
            if along == axis {
                let (part, before) = part_with(view, &node, axis, start)?;
                let length = view.shape(part)[axis];
                return if end <= before + length { follow(part, axis, (start - before, end - before)) } else { None };
            }
            let parts: Vec<Stretch> =
                node.inputs().iter().map(|x| follow(x, axis, (start, end))).collect::<Option<_>>()?;
            let (made, beside) = (parts.first()?.made, parts.first()?.beside);
            let alike =
                parts.iter().all(|part| part.made == made && part.value.shape().len() == view.shape(tensor).len());
            let values: Vec<Val> = parts.iter().map(|part| part.value).collect();
            alike.then(|| Stretch { value: Val::concat(&values, along), made, beside })
        }
        "Split" if view.axis(&node, 0)? == axis => {
            let before = node.outputs().iter().take_while(|y| *y != tensor).map(|y| view.shape(y).get(axis).copied());
            let before = before.sum::<Option<usize>>()?;
            follow(node.input(0)?, axis, (start + before, end + before))
        }
        "Slice" => {
            let from = sliced(view, &node, axis)?;
            follow(node.input(0)?, axis, (start + from, end + from))
        }
        _ => {
            let inner = view.before(&node, axis)?;
            let stretch = follow(node.input(0)?, inner, (start, end))?;
            let value = match node.op().as_str() {
                "Transpose" => stretch.value.transpose(&order(&node, stretch.value.shape().len())?),
                _ => {
                    let mut shape = view.shape(tensor).to_vec();
                    shape[axis] = end - start;
                    stretch.value.reshape(&shape)
                }
            };
            Some(Stretch { value, ..stretch })
        }
    }
}

/// How many entries each part has that was put side by side along `axis`; one part where nothing shows.
pub(super) fn parts(view: &View, tensor: &str, axis: usize) -> Vec<usize> {
    let whole = || vec![view.shape(tensor).get(axis).copied().unwrap_or(0)];
    let Some(node) = view.maker(tensor) else { return whole() };
    match node.op().as_str() {
        "Concat" if view.axis(&node, 1) == Some(axis) => {
            node.inputs().iter().flat_map(|x| parts(view, x, axis)).collect()
        }
        // side by side of other anchors: as in the first
        "Concat" => node.input(0).map_or_else(whole, |x| parts(view, x, axis)),
        _ => match (view.before(&node, axis), node.input(0)) {
            (Some(inner), Some(x)) => parts(view, x, inner),
            _ => whole(),
        },
    }
}

/// The input of a Concat that holds an entry, and how many entries stand before it.
fn part_with<'m>(view: &View<'_, 'm>, node: &Node<'m>, axis: usize, entry: usize) -> Option<(&'m str, usize)> {
    let mut before = 0;
    for input in node.inputs() {
        let length = *view.shape(input).get(axis)?;
        if entry < before + length {
            return Some((input, before));
        }
        before += length;
    }
    None
}

/// Where a Slice that leaves every other axis whole starts along `axis`.
fn sliced(view: &View, node: &Node, axis: usize) -> Option<usize> {
    let (from, to) = (view.shape(node.input(0)?), view.shape(node.outputs().first()?));
    let [start] = view.ints(node, "starts", 1)?[..] else { return None };
    let along = view.ints(node, "axes", 3).map_or(Some(0), |axes| view.place(*axes.first()?, node.input(0)?))?;
    let steps = view.ints(node, "steps", 4).is_none_or(|steps| steps == [1]);
    let others = (0..from.len()).all(|a| a == axis || to.get(a) == Some(&from[a]));
    let length = from[axis] as i64;
    let start = if start < 0 { start.saturating_add(length).max(0) } else { start };
    (along == axis && steps && others).then_some(usize::try_from(start).ok()?)
}

fn order(node: &Node, rank: usize) -> Option<Vec<usize>> {
    match node.ints("perm") {
        Some(perm) => perm.iter().map(|&p| usize::try_from(p).ok()).collect(),
        None => Some((0..rank).rev().collect()),
    }
}

impl<'m> View<'_, 'm> {
    /// A view for following entries, without a picture.
    pub fn over<'a>(emit: &Emit<'m>, graph: &'a Graph<'m>) -> View<'a, 'm>
    where
        'm: 'a,
    {
        View { model: emit.model(), graph, facts: emit.facts(), input: "", names: None }
    }
}
