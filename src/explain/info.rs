//! What was resolved when a model was opened.

use std::sync::Arc;

use super::{NumberFormat, ProviderInfo, SelfCheck};
use crate::cam::{Method, ScoreKind, Target};
use crate::error::{Error, Result};
use crate::labels;
use crate::prep::Spec;

/// What was resolved when the model was opened.
#[derive(Debug, Clone)]
pub struct ModelInfo {
    /// Input tensor's name.
    pub input: String,
    /// Its type: "float32", "uint8", ...
    pub input_type: &'static str,
    /// In which numbers the model computes, and keeps its weights.
    pub format: NumberFormat,
    /// Preprocessing.
    pub spec: Spec,
    /// The output that is explained.
    pub score_output: String,
    /// What its scores belong to; never [`ScoreKind::Auto`].
    pub score_kind: ScoreKind,
    /// Tensor that holds the logits.
    pub score: String,
    /// What makes probabilities of them: "softmax", "sigmoid", or "none" where the scores are taken as they are.
    pub activation: &'static str,
    /// Number of classes.
    pub classes: usize,
    /// The method; where `auto` was asked for, the one that was taken.
    pub method: Method,
    /// Whether each class is explained against another.
    pub versus: bool,
    /// Whether maps have either sign.
    pub signed: bool,
    /// Target layer: tensor name. Of several layers the one with the largest grid, which is the map's.
    pub layer: String,
    /// All target layers, in the order asked.
    pub layers: Vec<String>,
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
    /// What computes it.
    pub provider: ProviderInfo,
    /// Things the user should know (too few labels, ...), a sentence each.
    pub warnings: Vec<String>,
    /// The self-check, if it was made.
    pub self_check: Option<SelfCheck>,
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

    /// What the text of `versus` asks for, written as `target-class` is: one class for all targets, or one for each.
    ///
    /// # Errors
    /// [`Error::Setting`] with the range.
    pub fn versus(&self, text: &str) -> Result<Vec<Target>> {
        self.targets(text).map_err(|error| match error {
            Error::Target { asked, why } => Error::Setting { name: "versus", value: asked, why },
            other => other,
        })
    }
}
