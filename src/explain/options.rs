//! What can be asked of an explainer.

use std::path::PathBuf;
use std::time::Duration;

use crate::cam::{Method, Request, ScoreKind};
use crate::engine::{Config, Place, Precision, Provider, cache_folder};
use crate::error::{Error, Result};
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
    /// Maps of either sign, without the ReLU: what is below zero speaks against the class, or for the one held against it.
    pub signed: bool,
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
    /// Pictures that are explained in one run, N; [`Explainer::explain_batch`](super::Explainer::explain_batch) takes up to so many.
    pub batch_size: usize,
    /// Class names, one a line (or JSON); `None` = the model's metadata, else a file beside the model.
    pub labels_file: Option<PathBuf>,
    /// ONNX Runtime's shared library.
    pub runtime_library: Option<PathBuf>,
    /// What computes the model; [`Provider::Auto`] = the first that works of TensorRT, CUDA, OpenVINO and the CPU, a library that is
    /// named before all.
    pub execution_provider: Provider,
    /// Which of the provider's devices, in its own words: "0", "GPU", "NPU"; `None` = its choice.
    pub device: Option<String>,
    /// More options in the provider's own words.
    pub provider_options: Vec<(String, String)>,
    /// Numbers that the provider computes in.
    pub precision: Precision,
    /// The shared library of a provider of its own, for ONNX Runtime's `RegisterExecutionProviderLibrary`.
    pub provider_library: Option<PathBuf>,
    /// The folder for what providers build; `None` = `gradcam` in the user's cache folder, "none" = nothing is kept.
    pub engine_cache_dir: Option<PathBuf>,
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
            signed: false,
            score_output: None,
            score_kind: ScoreKind::Auto,
            prep: Overrides::default(),
            input_size: None,
            frame_size: None,
            batch_size: 1,
            labels_file: None,
            runtime_library: None,
            execution_provider: Provider::Auto,
            device: None,
            provider_options: Vec::new(),
            precision: Precision::Fp32,
            provider_library: None,
            engine_cache_dir: None,
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

    /// The same on the CPU.
    pub fn on_cpu(&self) -> Options {
        let Options { engine_cache_dir, self_check, .. } = self.clone();
        let cpu = Options { execution_provider: Provider::Cpu, engine_cache_dir, self_check, ..Options::default() };
        self.placed_as(&cpu)
    }

    /// Whether a provider is to be tried that may take its time to build what it runs: none that the runtime does not have.
    ///
    /// # Errors
    /// As [`crate::engine::runtime`].
    pub(super) fn leaves_cpu(&self) -> Result<bool> {
        let mut others = self.execution_provider.candidates(self.provider_library.is_some());
        others.retain(|&provider| provider != Provider::Cpu);
        let there = others.into_iter().map(|provider| provider.built_in(self.runtime_library.as_deref()));
        Ok(there.collect::<Result<Vec<bool>>>()?.contains(&true))
    }

    /// The same where others say, and checked if they say so.
    pub(super) fn placed_as(&self, other: &Options) -> Options {
        let other = other.clone();
        Options {
            execution_provider: other.execution_provider,
            device: other.device,
            provider_options: other.provider_options,
            precision: other.precision,
            provider_library: other.provider_library,
            engine_cache_dir: other.engine_cache_dir,
            self_check: other.self_check,
            ..self.clone()
        }
    }

    /// Where a provider is to run.
    pub(super) fn place(&self, provider: Provider) -> Place {
        let cache = match &self.engine_cache_dir {
            Some(folder) if folder.as_os_str() == "none" => None,
            Some(folder) => Some(std::path::absolute(folder).unwrap_or_else(|_| folder.clone())),
            None => cache_folder(),
        };
        Place {
            provider,
            device: self.device.clone(),
            options: self.provider_options.clone(),
            precision: self.precision,
            library: self.provider_library.clone().filter(|_| provider == Provider::Plugin),
            cache,
            ..Place::default()
        }
    }

    /// Refuses wishes that the provider asked for could not meet, before anything is opened.
    pub(super) fn check_place(&self) -> Result<()> {
        let asked = self.execution_provider;
        let refuse = |name, value: String, why: String| Err(Error::Setting { name, value, why });
        if let Some(library) = &self.provider_library
            && !asked.candidates(true).contains(&Provider::Plugin)
        {
            let why = format!("execution-provider={} does not read it; set that to plugin or auto", asked.name());
            return refuse("provider-library", library.display().to_string(), why);
        }
        if asked == Provider::Auto && !self.provider_options.is_empty() {
            let told: Vec<_> = self.provider_options.iter().map(|(key, value)| format!("{key}={value}")).collect();
            return refuse("provider-options", told.join(","), "say in execution-provider whose they are".into());
        }
        let mut named =
            asked.candidates(self.provider_library.is_some()).into_iter().filter(|_| asked != Provider::Auto);
        named.try_for_each(|provider| provider.check(&self.place(provider), self.threads))
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
            signed: self.signed,
            with_gradient: false,
        }
    }
}
