//! What was resolved when a model was opened.

use std::sync::Arc;

use crate::cam::Target;
use crate::error::Result;
use crate::labels;
use crate::prep::Spec;

/// What was resolved when the model was opened.
#[derive(Debug, Clone)]
pub struct ModelInfo {
    /// Input tensor's name.
    pub input: String,
    /// Preprocessing.
    pub spec: Spec,
    /// Tensor that holds the logits.
    pub score: String,
    /// What makes probabilities of them: "softmax" or "sigmoid".
    pub activation: &'static str,
    /// Number of classes.
    pub classes: usize,
    /// Target layer: tensor name.
    pub layer: String,
    /// Its shape, as the model lays it out.
    pub layer_shape: Vec<usize>,
    /// Its grid in words: "7x7 (height x width), channels first".
    pub grid: String,
    /// Other layers that could be explained, deepest first.
    pub runner_ups: Vec<String>,
    /// Operators between layer and score: `(operator, count, has a rule)`.
    pub operators: Vec<(String, usize, bool)>,
    /// Class names; empty if none were found.
    pub labels: Arc<[String]>,
    /// Things the user should know (too few labels, ...), a sentence each.
    pub warnings: Vec<String>,
    /// Self-check in one line, if it was made.
    pub self_check: Option<String>,
}

impl ModelInfo {
    /// What the text of `target-class` asks for: "" = best class; else a comma list of indices and label names;
    /// -1 = best, -2 = second best, ...
    ///
    /// # Errors
    /// [`Error::Target`] with the range.
    pub fn targets(&self, text: &str) -> Result<Vec<Target>> {
        labels::parse_targets(text, &self.labels, self.classes)
    }
}
