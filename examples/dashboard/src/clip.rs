//! A camera's film: its annotated video in H.264, encoded once, of which the last seconds are kept for clips, and which viewers over WebRTC
//! are given as it comes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gst::prelude::*;

use crate::Result;
use crate::camera::lock;
use crate::source::wiring;

/// Kept of one camera at most, whatever its bit rate.
const MOST: usize = 64 << 20;
/// Muxing takes less than this, or something is wrong.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(30);
/// How long a frame is that does not say so.
const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(33);
/// A second between key frames; even sizes, since 4:2:0 has no half cells.
const ENCODE: &str = "valve name=valve drop-mode=forward-sticky-events \
     ! queue leaky=downstream max-size-buffers=4 max-size-bytes=0 max-size-time=0 \
     ! videoconvert ! videoscale ! video/x-raw,format=I420,width=[2,16384,2],height=[2,16384,2] \
     ! x264enc name=encoder tune=zerolatency speed-preset=ultrafast bitrate=4000 key-int-max=30 \
     ! video/x-h264,profile=constrained-baseline ! h264parse config-interval=-1 \
     ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=film sync=false async=false max-buffers=8";

/// The film of one camera.
#[derive(Debug)]
pub struct Film {
    /// How much is kept; zero = nothing.
    keep: Duration,
    kept: Mutex<Kept>,
    viewers: Mutex<Vec<gst_app::AppSrc>>,
}

/// Access units, the oldest first; of one stream, whose caps do not change.
#[derive(Debug, Default)]
struct Kept {
    caps: Option<gst::Caps>,
    units: VecDeque<gst::Buffer>,
    bytes: usize,
    /// How much later a unit is here than its pipeline says: time goes on where that begins anew.
    later: gst::ClockTime,
}

impl Film {
    pub fn new(seconds: u32) -> Film {
        Film { keep: Duration::from_secs(seconds.into()), kept: Mutex::default(), viewers: Mutex::default() }
    }

    /// How many look over WebRTC.
    pub fn viewers(&self) -> usize {
        lock(&self.viewers).len()
    }

    fn is_wanted(&self) -> bool {
        !self.keep.is_zero() || !lock(&self.viewers).is_empty()
    }

    /// A bin that encodes, where that is wanted.
    pub fn make(self: &Arc<Self>) -> Result<gst::Bin> {
        let bin = gst::parse::bin_from_description(ENCODE, true).map_err(wiring)?;
        let (valve, sink) = (bin.by_name("valve").ok_or("no valve")?, bin.by_name("film").ok_or("no appsink")?);
        let pad = valve.static_pad("sink").ok_or("a valve without a pad")?;
        let (film, valve) = (self.clone(), valve.downgrade());
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            if let Some(valve) = valve.upgrade() {
                valve.set_property("drop", !film.is_wanted());
            }
            gst::PadProbeReturn::Ok
        });
        let sink = sink.downcast::<gst_app::AppSink>().map_err(|_| "appsink is another element")?;
        let film = self.clone();
        let taken = move |sink: &gst_app::AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            film.take(&sample);
            Ok(gst::FlowSuccess::Ok)
        };
        sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(taken).build());
        Ok(bin)
    }

    fn take(&self, sample: &gst::Sample) {
        let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps_owned()) else { return };
        lock(&self.viewers).retain(|viewer| {
            let same = viewer.caps().as_ref() == Some(&caps);
            let sample = gst::Sample::builder().buffer(&untimed(&buffer)).caps(&caps).build();
            // Whoever does not take what there is already misses this one; at a key frame it goes on.
            let full = viewer.current_level_buffers() > 60;
            let sent = if full {
                Ok(gst::FlowSuccess::Ok)
            } else if same {
                viewer.push_buffer(untimed(&buffer))
            } else {
                viewer.push_sample(&sample)
            };
            sent.is_ok()
        });
        if !self.keep.is_zero() {
            lock(&self.kept).add(buffer, caps, self.keep);
        }
    }

    /// Gives a viewer the film from now on.
    #[cfg_attr(not(feature = "webrtc"), allow(dead_code))]
    pub fn show(&self, viewer: gst_app::AppSrc) {
        lock(&self.viewers).push(viewer);
    }

    /// Forgets a viewer.
    #[cfg_attr(not(feature = "webrtc"), allow(dead_code))]
    pub fn hide(&self, viewer: &gst_app::AppSrc) {
        lock(&self.viewers).retain(|one| one != viewer);
    }

    /// The last seconds as an MP4 file; `None` where nothing is kept. It blocks.
    pub fn clip(&self, seconds: u32) -> Result<Option<Vec<u8>>> {
        let (caps, units) = {
            let kept = lock(&self.kept);
            (kept.caps.clone(), kept.last(Duration::from_secs(seconds.into())))
        };
        let Some(caps) = caps.filter(|_| !units.is_empty()) else { return Ok(None) };
        let file = tempfile::NamedTempFile::new().map_err(|error| format!("no temporary file: {error}"))?;
        let pipeline = gst::parse::launch("appsrc name=film format=time ! h264parse ! mp4mux ! filesink name=file")
            .map_err(wiring)?
            .downcast::<gst::Pipeline>()
            .map_err(|_| "a pipeline is another element")?;
        let film = pipeline.by_name("film").and_downcast::<gst_app::AppSrc>().ok_or("no appsrc")?;
        pipeline.by_name("file").ok_or("no filesink")?.set_property("location", file.path());
        film.set_caps(Some(&caps));
        let done = mux(&pipeline, &film, units);
        let _ = pipeline.set_state(gst::State::Null);
        done?;
        std::fs::read(file.path()).map(Some).map_err(|error| format!("the clip cannot be read: {error}"))
    }
}

