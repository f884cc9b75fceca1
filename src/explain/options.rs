//! What can be asked of an explainer.

use std::path::PathBuf;
use std::time::Duration;

use crate::cam::{Method, Request, ScoreKind};
use crate::engine::Config;
use crate::prep::Overrides;

/// What can be asked of an [`Explainer`](super::Explainer); the fields are spelt as the element's properties are.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The method.
    pub method: Method,
    /// A tensor, node or module of the model, or a comma list of them, whose maps are fused; `None` = the deepest layer with a
    /// spatial grid.
    pub target_layer: Option<String>,
    /// Why this class and not that: the class held against the one that is explained, written as in `target-class`, or a comma list
    /// with one for each target. [`Explainer::set_versus`](super::Explainer::set_versus) changes it later.
    pub versus: Option<String>,
    /// The output that holds the class scores, where the model has several.
    pub score_output: Option<String>,
    /// What these scores belong to, where the graph does not show it.
    pub score_kind: ScoreKind,
    /// Preprocessing that overrides the model's own word.
    pub prep: Overrides,
    /// `(width, height)` instead of the model's own; models that were exported for one size are rewritten where their graph
    /// allows it.
    pub input_size: Option<(usize, usize)>,
    /// `(width, height)` of the frames to come, for the resize mode `full-frame`. `None` = not known yet: the input keeps its
    /// size, and frames are letterboxed.
    pub frame_size: Option<(usize, usize)>,
    /// Class names, one a line (or JSON); `None` = the model's metadata, else a file beside the model.
    pub labels_file: Option<PathBuf>,
    /// ONNX Runtime's shared library.
    pub runtime_library: Option<PathBuf>,
    /// Threads within an operator; 0 = the runtime's choice.
    pub threads: usize,
    /// The longest that one run of the model may take, at load or on a frame; `None` = as long as it takes.
    pub inference_timeout: Option<Duration>,
    /// Compare outputs with the original and gradients with finite differences at load.
    pub self_check: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            method: Method::Auto,
            target_layer: None,
            versus: None,
            score_output: None,
            score_kind: ScoreKind::Auto,
            prep: Overrides::default(),
            input_size: None,
            frame_size: None,
            labels_file: None,
            runtime_library: None,
            threads: 0,
            inference_timeout: Some(Self::INFERENCE_TIMEOUT),
            self_check: true,
        }
    }
}

impl Options {
    /// A model that takes longer for one picture is no model for video.
    pub const INFERENCE_TIMEOUT: Duration = Duration::from_secs(60);

    /// [`Options::inference_timeout`] of a number of seconds; 0 = as long as it takes.
    pub fn inference_timeout_of(seconds: f64) -> Option<Duration> {
        Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero())
    }

    pub(super) fn engine(&self) -> Config {
        Config {
            library: self.runtime_library.clone(),
            threads: self.threads,
            time_limit: self.inference_timeout,
            ..Config::default()
        }
    }

    /// `class_names` of them are known.
    pub(super) fn request(&self, class_names: usize) -> Request<'_> {
        Request {
            method: self.method,
            target_layer: self.target_layer.as_deref(),
            score_output: self.score_output.as_deref(),
            score_kind: self.score_kind,
            class_names: Some(class_names).filter(|&names| names > 0),
            versus: self.versus.is_some(),
            with_gradient: false,
        }
    }
}
