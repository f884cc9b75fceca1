//! The options that the subcommands share, spelt as the element's properties are.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use gstgradcam::engine::parse_options;
use gstgradcam::prep::{ColorFormat, Overrides, Preprocess, ResizeMode, parse_size};
use gstgradcam::render::{
    AlphaMode, Calm, Colormap, Corner, Font, Line, Normalization, OutputMode, Smooth, Style, Words,
};
use gstgradcam::{ClassMap, Method, Options, Precision, Provider, ScoreKind};

use crate::Result;

/// One of the words that are known.
pub fn choice<T: Copy + Send + Sync + 'static>(
    all: impl IntoIterator<Item = T>,
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let words: Vec<(&str, T)> = all.into_iter().map(|value| (name(value), value)).collect();
    PossibleValuesParser::new(words.iter().map(|(word, _)| *word))
        .map(move |given| words.iter().find(|(word, _)| *word == given).expect("clap admits only these words").1)
}

/// What `smoothing` may be, in milliseconds.
pub fn smoothing() -> impl TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(..=60_000)
}

/// Videos cannot be read.
#[cfg(not(feature = "plugin"))]
pub fn no_plugin() -> crate::Failure {
    crate::Failure("this gradcam was built without GStreamer; build it with the feature `plugin` for videos".into())
}

/// What is explained, and how the picture is made ready for the model.
#[derive(Debug, Args)]
pub struct ModelOptions {
    /// How activations and gradients become a map
    #[arg(long, default_value = "auto", value_parser = choice(Method::all(), Method::name))]
    method: Method,
    /// Layer to explain: a tensor, node or module; of a comma list the maps are fused [default: the deepest with a spatial grid]
    #[arg(long, value_name = "NAME,...")]
    target_layer: Option<String>,
    /// Explain a class against this one, "why A and not B": an index, name or rank, or one for each target class
    #[arg(long, value_name = "CLASS", allow_hyphen_values = true)]
    versus: Option<String>,
    /// Maps of either sign: also what speaks against the class, or for the one in --versus
    #[arg(long)]
    pub signed: bool,
    /// Output that holds the class scores, where the model has several
    #[arg(long, value_name = "NAME")]
    score_output: Option<String>,
    /// What these scores belong to, where the graph does not show it
    #[arg(long, default_value = "auto", value_parser = choice(ScoreKind::all(), ScoreKind::name))]
    score_kind: ScoreKind,
    /// Scaling of the input values
    #[arg(long, default_value = "auto", value_parser = choice(Preprocess::ALL.iter().copied(), Preprocess::name))]
    preprocess: Preprocess,
    /// Mean per channel on the 0..1 scale, comma-separated
    #[arg(long, value_name = "M,...", value_delimiter = ',', allow_negative_numbers = true)]
    mean: Option<Vec<f32>>,
    /// Standard deviation per channel on the 0..1 scale, comma-separated
    #[arg(long, value_name = "S,...", value_delimiter = ',')]
    std: Option<Vec<f32>>,
    /// Channel order of the model's input [default: the model's word, else rgb]
    #[arg(long, value_parser = choice(ColorFormat::ALL.iter().copied(), ColorFormat::name))]
    color_format: Option<ColorFormat>,
    /// How a picture is fitted to the model's input [default: the model's word, else crop]
    #[arg(long, value_parser = choice(ResizeMode::ALL.iter().copied(), ResizeMode::name))]
    resize_mode: Option<ResizeMode>,
    /// Input size, e.g. 320x240; a model exported for another is rewritten where it can be [default: the model's own]
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    input_size: Option<(usize, usize)>,
    /// Class names: one a line, or JSON [default: the model's metadata, else a file beside the model]
    #[arg(long, value_name = "FILE")]
    labels_file: Option<PathBuf>,
    /// ONNX Runtime's shared library [default: ORT_DYLIB_PATH, else the usual places]
    #[arg(long, value_name = "FILE")]
    runtime_library: Option<PathBuf>,
    /// What computes the model; auto = the first that works
    #[arg(long, default_value = "auto", value_parser = choice(Provider::all(), Provider::name))]
    execution_provider: Provider,
    /// Which of the provider's devices: 0, 1, ... for TensorRT and CUDA, CPU, GPU, NPU for OpenVINO [default: the provider's choice]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// More options in the provider's own words
    #[arg(long, default_value = "", hide_default_value = true, value_name = "K=V,...", value_parser = ProviderOptions::parse)]
    provider_options: ProviderOptions,
    /// Numbers that the provider computes in
    #[arg(long, default_value = "fp32", value_parser = choice(Precision::ALL.iter().copied(), Precision::name))]
    precision: Precision,
    /// Shared library of a provider of its own, such as OpenVINO's plugin
    #[arg(long, value_name = "FILE")]
    provider_library: Option<PathBuf>,
    /// Folder for what providers build, or none [default: gradcam in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    engine_cache_dir: Option<PathBuf>,
    /// Threads within an operator; 0 = the runtime's choice
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
    /// Seconds that one run of the model may take before it is stopped; 0 = any
    #[arg(long, default_value_t = Options::INFERENCE_TIMEOUT.as_secs_f64(), value_name = "S", value_parser = seconds)]
    inference_timeout: f64,
    /// Do not compare the explained model with the original and with finite differences at load
    #[arg(long)]
    no_self_check: bool,
}