fn mux(pipeline: &gst::Pipeline, film: &gst_app::AppSrc, units: Vec<gst::Buffer>) -> Result<()> {
    let failed = |why: &dyn std::fmt::Display| format!("the clip could not be written: {why}");
    pipeline.set_state(gst::State::Playing).map_err(|error| failed(&error))?;
    for unit in units {
        film.push_buffer(unit).map_err(|error| failed(&error))?;
    }
    film.end_of_stream().map_err(|error| failed(&error))?;
    let bus = pipeline.bus().ok_or("a pipeline without a bus")?;
    let end = bus.timed_pop_filtered(PATIENCE, &[gst::MessageType::Eos, gst::MessageType::Error]);
    match end.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => Err(failed(&error.error())),
        _ => Err(failed(&"it took too long")),
    }
}

/// For another pipeline, which has times of its own.
fn untimed(buffer: &gst::Buffer) -> gst::Buffer {
    let mut buffer = buffer.copy();
    let own = buffer.make_mut();
    own.set_pts(None);
    own.set_dts(None);
    buffer
}

fn is_key(unit: &gst::Buffer) -> bool {
    !unit.flags().contains(gst::BufferFlags::DELTA_UNIT)
}

impl Kept {
    fn add(&mut self, mut unit: gst::Buffer, caps: gst::Caps, keep: Duration) {
        if self.caps.as_ref() != Some(&caps) {
            *self = Kept { caps: Some(caps), ..Kept::default() };
        }
        let Some(time) = unit.pts().filter(|_| !self.units.is_empty() || is_key(&unit)) else { return };
        let last = self.units.back().and_then(|last| last.pts());
        if let Some(last) = last.filter(|last| *last >= time + self.later) {
            self.later = (last + unit.duration().unwrap_or(FRAME)).saturating_sub(time);
        }
        unit.make_mut().set_pts(time + self.later);
        self.bytes += unit.size();
        self.units.push_back(unit);
        while self.reach() > keep + Duration::from_secs(1) || self.bytes > MOST {
            let Some(first) = self.units.pop_front() else { break };
            self.bytes -= first.size();
        }
    }

    fn reach(&self) -> Duration {
        let time = |unit: Option<&gst::Buffer>| unit.and_then(|unit| unit.pts()).unwrap_or_default();
        time(self.units.back()).saturating_sub(time(self.units.front())).into()
    }

    /// From the last key frame on that is at least so long ago, or the first that there is; times begin at zero.
    fn last(&self, reach: Duration) -> Vec<gst::Buffer> {
        let Some(end) = self.units.back().and_then(|unit| unit.pts()) else { return Vec::new() };
        let wanted = end.saturating_sub(gst::ClockTime::try_from(reach).unwrap_or_default());
        let key = |&at: &usize| is_key(&self.units[at]);
        let early = (0..self.units.len()).filter(key).rfind(|&at| self.units[at].pts() <= Some(wanted));
        let Some(from) = early.or_else(|| (0..self.units.len()).find(key)) else { return Vec::new() };
        let start = self.units[from].pts().unwrap_or_default();
        let moved = |unit: &gst::Buffer| {
            let mut unit = unit.copy();
            let own = unit.make_mut();
            own.set_pts(own.pts().map(|pts| pts.saturating_sub(start)));
            own.set_dts(own.pts());
            unit
        };
        self.units.range(from..).map(moved).collect()
    }
}
