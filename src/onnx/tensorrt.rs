//! What TensorRT's ONNX parser takes, and what of a model it does not: read off its list, not run.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use super::model::Model;
use super::node::Node;
use super::tensor::DType;

/// The version whose list this is.
pub const VERSION: &str = "10.15";
/// Opsets that it takes; 10.1 took no more than 20.
pub const OPSETS: RangeInclusive<i64> = 9..=24;

const LIST: &str = include_str!("tensorrt.txt");

/// What stands between a model and TensorRT.
#[derive(Debug, Clone, PartialEq)]
pub struct Obstacle {
    /// What it is, and what to do where something can be done: a sentence's end.
    pub why: String,
    /// Whether the parser refuses the model for it; else it is something to know.
    pub refused: bool,
    /// `(operator, node)` of each node that it is about; none where it is the file as a whole.
    pub nodes: Vec<(String, String)>,
}

/// Whether an operator is on the list.
pub fn takes(op: &str) -> bool {
    LIST.lines().any(|line| line == op)
}

/// All there are, those that keep the parser from taking the model first.
pub fn obstacles(model: &Model) -> Vec<Obstacle> {
    let constants = Constants::of(model);
    let mut refused: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for node in model.nodes() {
        let op = node.op();
        if let Some(why) = if takes(&op) { partly(&node, &op, &constants) } else { Some(format!("{op} is not taken")) }
        {
            refused.entry(why).or_default().push((op, node.name().into()));
        }
    }
    let mut all: Vec<_> = refused.into_iter().map(|(why, nodes)| Obstacle { why, refused: true, nodes }).collect();
    let mut file = |refused: bool, why: String| all.push(Obstacle { why, refused, nodes: Vec::new() });
    let (opset, last) = (model.opset(), OPSETS.end());
    if !OPSETS.contains(&opset) {
        file(true, format!("opset {opset} is above {last}; export it with a lower one"));
    }
    if OPSETS.contains(&opset) && opset > 20 {
        file(false, format!("opset {opset} needs a newer version than 10.1, which takes no more than 20"));
    }
    for input in model.inputs() {
        if input.dtype == Some(DType::I64) {
            file(false, format!("the input {:?} is int64: 8.x takes it as int32, 9.0 and later as it is", input.name));
        }
        if input.shape.is_none_or(|shape| shape.contains(&None)) {
            let name = input.name;
            file(false, format!("the input {name:?} has an open length: give the builder a profile with its shapes"));
        }
    }
    all
}

/// What an operator on the list is not taken with.
fn partly(node: &Node, op: &str, constants: &Constants) -> Option<String> {
    let given = |output: usize| node.outputs().get(output).is_some_and(|name| !name.is_empty());
    let dilated = || node.ints("dilations").is_some_and(|by| by.iter().any(|&d| d != 1));
    let computed = |input: usize| node.input(input).is_some_and(|name| !constants.0.contains_key(name));
    let why = match op {
        "MaxPool" if given(1) => "MaxPool is not taken with its output Indices",
        "MaxPool" | "AveragePool" | "LpPool" if dilated() => "pooling is not taken with dilations",
        "LayerNormalization" if given(1) || given(2) => "LayerNormalization is taken with its first output only",
        "BatchNormalization" if node.int("training_mode", 0) != 0 => "BatchNormalization is not taken in training mode",
        "ScatterND" if node.str("reduction", "none") != "none" => "ScatterND is not taken with a reduction",
        "CumSum" | "Squeeze" | "Unsqueeze" if computed(1) => "the axes must be constant",
        "QuantizeLinear" | "DequantizeLinear"
            if node.input(2).and_then(|name| constants.0.get(name)).is_some_and(|dtype| dtype.name() == "uint8") =>
        {
            "quantisation is taken with zero points of 0 only, that is int8 and symmetric; quantise it so"
        }
        _ if op.starts_with("Reduce") && computed(1) => "the axes of a reduction must be constant",
        _ => return None,
    };
    Some(why.into())
}

/// Types of the tensors whose values stand in the file; [`DType`] 0 of those that nodes hold.
struct Constants<'m>(HashMap<&'m str, DType>);

impl<'m> Constants<'m> {
    fn of(model: &'m Model) -> Constants<'m> {
        let held = model.nodes().filter(|node| node.op() == "Constant").flat_map(|node| node.outputs());
        let held = held.map(|name| (name.as_str(), DType(0)));
        Constants(model.initializers().map(|(name, fact)| (name, fact.dtype)).chain(held).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::Attr;

    #[test]
    fn the_list_is_one_operator_a_line() {
        let lines: Vec<&str> = LIST.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(lines.len() > 100 && lines.is_sorted_by_key(|line| line.to_uppercase()), "{lines:?}");
        assert!(takes("Conv") && !takes("Col2Im") && !takes("com.microsoft::Gelu") && !takes("# Operators"));
    }

    #[test]
    fn what_is_taken_in_part_is_told_with_its_nodes() {
        let mut model = Model::new(22);
        model.add_input("x", DType::F32, &[None, Some(3)]);
        model.add_input("which", DType::I64, &[Some(1)]);
        model.add_node("MaxPool", "pool", &["x"], &["y", "indices"], &[]);
        model.add_node("MaxPool", "wide", &["y"], &["z"], &[("dilations", Attr::Ints(vec![2, 2]))]);
        model.add_node("Unique", "odd", &["z"], &["u"], &[]);
        model.add_node("ReduceSum", "sum", &["u", "which"], &["s"], &[]);
        model.add_node("Relu", "plain", &["s"], &["out"], &[]);
        let seen = obstacles(&model);
        let nodes = |seen: &[Obstacle]| {
            seen.iter().flat_map(|o| &o.nodes).map(|(_, node)| node.clone()).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(nodes(&seen), ["odd", "pool", "sum", "wide"].map(String::from).into());
        let known: Vec<&Obstacle> = seen.iter().filter(|o| !o.refused).collect();
        assert_eq!(known.len(), 3, "opset 22, an open axis, an int64 input: {known:?}");
    }
}
