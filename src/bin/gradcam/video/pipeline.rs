//! The pipeline: decode, paint, encode, to a file or elsewhere; sound beside it. Every frame in is one frame out.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;

use super::formats::{Format, make, set};
use super::{Properties, Stop, painter};
use crate::Result;
use crate::progress::Progress;

const BASE: &str = "gstreamer1.0-plugins-base";
const GOOD: &str = "gstreamer1.0-plugins-good";
const CORE: &str = "libgstreamer1.0-0";

/// What was done.
pub struct Report {
    pub frames: u64,
    /// Frames that no run of the model was made for, or that the recording does not tell of.
    pub skipped: u64,
    took: Duration,
    sound: bool,
    /// Why it ended before the video did.
    pub cut: Option<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        let rate = self.frames as f64 / seconds.max(1e-3);
        let sound = if self.sound { "with sound" } else { "no sound" };
        write!(f, "{} frames in {seconds:.1} s ({rate:.1} a second), {sound}", self.frames)
    }
}

/// What the streaming threads tell the main one.
#[derive(Default)]
struct Shared {
    frames: AtomicU64,
    position: AtomicU64,
    video: AtomicBool,
    audio: AtomicBool,
    /// Pads of the decoder are all there.
    complete: AtomicBool,
    stop: Stop,
    failure: Mutex<Option<String>>,
    remarks: Mutex<Vec<String>>,
}

impl Shared {
    fn remark(&self, line: String) {
        self.remarks.lock().expect("nobody panics with the lock held").push(line);
    }

    fn fail(&self, why: String) {
        self.failure.lock().expect("nobody panics with the lock held").get_or_insert(why);
    }
}

/// What is read, how it is painted, and where it goes.
pub struct Work<'a> {
    pub uri: &'a str,
    pub properties: &'a Properties,
    pub format: &'static Format,
    pub sound: bool,
    /// What encoded tracks go to: a muxer and its sink, or one sink for the video alone.
    pub ending: &'a [gst::Element],
    /// What the progress begins with.
    pub title: &'a str,
    /// Hears every message where it is posted.
    pub hear: Box<dyn Fn(&gst::MessageRef) + Send + Sync>,
    /// Is asked again and again, by the thread that waits.
    pub look: &'a dyn Fn() -> Result<()>,
}

impl Work<'_> {
    /// Returns when all is through.
    pub fn run(self, stop: &Stop) -> Result<Report> {
        let pipeline = gst::Pipeline::new();
        let shared = Arc::new(Shared { stop: stop.clone(), ..Shared::default() });
        let decode = make("uridecodebin", BASE)?;
        decode.set_property("uri", self.uri);
        // Asked for at once, so that what is missing is known before anything runs.
        self.format.video()?;
        let painter = painter(self.properties)?;
        pipeline.add_many([&decode, &painter]).map_err(wiring)?;
        pipeline.add_many(self.ending).and_then(|()| gst::Element::link_many(self.ending)).map_err(wiring)?;
        let [muxer, ..] = self.ending else { return Err("there is nowhere to write to".to_string().into()) };

        let branches = Branches {
            pipeline: pipeline.downgrade(),
            muxer: muxer.clone(),
            painter: painter.clone(),
            format: self.format,
            sound: self.sound,
        };
        let told = shared.clone();
        decode.connect_pad_added(move |_, pad| {
            if let Err(crate::Failure(why)) = branches.connect(pad, &told) {
                told.fail(why);
            }
        });
        let told = shared.clone();
        decode.connect_no_more_pads(move |_| told.complete.store(true, Ordering::Release));
        let bus = pipeline.bus().ok_or("the pipeline has no bus".to_string())?;
        bus.set_sync_handler(move |_, message| {
            (self.hear)(message);
            gst::BusSyncReply::Pass
        });

        let played = play((&pipeline, &decode, self.ending.last()), (self.title, self.look), &shared);
        let skipped = painter.property::<gst::Structure>("stats").get("inferences-skipped").unwrap_or(0);
        let _ = pipeline.set_state(gst::State::Null);
        bus.unset_sync_handler();
        played.map(|report| Report { skipped, ..report })
    }
}

/// What hangs on the decoder's pads.
struct Branches {
    pipeline: glib::WeakRef<gst::Pipeline>,
    muxer: gst::Element,
    painter: gst::Element,
    format: &'static Format,
    sound: bool,
}

impl Branches {
    fn connect(&self, pad: &gst::Pad, shared: &Arc<Shared>) -> Result<()> {
        let Some(pipeline) = self.pipeline.upgrade() else { return Ok(()) };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let kind = caps.structure(0).map_or_else(String::new, |structure| structure.name().to_string());
        if kind.starts_with("video/") && !shared.video.swap(true, Ordering::AcqRel) {
            let chain = self.video(&caps, shared)?;
            return self.link(&pipeline, pad, &chain, shared);
        }
        if kind.starts_with("audio/") && self.sound {
            if !shared.audio.swap(true, Ordering::AcqRel) {
                let chain = self.audio()?;
                return self.link(&pipeline, pad, &chain, shared);
            }
            shared.remark("there is more than one sound track; the first is kept, another is left out".into());
        } else if kind.starts_with("video/") {
            shared.remark("there is more than one video track; the first is annotated, another is left out".into());
        }
        let rest = make("fakesink", CORE)?;
        set(&rest, "sync", "false")?;
        set(&rest, "async", "false")?;
        pipeline.add(&rest).map_err(wiring)?;
        join(pad, &rest)?;
        rest.sync_state_with_parent().map_err(wiring)
    }