/// Options of a provider: a bare list would mean an option that is given several times.
#[derive(Debug, Clone)]
struct ProviderOptions(Vec<(String, String)>);

impl ProviderOptions {
    fn parse(text: &str) -> std::result::Result<Self, String> {
        parse_options(text).map(Self)
    }
}

impl ModelOptions {
    /// As the library takes them.
    pub fn to_options(&self) -> Options {
        Options {
            method: self.method,
            target_layer: self.target_layer.clone(),
            versus: self.versus.clone(),
            signed: self.signed,
            score_output: self.score_output.clone(),
            score_kind: self.score_kind,
            prep: Overrides {
                preprocess: self.preprocess,
                mean: self.mean.clone(),
                std: self.std.clone(),
                color_format: self.color_format,
                resize_mode: self.resize_mode,
            },
            input_size: self.input_size,
            frame_size: None,
            batch_size: 1,
            labels_file: self.labels_file.clone(),
            runtime_library: self.runtime_library.clone(),
            execution_provider: self.execution_provider,
            device: self.device.clone(),
            provider_options: self.provider_options.0.clone(),
            precision: self.precision,
            provider_library: self.provider_library.clone(),
            engine_cache_dir: self.engine_cache_dir.clone(),
            threads: self.threads,
            inference_timeout: Options::inference_timeout_of(self.inference_timeout),
            self_check: !self.no_self_check,
        }
    }

    /// As the element takes them: what was given, by property.
    #[cfg(feature = "plugin")]
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        let list = |values: &Vec<f32>| values.iter().map(f32::to_string).collect::<Vec<_>>().join(",");
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let pairs = self.provider_options.0.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
        let mut given = vec![
            ("method", self.method.name().to_string()),
            ("score-kind", self.score_kind.name().to_string()),
            ("preprocess", self.preprocess.name().to_string()),
            ("execution-provider", self.execution_provider.name().to_string()),
            ("precision", self.precision.name().to_string()),
            ("signed", self.signed.to_string()),
            ("threads", self.threads.to_string()),
            ("inference-timeout", self.inference_timeout.to_string()),
        ];
        let optional = [
            ("target-layer", self.target_layer.clone()),
            ("versus", self.versus.clone()),
            ("score-output", self.score_output.clone()),
            ("mean", self.mean.as_ref().map(list)),
            ("std", self.std.as_ref().map(list)),
            ("color-format", self.color_format.map(|value| value.name().to_string())),
            ("resize-mode", self.resize_mode.map(|value| value.name().to_string())),
            ("input-size", self.input_size.map(|(width, height)| format!("{width}x{height}"))),
            ("labels-file", self.labels_file.as_ref().map(path)),
            ("runtime-library", self.runtime_library.as_ref().map(path)),
            ("device", self.device.clone()),
            ("provider-options", Some(pairs.join(",")).filter(|text| !text.is_empty())),
            ("provider-library", self.provider_library.as_ref().map(path)),
            ("engine-cache-dir", self.engine_cache_dir.as_ref().map(path)),
            ("self-check", self.no_self_check.then(|| "false".into())),
        ];
        given.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        given
    }
}

