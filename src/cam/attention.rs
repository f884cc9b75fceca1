//! Where a network ends in attention: the layer that is explained there, and the layers behind it that show nothing.
//!
//! Behind the last attention a class token has all it will ever know, and the gradient of the picture's own tokens is zero. The
//! layer to explain is the normalisation of the last block's attention: its input, where the block normalises before it (ViT,
//! DeiT, Swin), else its output (Swin v2); the layers `blocks[-1].norm1` that pytorch-grad-cam documents for these families.

use std::collections::HashSet;

use super::grid::Grid;
use super::layer::bottlenecks;
use super::trace::Trace;
use crate::autodiff;
use crate::onnx::{Facts, Graph};

/// The last place where tokens are mixed by weights that themselves come from the picture.
pub(super) struct Attention<'m> {
    /// Its output.
    tensor: &'m str,
    /// The tensor that enters its block, and the one that leaves it.
    block: (&'m str, &'m str),
    /// Tensors from it to the score.
    behind: HashSet<&'m str>,
}

impl<'m> Attention<'m> {
    /// `None` where the network has none, or goes on with convolutions behind it.
    pub fn last(graph: &Graph<'m>, input: &'m str, score: &'m str) -> Option<Attention<'m>> {
        let path = autodiff::path(graph, input, score);
        let mut made: HashSet<&str> = HashSet::from([input]);
        made.extend(path.iter().flat_map(|&i| graph.order[i].outputs()).map(String::as_str));
        let mixes = |i: &usize| {
            let node = graph.order[*i];
            let op = node.op();
            let both = || node.inputs().iter().filter(|x| made.contains(x.as_str())).count() >= 2;
            op == "Attention"
                || op == "com.microsoft::Attention"
                || (matches!(op.as_str(), "MatMul" | "Einsum") && both())
        };
        let at = path.iter().copied().rfind(mixes)?;
        let tensor = graph.order[at].outputs().first()?.as_str();
        let ahead = autodiff::path(graph, tensor, score);
        if ahead.iter().any(|&i| graph.order[i].op() == "Conv") {
            return None;
        }
        let mut behind: HashSet<&str> =
            ahead.iter().flat_map(|&i| graph.order[i].outputs()).map(String::as_str).collect();
        behind.insert(tensor);
        let cuts = bottlenecks(graph, input, score);
        let first_behind = cuts.iter().position(|name| behind.contains(name))?;
        let entering = first_behind.checked_sub(1).map_or(input, |before| cuts[before]);
        Some(Attention { tensor, block: (entering, cuts[first_behind]), behind })
    }

    /// Whether the score still depends on the cells of a tensor by themselves: not, behind the last attention, where only a
    /// class token is read.
    pub fn reads_cells(&self, graph: &Graph, trace: &Trace, tensor: &str) -> bool {
        if !self.behind.contains(tensor) || !trace.has_cells(tensor) {
            return true;
        }
        let mut open = vec![tensor];
        let mut seen: HashSet<&str> = HashSet::new();
        while let Some(name) = open.pop() {
            for &i in graph.readers(name) {
                let node = graph.order[i];
                let picks = matches!(node.op().as_str(), "Gather" | "Slice" | "Split");
                for y in node.outputs().iter().filter(|y| self.behind.contains(y.as_str())) {
                    match trace.has_cells(y) {
                        // mixed or summed: every cell counts
                        false if !picks => return true,
                        true if seen.insert(y) => open.push(y),
                        _ => {}
                    }
                }
            }
        }
        false
    }

    /// The normalisation of its input, else of its output, if it lies on a grid.
    pub fn layer(&self, graph: &Graph<'m>, facts: &Facts, trace: &Trace) -> Option<&'m str> {
        let normal = |name: &&str| is_norm(graph, facts, name);
        let grid = |name: &&str| trace.axes(name).and_then(Grid::of).is_some();
        let before = bottlenecks(graph, self.block.0, self.tensor).into_iter().find(normal);
        let found = before.or_else(|| bottlenecks(graph, self.tensor, self.block.1).into_iter().rfind(normal));
        found.filter(grid)
    }
}

/// Whether a tensor is what a normalisation makes, by one operator or by its parts: (x - mean) / deviation * weight + bias.
fn is_norm(graph: &Graph, facts: &Facts, tensor: &str) -> bool {
    let Some(node) = graph.maker_node(tensor) else { return false };
    let part = |of: &str, op: &str| -> Option<String> {
        let node = graph.maker_node(of).filter(|node| node.op() == op)?;
        let fixed =
            |name: &&String| facts.get(name).is_some_and(|fact| fact.value.is_some()) || graph.maker(name).is_none();
        let moving: Vec<&String> = node.inputs().iter().filter(|name| !fixed(name)).collect();
        moving.first().map(|name| name.to_string())
    };
    match node.op().as_str() {
        "Add" => {
            let scaled = part(tensor, "Add").and_then(|name| part(&name, "Mul"));
            scaled.and_then(|name| graph.maker_node(&name)).is_some_and(|node| node.op() == "Div")
        }
        op => op.ends_with("LayerNormalization") || op == "RMSNormalization" || op == "BatchNormalization",
    }
}
