//! What would be explained, as far as it can be told before anything is written: for looking into a model that may be refused.

use super::head::Head;
use super::layer::{self, Layer};
use super::lower::{Request, Scored, on_score};
use crate::autodiff;
use crate::error::Result;
use crate::onnx::{Facts, Graph, Model};

/// Score, layers and operators of a model.
#[derive(Debug)]
pub struct Survey {
    /// The score.
    pub head: Head,
    /// How the logits were found, in words.
    pub found: String,
    /// Layers that can be explained, the best first.
    pub usable: Vec<Layer>,
    /// Operators between the layer and the score: name, count, whether there is a rule. Empty where there is no such layer; of
    /// several layers the way from the first.
    pub operators: Vec<(String, usize, bool)>,
    /// `(operator, node)` of those without a rule.
    pub without_rule: Vec<(String, String)>,
}

/// Takes the steps of [`super::lower`] that can be taken without a gradient rule.
///
/// # Errors
/// As [`super::lower`], where no score is found.
pub fn survey(model: &Model, facts: &Facts, input: &str, request: &Request) -> Result<Survey> {
    on_score(model, facts, input, request, |Scored { model, graph, facts, input, head }| {
        let (found, usable) = (way(graph, &head), layer::usable(graph, facts, input, &head));
        let mut seen = Survey { head, found, usable, operators: Vec::new(), without_rule: Vec::new() };
        let asked = request.target_layer.and_then(|names| names.split(',').next()).map(str::trim);
        if let Ok(layer) = Layer::find(graph, facts, &seen.head, asked, &seen.usable) {
            let path = autodiff::path(graph, &layer.tensor, &seen.head.logits);
            seen.operators = autodiff::operators(graph, &path, model.opset());
            let missing = |op: &String| seen.operators.iter().any(|(name, _, ruled)| name == op && !ruled);
            let nodes = path.iter().map(|&i| graph.order[i]).map(|node| (node.op(), node.name().to_string()));
            seen.without_rule = nodes.filter(|(op, _)| missing(op)).collect();
        }
        Ok(seen)
    })
}

/// Where the logits lie, seen from the output.
fn way(graph: &Graph, head: &Head) -> String {
    if head.logits == head.output {
        return "the output itself".into();
    }
    let path = autodiff::path(graph, &head.logits, &head.output);
    if path.is_empty() {
        return format!("brought together from the tensors of which the output {:?} is made", head.output);
    }
    let nodes: Vec<_> =
        path.iter().map(|&i| format!("{} node {:?}", graph.order[i].op(), graph.order[i].name())).collect();
    format!("before the {}, behind which is the output {:?}", nodes.join(" and the "), head.output)
}
