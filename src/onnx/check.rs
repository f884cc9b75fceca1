//! The first line against damaged and hostile files: structure, names, versions, sizes.

use std::collections::{HashMap, HashSet};

use super::model::{MAX_IR, MAX_OPSET, MIN_OPSET};
use super::proto::{FunctionProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto};
use super::tensor;
use crate::error::{Error, Result};

/// Sub-graphs may nest this deep.
const MAX_DEPTH: usize = 16;
/// Nodes that a model may come to once its functions are written out, and places of a small sparse tensor.
const MAX_NODES: usize = 1 << 20;
/// Places of a sparse tensor for each value that it holds; the runtime makes it dense.
const MAX_SPREAD: usize = 1024;
/// Longest name, in bytes; exporters stay far below.
const MAX_NAME: usize = 4096;

pub(super) fn check(model: &ModelProto) -> Result<()> {
    let unusable = |why: String| Err(Error::ModelUnusable { why });
    if !(1..=MAX_IR).contains(&model.ir_version()) {
        let found = model.ir_version();
        return unusable(format!(
            "its IR version is {found}; versions 1 to {MAX_IR} are supported, export it with another version of onnx"
        ));
    }
    let opset = model.opset_import.iter().find(|o| matches!(o.domain(), "" | "ai.onnx")).map(|o| o.version());
    match opset {
        Some(version) if (MIN_OPSET..=MAX_OPSET).contains(&version) => {}
        Some(version) => {
            return unusable(format!(
                "its opset is {version}; opsets {MIN_OPSET} to {MAX_OPSET} are supported (onnx.version_converter changes it)"
            ));
        }
        None => {
            return unusable(format!("it names no opset; export it again with one of {MIN_OPSET} to {MAX_OPSET}"));
        }
    }
    let Some(graph) = model.graph.as_ref() else { return unusable("it holds no graph; export it again".into()) };
    if graph.node.is_empty() {
        return unusable("its graph has no nodes; export it again".into());
    }
    if graph.output.is_empty() {
        return unusable("its graph has no output; export it again with the class scores as an output".into());
    }
    names(graph)?;
    inside(graph, 0)?;
    model.functions.iter().flat_map(|f| &f.node).try_for_each(|n| node(n, 0))?;
    Calls::of(model).count(&graph.node, 0).map(drop)
}

/// The model's own functions by domain and name, each with the number of nodes that a call of it comes to, once that is known.
struct Calls<'m>(HashMap<(&'m str, &'m str), (&'m FunctionProto, Option<usize>)>);

impl<'m> Calls<'m> {
    fn of(model: &'m ModelProto) -> Calls<'m> {
        Calls(model.functions.iter().map(|f| ((f.domain(), f.name()), (f, None))).collect())
    }

    /// The nodes that these are once every call is written out, as the runtime writes it before it can be stopped: functions
    /// that call each other many times grow without measure.
    fn count(&mut self, nodes: &'m [NodeProto], depth: usize) -> Result<usize> {
        let refuse = |what: String| Err(Error::ModelUnusable { why: format!("{what}; export it without functions") });
        if depth > MAX_DEPTH {
            return refuse(format!("its functions call each other more than {MAX_DEPTH} deep"));
        }
        let mut total = 0usize;
        for n in nodes {
            let called = (n.domain(), n.op_type());
            let own = match self.0.get(&called).copied() {
                None => 1,
                Some((_, Some(known))) => known,
                Some((function, None)) => {
                    let count = self.count(&function.node, depth + 1)?;
                    self.0.insert(called, (function, Some(count)));
                    count
                }
            };
            let graphs = n.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs));
            let inner = graphs.map(|g| self.count(&g.node, depth + 1)).sum::<Result<usize>>()?;
            total = total.saturating_add(own).saturating_add(inner);
        }
        if total > MAX_NODES {
            return refuse(format!("with its functions written out it has more than {MAX_NODES} nodes"));
        }
        Ok(total)
    }
}

/// The tensors of a graph and of the graphs in its nodes.
fn inside(graph: &GraphProto, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::ModelUnusable {
            why: format!("its sub-graphs nest more than {MAX_DEPTH} deep; export it without control flow"),
        });
    }
    for t in &graph.initializer {
        if t.name().is_empty() {
            return Err(Error::ModelDamaged { why: "an initializer has no name".into() });
        }
        fits(t, None)?;
    }
    graph.sparse_initializer.iter().try_for_each(|s| sparse(s, None))?;
    graph.node.iter().try_for_each(|n| node(n, depth))
}

