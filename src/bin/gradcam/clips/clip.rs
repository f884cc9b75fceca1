//! One clip: a pipeline of its own that muxes encoded frames as they come.

use std::path::{Path, PathBuf};

use gst::prelude::*;

use crate::Result;
use crate::export::part;
use crate::video::{Format, make, spoken, wiring};

/// A clip that is being written.
pub struct Clip {
    pipeline: gst::Pipeline,
    source: gst::Element,
    file: PathBuf,
    /// Running time of its first frame.
    start: gst::ClockTime,
    length: gst::ClockTime,
}

/// A frame and its running time.
#[derive(Debug, Clone)]
pub struct Encoded {
    pub buffer: gst::Buffer,
    pub time: gst::ClockTime,
}

impl Clip {
    /// Begins the next clip of a folder, for frames of these caps.
    pub fn begin(folder: &Path, format: &'static Format, caps: &gst::Caps, start: gst::ClockTime) -> Result<Clip> {
        let name = |number: u32| folder.join(format!("clip-{number:04}.{}", format.extension));
        let free = |file: &PathBuf| !file.exists() && !part(file).exists();
        let file =
            (1..).map(name).find(free).ok_or_else(|| format!("there is no number left for a clip in {folder:?}"))?;
        std::fs::File::create(part(&file)).map_err(|error| format!("cannot write {file:?}: {error}"))?;

        let source = make("appsrc", "gstreamer1.0-plugins-base")?;
        source.set_property("caps", caps);
        source.set_property_from_str("format", "time");
        let (muxer, sink) = (format.muxer()?, make("filesink", "libgstreamer1.0-0")?);
        sink.set_property("location", part(&file));
        let mut chain = vec![source.clone()];
        chain.extend(format.video()?.parser().transpose()?);
        chain.extend([muxer, sink]);
        let pipeline = gst::Pipeline::new();
        pipeline.add_many(&chain).and_then(|()| gst::Element::link_many(&chain)).map_err(wiring)?;
        // Where this fails a message says why; it is read by `is_over`.
        let _ = pipeline.set_state(gst::State::Playing);
        Ok(Clip { pipeline, source, file, start, length: gst::ClockTime::ZERO })
    }

    /// The next frame; the clip's times begin at zero.
    pub fn push(&mut self, Encoded { mut buffer, time }: Encoded) {
        self.length = time.saturating_sub(self.start);
        let own = buffer.make_mut();
        let shift =
            |stamp: gst::ClockTime, from: gst::ClockTime| self.length.saturating_sub(from.saturating_sub(stamp));
        let pts = own.pts();
        own.set_dts(own.dts().zip(pts).map(|(dts, pts)| shift(dts, pts)));
        own.set_pts(self.length);
        // Refused only where the pipeline has failed, which its bus tells.
        let _ = self.source.emit_by_name::<gst::FlowReturn>("push-buffer", &[&buffer]);
    }

    /// No more frames.
    pub fn end(&self) {
        let _ = self.source.emit_by_name::<gst::FlowReturn>("end-of-stream", &[]);
    }

    /// Whether the file is whole, which it is some time after the end; what it is then.
    ///
    /// # Errors
    /// It could not be written: what there is of it is left.
    pub fn is_over(&self, wait: bool) -> Result<Option<String>> {
        let bus = self.pipeline.bus().ok_or_else(|| "the pipeline has no bus".to_string())?;
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let time = if wait { gst::ClockTime::NONE } else { Some(gst::ClockTime::ZERO) };
        let Some(message) = bus.timed_pop_filtered(time, &ends) else { return Ok(None) };
        let _ = self.pipeline.set_state(gst::State::Null);
        if message.type_() == gst::MessageType::Error {
            return Err(format!(
                "{}; what was written of the clip plays: {}",
                spoken(&message),
                part(&self.file).display()
            )
            .into());
        }
        std::fs::rename(part(&self.file), &self.file)
            .map_err(|error| format!("cannot write {:?}: {error}", self.file))?;
        let [from, length] = [self.start, self.length].map(|time| time.nseconds() as f64 / 1e9);
        Ok(Some(format!("{}: {length:.1} s, from {from:.1} s on", self.file.display())))
    }
}

impl Drop for Clip {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
