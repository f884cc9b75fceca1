//! A part of the network run on several copies of a tensor at once, along axis 0.
//!
//! What is known to mix or drop entries of axis 0 is refused; whether the rest keeps the copies apart is for the self-check,
//! since this is for networks with operators that we do not know.

use std::collections::{HashMap, HashSet};

use crate::onnx::{Emit, Graph, Node, Val};

/// Operators that broadcast their inputs against each other.
const BROADCAST: [&str; 23] = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "Min",
    "Max",
    "Sum",
    "Mean",
    "Where",
    "PRelu",
    "Mod",
    "And",
    "Or",
    "Xor",
    "Equal",
    "Less",
    "Greater",
    "LessOrEqual",
    "GreaterOrEqual",
    "Expand",
    "BitShift",
    "Clip",
];
/// Operators whose attribute `axis` is 0 where it is left out.
const FIRST_AXIS: [&str; 6] = ["Gather", "GatherElements", "ScatterElements", "Split", "ArgMax", "ArgMin"];

/// `to`, computed from `copies` [B, ..] in the place of `from` [1, ..]; or the node that does not keep axis 0 free, and why.
pub(super) fn copies<'g>(
    emit: &'g Emit<'g>,
    graph: &Graph<'g>,
    from: &str,
    copies: Val<'g>,
    to: &str,
) -> Result<Val<'g>, String> {
    let count = copies.shape()[0];
    let mut made: HashMap<&str, Val<'g>> = HashMap::from([(from, copies)]);
    for node in between(emit, graph, from, to) {
        let refuse = |why: &str| format!("{} node {:?} takes one picture only ({why})", node.op(), node.name());
        let copied: Vec<Option<Val<'g>>> = node.inputs().iter().map(|x| made.get(x.as_str()).copied()).collect();
        let view = View { emit, node, copied };
        view.keeps_copies_apart().map_err(|why| refuse(&why))?;
        let shapes: Vec<Option<Vec<usize>>> = (node.outputs().iter())
            .map(|y| if y.is_empty() { Ok(None) } else { view.several(y, count).map(Some) })
            .collect::<Result<_, String>>()
            .map_err(|why| refuse(&why))?;
        for (name, value) in node.outputs().iter().zip(view.write(count, &shapes).map_err(|why| refuse(&why))?) {
            made.extend(value.map(|value| (name.as_str(), value)));
        }
    }
    made.get(to).copied().ok_or_else(|| format!("the score {to:?} does not depend on it"))
}

/// The nodes that depend on `from` and that `to` depends on, in order; not those whose values are the same for every picture.
fn between<'g>(emit: &Emit, graph: &Graph<'g>, from: &str, to: &str) -> Vec<Node<'g>> {
    let constant = |y: &String| y.is_empty() || emit.facts().get(y).is_some_and(|fact| fact.value.is_some());
    let mut active = HashSet::from([from]);
    let mut ahead = Vec::new();
    for node in &graph.order {
        let reads = node.reads().any(|x| active.contains(x));
        if reads && !node.outputs().iter().all(constant) {
            active.extend(node.outputs().iter().map(String::as_str));
            ahead.push(*node);
        }
    }
    let mut wanted = HashSet::from([to]);
    let mut found: Vec<Node<'g>> = Vec::new();
    for node in ahead.into_iter().rev().filter(|node| !node.outputs().iter().any(|y| y == from)) {
        if node.outputs().iter().any(|y| wanted.contains(y.as_str())) {
            wanted.extend(node.reads());
            found.push(node);
        }
    }
    found.reverse();
    found
}

/// A node and which of its inputs are copies.
struct View<'g> {
    emit: &'g Emit<'g>,
    node: Node<'g>,
    copied: Vec<Option<Val<'g>>>,
}