fn node(n: &NodeProto, depth: usize) -> Result<()> {
    for attr in &n.attribute {
        attr.t.iter().chain(&attr.tensors).try_for_each(|t| fits(t, Some(n)))?;
        attr.sparse_tensor.iter().chain(&attr.sparse_tensors).try_for_each(|s| sparse(s, Some(n)))?;
        attr.g.iter().chain(&attr.graphs).try_for_each(|graph| inside(graph, depth + 1))?;
    }
    Ok(())
}

fn sparse(s: &SparseTensorProto, n: Option<&NodeProto>) -> Result<()> {
    s.values.iter().chain(s.indices.iter()).try_for_each(|t| fits(t, n))?;
    let count = |dims: &[i64]| dims.iter().try_fold(1usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?));
    let (held, spread) = (count(s.values.as_ref().map_or(&[], |v| &v.dims)), count(&s.dims));
    let most = held.and_then(|n| n.checked_mul(MAX_SPREAD)).and_then(|n| n.checked_add(MAX_NODES));
    if most.zip(spread).is_some_and(|(most, spread)| spread <= most) {
        return Ok(());
    }
    let place = s.values.as_ref().map_or("a sparse tensor".into(), |values| tensor::place(values, n));
    Err(Error::ModelUnusable {
        why: format!("{place} spreads its few values over the shape {:?}; export it with dense weights", s.dims),
    })
}

fn fits(t: &TensorProto, n: Option<&NodeProto>) -> Result<()> {
    tensor::check(t).map_err(|why| Error::ModelDamaged { why: format!("{} {why}", tensor::place(t, n)) })
}

/// Every tensor is made once, every output is made by something, every name can be shown.
fn names(graph: &GraphProto) -> Result<()> {
    let damaged = |why: String| Err(Error::ModelDamaged { why });
    for (kind, values) in [("input", &graph.input), ("output", &graph.output)] {
        if values.iter().any(|v| v.name().is_empty()) {
            return damaged(format!("an {kind} of its graph has no name"));
        }
    }
    for n in &graph.node {
        showable("node", n.name())?;
        if n.op_type().chars().any(char::is_control) {
            return damaged(format!("the node {:?} has the operator {:?}", n.name(), n.op_type()));
        }
    }
    let mut made = HashSet::new();
    let given = graph.input.iter().map(|v| v.name());
    let outputs = graph.node.iter().flat_map(|n| n.output.iter().map(String::as_str)).filter(|n| !n.is_empty());
    for name in given.chain(outputs) {
        showable("tensor", name)?;
        if !made.insert(name) {
            return damaged(format!("the tensor {name:?} is made twice"));
        }
    }
    let inputs: HashSet<&str> = graph.input.iter().map(|v| v.name()).collect();
    for name in graph.initializer.iter().map(TensorProto::name) {
        showable("tensor", name)?;
        // up to IR 3 an initializer is an input as well
        if !made.insert(name) && !inputs.contains(name) {
            return damaged(format!("the tensor {name:?} is made twice"));
        }
    }
    made.extend(graph.sparse_initializer.iter().filter_map(|s| s.values.as_ref()).map(TensorProto::name));
    if let Some(name) = graph.output.iter().map(|v| v.name()).find(|name| !made.contains(name)) {
        return damaged(format!("the output {name:?} is made by no node"));
    }
    for n in &graph.node {
        if let Some(name) = n.input.iter().find(|name| !name.is_empty() && !made.contains(name.as_str())) {
            return damaged(format!("node {:?} ({}) reads {name:?}, which nothing makes", n.name(), n.op_type()));
        }
    }
    Ok(())
}

fn showable(kind: &str, name: &str) -> Result<()> {
    let damaged = |why: String| Err(Error::ModelDamaged { why });
    if name.len() > MAX_NAME {
        let start: String = name.chars().take(32).collect();
        return damaged(format!("the name of the {kind} {start:?}... has {} bytes", name.len()));
    }
    if name.contains('\0') {
        return damaged(format!("the {kind} name {name:?} has a NUL in it"));
    }
    Ok(())
}
