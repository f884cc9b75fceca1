//! Where encoded frames come by: kept for some seconds, and written to clips when there is an event.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gst::prelude::*;
use gstgradcam::Record;

use super::clip::{Clip, Encoded};
use super::ring::{Ring, Step};
use crate::Result;
use crate::video::{Format, make};

/// Shared by the thread of the stream and the main one.
#[derive(Clone)]
pub struct Tap(Arc<Mutex<Inner>>);

struct Inner {
    ring: Ring<Encoded>,
    /// For each class explained, in their order.
    thresholds: Vec<f32>,
    folder: PathBuf,
    format: &'static Format,
    open: Option<Clip>,
    /// Without further frames, and not whole yet.
    ending: Vec<Clip>,
    failure: Option<crate::Failure>,
    count: usize,
}

impl Tap {
    pub fn new(
        (before, after): (Duration, Duration),
        thresholds: Vec<f32>,
        folder: PathBuf,
        format: &'static Format,
    ) -> Tap {
        let ring = Ring::new(before, after);
        let inner = Inner { ring, thresholds, folder, format, open: None, ending: Vec::new(), failure: None, count: 0 };
        Tap(Arc::new(Mutex::new(inner)))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of the pipeline.
    pub fn sink(&self) -> Result<gst::Element> {
        let sink = make("fakesink", "libgstreamer1.0-0")?;
        sink.set_property("sync", false);
        let pad = sink.static_pad("sink").ok_or_else(|| "the element fakesink has no pad sink".to_string())?;
        let tap = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let Some(buffer) = info.buffer() {
                tap.frame(pad, buffer);
            }
            gst::PadProbeReturn::Ok
        });
        Ok(sink)
    }

    fn frame(&self, pad: &gst::Pad, buffer: &gst::Buffer) {
        // An encoder may count from a time of its own, which the segment says.
        let segment = pad.sticky_event::<gst::event::Segment>(0);
        let segment = segment.as_ref().and_then(|event| event.segment().downcast_ref::<gst::ClockTime>());
        let Some(time) = segment.and_then(|segment| segment.to_running_time(buffer.pts())) else { return };
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let mut inner = self.lock();
        let encoded = Encoded { buffer: buffer.clone(), time };
        for step in inner.ring.push(time.into(), key, encoded) {
            if let Err(failure) = inner.step(step, pad.current_caps()) {
                inner.failure.get_or_insert(failure);
            }
        }
    }

    /// Hears what is told of each frame, before it is encoded.
    pub fn hear(&self, message: &gst::MessageRef) {
        let Some(record) = Record::from_message(message) else { return };
        let mut inner = self.lock();
        let is_seen = |(seen, threshold): (&gstgradcam::record::Seen, &f32)| seen.guess.score > *threshold;
        if let Some(time) = record.running_time.filter(|_| record.seen.iter().zip(&inner.thresholds).any(is_seen)) {
            inner.ring.event(time);
        }
    }

    /// Says which clips have become whole.
    ///
    /// # Errors
    /// A clip cannot be written.
    pub fn look(&self, wait: bool) -> Result<()> {
        let mut inner = self.lock();
        if let Some(failure) = inner.failure.take() {
            return Err(failure);
        }
        if let Some(clip) = &inner.open {
            // It has no end yet; what its bus may tell is an error.
            clip.is_over(false)?;
        }
        for clip in std::mem::take(&mut inner.ending) {
            match clip.is_over(wait)? {
                Some(text) => {
                    crate::say!("{text}");
                    inner.count += 1;
                }
                None => inner.ending.push(clip),
            }
        }
        Ok(())
    }

    /// Ends the open clip, and waits until all are whole: how many there are.
    ///
    /// # Errors
    /// A clip cannot be written.
    pub fn finish(&self) -> Result<usize> {
        self.lock().end();
        self.look(true)?;
        Ok(self.lock().count)
    }
}

impl Inner {
    fn step(&mut self, step: Step<Encoded>, caps: Option<gst::Caps>) -> Result<()> {
        match step {
            Step::End => self.end(),
            Step::Begin(frames) => {
                let (Some(first), Some(caps)) = (frames.first(), caps) else { return Ok(()) };
                let mut clip = Clip::begin(&self.folder, self.format, &caps, first.time)?;
                frames.into_iter().for_each(|frame| clip.push(frame));
                self.open = Some(clip);
            }
            Step::GoOn(frame) => self.open.iter_mut().for_each(|clip| clip.push(frame.clone())),
        }
        Ok(())
    }

    fn end(&mut self) {
        if let Some(clip) = self.open.take() {
            clip.end();
            self.ending.push(clip);
        }
    }
}
