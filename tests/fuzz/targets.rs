//! What a file of any bytes goes through: the reader, and the surgery with the shapes that the file itself declares. Whatever
//! comes back, it comes back. The fuzzer calls these functions, and so do the tests that replay its corpus.
#![allow(dead_code)] // each target uses its own

use std::collections::HashMap;

use gstgradcam::cam::{self, Request};
use gstgradcam::onnx::{DType, Fact, Facts, Graph, Model, Relaxed, tensorrt};
use gstgradcam::{Error, Method};

/// Elements of a tensor that is believed: measured shapes are real ones, and a probe run of such files is small.
const MOST: usize = 1 << 16;

/// Reads, sorts, writes, and reads what was written. Whether it is a model.
pub fn reader(bytes: &[u8]) -> Result<(), Error> {
    let model = Model::from_bytes(bytes)?;
    let graph = Graph::new(&model)?;
    for node in &graph.order {
        let _ = (node.op(), node.name(), node.scope(), node.has_subgraph());
    }
    let _ = (model.metadata(), model.inputs(), model.declared(), model.initializers().count());
    let written = model.to_bytes()?;
    let again = Model::from_bytes(&written).expect("what was written is read");
    // fields that we do not know are written in any order
    let sorted = |mut bytes: Vec<u8>| {
        bytes.sort_unstable();
        bytes
    };
    assert!(sorted(again.to_bytes()?) == sorted(written), "a model is another after it was written and read");
    Ok(())
}

/// Explains it, by two methods, and finds what its input's size decides. Whether it could be, with no method named.
pub fn surgery(bytes: &[u8]) -> Result<(), Error> {
    let model = Model::from_bytes(bytes)?;
    let Some((input, facts)) = facts(&model) else { return Ok(()) };
    let _ = tensorrt::obstacles(&model);
    let _ = cam::survey(&model, &facts, &input, &Request::default());
    let relaxed = Relaxed::new(model.clone(), facts.clone(), &input);
    let _ = relaxed.verdict("a node failed");
    if let Ok(settled) = relaxed.settle(&facts) {
        settled.to_bytes()?;
    }
    // one more of the methods for each length of a file
    let others: Vec<Method> = Method::all().filter(|&method| method != Method::Auto).collect();
    let explain = |method| {
        let request = Request { method, versus: bytes.len().is_multiple_of(2), ..Request::default() };
        let written = cam::lower(&model, &facts, &input, &request)?.model.to_bytes()?;
        Model::from_bytes(&written).expect("an explained model is a sound one");
        Ok(())
    };
    let _ = explain(others[bytes.len() % others.len()]);
    explain(Method::Auto)
}

/// What a probe run might have measured, and the picture's name: of files that declare their shapes, small ones.
pub fn facts(model: &Model) -> Option<(String, Facts)> {
    let declared = model.declared();
    let inputs = model.inputs();
    let picture = inputs.iter().find(|v| v.shape.as_ref().is_some_and(|shape| shape.len() == 4))?;
    let mut facts: HashMap<String, Fact> = model.initializers().map(|(name, fact)| (name.to_string(), fact)).collect();
    for value in declared {
        let Some(shape) = value.shape.and_then(|shape| shape.into_iter().collect::<Option<Vec<usize>>>()) else {
            continue;
        };
        facts.insert(value.name, Fact { dtype: value.dtype.unwrap_or(DType::F32), shape, value: None });
    }
    let small = |fact: &Fact| {
        let count = fact.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        fact.shape.len() <= 8 && count.is_some_and(|n| n <= MOST)
    };
    for node in model.nodes().filter(|node| node.op() == "Constant") {
        let (Some(name), Some(value)) = (node.outputs().first(), node.tensor("value")) else { continue };
        let fact = Fact { dtype: value.dtype(), shape: value.shape.clone(), value: Some(value) };
        facts.insert(name.clone(), fact);
    }
    facts.values().all(small).then(|| (picture.name.clone(), Facts(facts)))
}
