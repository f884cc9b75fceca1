//! THE TABLE of properties: one attribute each, on the instance structure; and what they say, as the library's options.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use gst::glib;
use gst::prelude::*;

use super::imp::State;
use super::{ColorFormat, Colormap, Method, Preprocess, ResizeMode, ScoreKind};
use crate::engine::data_folder;
use crate::error::{Error, Result};
use crate::explain::Options;
use crate::prep::{Overrides, parse_numbers, parse_size};
use crate::render::Style;
use crate::worker::Stopper;

/// The element's instance.
#[derive(glib::Properties, Default)]
#[properties(wrapper_type = super::GradCam)]
pub struct GradCam {
    #[property(name = "model", get, set, type = Option<String>, member = model, mutable_ready, nick = "Model",
        blurb = "Path of the ONNX classifier (unset = the installed demo model, gradcam/efficientnet-lite0.onnx in the user's data directory)")]
    #[property(name = "labels-file", get, set, type = Option<String>, member = labels_file, mutable_ready, nick = "Labels file",
        blurb = "Path of the class names, one a line or JSON (unset = the model's metadata, else a file beside the model)")]
    #[property(name = "method", get, set, type = Method, member = method, mutable_ready, nick = "Method",
        blurb = "How activations and gradients become a map", builder(Method::default()))]
    #[property(name = "target-layer", get, set, type = Option<String>, member = target_layer, mutable_ready, nick = "Target layer",
        blurb = "Tensor, node or module of the model whose activations are explained, or a comma list of them, whose maps are fused (unset = the deepest with a spatial grid)")]
    #[property(name = "resolved-target-layer", get, type = Option<String>, member = resolved_target_layer, nick = "Resolved target layer",
        blurb = "Tensor that is explained, or a comma list of them (null until the model is open)")]
    #[property(name = "target-class", get, set, type = Option<String>, member = target_class, mutable_playing, nick = "Target class",
        blurb = "Class to explain: index, label, or rank (-1 = best, -2 = second best, ...), or a comma list of them (unset = the best class of each frame)")]
    #[property(name = "versus", get, set, type = Option<String>, member = versus, mutable_playing, nick = "Versus",
        blurb = "Why the target class and not this one: index, label or rank, or one for each target class (unset = the target class by itself; set before the start, it may change while playing)")]
    #[property(name = "score-output", get, set, type = Option<String>, member = score_output, mutable_ready, nick = "Score output",
        blurb = "Output of the model that holds the class scores (unset = found by itself)")]
    #[property(name = "score-kind", get, set, type = ScoreKind, member = score_kind, mutable_ready, nick = "Score kind",
        blurb = "What the scores belong to, where the model's graph does not show it", builder(ScoreKind::default()))]
    #[property(name = "preprocess", get, set, type = Preprocess, member = preprocess, mutable_ready, nick = "Preprocessing",
        blurb = "How pixels become the model's input", builder(Preprocess::default()))]
    #[property(name = "mean", get, set, type = Option<String>, member = mean, mutable_ready, nick = "Mean",
        blurb = "\"r,g,b\" on the 0 to 1 scale, in the model's channel order; overrides preprocess (unset = as preprocess says)")]
    #[property(name = "std", get, set, type = Option<String>, member = std, mutable_ready, nick = "Standard deviation",
        blurb = "\"r,g,b\" on the 0 to 1 scale, in the model's channel order; overrides preprocess (unset = as preprocess says)")]
    #[property(name = "color-format", get, set, type = ColorFormat, member = color_format, mutable_ready, nick = "Colour format",
        blurb = "Channel order of the model's input", builder(ColorFormat::default()))]
    #[property(name = "resize-mode", get, set, type = ResizeMode, member = resize_mode, mutable_ready, nick = "Resize mode",
        blurb = "How a frame is fitted to the model's input; the map is fitted back the same way", builder(ResizeMode::default()))]
    #[property(name = "input-size", get, set, type = Option<String>, member = input_size, mutable_ready, nick = "Input size",
        blurb = "\"WxH\" in pixels; a model exported for another size is rewritten where its graph allows it (unset = the model's own)")]
    #[property(name = "alpha", get, set, type = f64, member = alpha, minimum = 0.0, maximum = 1.0, default = 0.5, controllable, mutable_playing, nick = "Alpha",
        blurb = "Opacity of the map: 0 = only the picture, 1 = only the map")]
    #[property(name = "colormap", get, set, type = Colormap, member = colormap, mutable_playing, nick = "Colour map",
        blurb = "Colours of the map, from where the model does not look to where it does", builder(Colormap::default()))]
    #[property(name = "draw-labels", get, set, type = bool, member = draw_labels, default = true, mutable_playing, nick = "Draw labels",
        blurb = "Write name and probability of the explained classes on the frame")]
    #[property(name = "runtime-library", get, set, type = Option<String>, member = runtime_library, mutable_ready, nick = "Runtime library",
        blurb = "Path of ONNX Runtime's shared library (unset = ORT_DYLIB_PATH, else beside the plugin, the user's data directory, the system)")]
    #[property(name = "threads", get, set, type = u32, member = threads, minimum = 0, maximum = 1024, default = 0, mutable_ready, nick = "Threads",
        blurb = "Threads that compute one frame (0 = automatic)")]
    #[property(name = "time-limit", get, set, type = f64, member = time_limit, minimum = 0.0, maximum = 86_400.0, default = Options::TIME_LIMIT.as_secs_f64(), mutable_ready, nick = "Time limit",
        blurb = "Seconds that one run of the model may take, at the start or on a frame, before it is stopped (0 = any)")]
    #[property(name = "self-check", get, set, type = bool, member = self_check, default = true, mutable_ready, nick = "Self-check",
        blurb = "When the model is opened, compare its outputs with the original's and the gradient with finite differences")]
    pub(super) settings: Mutex<Settings>,
    /// Held by the streaming thread for the length of a frame; beside it, only start and stop take it.
    pub(super) state: Mutex<State>,
    /// Cancels the run in progress, whoever holds `state`.
    pub(super) stopper: Mutex<Option<Stopper>>,
    /// A model is open: what is set now and read only at the start comes too late.
    pub(super) started: AtomicBool,
}

