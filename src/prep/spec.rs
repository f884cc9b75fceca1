//! What the model wants to see: size, fit, channel order, mean and deviation, and where that was learnt.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use super::sidecar::Sidecar;
use super::text::{join, parse_numbers};
use crate::error::{Error, Result, names};

/// Mean and deviation of torchvision's ImageNet models.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
/// Those that leave 0..255 as it is.
const RAW: ([f32; 3], [f32; 3]) = ([0.0; 3], [1.0 / 255.0; 3]);

/// How the numbers are scaled (property `preprocess`).
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preprocess {
    /// As the model says.
    #[default]
    Auto,
    /// `(x / 255 - mean) / std` with ImageNet's figures.
    Imagenet,
    /// 0..1.
    ZeroOne,
    /// -1..1.
    MinusOneOne,
    /// 0..255.
    Raw,
}

names!(Preprocess, "preprocess": Auto = "auto", Imagenet = "imagenet", ZeroOne = "zero-one",
    MinusOneOne = "minus-one-one", Raw = "raw");

impl Preprocess {
    /// Mean and deviation of red, green and blue on the 0..1 scale; `None` for `Auto`.
    fn scaling(self) -> Option<([f32; 3], [f32; 3])> {
        match self {
            Preprocess::Auto => None,
            Preprocess::Imagenet => Some(IMAGENET),
            Preprocess::ZeroOne => Some(([0.0; 3], [1.0; 3])),
            Preprocess::MinusOneOne => Some(([0.5; 3], [0.5; 3])),
            Preprocess::Raw => Some(RAW),
        }
    }
}

/// Channel order of the model's input (property `color-format`).
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorFormat {
    Rgb,
    Bgr,
    Gray,
}

names!(ColorFormat, "color-format": Rgb = "rgb", Bgr = "bgr", Gray = "gray");

/// How a frame is fitted to the model's input (property `resize-mode`).
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResizeMode {
    /// The largest centred part with the input's proportions.
    Crop,
    /// The whole frame, distorted.
    Stretch,
    /// The whole frame, undistorted, grey beside it.
    Letterbox,
    /// The whole frame, undistorted, in an input of the frame's own proportions: see [`full_frame`](super::full_frame).
    FullFrame,
}

names!(ResizeMode, "resize-mode": Crop = "crop", Stretch = "stretch", Letterbox = "letterbox",
    FullFrame = "full-frame");

/// Order of the input tensor's axes.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    ChannelsFirst,
    ChannelsLast,
}

/// Where mean and deviation come from if from nowhere.
const ASSUMED: &str = "default (imagenet)";

/// What the elements of the model's input hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Floating-point numbers.
    Float,
    /// uint8, as pixels are.
    Unsigned,
    /// int8, pixels less 128.
    Signed,
}

impl Element {
    /// The scaling where nobody says one, and its name.
    fn usual(self) -> (([f32; 3], [f32; 3]), &'static str) {
        match self {
            Element::Float => (IMAGENET, ASSUMED),
            Element::Unsigned => (RAW, "default (raw, the input being uint8)"),
            Element::Signed => (([128.0 / 255.0; 3], RAW.1), "default (pixels less 128, the input being int8)"),
        }
    }

    /// Whether it holds what becomes of 0..255, in a fair number of steps.
    fn holds(self, mean: f32, std: f32) -> bool {
        let (dark, bright) = (-mean / std, (1.0 - mean) / std);
        let within = |low: f32, high: f32| dark > low - 0.5 && bright < high + 0.5 && bright - dark > 16.0;
        match self {
            Element::Float => true,
            Element::Unsigned => within(0.0, 255.0),
            Element::Signed => within(-128.0, 127.0),
        }
    }
}

/// What the user set; `None` = take it from the model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Named scaling.
    pub preprocess: Preprocess,
    /// Per channel, on the 0..1 scale, in the model's channel order.
    pub mean: Option<Vec<f32>>,
    /// Per channel, on the 0..1 scale, in the model's channel order.
    pub std: Option<Vec<f32>>,
    /// Channel order.
    pub color_format: Option<ColorFormat>,
    /// Fit.
    pub resize_mode: Option<ResizeMode>,
}

/// Resolved: `tensor = (pixel / 255 - mean) / std`.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Input width in pixels.
    pub width: usize,
    /// Input height in pixels.
    pub height: usize,
    /// Axis order.
    pub layout: Layout,
    /// Channel order; `Gray` = one channel.
    pub color_format: ColorFormat,
    /// Fit.
    pub resize_mode: ResizeMode,
    /// One per channel.
    pub mean: Vec<f32>,
    /// One per channel.
    pub std: Vec<f32>,
    /// Whether nobody says what mean and deviation are, so that ImageNet's were taken.
    pub assumed: bool,
    /// One sentence: where each value was taken from (for the log).
    pub origin: String,
}