/// How the map is shown.
#[derive(Debug, Args)]
pub struct PaintOptions {
    /// Opacity of the map, 0 to 1
    #[arg(long, default_value_t = 0.5, value_parser = share)]
    alpha: f32,
    /// Whether the opacity goes with the heat [default: heat on videos, constant on a picture]
    #[arg(long, value_parser = choice(AlphaMode::ALL.iter().copied(), AlphaMode::name))]
    alpha_mode: Option<AlphaMode>,
    /// Colours from cold to hot [default: jet; blue-red for maps of either sign]
    #[arg(long, value_parser = choice(Colormap::all(), Colormap::name))]
    colormap: Option<Colormap>,
    /// What is painted; side-by-side doubles the width
    #[arg(long, default_value = "overlay", value_parser = choice(OutputMode::ALL.iter().copied(), OutputMode::name))]
    output_mode: OutputMode,
    /// Heat, 0 to 1, at which the outline of contour runs, and from which on mask lets the picture through
    #[arg(long, default_value_t = Style::DEFAULT.threshold, value_parser = share)]
    threshold: f32,
    /// What lies between the values of the map
    #[arg(long, default_value = "bilinear", value_parser = choice(Smooth::ALL.iter().copied(), Smooth::name))]
    smooth: Smooth,
    /// What counts as full heat [default: running on videos, frame on a picture]
    #[arg(long, value_parser = choice(Normalization::ALL.iter().copied(), Normalization::name))]
    normalization: Option<Normalization>,
    /// A class less likely than this, 0 to 1, is not painted
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub confidence_threshold: f32,
    /// Write class name and score on the picture (this is the default)
    #[arg(long, overrides_with = "no_draw_labels")]
    draw_labels: bool,
    /// Do not write on the picture
    #[arg(long)]
    no_draw_labels: bool,
    /// Show the map's colours from no heat to full heat
    #[arg(long)]
    draw_legend: bool,
    /// Corner in which all this is written
    #[arg(long, default_value = "top-left", value_parser = choice(Corner::ALL.iter().copied(), Corner::name))]
    label_position: Corner,
    /// TrueType or OpenType file to write with [default: DejaVu Sans, which is built in]
    #[arg(long, value_name = "FILE")]
    font: Option<PathBuf>,
}

impl PaintOptions {
    /// As the painter takes them, for a single picture whose maps have either sign or none.
    pub fn style(&self, signed: bool) -> Style {
        Style {
            colormap: self.colormap.unwrap_or(Colormap::usual(signed)),
            alpha: self.alpha,
            alpha_mode: self.alpha_mode.unwrap_or(AlphaMode::Constant),
            smooth: self.smooth,
            output_mode: self.output_mode,
            threshold: self.threshold,
        }
    }

    /// As the scaler takes them, for a single picture.
    pub fn calm(&self) -> Calm {
        Calm { normalization: self.normalization.unwrap_or(Normalization::Frame), ..Calm::DEFAULT }
    }

    /// Whether to write on the picture: the last of the two flags counts.
    pub fn labels(&self) -> bool {
        self.draw_labels || !self.no_draw_labels
    }

    /// What is written on a single picture.
    pub fn words(&self, maps: &[ClassMap]) -> Words {
        let several = maps.len() > 1;
        let likely = maps.iter().enumerate().filter(|(_, one)| self.labels() && one.score >= self.confidence_threshold);
        let line = |(place, one): (usize, &ClassMap)| Line {
            text: one.caption(),
            bar: Some(one.score),
            hue: several.then_some(place),
        };
        Words { lines: likely.map(line).collect(), legend: self.draw_legend && !several, corner: self.label_position }
    }

    /// The font to write with.
    pub fn font(&self) -> Result<Font> {
        let Some(path) = &self.font else { return Ok(Font::default()) };
        let bytes = std::fs::read(path).map_err(|error| format!("cannot read the font {path:?}: {error}"))?;
        Ok(Font::new(bytes, &path.to_string_lossy())?)
    }

    /// As the element takes them.
    #[cfg(feature = "plugin")]
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        let mut given = vec![
            ("alpha", self.alpha.to_string()),
            ("output-mode", self.output_mode.name().to_string()),
            ("threshold", self.threshold.to_string()),
            ("smooth", self.smooth.name().to_string()),
            ("confidence-threshold", self.confidence_threshold.to_string()),
            ("draw-labels", self.labels().to_string()),
            ("draw-legend", self.draw_legend.to_string()),
            ("label-position", self.label_position.name().to_string()),
        ];
        given.extend(self.colormap.map(|map| ("colormap", map.name().to_string())));
        given.extend(self.alpha_mode.map(|mode| ("alpha-mode", mode.name().to_string())));
        given.extend(self.font.as_ref().map(|path| ("font", path.to_string_lossy().into_owned())));
        given.extend(self.normalization.map(|scale| ("normalization", scale.name().to_string())));
        given
    }
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    let in_range = |time: &f64| (0.0..=86_400.0).contains(time);
    text.parse().ok().filter(in_range).ok_or_else(|| "give a number of seconds from 0 (any time) to 86400".into())
}

fn share(text: &str) -> std::result::Result<f32, String> {
    let in_range = |share: &f32| (0.0..=1.0).contains(share);
    text.parse().ok().filter(in_range).ok_or_else(|| "give a number from 0 to 1".into())
}