    fn video(&self, caps: &gst::Caps, shared: &Arc<Shared>) -> Result<Vec<gst::Element>> {
        let number = |name: &str| caps.structure(0).and_then(|structure| structure.get::<i32>(name).ok()).unwrap_or(0);
        let (width, height) = (number("width"), number("height"));
        let rate = caps.structure(0).and_then(|structure| structure.get::<gst::Fraction>("framerate").ok());
        let rate = rate.map_or(25.0, |rate| f64::from(rate.numer()) / f64::from(rate.denom().max(1)));
        let encoder = self.format.video()?;

        let mut chain = vec![make("queue", CORE)?];
        // A phone's video may say that it lies on its side.
        let flip = make("videoflip", GOOD)?;
        set(&flip, "video-direction", "auto")?;
        let convert = make("videoconvert", BASE)?;
        chain.extend([make("videoconvert", BASE)?, flip, convert, self.painter.clone()]);
        if !encoder.odd && (width % 2 != 0 || height % 2 != 0) {
            let crop = make("videocrop", GOOD)?;
            set(&crop, "right", &(width % 2).to_string())?;
            set(&crop, "bottom", &(height % 2).to_string())?;
            chain.push(crop);
            let even = (width / 2 * 2, height / 2 * 2);
            shared.remark(format!("{width}x{height} is cut to {}x{}: H.264 needs even sizes", even.0, even.1));
        }
        let plain = make("capsfilter", CORE)?;
        set(&plain, "caps", "video/x-raw,format=I420")?;
        let pixels = (width.max(16) * height.max(16)) as u64;
        let out = make("videoconvert", BASE)?;
        chain.extend([out, plain, encoder.make(pixels, rate.clamp(1.0, 240.0))?]);
        chain.extend(encoder.parser().transpose()?);
        chain.push(waiting_room()?);

        let told = shared.clone();
        let pad = self.painter.static_pad("src").ok_or("the element gradcam has no pad src".to_string())?;
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            told.frames.fetch_add(1, Ordering::Relaxed);
            if let Some(time) = info.buffer().and_then(|buffer| buffer.pts()) {
                told.position.store(time.nseconds(), Ordering::Relaxed);
            }
            gst::PadProbeReturn::Ok
        });
        Ok(chain)
    }

    fn audio(&self) -> Result<Vec<gst::Element>> {
        let encoder = self.format.audio()?;
        let mut chain = vec![make("queue", CORE)?, make("audioconvert", BASE)?, make("audioresample", BASE)?];
        chain.push(encoder.make(0, 0.0)?);
        chain.extend(encoder.parser().transpose()?);
        chain.push(waiting_room()?);
        Ok(chain)
    }

    /// Hangs a chain between a pad of the decoder and the muxer.
    fn link(
        &self,
        pipeline: &gst::Pipeline,
        pad: &gst::Pad,
        chain: &[gst::Element],
        shared: &Arc<Shared>,
    ) -> Result<()> {
        // The painter is there already.
        pipeline.add_many(chain.iter().filter(|element| element.parent().is_none())).map_err(wiring)?;
        gst::Element::link_many(chain).map_err(wiring)?;
        let [first, .., last] = chain else { return Ok(()) };
        last.link(&self.muxer).map_err(wiring)?;
        // Downstream first: data must not meet an element that is still asleep.
        for element in chain.iter().rev() {
            element.sync_state_with_parent().map_err(wiring)?;
        }
        let told = shared.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
            if !told.stop.load(Ordering::Acquire) {
                return gst::PadProbeReturn::Ok;
            }
            // Stopped by the user: the rest of the file ends here, and the muxer closes it as at its end.
            if let Some(peer) = pad.peer() {
                peer.send_event(gst::event::Eos::new());
            }
            gst::PadProbeReturn::Drop
        });
        join(pad, first)
    }
}

/// Encoded data waits here while the muxer waits for the other track: an encoder may hold back seconds of video.
fn waiting_room() -> Result<gst::Element> {
    let queue = make("queue", CORE)?;
    for limit in ["max-size-buffers", "max-size-bytes", "max-size-time"] {
        set(&queue, limit, "0")?;
    }
    Ok(queue)
}

fn join(pad: &gst::Pad, element: &gst::Element) -> Result<()> {
    let sink = element.static_pad("sink").ok_or_else(|| format!("{} has no pad sink", element.name()))?;
    pad.link(&sink)
        .map(|_| ())
        .map_err(|error| format!("the video cannot be decoded into the pipeline ({error})").into())
}

pub fn wiring(error: glib::BoolError) -> crate::Failure {
    crate::Failure(format!("the pipeline cannot be built ({error})"))
}

