//! Who keeps a camera playing: a thread that plays its source, loops it, and brings it back when it is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gst::prelude::*;

use crate::Result;
use crate::camera::{Camera, State};
use crate::outlet::stamp;
use crate::source::wiring;

/// The first picture may take longer: a network camera is asked, decoders are found.
const FIRST: Duration = Duration::from_secs(15);
/// A lost source is tried again after so long at first, and at last.
const SOON: Duration = Duration::from_millis(500);
const LATE: Duration = Duration::from_secs(5);
/// How often the clock is looked at.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(100);
const SECOND: Duration = Duration::from_secs(1);
/// Messages of our own.
const ENDED: &str = "dashboard-ended";
const STOP: &str = "dashboard-stop";

/// Plays a camera on a thread of its own, until [`stop`]. A source that gives no picture for as long as `silence` is lost. A sentence
/// where the element refuses what it was set to.
pub fn start(camera: &Arc<Camera>, silence: Duration) -> Result<JoinHandle<()>> {
    let pipeline = &camera.pipeline.pipeline;
    if pipeline.set_state(gst::State::Playing).is_err() {
        let why = last_error(camera);
        rest(pipeline);
        return Err(why);
    }
    let now = Instant::now();
    let keeper = Keeper {
        camera: camera.clone(),
        silence,
        source: None,
        again: Some(now),
        broken: false,
        wait: SOON,
        arrived: Arc::default(),
        moved: (0, now),
        begun: true,
        counted: (0, now),
    };
    let thread = std::thread::Builder::new().name(format!("camera {}", camera.id)).spawn(move || keeper.run());
    thread.map_err(|error| format!("a thread could not be started: {error}"))
}

/// Asks for the end of a camera.
pub fn stop(camera: &Camera) {
    post(&camera.pipeline.pipeline, STOP);
}

struct Keeper {
    camera: Arc<Camera>,
    silence: Duration,
    /// What plays, if anything does.
    source: Option<gst::Bin>,
    /// When one is made that is not there.
    again: Option<Instant>,
    /// What follows the source has failed: it begins anew with the next one.
    broken: bool,
    /// How long that takes, the next time.
    wait: Duration,
    /// Pictures that came from all sources so far.
    arrived: Arc<AtomicU64>,
    /// How many these were when there was a new one, and when.
    moved: (u64, Instant),
    /// The source has given none yet.
    begun: bool,
    /// Frames out when they were counted last, and when.
    counted: (u64, Instant),
}

impl Keeper {
    fn run(mut self) {
        let camera = self.camera.clone();
        let pipeline = &camera.pipeline;
        loop {
            if let Some(message) = pipeline.bus.timed_pop(TICK)
                && !self.hear(&message)
            {
                break;
            }
            self.tick();
        }
        rest(&pipeline.pipeline);
    }

    /// Takes a message; whether to go on.
    fn hear(&mut self, message: &gst::Message) -> bool {
        let camera = self.camera.clone();
        let from = |bin: &gst::Bin| {
            let bin = bin.upcast_ref::<gst::Object>();
            message.src().is_some_and(|source| source == bin || source.has_as_ancestor(bin))
        };
        // What a source says that was taken away is no news any more.
        let of_source = self.source.as_ref().is_some_and(from);
        let of_camera = from(camera.pipeline.pipeline.upcast_ref());
        match message.view() {
            gst::MessageView::Application(word) => match word.structure().map(|word| word.name().as_str()) {
                Some(STOP) => return false,
                Some(ENDED) if of_source => self.end(),
                _ => {}
            },
            gst::MessageView::Error(error) if of_source => self.lose(error.error().to_string(), state_after(error)),
            gst::MessageView::Error(error) if of_camera => {
                self.lose(error.error().to_string(), State::Failed);
                self.broken = true;
            }
            gst::MessageView::Warning(warning) if of_camera => {
                eprintln!(
                    "gradcam-dashboard: {}: {}",
                    camera.source.name,
                    camera.source.discreet(warning.error().message())
                );
            }
            gst::MessageView::Latency(_) => drop(camera.pipeline.pipeline.recalculate_latency()),
            _ => {}
        }
        true
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if self.source.is_none() && self.again.is_some_and(|again| again <= now) {
            self.play();
        }
        let arrived = self.arrived.load(Ordering::Relaxed);
        if arrived > self.moved.0 {
            (self.moved, self.begun, self.wait) = ((arrived, now), false, SOON);
        }
        let patience = if self.begun { self.silence.max(FIRST) } else { self.silence };
        if self.source.is_some() && now.duration_since(self.moved.1) > patience {
            self.lose(format!("no picture for {} seconds", patience.as_secs()), State::Lost);
        }
        let passed = now.duration_since(self.counted.1);
        if passed >= SECOND {
            let frames = self.camera.frames();
            self.camera.second(frames - self.counted.0, passed);
            self.counted = (frames, now);
        }
    }

