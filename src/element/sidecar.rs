//! The property `sidecar`: what was seen, written down frame for frame.

use std::path::Path;

use gst::glib;
use gst::prelude::*;
use serde_json::{Map, Value};

use super::GradCam;
use super::session::Stamp;
use super::shown::Shown;
use crate::engine::checksum;
use crate::error::Result;
use crate::explain::ModelInfo;
use crate::record::{Header, Record, Recorder};

/// The properties that frames are painted by, as far as they can be painted the same way again.
const SETTINGS: &[&str] = &[
    "alpha",
    "alpha-mode",
    "colormap",
    "confidence-threshold",
    "draw-labels",
    "draw-legend",
    "expire-overlay",
    "font",
    "label-position",
    "normalization",
    "output-mode",
    "smooth",
    "smoothing",
    "threshold",
    "top-k",
];

/// Their names.
pub fn recorded_settings() -> &'static [&'static str] {
    SETTINGS
}

/// A recording in the making.
#[derive(Debug)]
pub(super) struct Sidecar {
    recorder: Recorder,
    /// The frame that the latest maps are of, and the first one's number.
    latest: Option<(Stamp, Option<u64>)>,
}

impl Sidecar {
    /// # Errors
    /// [`Error::Unwritable`](crate::Error::Unwritable), as for all that follows.
    pub(super) fn create(file: &str, with_maps: bool) -> Result<Sidecar> {
        Ok(Sidecar { recorder: Recorder::create(Path::new(file), with_maps)?, latest: None })
    }

    /// Writes a frame's line, behind its maps if they are new.
    pub(super) fn frame(
        &mut self,
        (element, opened): (&GradCam, Option<(&Path, &ModelInfo)>),
        record: &Record,
        shown: Option<&Shown>,
    ) -> Result<()> {
        if !self.recorder.is_begun() {
            self.recorder.begin(&header(element, opened, record.size))?;
        }
        let map = match (shown, self.latest) {
            (None, _) => None,
            (Some(shown), Some((of, number))) if of == shown.of => number,
            (Some(shown), _) => {
                let maps = shown.pictures.iter().flat_map(|picture| &picture.seen.maps);
                let number = self.recorder.maps(record, maps)?;
                self.latest = Some((shown.of, number));
                number
            }
        };
        self.recorder.frame(record, map.zip(shown.map(|shown| shown.of.scene)))
    }

    pub(super) fn close(&mut self) -> Result<()> {
        self.recorder.close()
    }
}

/// As the element is set up at its first frame.
fn header(element: &GradCam, opened: Option<(&Path, &ModelInfo)>, size: (usize, usize)) -> Header {
    let (model, info) = opened.unzip();
    let caps = element.static_pad("sink").and_then(|pad| pad.current_caps());
    Header {
        version: env!("CARGO_PKG_VERSION").into(),
        model: model.map_or_else(String::new, |file| file.to_string_lossy().into_owned()),
        model_sha256: model.and_then(|file| checksum(file).ok()),
        method: info.map_or("", |info| info.method.name()).into(),
        layer: info.map_or_else(String::new, |info| info.layers.join(",")),
        signed: info.is_some_and(|info| info.signed),
        settings: settings(element),
        size,
        caps: caps.map_or_else(String::new, |caps| caps.to_string()),
    }
}

fn settings(element: &GradCam) -> Map<String, Value> {
    let all = SETTINGS.iter().map(|name| (name.to_string(), plain(&element.property_value(name))));
    all.filter(|(_, value)| !value.is_null()).collect()
}

/// A property's value, as JSON has it; of a list of choices its name.
fn plain(value: &glib::Value) -> Value {
    if let Some((_, choice)) = glib::EnumValue::from_value(value) {
        return choice.nick().into();
    }
    let number = value.get::<f64>().map(Value::from).or_else(|_| value.get::<u32>().map(Value::from));
    let number = number.or_else(|_| value.get::<u64>().map(Value::from));
    let other = number.or_else(|_| value.get::<bool>().map(Value::from));
    other.unwrap_or_else(|_| value.get::<Option<String>>().ok().flatten().into())
}
