//! What `annotate`, `render` and `clips` share: a video in, the element with some settings, a video out. A file that is not whole never bears the
//! name that was asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;

use crate::Result;
use crate::export::{not_the_same, part};
pub use formats::{Format, like, make};
use formats::{of, set};
pub use pipeline::{Report, Work, spoken, wiring};

mod formats;
mod pipeline;

/// The element's properties, as gst-launch spells them.
pub type Properties = Vec<(&'static str, String)>;

/// One video to write.
pub struct Job<'a> {
    pub input: &'a Path,
    pub output: &'a Path,
    pub sound: bool,
    pub properties: Properties,
    /// Ends in `.jsonl`; and whether the maps lie beside it.
    pub sidecar: Option<(PathBuf, bool)>,
    /// What the progress begins with: "2 of 5: ".
    pub title: String,
}

/// The user's Ctrl-C.
pub type Stop = Arc<AtomicBool>;

/// Starts GStreamer, and watches for Ctrl-C: the first ends the file properly, the second ends the program.
pub fn start() -> Result<Stop> {
    gst::init().map_err(|error| format!("GStreamer could not be started: {error}"))?;
    gstgradcam::plugin_register_static()
        .map_err(|error| format!("the element gradcam could not be registered: {error}"))?;
    let stop = Stop::default();
    let told = stop.clone();
    ctrlc::set_handler(move || {
        if told.swap(true, Ordering::AcqRel) {
            std::process::exit(1);
        }
    })
    .map_err(|error| format!("Ctrl-C cannot be watched for: {error}"))?;
    Ok(stop)
}

/// The element itself, awake.
///
/// # Errors
/// A model that fails is refused here, in its own words, before any video is read.
pub fn painter(properties: &Properties) -> Result<gst::Element> {
    let painter = make("gradcam", "gst-plugin-gradcam")?;
    for (name, value) in properties {
        set(&painter, name, value)?;
    }
    let bus = gst::Bus::new();
    painter.set_bus(Some(&bus));
    let ready = painter.set_state(gst::State::Paused);
    let refused = bus.pop_filtered(&[gst::MessageType::Error]);
    painter.set_bus(None);
    if ready.is_ok() && refused.is_none() {
        return Ok(painter);
    }
    let _ = painter.set_state(gst::State::Null);
    let why = refused.map_or_else(|| "the element gradcam does not start".into(), |message| spoken(&message));
    Err(why.into())
}

impl Job<'_> {
    /// What is written: in the making, and when it is whole.
    fn files(&self) -> Vec<(PathBuf, PathBuf)> {
        let maps = self.sidecar.as_ref().filter(|(_, maps)| *maps).map(|(sidecar, _)| sidecar.with_extension("gcm"));
        let sidecar = self.sidecar.as_ref().map(|(sidecar, _)| sidecar.clone());
        // The video last: where it is, the rest is.
        let all = maps.into_iter().chain(sidecar).chain([self.output.to_path_buf()]);
        all.map(|file| (part(&file), file)).collect()
    }

    /// Whether all that is to be written is there already.
    pub fn is_done(&self) -> bool {
        self.files().iter().all(|(_, file)| file.exists())
    }

    fn transcode(&self, uri: &str, (format, target): (&'static Format, &Path), stop: &Stop) -> Result<Report> {
        let sink = make("filesink", "libgstreamer1.0-0")?;
        sink.set_property("location", target);
        let work = Work {
            uri,
            properties: &self.properties,
            format,
            sound: self.sound,
            ending: &[format.muxer()?, sink],
            title: &self.title,
            hear: Box::new(|_| {}),
            look: &|| Ok(()),
        };
        work.run(stop)
    }

    /// Writes the video, and throws it away unless it is accepted.
    ///
    /// # Errors
    /// What went wrong, in a sentence. Nothing is left then, but where there was no room for more, or the user stopped it: what was
    /// written until then plays, and the sentence says where it is.
    pub fn run(mut self, stop: &Stop, accept: impl FnOnce(&Report) -> Result<()>) -> Result<Report> {
        let format = of(self.output)?;
        let uri = source(self.input)?;
        let files = self.files();
        for (part, file) in &files {
            not_the_same(self.input, file)?;
            // Made here so that the reason is known before anything starts; filesink would only say "could not open".
            std::fs::File::create(part).map_err(|error| format!("cannot write {file:?}: {error}"))?;
        }
        if let Some((sidecar, maps)) = &self.sidecar {
            self.properties.push(("sidecar", part(sidecar).to_string_lossy().into_owned()));
            self.properties.push(("sidecar-maps", maps.to_string()));
        }
        let target = part(self.output);
        let report =
            match self.transcode(&uri, (format, &target), stop).and_then(|report| accept(&report).map(|()| report)) {
                Ok(report) => report,
                Err(failure) => {
                    files.iter().for_each(|(part, _)| drop(std::fs::remove_file(part)));
                    return Err(failure);
                }
            };
        if let Some(why) = &report.cut {
            return Err(format!("{why}; what was done plays: {}: {report}", target.display()).into());
        }
        for (part, file) in &files {
            std::fs::rename(part, file).map_err(|error| format!("cannot write {file:?}: {error}"))?;
        }
        Ok(report)
    }
}

/// A file's URI, after a look at the file itself; what has a scheme is taken as it is.
pub fn source(input: &Path) -> Result<String> {
    let text = input.to_string_lossy();
    if !input.exists() && text.contains("://") {
        return Ok(text.into_owned());
    }
    let cannot = |why: &dyn std::fmt::Display| format!("cannot read the video {input:?}: {why}");
    let file = std::fs::File::open(input).map_err(|error| cannot(&error))?;
    if !file.metadata().map_err(|error| cannot(&error))?.is_file() {
        return Err(cannot(&"it is not a file").into());
    }
    let path = input.canonicalize().map_err(|error| cannot(&error))?;
    Ok(gst::glib::filename_to_uri(path, None).map_err(|error| cannot(&error))?.into())
}