    /// Begins to play the source.
    fn play(&mut self) {
        (self.again, self.begun, self.moved.1) = (None, true, Instant::now());
        let camera = self.camera.clone();
        if std::mem::take(&mut self.broken) {
            rest(&camera.pipeline.pipeline);
            // Where it does not start the bus says why.
            let _ = camera.pipeline.pipeline.set_state(gst::State::Playing);
        }
        let played = camera.source.make().and_then(|bin| {
            let out = bin.static_pad("src").ok_or("a source without a pad")?;
            self.watch(&out);
            camera.pipeline.pipeline.add(&bin).map_err(wiring)?;
            // From here on it is there to be taken away again.
            self.source = Some(bin.clone());
            out.link(&camera.pipeline.entry).map_err(wiring)?;
            bin.sync_state_with_parent().map_err(|_| last_error(&camera))
        });
        if let Err(why) = played {
            self.lose(why, State::Lost);
        }
    }

    /// Stamps and counts what comes out of a source, and keeps its end and its seeks from what follows, which plays on.
    fn watch(&self, out: &gst::Pad) {
        let camera = Arc::downgrade(&self.camera);
        let arrived = self.arrived.clone();
        let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::EVENT_FLUSH;
        out.add_probe(kinds, move |pad, probe| {
            match &mut probe.data {
                Some(gst::PadProbeData::Buffer(buffer)) => {
                    let Some(camera) = camera.upgrade() else { return gst::PadProbeReturn::Drop };
                    arrived.fetch_add(1, Ordering::Relaxed);
                    camera.arrives();
                    stamp(buffer.make_mut(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
                }
                Some(gst::PadProbeData::Event(event)) => match event.type_() {
                    gst::EventType::FlushStart | gst::EventType::FlushStop => return gst::PadProbeReturn::Handled,
                    gst::EventType::Eos => {
                        if let Some(bin) = pad.parent_element() {
                            post(&bin, ENDED);
                        }
                        return gst::PadProbeReturn::Handled;
                    }
                    _ => {}
                },
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// The source has come to its end: a file begins anew, all else is lost.
    fn end(&mut self) {
        if !self.camera.source.repeats() {
            return self.lose("the source has ended".to_string(), State::Lost);
        }
        let (set, none) = (gst::SeekType::Set, gst::SeekType::None);
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT;
        let seek = gst::event::Seek::new(1.0, flags, set, gst::ClockTime::ZERO, none, gst::ClockTime::NONE);
        let out = self.source.as_ref().and_then(|bin| bin.static_pad("src"));
        if !out.is_some_and(|out| out.send_event(seek)) {
            // One that cannot go back is opened anew.
            self.remove();
            self.again = Some(Instant::now());
        }
    }

    /// The source is gone, and is tried again: a file that cannot be played may be another one by then.
    fn lose(&mut self, why: String, state: State) {
        self.remove();
        self.camera.misses(state, self.camera.source.discreet(&why));
        self.again = Some(Instant::now() + self.wait);
        self.wait = if state == State::Failed { LATE } else { (self.wait * 2).min(LATE) };
    }

    fn remove(&mut self) {
        let Some(bin) = self.source.take() else { return };
        rest(&bin);
        if let Some(out) = bin.static_pad("src") {
            let _ = out.unlink(&self.camera.pipeline.entry);
        }
        let _ = self.camera.pipeline.pipeline.remove(&bin);
    }
}

/// Why something did not start.
fn last_error(camera: &Camera) -> String {
    let said = camera.pipeline.bus.pop_filtered(&[gst::MessageType::Error]);
    match said.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => error.error().to_string(),
        _ => "it does not start and does not say why; GST_DEBUG=3 in the environment tells more".to_string(),
    }
}

/// Stops it. A decoder that fails at the same moment has this fail too, once.
fn rest(element: &impl IsA<gst::Element>) {
    let _ = (0..3).any(|_| element.set_state(gst::State::Null).is_ok());
}

/// What a source's error makes of it: what no decoder understands will not come back.
fn state_after(error: &gst::message::Error) -> State {
    use gst::{CoreError, StreamError};
    let error = error.error();
    let kinds = [StreamError::WrongType, StreamError::TypeNotFound, StreamError::CodecNotFound];
    let unplayable = kinds.iter().any(|kind| error.matches(*kind)) || error.matches(CoreError::MissingPlugin);
    if unplayable { State::Failed } else { State::Lost }
}

fn post(element: &impl IsA<gst::Element>, word: &str) {
    let element = element.upcast_ref::<gst::Element>();
    let message = gst::message::Application::builder(gst::Structure::new_empty(word)).src(element);
    // Refused only where there is no bus, and nobody to hear it.
    let _ = element.post_message(message.build());
}
