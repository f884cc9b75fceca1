//! The first line against damaged and hostile files: structure, names, versions, sizes.

use std::collections::HashSet;

use super::model::{MAX_IR, MAX_OPSET, MIN_OPSET};
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto};
use super::tensor;
use crate::error::{Error, Result};

/// Sub-graphs may nest this deep.
const MAX_DEPTH: usize = 16;

pub(super) fn check(model: &ModelProto) -> Result<()> {
    let unusable = |why: String| Err(Error::ModelUnusable { why });
    if !(1..=MAX_IR).contains(&model.ir_version()) {
        return unusable(format!("its IR version is {}; versions 1 to {MAX_IR} are supported", model.ir_version()));
    }
    let opset = model.opset_import.iter().find(|o| matches!(o.domain(), "" | "ai.onnx")).map(|o| o.version());
    match opset {
        Some(version) if (MIN_OPSET..=MAX_OPSET).contains(&version) => {}
        Some(version) => {
            return unusable(format!(
                "its opset is {version}; opsets {MIN_OPSET} to {MAX_OPSET} are supported (onnx.version_converter changes it)"
            ));
        }
        None => return unusable(format!("it names no opset; opsets {MIN_OPSET} to {MAX_OPSET} are supported")),
    }
    let Some(graph) = model.graph.as_ref() else { return unusable("it holds no graph".into()) };
    if graph.node.is_empty() {
        return unusable("its graph has no nodes".into());
    }
    if graph.output.is_empty() {
        return unusable("its graph has no output; export it again with the class scores as an output".into());
    }
    names(graph)?;
    graph.initializer.iter().try_for_each(|t| tensor_ok(t, graph))?;
    graph.node.iter().try_for_each(|n| node(n, 0))
}

fn tensor_ok(t: &TensorProto, _graph: &GraphProto) -> Result<()> {
    if t.name().is_empty() {
        return Err(Error::ModelDamaged { why: "an initializer has no name".into() });
    }
    tensor::check(t)
}

fn node(n: &NodeProto, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::ModelUnusable { why: format!("its sub-graphs nest more than {MAX_DEPTH} deep") });
    }
    for attr in &n.attribute {
        attr.t.iter().chain(&attr.tensors).try_for_each(tensor::check)?;
        for graph in attr.g.iter().chain(&attr.graphs) {
            graph.initializer.iter().try_for_each(tensor::check)?;
            graph.node.iter().try_for_each(|inner| node(inner, depth + 1))?;
        }
    }
    Ok(())
}

/// Every tensor is made once, every output is made by something, no name is unprintable.
fn names(graph: &GraphProto) -> Result<()> {
    let damaged = |why: String| Err(Error::ModelDamaged { why });
    let mut made = HashSet::new();
    let given = graph.input.iter().map(|v| v.name());
    let outputs = graph.node.iter().flat_map(|n| n.output.iter().map(String::as_str)).filter(|n| !n.is_empty());
    for name in given.chain(outputs) {
        if name.contains('\0') {
            return damaged(format!("the tensor name {name:?} has a NUL in it"));
        }
        if !made.insert(name) {
            return damaged(format!("the tensor {name:?} is made twice"));
        }
    }
    let inputs: HashSet<&str> = graph.input.iter().map(|v| v.name()).collect();
    for name in graph.initializer.iter().map(TensorProto::name) {
        if name.contains('\0') {
            return damaged(format!("the tensor name {name:?} has a NUL in it"));
        }
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
