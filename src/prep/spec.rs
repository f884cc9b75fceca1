//! What the model wants to see: size, fit, channel order, mean and deviation, and where that was learnt.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Result;

/// How the numbers are scaled (property `preprocess`).
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preprocess {
    #[default]
    Auto,
    Imagenet,
    ZeroOne,
    MinusOneOne,
    Raw,
}

/// Channel order of the model's input (property `color-format`).
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorFormat {
    Rgb,
    Bgr,
    Gray,
}

/// How a frame is fitted to the model's input (property `resize-mode`).
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResizeMode {
    Crop,
    Stretch,
    Letterbox,
}

/// Order of the input tensor's axes.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    ChannelsFirst,
    ChannelsLast,
}

/// What the user set; `None` = take it from the model.
#[derive(Debug, Clone, Default)]
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
    /// One sentence: where each value was taken from (for the log).
    pub origin: String,
}

impl Spec {
    /// Overrides, else the model's metadata (`gradcam.*` keys), else `<model>.modelinfo`, else ImageNet.
    /// `channels` is 1 or 3; `model` is the file's path, if it has one.
    pub fn resolve(
        (width, height): (usize, usize),
        layout: Layout,
        channels: usize,
        metadata: &BTreeMap<String, String>,
        model: Option<&Path>,
        overrides: &Overrides,
    ) -> Result<Spec> {
        let _ = (width, height, layout, channels, metadata, model, overrides);
        todo!()
    }
}