/// Runs until the end, an error, or the user's Ctrl-C.
fn play(
    (pipeline, decode, sink): (&gst::Pipeline, &gst::Element, Option<&gst::Element>),
    (title, look): (&str, &dyn Fn() -> Result<()>),
    shared: &Arc<Shared>,
) -> Result<Report> {
    let bus = pipeline.bus().ok_or("the pipeline has no bus".to_string())?;
    let mut progress = Progress::new();
    let start = Instant::now();
    let mut missing: Vec<String> = Vec::new();
    let report = |cut| Report {
        frames: shared.frames.load(Ordering::Relaxed),
        skipped: 0,
        took: start.elapsed(),
        sound: shared.audio.load(Ordering::Acquire),
        cut,
    };
    // Where this fails, a message says why; it is read below.
    let started = pipeline.set_state(gst::State::Playing);
    loop {
        let message = bus.timed_pop(gst::ClockTime::from_mseconds(100));
        for line in shared.remarks.lock().expect("nobody panics with the lock held").drain(..) {
            progress.say(&line);
        }
        if let Some(why) = shared.failure.lock().expect("nobody panics with the lock held").take() {
            return Err(why.into());
        }
        look()?;
        if shared.complete.load(Ordering::Acquire) && !shared.video.load(Ordering::Acquire) {
            return Err(no_video(&missing).into());
        }
        let frames = shared.frames.load(Ordering::Relaxed);
        let duration = decode.query_duration::<gst::ClockTime>().map(Duration::from);
        let position = Duration::from_nanos(shared.position.load(Ordering::Relaxed)).as_secs_f64();
        let fps = frames as f64 / progress.spent().as_secs_f64().max(1e-3);
        let share = duration.map(|all| position / all.as_secs_f64().max(1e-9));
        progress.show(share, &format!("{title}{frames} frames, {fps:.1} a second"));
        let Some(message) = message else {
            if started.is_err() {
                return Err("the pipeline does not start".to_string().into());
            }
            continue;
        };
        match message.view() {
            gst::MessageView::Eos(_) => {
                if frames == 0 {
                    return Err(no_video(&missing).into());
                }
                for name in &missing {
                    progress.say(&format!("a track is left out: {}", no_decoder(name)));
                }
                let stopped = shared.stop.load(Ordering::Acquire);
                return Ok(report(stopped.then(|| "stopped before the end".into())));
            }
            gst::MessageView::Error(_) if !missing.is_empty() && !shared.video.load(Ordering::Acquire) => {
                return Err(no_video(&missing).into());
            }
            gst::MessageView::Error(error) if frames > 0 && cannot_write(error, &message, sink) => {
                return Ok(report(Some(spoken(&message))));
            }
            gst::MessageView::Error(_) => return Err(spoken(&message).into()),
            gst::MessageView::Warning(warning) if from_painter(&message) => progress.say(&warning.error().to_string()),
            gst::MessageView::Element(element) => missing.extend(element.structure().and_then(missing_plugin)),
            _ => {}
        }
    }
}

/// Whether the video, or the sidecar beside it, takes no more.
fn cannot_write(error: &gst::message::Error, message: &gst::MessageRef, sink: Option<&gst::Element>) -> bool {
    let resource = error.error().kind::<gst::ResourceError>();
    let ours = from_painter(message) || message.src().zip(sink).is_some_and(|(source, sink)| source == sink);
    ours && matches!(resource, Some(gst::ResourceError::NoSpaceLeft | gst::ResourceError::Write))
}

fn from_painter(message: &gst::MessageRef) -> bool {
    let element =
        message.src().and_then(|source| source.downcast_ref::<gst::Element>().and_then(gst::Element::factory));
    element.is_some_and(|factory| factory.name() == "gradcam")
}

/// An error message as one sentence.
pub fn spoken(message: &gst::MessageRef) -> String {
    let gst::MessageView::Error(error) = message.view() else { return "unknown error".into() };
    if from_painter(message) {
        return error.error().to_string();
    }
    if error.error().matches(gst::ResourceError::NoSpaceLeft) {
        return "there is no space left on the disk for the video".into();
    }
    let source = message.src().map_or_else(String::new, |source| source.name().to_string());
    let text = error.error().to_string();
    format!("GStreamer cannot go on ({source}): {}", text.trim_end_matches('.'))
}

/// What a decoder lacks, in GStreamer's words ("H.264 (High Profile) decoder").
fn missing_plugin(structure: &gst::StructureRef) -> Option<String> {
    (structure.name() == "missing-plugin").then(|| structure.get::<String>("name").ok())?
}

fn no_decoder(name: &str) -> String {
    format!("there is no {name}; install gstreamer1.0-libav, else gstreamer1.0-plugins-bad and -ugly (Debian's names)")
}

fn no_video(missing: &[String]) -> String {
    match missing {
        [] => "the input holds no video that GStreamer can decode; check that it is a video file".into(),
        [first, ..] => format!("the video cannot be decoded: {}", no_decoder(first)),
    }
}
