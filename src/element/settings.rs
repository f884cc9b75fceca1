//! THE TABLE of properties: one attribute each, on the instance structure, and their values.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, RwLock};

use gst::glib;
use gst::prelude::*;

use super::heatmap::Heatmap;
use super::mode::{InterimProvider, Mode, OnError, Pace, WaitForModel};
use super::regions::InferenceRegion;
use super::stats::Stats;
use super::stream::State;
use super::tell::Telling;
use super::{
    AlphaMode, ColorFormat, Colormap, ExecutionProvider, LabelPosition, Method, Normalization, OutputMode, Precision,
    Preprocess, ResizeMode, ScoreKind, Smooth,
};
use crate::explain::Options;
use crate::render::{Calm, Style};
use crate::worker::Stopper;

/// The default of `smoothing`.
const SMOOTHING: u32 = Calm::DEFAULT.smoothing.as_millis() as u32;

/// The element's instance.
#[derive(glib::Properties, Default)]
#[properties(wrapper_type = super::GradCam)]
pub struct GradCam {
    #[property(name = "model", get, set, type = Option<String>, member = model, mutable_playing, nick = "Model",
        blurb = "Path of the ONNX classifier (unset = the installed demo model)")]
    #[property(name = "explanations", get, set, type = Option<String>, member = explanations, mutable_ready, nick = "Explanations",
        blurb = "Path of a sidecar that was recorded before: what it tells is painted, and no model is opened (unset = the model explains)")]
    #[property(name = "explanations-offset", get, set, type = i64, member = explanations_offset, mutable_ready, nick = "Explanations' offset",
        blurb = "Nanoseconds of the recording before this video's beginning: frames are matched by stream time")]
    #[property(name = "labels-file", get, set, type = Option<String>, member = labels_file, mutable_playing, nick = "Labels file",
        blurb = "Path of the class names, one a line or JSON (unset = the model's metadata, else a file beside the model)")]
    #[property(name = "method", get, set, type = Method, member = method, mutable_playing, nick = "Method",
        blurb = "How activations and gradients become a map", builder(Method::default()))]
    #[property(name = "target-layer", get, set, type = Option<String>, member = target_layer, mutable_playing, nick = "Target layer",
        blurb = "Tensor, node or module of the model whose activations are explained, or a comma list of them, whose maps are fused (unset = the deepest with a spatial grid)")]
    #[property(name = "resolved-target-layer", get, type = Option<String>, member = resolved_target_layer, nick = "Resolved target layer",
        blurb = "Tensor that is explained, or a comma list of them (null until the model is open)")]
    #[property(name = "target-class", get, set, type = Option<String>, member = target_class, mutable_playing, nick = "Target class",
        blurb = "Class to explain: index, label, or rank (-1 = best, -2 = second best, ...), or a comma list of them (unset = the best class of each frame)")]
    #[property(name = "versus", get, set, type = Option<String>, member = versus, mutable_playing, nick = "Versus",
        blurb = "Why the target class and not this one: index, label or rank, or one for each target class (unset = the target class by itself; set before the start, it may change while playing)")]
    #[property(name = "signed", get, set, type = bool, member = signed, mutable_playing, nick = "Signed",
        blurb = "Maps of either sign: also what speaks against the target class, or for the one in versus")]
    #[property(name = "score-output", get, set, type = Option<String>, member = score_output, mutable_playing, nick = "Score output",
        blurb = "Output of the model that holds the class scores (unset = found by itself)")]
    #[property(name = "score-kind", get, set, type = ScoreKind, member = score_kind, mutable_playing, nick = "Score kind",
        blurb = "What the scores belong to, where the model's graph does not show it", builder(ScoreKind::default()))]
    #[property(name = "preprocess", get, set, type = Preprocess, member = preprocess, mutable_playing, nick = "Preprocessing",
        blurb = "How pixels become the model's input", builder(Preprocess::default()))]
    #[property(name = "mean", get, set, type = Option<String>, member = mean, mutable_playing, nick = "Mean",
        blurb = "\"r,g,b\" on the 0 to 1 scale, in the model's channel order; overrides preprocess (unset = as preprocess says)")]
    #[property(name = "std", get, set, type = Option<String>, member = std, mutable_playing, nick = "Standard deviation",
        blurb = "\"r,g,b\" on the 0 to 1 scale, in the model's channel order; overrides preprocess (unset = as preprocess says)")]
    #[property(name = "color-format", get, set, type = ColorFormat, member = color_format, mutable_playing, nick = "Colour format",
        blurb = "Channel order of the model's input", builder(ColorFormat::default()))]
    #[property(name = "resize-mode", get, set, type = ResizeMode, member = resize_mode, mutable_playing, nick = "Resize mode",
        blurb = "How a frame is fitted to the model's input; the map is fitted back the same way", builder(ResizeMode::default()))]
    #[property(name = "input-size", get, set, type = Option<String>, member = input_size, mutable_playing, nick = "Input size",
        blurb = "\"WxH\" in pixels; a model exported for another size is rewritten where its graph allows it (unset = the model's own)")]
    #[property(name = "alpha", get, set, type = f64, member = alpha, minimum = 0.0, maximum = 1.0, default = 0.5, controllable, mutable_playing, nick = "Alpha",
        blurb = "Opacity of the map: 0 = only the picture, 1 = only the map")]
    #[property(name = "alpha-mode", get, set, type = AlphaMode, member = alpha_mode, mutable_playing, nick = "Alpha mode",
        blurb = "Whether the opacity goes with the heat", builder(AlphaMode::default()))]
    #[property(name = "colormap", get, set, type = Colormap, member = colormap, mutable_playing, nick = "Colour map",
        blurb = "Colours of the map, from where the model does not look to where it does", builder(Colormap::default()))]
    #[property(name = "output-mode", get, set, type = OutputMode, member = output_mode, mutable_playing, nick = "Output mode",
        blurb = "What is painted; side-by-side doubles the frame's width", builder(OutputMode::default()))]
    #[property(name = "threshold", get, set, type = f64, member = threshold, minimum = 0.0, maximum = 1.0, default = f64::from(Style::DEFAULT.threshold), mutable_playing, nick = "Threshold",
        blurb = "Heat at which the outline of output-mode=contour runs, and from which on output-mode=mask lets the picture through")]
    #[property(name = "smooth", get, set, type = Smooth, member = smooth, mutable_playing, nick = "Smooth",
        blurb = "What lies between the values of the map", builder(Smooth::default()))]
    #[property(name = "normalization", get, set, type = Normalization, member = normalization, mutable_playing, nick = "Normalization",
        blurb = "What counts as full heat", builder(Normalization::default()))]
    #[property(name = "smoothing", get, set, type = u32, member = smoothing, minimum = 0, maximum = 60_000, default = SMOOTHING, mutable_playing, nick = "Smoothing",
        blurb = "Milliseconds after which 63 % of a change of the map are seen, at any frame rate (0 = at once)")]
    #[property(name = "confidence-threshold", get, set, type = f64, member = confidence_threshold, minimum = 0.0, maximum = 1.0, default = 0.0, mutable_playing, nick = "Confidence threshold",
        blurb = "A class less likely than this is not painted; where none is, the frame passes as it is")]
    #[property(name = "draw-labels", get, set, type = bool, member = draw_labels, default = true, mutable_playing, nick = "Draw labels",
        blurb = "Write name and probability of the explained classes on the frame, and of the other likeliest where top-k is above 1")]
    #[property(name = "draw-legend", get, set, type = bool, member = draw_legend, mutable_playing, nick = "Draw legend",
        blurb = "Show the map's colours from no heat to full heat")]
    #[property(name = "draw-stats", get, set, type = bool, member = draw_stats, mutable_playing, nick = "Draw statistics",
        blurb = "Write what computes the model, frames a second, and the age of a map that is not this frame's")]
    #[property(name = "label-position", get, set, type = LabelPosition, member = label_position, mutable_playing, nick = "Label position",
        blurb = "Corner of the frame in which all this is written", builder(LabelPosition::default()))]
    #[property(name = "font", get, set, type = Option<String>, member = font, mutable_playing, nick = "Font",
        blurb = "Path of a TrueType or OpenType file to write with (unset = DejaVu Sans, which is built in)")]
    #[property(name = "runtime-library", get, set, type = Option<String>, member = runtime_library, mutable_ready, nick = "Runtime library",
        blurb = "Path of ONNX Runtime's shared library (unset = ORT_DYLIB_PATH, else the installed one, the system's)")]
    #[property(name = "execution-provider", get, set, type = ExecutionProvider, member = execution_provider, mutable_playing, nick = "Execution provider",
        blurb = "What computes the model; one that is named must work", builder(ExecutionProvider::default()))]
    #[property(name = "active-provider", get, type = Option<String>, member = active_provider, nick = "Active provider",
        blurb = "What computes the model now, as execution-provider names it (null until the model is open)")]
    #[property(name = "device", get, set, type = Option<String>, member = device, mutable_playing, nick = "Device",
        blurb = "Which of the provider's devices: 0, 1, ... for TensorRT and CUDA, CPU, GPU, NPU for OpenVINO (unset = the provider's choice)")]
    #[property(name = "provider-options", get, set, type = Option<String>, member = provider_options, mutable_playing, nick = "Provider options",
        blurb = "More options in the provider's own words, \"key=value,key=value\"")]
    #[property(name = "precision", get, set, type = Precision, member = precision, mutable_playing, nick = "Precision",
        blurb = "Numbers that the provider computes in", builder(Precision::default()))]
    #[property(name = "provider-library", get, set, type = Option<String>, member = provider_library, mutable_playing, nick = "Provider library",
        blurb = "Path of the shared library of a provider of its own, such as OpenVINO's plugin (ONNX Runtime's RegisterExecutionProviderLibrary)")]
    #[property(name = "engine-cache-dir", get, set, type = Option<String>, member = engine_cache_dir, mutable_playing, nick = "Engine cache",
        blurb = "Folder for what providers build, to start faster the next time, or \"none\" (unset = gradcam in the user's cache directory)")]
    #[property(name = "interim-provider", get, set, type = InterimProvider, member = interim_provider, mutable_playing, nick = "Interim provider",
        blurb = "What explains while the execution provider builds what it runs, which may take minutes", builder(InterimProvider::default()))]
    #[property(name = "batch-size", get, set, type = u32, member = batch_size, minimum = 1, maximum = 256, default = 1, mutable_playing, nick = "Batch size",
        blurb = "Frames that are explained in one run, of all streams that share the engine; a run takes the time of a full one, and on a CPU a batch gains nothing")]
    #[property(name = "batch-timeout", get, set, type = u32, member = batch_timeout, maximum = 60_000, default = 5, mutable_playing, nick = "Batch timeout",
        blurb = "Milliseconds that a frame waits until its batch is full; then it is run as it is")]
    #[property(name = "threads", get, set, type = u32, member = threads, minimum = 0, maximum = 1024, default = 0, mutable_playing, nick = "Threads",
        blurb = "Threads that compute one frame (0 = automatic)")]
    #[property(name = "inference-timeout", get, set, type = f64, member = inference_timeout, minimum = 0.0, maximum = 86_400.0, default = Options::INFERENCE_TIMEOUT.as_secs_f64(), mutable_playing, nick = "Inference timeout",
        blurb = "Seconds that one run of the model may take, at the start or on a frame, before it is stopped (0 = any)")]
    #[property(name = "self-check", get, set, type = bool, member = self_check, default = true, mutable_playing, nick = "Self-check",
        blurb = "When the model is opened, compare its outputs with the original's and the gradient with finite differences")]
    #[property(name = "share-engine", get, set, type = bool, member = share_engine, default = true, mutable_playing, nick = "Share engine",
        blurb = "Elements of one process with the same model, options and engine-id run on one engine")]
    #[property(name = "engine-id", get, set, type = Option<String>, member = engine_id, mutable_playing, nick = "Engine identifier",
        blurb = "Parts elements that would share an engine otherwise (unset = shared by all that do not set it)")]
    #[property(name = "mode", get, set, type = Mode, member = mode, mutable_ready, nick = "Mode",
        blurb = "Whether a frame waits for its own map", builder(Mode::default()))]
    #[property(name = "wait-for-model", get, set, type = WaitForModel, member = wait_for_model, mutable_ready, nick = "Wait for model",
        blurb = "Whether frames wait until the model is open, or pass without a map until then", builder(WaitForModel::default()))]
    #[property(name = "on-error", get, set, type = OnError, member = on_error, mutable_playing, nick = "On error",
        blurb = "What becomes of the stream when a frame cannot be explained, or the model not opened while frames pass", builder(OnError::default()))]
    #[property(name = "max-in-flight", get, set, type = u32, member = max_in_flight, minimum = 1, maximum = 64, default = 4, mutable_playing, nick = "Frames in flight",
        blurb = "In sync mode, frames that are worked on at once (1 = one after the other)")]
    #[property(name = "inference-region", get, set, type = InferenceRegion, member = inference_region, mutable_ready, nick = "Inference region",
        blurb = "What of a frame is explained: all of it, or each GstVideoRegionOfInterestMeta of a detector upstream by itself", builder(InferenceRegion::default()))]
    #[property(name = "max-regions", get, set, type = u32, member = max_regions, minimum = 1, maximum = 64, default = 8, mutable_playing, nick = "Most regions",
        blurb = "With inference-region=roi-list, regions of a frame that are explained, the largest ones; each is a run of the model, or batch-size of them are")]
    #[property(name = "inference-interval", get, set, type = u32, member = inference_interval, minimum = 1, maximum = u32::MAX, default = 1, mutable_playing, nick = "Inference interval",
        blurb = "Every how many frames the model runs (1 = every frame); between them the newest map is painted")]
    #[property(name = "min-change", get, set, type = f64, member = min_change, minimum = 0.0, maximum = 1.0, default = 0.0, mutable_playing, nick = "Smallest change",
        blurb = "Mean difference of the model's input to that of the last run, as a share of white, below which the map is kept and the model not run (0 = off)")]
    #[property(name = "expire-overlay", get, set, type = u64, member = expire_overlay, default = 1_000_000_000, mutable_playing, nick = "Expire overlay",
        blurb = "Nanoseconds after which a map is not painted any more; over their second half it fades (0 = never)")]
    #[cfg_attr(feature = "fault-injection", property(name = "fault", get, set, type = Option<String>, member = fault, mutable_playing, nick = "Fault injection",
        blurb = "What is to go wrong, for tests: \"fail-every=3,slow-ms=100\""))]
    pub(super) settings: Mutex<Settings>,
    #[property(name = "top-k", get, set, type = u32, member = top_k, minimum = 1, maximum = 100_000, default = 1, mutable_playing, nick = "Top k",
        blurb = "How many of the likeliest classes messages and metas tell; it costs no further run of the model")]
    #[property(name = "post-messages", get, set, type = bool, member = post_messages, mutable_playing, nick = "Post messages",
        blurb = "Post an element message \"gradcam\" on the bus with what was seen; its fields are in docs/messages.md")]
    #[property(name = "message-interval", get, set, type = u64, member = message_interval, default = Telling::INTERVAL, mutable_playing, nick = "Message interval",
        blurb = "Running time from one message to the next, in nanoseconds (0 = one each frame)")]
    #[property(name = "roi", get, set, type = Option<String>, member = roi, mutable_playing, nick = "Region of interest",
        blurb = "\"x,y,width,height\" in shares of the frame, 0 to 1: messages and metas tell how much of the heat lies in it (unset = none)")]
    #[property(name = "attach-meta", get, set, type = bool, member = attach_meta, default = true, mutable_playing, nick = "Attach meta",
        blurb = "Attach what was seen to each frame that bears a map: a GstGradCamMeta, and a GstVideoRegionOfInterestMeta with the box of what is hot")]
    #[property(name = "output-map-meta", get, set, type = bool, member = output_map_meta, mutable_playing, nick = "Output map meta",
        blurb = "Put the raw maps, float32, into the GstGradCamMeta")]
    #[property(name = "sidecar", get, set, type = Option<String>, member = sidecar, mutable_ready, nick = "Sidecar",
        blurb = "Path of a JSON Lines file to write: a header, and a line with what was seen for each frame (unset = none)")]
    #[property(name = "sidecar-maps", get, set, type = bool, member = sidecar_maps, mutable_ready, nick = "Sidecar's maps",
        blurb = "Write the raw maps beside the sidecar, in a file of its name that ends in .gcm: explanations= paints them anew")]
    pub(super) telling: Mutex<Telling>,
    /// The property `stats`, whose type no attribute can give: see `stats::property`.
    pub(super) stats: Stats,
    /// The second source pad.
    pub(super) heatmap: Heatmap,
    /// The streaming thread's; beside it, only start, stop and the end of a flush take it.
    pub(super) state: Mutex<State>,
    /// Ends what the streaming thread waits for, whoever holds `state`.
    pub(super) stopper: Stopper,
    pub(super) pace: Mutex<Pace>,
    /// What is set now and read only at the start comes too late.
    pub(super) started: AtomicBool,
    /// Frames go out at twice the width.
    pub(super) beside: AtomicBool,
    /// They may be to go out at another width than so far.
    pub(super) relaid: AtomicBool,
    /// Held by whoever is asked for caps, so that the width is one from question to answer.
    pub(super) asked: RwLock<()>,
    /// Another model is wished for than the one that is open.
    pub(super) dirty: AtomicBool,
}

