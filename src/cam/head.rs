//! Finds the score to differentiate: the logits, behind whatever makes probabilities of them.
//!
//! A softmax left in an exported file is the most frequent cause of wrong maps elsewhere: its gradient vanishes where the
//! network is sure.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::onnx::{DType, Emit, Facts, Graph, Model, Val};

/// What makes probabilities of the logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// One class of many.
    Softmax,
    /// Each class by itself.
    Sigmoid,
}

impl Activation {
    /// As ONNX calls the operator, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Softmax => "softmax",
            Activation::Sigmoid => "sigmoid",
        }
    }
}

/// A classifier's end.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The model's output.
    pub output: String,
    /// The tensor that holds the logits: [N, C], or [N, C, 1, 1].
    pub logits: String,
    /// Its measured shape.
    pub shape: Vec<usize>,
    /// Number of classes C.
    pub classes: usize,
    /// How the model makes, or would make, probabilities.
    pub activation: Activation,
    /// The model's own probabilities, shaped as the logits, if it computes them.
    pub probabilities: Option<String>,
}

impl Head {
    /// [N, C]: each class's score, by which classes are ranked.
    pub(super) fn scores<'g>(&self, emit: &'g Emit<'g>) -> Val<'g> {
        emit.tensor(&self.logits).reshape(&[self.shape[0], self.classes])
    }

    /// The gradient of the score of `class` [N, 1] with respect to the logits: 1 at the class, else 0.
    pub(super) fn seed<'g>(&self, emit: &'g Emit<'g>, class: Val<'g>) -> Val<'g> {
        emit.one_hot(class, &self.shape)
    }

    /// Walks back from the output asked for, or from the only one that looks like class scores.
    ///
    /// # Errors
    /// [`Error::ModelUnusable`] listing the outputs where none or several would do.
    pub fn find(model: &Model, graph: &Graph, facts: &Facts, asked: Option<&str>) -> Result<Head> {
        let outputs = model.outputs();
        let list = || {
            let shape =
                |name: &str| facts.get(name).map_or("?".into(), |f| format!("{} {:?}", f.dtype.name(), f.shape));
            outputs.iter().map(|o| format!("{:?} ({})", o.name, shape(&o.name))).collect::<Vec<_>>().join(", ")
        };
        if let Some(name) = asked {
            if !outputs.iter().any(|o| o.name == name) {
                let why = format!("the model has no such output; its outputs are {}", list());
                return Err(Error::Setting { name: "score-output", value: name.into(), why });
            }
            return trace(graph, facts, name).map_err(|why| Error::Setting {
                name: "score-output",
                value: name.into(),
                why,
            });
        }
        let traced: Vec<Result<Head, String>> = outputs.iter().map(|o| trace(graph, facts, &o.name)).collect();
        let heads: BTreeMap<&str, &Head> = traced.iter().rev().flatten().map(|h| (h.logits.as_str(), h)).collect();
        match (heads.len(), traced.first()) {
            (1, _) => Ok((*heads.values().next().expect("there is one")).clone()),
            (0, Some(Err(why))) if outputs.len() == 1 => Err(Error::ModelUnusable { why: why.clone() }),
            (0, _) => Err(Error::ModelUnusable {
                why: format!("no output looks like class scores ([N, classes] in float32): {}", list()),
            }),
            _ => Err(Error::ModelUnusable {
                why: format!("several outputs look like class scores: {}; name one in score-output", list()),
            }),
        }
    }
}

/// The logits behind one output, or why there are none.
fn trace(graph: &Graph, facts: &Facts, output: &str) -> Result<Head, String> {
    let mut name = output;
    let mut found = None;
    while let Some(node) = graph.maker_node(name) {
        let Some(input) = node.input(0) else { break };
        match node.op().as_str() {
            "Softmax" | "LogSoftmax" | "Sigmoid" => {
                let activation = if node.op() == "Sigmoid" { Activation::Sigmoid } else { Activation::Softmax };
                found = Some((activation, input, (node.op() != "LogSoftmax").then_some(name)));
                break;
            }
            "Cast" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Identity" | "Dropout" | "QuantizeLinear"
            | "DequantizeLinear" => name = input,
            _ => break,
        }
    }
    // without an activation: the output itself, or what it was cast from
    let plain = || {
        let mut name = output;
        while let Some(node) = graph.maker_node(name).filter(|n| n.op() == "Cast") {
            if facts.get(name).is_some_and(|f| f.dtype == DType::F32) {
                break;
            }
            name = node.input(0).unwrap_or(name);
        }
        name
    };
    let logits = found.map_or_else(plain, |(_, logits, _)| logits);
    let fact = facts.get(logits).ok_or_else(|| format!("the output {output:?} is not a tensor"))?;
    if !fact.dtype.is_float() {
        return Err(format!(
            "its class scores {logits:?} are {}, and floating-point numbers are needed; export the model in float32",
            fact.dtype.name()
        ));
    }
    let classes = match fact.shape.as_slice() {
        [n, c] | [n, c, 1, 1] if *n > 0 => *c,
        shape => {
            let behind = if logits == output { String::new() } else { format!(" comes from {logits:?}, which") };
            return Err(format!(
                "its output {output:?}{behind} has shape {shape:?}, and class scores of shape [N, classes] are needed (no \
                 segmentation or detection); export it with the class scores as an output"
            ));
        }
    };
    if classes == 0 {
        return Err(format!("its output {output:?} has zero classes; export it again"));
    }
    let guess = if classes == 1 { Activation::Sigmoid } else { Activation::Softmax };
    Ok(Head {
        output: output.into(),
        logits: logits.into(),
        shape: fact.shape.clone(),
        classes,
        activation: found.map_or(guess, |(activation, _, _)| activation),
        probabilities: found.and_then(|(_, _, made)| made).map(String::from),
    })
}