impl Spec {
    /// The metadata entries that [`Spec::resolve`] reads back, for writing into a model.
    pub fn metadata(&self) -> [(&'static str, String); 4] {
        [
            ("gradcam.mean", join(&self.mean)),
            ("gradcam.std", join(&self.std)),
            ("gradcam.color-format", self.color_format.name().into()),
            ("gradcam.resize-mode", self.resize_mode.name().into()),
        ]
    }

    /// Overrides, else the model's metadata (`gradcam.mean`, `gradcam.std`, `gradcam.preprocess`, `gradcam.color-format`,
    /// `gradcam.resize-mode`), else the same keys or GStreamer's `ranges` in `<model>.modelinfo`, else ImageNet (for
    /// integers the pixels as they are), RGB and crop; each value by itself. `channels` is 1 or 3; `model` is the file's path, if
    /// it has one.
    ///
    /// A list of one number holds for every channel, and three are averaged for a grey model.
    pub fn resolve(
        (width, height): (usize, usize),
        layout: Layout,
        (channels, element): (usize, Element),
        metadata: &BTreeMap<String, String>,
        model: Option<&Path>,
        overrides: &Overrides,
    ) -> Result<Spec> {
        if !matches!(channels, 1 | 3) || width == 0 || height == 0 {
            let why = format!(
                "its input is {width}x{height} with {channels} channels; \
                 a picture of 1 (grey) or 3 (colour) channels is needed"
            );
            return Err(Error::ModelUnusable { why });
        }
        let sidecar = model.map(Sidecar::beside).transpose()?.flatten();
        let sources = Source::all(metadata, sidecar.as_ref());

        let (color_format, color_origin) = color_format(channels, &sources, overrides)?;
        let (resize_mode, resize_origin) = match overrides.resize_mode {
            Some(mode) => (mode, "the option".into()),
            None => {
                first(&sources, |source| source.named("resize-mode"))?.unwrap_or((ResizeMode::Crop, "default".into()))
            }
        };
        let ordered = |(mean, std)| [in_order(mean, color_format), in_order(std, color_format)];
        let by_name = |preset: Preprocess| preset.scaling().map(ordered);
        let pick = |which: Which, own: &Option<Vec<f32>>| -> Result<(Vec<f32>, String)> {
            if let Some(list) = own {
                let refuse = |why| Error::Setting { name: which.key(), value: join(list), why };
                return Ok((which.checked(list, channels).map_err(refuse)?, "the option".into()));
            }
            if let Some(both) = by_name(overrides.preprocess) {
                return Ok((which.of(both), format!("the option preprocess={}", overrides.preprocess.name())));
            }
            let found = first(&sources, |source| {
                if let Some(list) = source.numbers(which, channels)? {
                    return Ok(Some(list));
                }
                Ok(source.named::<Preprocess>("preprocess")?.and_then(by_name).map(|both| which.of(both)))
            })?;
            let (usual, name) = element.usual();
            Ok(found.unwrap_or_else(|| (which.of(ordered(usual)), name.into())))
        };
        let (mean, mean_origin) = pick(Which::Mean, &overrides.mean)?;
        let (std, std_origin) = pick(Which::Std, &overrides.std)?;
        if !mean.iter().zip(&std).all(|(mean, std)| element.holds(*mean, *std)) {
            let why = format!(
                "preprocess, mean and std ({mean_origin}) make numbers of the pixels that its integer input cannot hold; set \
                 preprocess=raw, or mean and std so that 0..255 becomes the input's own range"
            );
            return Err(Error::ModelUnusable { why });
        }
        let origin = format!(
            "mean {} from {mean_origin}, std {} from {std_origin}, color-format {} from {color_origin}, \
             resize-mode {} from {resize_origin}",
            join(&mean),
            join(&std),
            color_format.name(),
            resize_mode.name(),
        );
        let assumed = [mean_origin, std_origin].contains(&ASSUMED.into());
        Ok(Spec { width, height, layout, color_format, resize_mode, mean, std, assumed, origin })
    }
}

fn color_format(channels: usize, sources: &[Source], overrides: &Overrides) -> Result<(ColorFormat, String)> {
    let suits = |format: ColorFormat| (format == ColorFormat::Gray) == (channels == 1);
    let way_out = || match channels {
        1 => "the model's input has 1 channel; use gray".to_owned(),
        _ => format!("the model's input has {channels} channels; use rgb or bgr"),
    };
    if let Some(format) = overrides.color_format {
        if suits(format) {
            return Ok((format, "the option".into()));
        }
        return Err(Error::Setting { name: "color-format", value: format.name().into(), why: way_out() });
    }
    let found = first(sources, |source| match source.named("color-format")? {
        Some(format) if !suits(format) => Err(source.refuse("color-format", format.name(), &way_out())),
        found => Ok(found),
    })?;
    let default = if channels == 1 { ColorFormat::Gray } else { ColorFormat::Rgb };
    Ok(found.unwrap_or((default, "default".into())))
}

/// Mean or deviation: two lists that are found the same way.
#[derive(Clone, Copy)]
enum Which {
    Mean,
    Std,
}

impl Which {
    fn key(self) -> &'static str {
        match self {
            Which::Mean => "mean",
            Which::Std => "std",
        }
    }