impl<'g> View<'g> {
    fn shape(&self, name: &str) -> Result<&'g [usize], String> {
        self.emit.facts().shape(name).ok_or_else(|| format!("the shape of {name:?} was not measured"))
    }

    /// The measured shape of an output for so many copies.
    fn several(&self, name: &str, count: usize) -> Result<Vec<usize>, String> {
        match self.shape(name)? {
            [1, rest @ ..] => Ok([&[count], rest].concat()),
            shape => Err(format!("it makes {name:?} of shape {shape:?}, whose axis 0 is not the picture")),
        }
    }

    /// Input `i` as it is for one picture.
    fn input(&self, i: usize) -> Result<&'g [usize], String> {
        self.shape(self.node.input(i).unwrap_or_default())
    }

    fn is_copied(&self, i: usize) -> bool {
        self.copied.get(i).is_some_and(Option::is_some)
    }

    /// Whether input `i`, which is the same for all copies, meets them only along its axes behind the picture's.
    fn is_shared(&self, i: usize, rank: usize) -> Result<bool, String> {
        let shape = self.input(i)?;
        Ok(shape.len() < rank || shape.first() == Some(&1))
    }

    fn keeps_copies_apart(&self) -> Result<(), String> {
        let (node, op) = (&self.node, self.node.op());
        if node.has_subgraph() {
            return Err("it has a sub-graph".into());
        }
        let rank = self.input(0).map_or(0, <[usize]>::len);
        let first = |axis: i64| axis.rem_euclid(rank.max(1) as i64) == 0;
        let default = if FIRST_AXIS.contains(&op.as_str()) { 0 } else { 1 };
        let axes = || {
            let given = node.ints("axes").map(<[i64]>::to_vec);
            let at = if op == "Slice" { 3 } else { 1 };
            let read = || node.input(at).and_then(|name| self.emit.weight(name));
            given.or_else(|| read().and_then(|t| t.as_i64().map(<[i64]>::to_vec)))
        };
        let apart = match op.as_str() {
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => self.is_copied(0),
            "Transpose" => node.ints("perm").map_or(rank < 2, |perm| perm.first() == Some(&0)),
            "Gemm" => {
                node.int("transA", 0) == 0
                    && self.is_copied(0)
                    && !self.is_copied(1)
                    && (node.input(2).is_none() || self.is_copied(2) || self.is_shared(2, 2)?)
            }
            "MatMul" => self.keeps_products_apart()?,
            "Slice" => self.is_copied(0) && axes().is_some_and(|axes| !axes.into_iter().any(first)),
            op if op.starts_with("Reduce") => axes().is_some_and(|axes| !axes.into_iter().any(first)),
            "Gather" => self.is_copied(0) && !self.is_copied(1) && !first(node.int("axis", default)),
            op if BROADCAST.contains(&op) => {
                let ranks = node.outputs().first().map(|y| self.shape(y)).transpose()?.map_or(0, <[usize]>::len);
                let mut fits = true;
                for i in (0..node.inputs().len()).filter(|&i| node.input(i).is_some()) {
                    fits &= if self.is_copied(i) {
                        self.input(i)?.len() == ranks
                    } else {
                        op == "Expand" || self.is_shared(i, ranks)?
                    };
                }
                fits
            }
            // whatever else works along an axis that it names, or does not
            _ => !first(node.int("axis", default)),
        };
        if apart { Ok(()) } else { Err("it works along axis 0, or on all of its input".into()) }
    }

    fn keeps_products_apart(&self) -> Result<bool, String> {
        let (a, b) = (self.input(0)?, self.input(1)?);
        Ok(match (self.is_copied(0), self.is_copied(1)) {
            (true, true) => a.len() == b.len() && a.len() >= 3,
            (true, false) if a.len() == 2 => b.len() == 2,
            (true, false) => a.len() >= 3 && self.is_shared(1, a.len())?,
            _ => b.len() >= 3 && self.is_shared(0, b.len())? && a.len() <= b.len(),
        })
    }

    fn write(&self, count: usize, shapes: &[Option<Vec<usize>>]) -> Result<Vec<Option<Val<'g>>>, String> {
        let op = self.node.op();
        if let ("Reshape" | "Flatten" | "Squeeze" | "Unsqueeze", Some(Some(shape)), Some(Some(copies))) =
            (op.as_str(), shapes.first(), self.copied.first())
        {
            return Ok(vec![Some(copies.reshape(shape))]);
        }
        let mut inputs = Vec::new();
        for (name, copied) in self.node.inputs().iter().zip(&self.copied) {
            inputs.push(match copied {
                Some(copies) => Some(*copies),
                None if name.is_empty() => None,
                None => {
                    let own = self.emit.named(name, self.shape(name)?);
                    // a class token is the same in front of every copy
                    let several = |shape: &[usize]| [&[count], shape.get(1..).unwrap_or_default()].concat();
                    Some(if matches!(op.as_str(), "Concat" | "GridSample") {
                        own.expand(&several(&own.shape()))
                    } else {
                        own
                    })
                }
            });
        }
        Ok(self.emit.copy(&self.node, &inputs, shapes))
    }
}
