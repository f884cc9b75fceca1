//! What the properties wish for, as the library's options, and what of it may change from frame to frame.

use std::path::PathBuf;
use std::time::Duration;

use super::OutputMode;
use super::mode::OnError;
use super::playback::Playback;
use super::settings::Settings;
use crate::engine::{own_folders, parse_options};
use crate::error::{Error, Result};
use crate::explain::Options;
use crate::prep::{Overrides, parse_numbers, parse_size};
use crate::render::{Calm, Colormap, Corner, Style};
use crate::worker::Source;

/// What may change from frame to frame.
#[derive(Debug, Clone)]
pub(super) struct Live {
    /// But for the colour map, where that is left to the maps.
    pub(super) style: Style,
    /// `None` = as suits the maps.
    pub(super) colormap: Option<Colormap>,
    pub(super) calm: Calm,
    pub(super) confidence_threshold: f32,
    pub(super) draw_labels: bool,
    pub(super) draw_legend: bool,
    pub(super) draw_stats: bool,
    pub(super) corner: Corner,
    /// "" = the one that is built in.
    pub(super) font: String,
    /// "" = the best class.
    pub(super) target_class: String,
    /// "" = none.
    pub(super) versus: String,
    pub(super) on_error: OnError,
    pub(super) max_regions: usize,
    pub(super) inference_interval: u32,
    pub(super) min_change: f32,
    /// `None` = never.
    pub(super) expire_overlay: Option<Duration>,
}

impl Settings {
    fn model(&self) -> Result<PathBuf> {
        if let Some(path) = set(&self.model) {
            return Ok(path.into());
        }
        let mut paths = own_folders().into_iter().map(|folder| folder.join("efficientnet-lite0.onnx")).peekable();
        let users = paths.peek().cloned().unwrap_or_default();
        paths.find(|path| path.exists()).ok_or(Error::NoModel { path: users })
    }

    /// The recording that is to be painted in the place of what a model sees.
    pub(super) fn playback(&self) -> Result<Option<Playback>> {
        set(&self.explanations).map(|file| Playback::open(file, self.explanations_offset)).transpose()
    }

    /// What to open.
    pub(super) fn source(&self) -> Result<Source> {
        Ok(Source {
            model: self.model()?,
            options: self.options()?,
            share: self.share_engine,
            engine_id: self.engine_id.clone().unwrap_or_default(),
            // Of no account without batches, it parts no streams.
            batch_timeout: Duration::from_millis(if self.batch_size > 1 { self.batch_timeout.into() } else { 0 }),
            #[cfg(feature = "fault-injection")]
            fault: self.fault.clone().unwrap_or_default(),
        })
    }

    fn options(&self) -> Result<Options> {
        Ok(Options {
            method: self.method.into(),
            target_layer: set(&self.target_layer).map(str::to_owned),
            versus: set(&self.versus).map(str::to_owned),
            signed: self.signed,
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
            batch_size: self.batch_size as usize,
            labels_file: set(&self.labels_file).map(PathBuf::from),
            runtime_library: set(&self.runtime_library).map(PathBuf::from),
            execution_provider: self.execution_provider.into(),
            device: set(&self.device).map(str::to_owned),
            provider_options: set(&self.provider_options).map(pairs).transpose()?.unwrap_or_default(),
            precision: self.precision.into(),
            provider_library: set(&self.provider_library).map(PathBuf::from),
            engine_cache_dir: set(&self.engine_cache_dir).map(PathBuf::from),
            threads: self.threads as usize,
            inference_timeout: Options::inference_timeout_of(self.inference_timeout),
            self_check: self.self_check,
        })
    }

    /// Whether frames are to go out at twice the width.
    pub(super) fn is_beside(&self) -> bool {
        self.output_mode == OutputMode::SideBySide
    }

    pub(super) fn live(&self) -> Live {
        Live {
            style: Style {
                alpha: self.alpha as f32,
                alpha_mode: self.alpha_mode.into(),
                smooth: self.smooth.into(),
                output_mode: self.output_mode.into(),
                threshold: self.threshold as f32,
                ..Style::DEFAULT
            },
            colormap: self.colormap.into(),
            calm: Calm {
                normalization: self.normalization.into(),
                smoothing: Duration::from_millis(self.smoothing.into()),
            },
            confidence_threshold: self.confidence_threshold as f32,
            draw_labels: self.draw_labels,
            draw_legend: self.draw_legend,
            draw_stats: self.draw_stats,
            corner: self.label_position.into(),
            font: self.font.clone().unwrap_or_default(),
            target_class: self.target_class.clone().unwrap_or_default(),
            versus: self.versus.clone().unwrap_or_default(),
            on_error: self.on_error,
            max_regions: self.max_regions as usize,
            inference_interval: self.inference_interval,
            min_change: self.min_change as f32,
            expire_overlay: Some(Duration::from_nanos(self.expire_overlay)).filter(|time| !time.is_zero()),
        }
    }

    /// What is opened, as far as that may change while playing, or what is wrong with it. (Which class is held against another is asked
    /// of an open model.)
    pub(super) fn opened(&self) -> Result<Source, String> {
        let aside = |options: Options| Options { versus: None, runtime_library: None, ..options };
        let source = self.source().map_err(|error| error.to_string())?;
        Ok(Source { options: aside(source.options), ..source })
    }

    /// No model is open: nothing that was found in one holds any more.
    pub(super) fn closed(&mut self) {
        (self.resolved_target_layer, self.active_provider) = (None, None);
    }

    pub(super) fn max_in_flight(&self) -> usize {
        self.max_in_flight as usize
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

fn pairs(text: &str) -> Result<Vec<(String, String)>> {
    parse_options(text).map_err(|why| Error::Setting { name: "provider-options", value: text.into(), why })
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
