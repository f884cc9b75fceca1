//! `Explainer`, the public heart: opens a model, probes it, lowers it, runs it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ndarray::{Array2, ArrayD, ArrayViewD};

use crate::cam::{Method, Target};
use crate::engine::Interrupter;
use crate::error::Result;
use crate::frame::{Frame, Region};
use crate::prep::{Overrides, Spec};

/// What can be asked of an [`Explainer`]; the fields are spelt as the element's properties are.
#[derive(Debug, Clone)]
pub struct Options {
    /// The method.
    pub method: Method,
    /// A tensor, node or module of the model; `None` = the deepest layer with a spatial grid.
    pub target_layer: Option<String>,
    /// The output that holds the class scores, where the model has several.
    pub score_output: Option<String>,
    /// Preprocessing that overrides the model's own word.
    pub prep: Overrides,
    /// `(width, height)` for models whose input size is dynamic.
    pub input_size: Option<(usize, usize)>,
    /// Class names, one a line (or JSON); `None` = the model's metadata, else a file beside the model.
    pub labels_file: Option<PathBuf>,
    /// ONNX Runtime's shared library.
    pub runtime_library: Option<PathBuf>,
    /// Threads within an operator; 0 = the runtime's choice.
    pub threads: usize,
    /// Compare outputs with the original and gradients with finite differences at load.
    pub self_check: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            method: Method::GradCam,
            target_layer: None,
            score_output: None,
            prep: Overrides::default(),
            input_size: None,
            labels_file: None,
            runtime_library: None,
            threads: 0,
            self_check: true,
        }
    }
}

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
    /// Its shape, [N, C, h, w].
    pub layer_shape: Vec<usize>,
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

/// One class, explained.
#[derive(Debug, Clone)]
pub struct ClassMap {
    /// Class index.
    pub class: usize,
    /// Its name ("class 17" where none is known).
    pub label: String,
    /// Its probability.
    pub score: f32,
    /// The raw map, [h, w], after the method's ReLU, before any scaling. All finite.
    pub map: Array2<f32>,
}

/// One frame, explained.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// One for each target, in the order asked.
    pub maps: Vec<ClassMap>,
    /// The part of the frame that the map covers.
    pub region: Region,
    /// Time of the run itself.
    pub took: Duration,
}

/// A model, opened and explained. `Send`.
#[derive(Debug)]
pub struct Explainer;

impl Explainer {
    /// Reads, checks, probes, lowers, self-checks.
    pub fn open(model: &Path, options: &Options) -> Result<Explainer> {
        let _ = (model, options);
        todo!()
    }
    /// What was resolved.
    pub fn info(&self) -> &ModelInfo {
        todo!()
    }
    /// "" = best class; else a comma list of indices and label names.
    pub fn targets(&self, text: &str) -> Result<Vec<Target>> {
        let _ = text;
        todo!()
    }
    /// Explains a frame. `Err(Inference)` when scores or maps are not finite.
    pub fn explain(&mut self, frame: &Frame, targets: &[Target]) -> Result<Explanation> {
        let _ = (frame, targets);
        todo!()
    }
    /// First half of [`Explainer::explain`]: preprocessing only, into a buffer of [`Explainer::input_len`] floats.
    pub fn prepare(&mut self, frame: &Frame, input: &mut [f32]) -> Result<Region> {
        let _ = (frame, input);
        todo!()
    }
    /// Second half: runs the model on a prepared input (the model's own layout).
    pub fn explain_tensor(
        &mut self,
        input: ArrayViewD<f32>,
        targets: &[Target],
        region: Region,
    ) -> Result<Explanation> {
        let _ = (input, targets, region);
        todo!()
    }
    /// The input's shape, e.g. [1, 3, 224, 224].
    pub fn input_shape(&self) -> &[usize] {
        todo!()
    }
    /// For stopping a run from another thread.
    pub fn interrupter(&self) -> Interrupter {
        todo!()
    }
    /// The explained model, as bytes of an ONNX file.
    pub fn explained_model(&self) -> &[u8] {
        todo!()
    }
    /// The original model's outputs on an input: what the explained model must equal to the bit.
    pub fn original_outputs(&mut self, input: ArrayViewD<f32>) -> Result<Vec<(String, ArrayD<f32>)>> {
        let _ = input;
        todo!()
    }
}