/// The properties' values.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    model: Option<String>,
    labels_file: Option<String>,
    method: Method,
    target_layer: Option<String>,
    pub(super) resolved_target_layer: Option<String>,
    target_class: Option<String>,
    versus: Option<String>,
    score_output: Option<String>,
    score_kind: ScoreKind,
    preprocess: Preprocess,
    mean: Option<String>,
    std: Option<String>,
    color_format: ColorFormat,
    resize_mode: ResizeMode,
    input_size: Option<String>,
    alpha: f64,
    colormap: Colormap,
    draw_labels: bool,
    runtime_library: Option<String>,
    threads: u32,
    time_limit: f64,
    self_check: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: None,
            labels_file: None,
            method: Method::default(),
            target_layer: None,
            resolved_target_layer: None,
            target_class: None,
            versus: None,
            score_output: None,
            score_kind: ScoreKind::default(),
            preprocess: Preprocess::default(),
            mean: None,
            std: None,
            color_format: ColorFormat::default(),
            resize_mode: ResizeMode::default(),
            input_size: None,
            alpha: 0.5,
            colormap: Colormap::default(),
            draw_labels: true,
            runtime_library: None,
            threads: 0,
            time_limit: Options::TIME_LIMIT.as_secs_f64(),
            self_check: true,
        }
    }
}

/// What may change from frame to frame.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) style: Style,
    pub(super) draw_labels: bool,
    /// "" = the best class.
    pub(super) target_class: String,
    /// "" = none.
    pub(super) versus: String,
}

impl Settings {
    /// The model to open.
    pub(super) fn model(&self) -> Result<PathBuf> {
        if let Some(path) = set(&self.model) {
            return Ok(path.into());
        }
        let path = data_folder().unwrap_or_default().join("efficientnet-lite0.onnx");
        if path.exists() { Ok(path) } else { Err(Error::NoModel { path }) }
    }

    pub(super) fn options(&self) -> Result<Options> {
        Ok(Options {
            method: self.method.into(),
            target_layer: set(&self.target_layer).map(str::to_owned),
            versus: set(&self.versus).map(str::to_owned),
            score_output: set(&self.score_output).map(str::to_owned),
            score_kind: self.score_kind.into(),
            prep: Overrides {
                preprocess: self.preprocess.into(),
                mean: set(&self.mean).map(|text| numbers("mean", text)).transpose()?,
                std: set(&self.std).map(|text| numbers("std", text)).transpose()?,
                color_format: self.color_format.into(),
                resize_mode: self.resize_mode.into(),
            },
            input_size: set(&self.input_size).map(size).transpose()?,
            frame_size: None,
            labels_file: set(&self.labels_file).map(PathBuf::from),
            runtime_library: set(&self.runtime_library).map(PathBuf::from),
            threads: self.threads as usize,
            time_limit: Options::time_limit_of(self.time_limit),
            self_check: self.self_check,
        })
    }

    pub(super) fn live(&self) -> Live {
        Live {
            style: Style { colormap: self.colormap.into(), alpha: self.alpha as f32, ..Style::DEFAULT },
            draw_labels: self.draw_labels,
            target_class: self.target_class.clone().unwrap_or_default(),
            versus: self.versus.clone().unwrap_or_default(),
        }
    }
}

/// An empty text is as good as none: gst-launch cannot unset a property.
fn set(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn numbers(name: &'static str, text: &str) -> Result<Vec<f32>> {
    let finite = |list: Vec<f32>| match list.iter().find(|n| !n.is_finite()) {
        Some(n) => Err(format!("{n} is not a finite number")),
        None => Ok(list),
    };
    parse_numbers(text).and_then(finite).map_err(|why| Error::Setting {
        name,
        value: text.into(),
        why: format!("{why}; expected one number a channel, as in \"0.485,0.456,0.406\""),
    })
}

fn size(text: &str) -> Result<(usize, usize)> {
    parse_size(text).map_err(|why| Error::Setting { name: "input-size", value: text.into(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_number_lists_are_read_or_explained() {
        assert_eq!(size("320x 240").unwrap(), (320, 240));
        assert_eq!(numbers("mean", "0.5, 0.25,1").unwrap(), [0.5, 0.25, 1.0]);
        for text in ["", "224", "0x5", "x", "-1x3", "1e3x2", "axb"] {
            assert!(size(text).unwrap_err().to_string().contains("224x224"), "{text:?}");
        }
        for text in ["a", "1,,2", "nan,1,1", "1;2"] {
            assert!(numbers("std", text).unwrap_err().to_string().starts_with("std="), "{text:?}");
        }
    }

    #[test]
    fn an_empty_text_is_an_unset_property() {
        let settings = Settings { mean: Some(String::new()), input_size: Some(String::new()), ..Settings::default() };
        let options = settings.options().unwrap();
        assert_eq!((options.prep.mean, options.input_size), (None, None));
    }
}