/// The properties' values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) model: Option<String>,
    pub(super) explanations: Option<String>,
    pub(super) explanations_offset: i64,
    pub(super) labels_file: Option<String>,
    pub(super) method: Method,
    pub(super) target_layer: Option<String>,
    pub(super) resolved_target_layer: Option<String>,
    pub(super) target_class: Option<String>,
    pub(super) versus: Option<String>,
    pub(super) signed: bool,
    pub(super) score_output: Option<String>,
    pub(super) score_kind: ScoreKind,
    pub(super) preprocess: Preprocess,
    pub(super) mean: Option<String>,
    pub(super) std: Option<String>,
    pub(super) color_format: ColorFormat,
    pub(super) resize_mode: ResizeMode,
    pub(super) input_size: Option<String>,
    pub(super) alpha: f64,
    pub(super) alpha_mode: AlphaMode,
    pub(super) colormap: Colormap,
    pub(super) output_mode: OutputMode,
    pub(super) threshold: f64,
    pub(super) smooth: Smooth,
    pub(super) normalization: Normalization,
    pub(super) smoothing: u32,
    pub(super) confidence_threshold: f64,
    pub(super) draw_labels: bool,
    pub(super) draw_legend: bool,
    pub(super) draw_stats: bool,
    pub(super) label_position: LabelPosition,
    pub(super) font: Option<String>,
    pub(super) runtime_library: Option<String>,
    pub(super) execution_provider: ExecutionProvider,
    pub(super) active_provider: Option<String>,
    pub(super) device: Option<String>,
    pub(super) provider_options: Option<String>,
    pub(super) precision: Precision,
    pub(super) provider_library: Option<String>,
    pub(super) engine_cache_dir: Option<String>,
    pub(super) interim_provider: InterimProvider,
    pub(super) batch_size: u32,
    pub(super) batch_timeout: u32,
    pub(super) threads: u32,
    pub(super) inference_timeout: f64,
    pub(super) self_check: bool,
    pub(super) share_engine: bool,
    pub(super) engine_id: Option<String>,
    pub(super) mode: Mode,
    pub(super) wait_for_model: WaitForModel,
    pub(super) on_error: OnError,
    pub(super) max_in_flight: u32,
    pub(super) inference_region: InferenceRegion,
    pub(super) max_regions: u32,
    pub(super) inference_interval: u32,
    pub(super) min_change: f64,
    pub(super) expire_overlay: u64,
    #[cfg(feature = "fault-injection")]
    pub(super) fault: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: None,
            explanations: None,
            explanations_offset: 0,
            labels_file: None,
            method: Method::default(),
            target_layer: None,
            resolved_target_layer: None,
            target_class: None,
            versus: None,
            signed: false,
            score_output: None,
            score_kind: ScoreKind::default(),
            preprocess: Preprocess::default(),
            mean: None,
            std: None,
            color_format: ColorFormat::default(),
            resize_mode: ResizeMode::default(),
            input_size: None,
            alpha: 0.5,
            alpha_mode: AlphaMode::default(),
            colormap: Colormap::default(),
            output_mode: OutputMode::default(),
            threshold: f64::from(Style::DEFAULT.threshold),
            smooth: Smooth::default(),
            normalization: Normalization::default(),
            smoothing: SMOOTHING,
            confidence_threshold: 0.0,
            draw_labels: true,
            draw_legend: false,
            draw_stats: false,
            label_position: LabelPosition::default(),
            font: None,
            runtime_library: None,
            execution_provider: ExecutionProvider::default(),
            active_provider: None,
            device: None,
            provider_options: None,
            precision: Precision::default(),
            provider_library: None,
            engine_cache_dir: None,
            interim_provider: InterimProvider::default(),
            batch_size: 1,
            batch_timeout: 5,
            threads: 0,
            inference_timeout: Options::INFERENCE_TIMEOUT.as_secs_f64(),
            self_check: true,
            share_engine: true,
            engine_id: None,
            mode: Mode::default(),
            wait_for_model: WaitForModel::default(),
            on_error: OnError::default(),
            max_in_flight: 4,
            inference_region: InferenceRegion::default(),
            max_regions: 8,
            inference_interval: 1,
            min_change: 0.0,
            expire_overlay: 1_000_000_000,
            #[cfg(feature = "fault-injection")]
            fault: None,
        }
    }
}
