//! What is found out about a model, as far as one gets with it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{CamEquality, Explainer, Found, ModelInfo, Opening, Options, Verdict, equality};
use crate::cam::{self, Layer, ScoreKind};
use crate::error::Error;
use crate::onnx::tensorrt::{self, Obstacle};
use crate::onnx::{Model, ValueInfo};
use crate::prep::Spec;

/// What is found out about a model. Each part is there as far as opening the model came; [`Inspection::error`] says what it
/// ended with.
#[derive(Debug)]
pub struct Inspection {
    /// The file itself.
    pub file: Option<FileInfo>,
    /// The picture's tensor and its shape.
    pub input: Option<(String, Vec<usize>)>,
    /// Preprocessing, and where each value was learnt.
    pub spec: Option<Spec>,
    /// The class scores.
    pub score: Option<ScoreInfo>,
    /// Layers that can be explained, the best first; the automatic choice is the first.
    pub layers: Vec<Layer>,
    /// Operators between the layer and the score: `(operator, count, has a rule)`.
    pub operators: Vec<(String, usize, bool)>,
    /// `(operator, node)` of those without a rule.
    pub without_rule: Vec<(String, String)>,
    /// All that is resolved, where the model can be explained.
    pub info: Option<ModelInfo>,
    /// How CAM and Grad-CAM compare, where both apply.
    pub equality: Option<CamEquality>,
    /// What stands between TensorRT and the explained model; between it and the original where that cannot be explained.
    pub tensorrt: Option<Vec<Obstacle>>,
    /// What it comes to.
    pub verdicts: Vec<Verdict>,
    /// Why the model cannot be explained, if so.
    pub error: Option<Error>,
    /// Time to open it, self-check included.
    pub took: Duration,
}

/// A model file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileInfo {
    /// The tool that wrote it, and its version; empty where it does not say.
    pub producer: String,
    /// Version of the standard operators.
    pub opset: i64,
    /// Number of values in its weights.
    pub weights: usize,
    /// What it is given.
    pub inputs: Vec<ValueInfo>,
    /// What it gives.
    pub outputs: Vec<ValueInfo>,
    /// Every operator with its count.
    pub operators: Vec<(String, usize)>,
}

/// The class scores of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreInfo {
    /// The output that holds them.
    pub output: String,
    /// What its scores belong to.
    pub kind: ScoreKind,
    /// The tensor with the logits.
    pub tensor: String,
    /// How the logits were found, in words.
    pub found: String,
    /// "softmax" or "sigmoid".
    pub activation: &'static str,
    /// Number of classes.
    pub classes: usize,
}

impl Inspection {
    /// Opens a model and tells what was found, whether or not it can be explained.
    pub fn of(model: &Path, options: &Options) -> Inspection {
        let start = Instant::now();
        let mut found = Found::default();
        let opened = Explainer::open_into(model, options, &mut found, &Opening::default());
        let took = start.elapsed();
        let mut seen = Inspection {
            file: found.model.as_ref().map(|model| FileInfo { inputs: found.declared.clone(), ..FileInfo::of(model) }),
            input: found.input.take(),
            spec: found.spec.take(),
            score: None,
            layers: Vec::new(),
            operators: Vec::new(),
            without_rule: Vec::new(),
            info: None,
            equality: None,
            tensorrt: None,
            verdicts: Vec::new(),
            error: None,
            took,
        };
        seen.look_inside(&found, options);
        let done = opened.and_then(|explainer| {
            if let Some(facts) = &found.facts {
                seen.equality = equality::compare(&explainer, facts, &options.request(found.class_names))?;
            }
            Ok(explainer)
        });
        match done {
            Ok(explainer) => {
                let Explainer { info, explained, names, .. } = explainer;
                let map = explained.outputs().into_iter().find(|output| output.name == names.map);
                let cells = map.and_then(|map| map.shape).unwrap_or_default();
                let side = |axis: usize| cells.get(axis).copied().flatten().unwrap_or(0);
                seen.verdicts = Verdict::of(&info, (side(2), side(3)), seen.equality.as_ref());
                seen.tensorrt = Some(tensorrt::obstacles(&explained));
                seen.operators.clone_from(&info.operators);
                seen.info = Some(info);
            }
            Err(error) => {
                seen.verdicts = vec![Verdict::refusal(&error)];
                seen.tensorrt = found.model.as_ref().map(tensorrt::obstacles);
                seen.error = Some(error);
            }
        }
        seen
    }

    /// Score, layers and operators, by the same steps as explaining takes, each as far as it can be taken by itself.
    fn look_inside(&mut self, found: &Found, options: &Options) {
        let (Some(model), Some(facts), Some((input, _))) = (&found.model, &found.facts, &self.input) else { return };
        let Ok(seen) = cam::survey(model, facts, input, &options.request(found.class_names)) else { return };
        self.layers = seen.usable;
        self.operators = seen.operators;
        self.without_rule = seen.without_rule;
        self.score = Some(ScoreInfo {
            found: seen.found,
            kind: seen.head.kind(),
            activation: seen.head.activation.name(),
            classes: seen.head.classes,
            output: seen.head.output,
            tensor: seen.head.logits,
        });
    }
}

impl FileInfo {
    fn of(model: &Model) -> FileInfo {
        let mut operators: BTreeMap<String, usize> = BTreeMap::new();
        model.nodes().for_each(|node| *operators.entry(node.op()).or_default() += 1);
        FileInfo {
            producer: model.producer(),
            opset: model.opset(),
            weights: model.initializers().map(|(_, fact)| fact.shape.iter().product::<usize>()).sum(),
            inputs: model.inputs(),
            outputs: model.outputs(),
            operators: operators.into_iter().collect(),
        }
    }
}
