//! Look-ups over a model: who makes a tensor, who reads it, in which order nodes run.

use std::collections::{HashMap, HashSet};

use super::model::Model;
use super::node::Node;
use crate::error::{Error, Result};

/// An index of a model's graph; linear to build.
#[derive(Debug)]
pub struct Graph<'m> {
    /// Nodes so that each comes behind the makers of its inputs.
    pub order: Vec<Node<'m>>,
    maker: HashMap<&'m str, usize>,
    readers: HashMap<&'m str, Vec<usize>>,
}

impl<'m> Graph<'m> {
    /// Sorts and indexes; refuses a cycle, naming a node on it.
    pub fn new(model: &'m Model) -> Result<Graph<'m>> {
        let nodes: Vec<Node<'m>> = model.nodes().collect();
        let by_output: HashMap<&str, usize> =
            nodes.iter().enumerate().flat_map(|(i, n)| n.outputs().iter().map(move |o| (o.as_str(), i))).collect();
        let mut waiting = vec![0usize; nodes.len()];
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        for (i, node) in nodes.iter().enumerate() {
            for maker in node.reads().filter_map(|name| by_output.get(name)) {
                waiting[i] += 1;
                after[*maker].push(i);
            }
        }
        // first in, first out keeps the file's order where that is free
        let mut ready: std::collections::VecDeque<usize> = (0..nodes.len()).filter(|&i| waiting[i] == 0).collect();
        let mut order = Vec::with_capacity(nodes.len());
        while let Some(i) = ready.pop_front() {
            order.push(nodes[i]);
            for &next in &after[i] {
                waiting[next] -= 1;
                if waiting[next] == 0 {
                    ready.push_back(next);
                }
            }
        }
        if let Some(start) = waiting.iter().position(|&w| w > 0) {
            let waits = |i: usize| {
                let makers = nodes[i].reads().filter_map(|name| by_output.get(name).copied());
                makers.into_iter().find(|&maker| waiting[maker] > 0)
            };
            let ring: Vec<_> =
                cycle(start, waits).iter().map(|&i| format!("{:?} ({})", nodes[i].name(), nodes[i].op())).collect();
            let (few, more) = (ring[..ring.len().min(8)].join(", "), if ring.len() > 8 { ", ..." } else { "" });
            return Err(Error::ModelDamaged { why: format!("its nodes form a cycle: {few}{more}") });
        }
        let mut maker = HashMap::new();
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (i, node) in order.iter().enumerate() {
            maker.extend(node.outputs().iter().filter(|o| !o.is_empty()).map(|o| (o.as_str(), i)));
            for name in node.reads() {
                readers.entry(name).or_default().push(i);
            }
        }
        Ok(Graph { order, maker, readers })
    }

    /// Position in `order` of the node that makes a tensor; `None` for inputs and initializers.
    pub fn maker(&self, tensor: &str) -> Option<usize> {
        self.maker.get(tensor).copied()
    }

    /// The node that makes a tensor.
    pub fn maker_node(&self, tensor: &str) -> Option<Node<'m>> {
        self.maker(tensor).map(|i| self.order[i])
    }

    /// The quantisers that a score went through, the last first, with nothing between them and it that changes its elements.
    pub fn quantisers_of(&self, score: &str) -> Vec<Node<'m>> {
        let mut found = Vec::new();
        let mut made = self.maker_node(score);
        while let Some(node) = made {
            match node.op().trim_start_matches("com.microsoft::") {
                "QuantizeLinear" => found.push(node),
                "DequantizeLinear" | "Cast" | "Identity" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {}
                _ => break,
            }
            made = node.input(0).and_then(|input| self.maker_node(input));
        }
        found
    }

    /// Positions in `order` of the nodes that read a tensor, sub-graphs included.
    pub fn readers(&self, tensor: &str) -> &[usize] {
        self.readers.get(tensor).map_or(&[], Vec::as_slice)
    }

    /// A tensor name that the model does not use yet.
    pub fn fresh_in(model: &Model, wanted: &str) -> String {
        let used: HashSet<&str> = model
            .nodes()
            .flat_map(|n| n.inputs().iter().chain(n.outputs()).map(String::as_str))
            .chain(model.initializer_names())
            .collect();
        let declared: Vec<String> = model.inputs().into_iter().chain(model.outputs()).map(|v| v.name).collect();
        let taken = |name: &str| used.contains(name) || declared.iter().any(|d| d == name);
        let mut name = wanted.to_string();
        let mut n = 1;
        while taken(&name) {
            n += 1;
            name = format!("{wanted}_{n}");
        }
        name
    }
}

/// A cycle found by walking up from `start`, in the order in which data would flow; each step up leads to `waits`.
fn cycle(start: usize, waits: impl Fn(usize) -> Option<usize>) -> Vec<usize> {
    let mut trail = Vec::new();
    let mut passed = HashMap::new();
    let mut at = Some(start);
    while let Some(i) = at {
        if let Some(from) = passed.insert(i, trail.len()) {
            trail.drain(..from);
            break;
        }
        trail.push(i);
        at = waits(i);
    }
    trail.reverse();
    trail
}