    fn of(self, [mean, std]: [Vec<f32>; 2]) -> Vec<f32> {
        match self {
            Which::Mean => mean,
            Which::Std => std,
        }
    }

    /// One number for each channel, or why there is none.
    fn checked(self, list: &[f32], channels: usize) -> Result<Vec<f32>, String> {
        let usable = |v: &f32| v.is_finite() && (matches!(self, Which::Mean) || *v > 0.0);
        if !list.iter().all(usable) {
            let kind = if matches!(self, Which::Mean) { "finite numbers" } else { "numbers above 0" };
            return Err(format!("{kind} are needed, on the scale of 0..1"));
        }
        match (list, channels) {
            ([one], _) => Ok(vec![*one; channels]),
            ([a, b, c], 1) => Ok(vec![(a + b + c) / 3.0]),
            _ if list.len() == channels => Ok(list.to_vec()),
            _ => Err(format!("{} numbers for {channels} channel(s); give one for each", list.len())),
        }
    }
}

/// A place that may know how the model was trained.
struct Source<'a> {
    keys: &'a BTreeMap<String, String>,
    /// What its keys begin with.
    prefix: &'static str,
    name: String,
}

impl<'a> Source<'a> {
    /// All there are, the stronger first.
    fn all(metadata: &'a BTreeMap<String, String>, sidecar: Option<&'a Sidecar>) -> Vec<Self> {
        let metadata = Source { keys: metadata, prefix: "gradcam.", name: "the model's metadata".into() };
        let sidecar =
            sidecar.map(|file| Source { keys: &file.keys, prefix: "", name: format!("{}", file.path.display()) });
        std::iter::once(metadata).chain(sidecar).collect()
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.keys.get(&format!("{}{key}", self.prefix)).map(|value| value.trim())
    }

    fn refuse(&self, key: &str, value: &str, why: &str) -> Error {
        let option = if key == "ranges" { "mean and std" } else { key };
        let why = format!(
            "{}{key}={value} in {}: {why}; correct it there, or set the option {option}",
            self.prefix, self.name
        );
        Error::ModelUnusable { why }
    }

    /// The value of a key that names something.
    fn named<T: FromStr<Err = Error>>(&self, key: &str) -> Result<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let parsed = value.parse().map_err(|e| match e {
            Error::Setting { why, .. } => self.refuse(key, value, &why),
            other => other,
        });
        parsed.map(Some)
    }

    /// A list of numbers: under its own name, else from the pairs of `ranges`.
    fn numbers(&self, which: Which, channels: usize) -> Result<Option<Vec<f32>>> {
        if let Some(text) = self.get(which.key()) {
            let list = parse_numbers(text).and_then(|list| which.checked(&list, channels));
            return list.map(Some).map_err(|why| self.refuse(which.key(), text, &why));
        }
        let Some(text) = self.get("ranges") else { return Ok(None) };
        let list = from_ranges(text).and_then(|both| which.checked(&which.of(both), channels));
        list.map(Some).map_err(|why| self.refuse("ranges", text, &why))
    }
}

/// GStreamer's `ranges=min,max;min,max`: 0..255 becomes min..max, that is `(x / 255 - mean) / std`.
fn from_ranges(text: &str) -> Result<[Vec<f32>; 2], String> {
    let mut both = [Vec::new(), Vec::new()];
    for pair in text.split(';').filter(|pair| !pair.trim().is_empty()) {
        match parse_numbers(pair)?[..] {
            [min, max] if min < max => {
                both[0].push((0.0 - min) / (max - min)); // 0 - 0 has no sign to print
                both[1].push(1.0 / (max - min));
            }
            _ => return Err(format!("{:?} is not a pair of a smaller and a greater number", pair.trim())),
        }
    }
    Ok(both)
}

/// The first source that has an answer, with its name.
fn first<T>(sources: &[Source], ask: impl Fn(&Source) -> Result<Option<T>>) -> Result<Option<(T, String)>> {
    for source in sources {
        if let Some(found) = ask(source)? {
            return Ok(Some((found, source.name.clone())));
        }
    }
    Ok(None)
}

/// Figures of red, green and blue in the model's own order.
fn in_order([r, g, b]: [f32; 3], format: ColorFormat) -> Vec<f32> {
    match format {
        ColorFormat::Rgb => vec![r, g, b],
        ColorFormat::Bgr => vec![b, g, r],
        ColorFormat::Gray => vec![(r + g + b) / 3.0],
    }
}
