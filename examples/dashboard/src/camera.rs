//! One camera: its element, which stays, and the pipelines round it, which come and go with its source.

mod change;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gst::prelude::*;
use gstgradcam::Record;
use serde_json::{Value, json};

use crate::Result;
use crate::clip::Film;
use crate::outlet::{Beside, Outlet, TILE};
use crate::pipeline;
use crate::settings;
use crate::source::{Source, make};
use crate::timeline::Timeline;

/// A source that gives no picture for so long is lost.
const SILENCE: Duration = Duration::from_secs(5);
/// The first one may take longer: a network camera is asked, a model is read.
const FIRST: Duration = Duration::from_secs(15);
/// A lost source is tried again after so long at first, and at last.
const SOON: Duration = Duration::from_millis(500);
const LATE: Duration = Duration::from_secs(5);

/// What all cameras have in common.
pub struct Plan {
    pub model: Option<PathBuf>,
    pub properties: Vec<(String, String)>,
    /// Seconds kept for clips.
    pub keep: u32,
}

/// A camera.
pub struct Camera {
    pub id: u32,
    pub source: Source,
    /// The element `gradcam`, which holds the settings.
    pub painter: gst::Element,
    pub tile: Arc<Outlet>,
    pub full: Arc<Outlet>,
    pub film: Arc<Film>,
    probed: AtomicBool,
    frames: AtomicU64,
    life: Mutex<Life>,
    stop: Condvar,
    changing: Mutex<()>,
}

#[derive(Default)]
struct Life {
    state: State,
    problem: Option<String>,
    fps: f64,
    size: (i32, i32),
    last: Option<Record>,
    timeline: Timeline,
    /// Times that the source was lost.
    losses: u64,
    /// What failed since there was a map last.
    failure: Option<String>,
    /// Why the element did not take what was set, the last time; and how often that was so.
    refusal: String,
    refusals: u64,
    /// Models that were begun to be opened, those that this came to an end for, and why it did not succeed, the last time; and how often.
    begun: u64,
    ended: u64,
    unopened: u64,
    stop: bool,
}

/// How a camera is, as the wire says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    #[default]
    Starting,
    Playing,
    Lost,
    Failed,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Playing => "playing",
            State::Lost => "lost",
            State::Failed => "failed",
        }
    }
}

impl Default for Beside {
    fn default() -> Beside {
        Beside { state: State::Lost.name(), problem: None, fps: 0.0 }
    }
}

/// Why a pipeline was left.
enum End {
    Stopped,
    Lost(String),
    Failed(String),
}

/// A lock whose holder panicked still holds whole values here.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Camera {
    pub fn new(id: u32, source: Source, plan: &Plan) -> Result<Arc<Camera>> {
        source.check()?;
        let painter = make("gradcam")?;
        let mut properties: Vec<(&str, String)> = Vec::new();
        if let Some(model) = &plan.model {
            std::fs::File::open(model).map_err(|error| format!("the model {model:?} cannot be read: {error}"))?;
            properties.push(("model", model.to_string_lossy().into_owned()));
        }
        let told = [("mode", "async"), ("post-messages", "true"), ("message-interval", "1000000000"), ("top-k", "5")];
        properties.extend(told.map(|(name, value)| (name, value.to_string())));
        properties.extend(plan.properties.iter().map(|(name, value)| (name.as_str(), value.clone())));
        for (name, value) in properties {
            let value = settings::read(&painter, name, &value).map_err(|why| format!("--set {why}"))?;
            painter.set_property_from_value(name, &value);
        }
        let (tile, full) = (Arc::new(Outlet::new(Some(TILE))), Arc::new(Outlet::new(None)));
        Ok(Arc::new(Camera {
            id,
            source,
            painter,
            tile,
            full,
            film: Arc::new(Film::new(plan.keep)),
            probed: AtomicBool::new(false),
            frames: AtomicU64::new(0),
            life: Mutex::default(),
            stop: Condvar::new(),
            changing: Mutex::new(()),
        }))
    }

    /// Plays it on a thread of its own, until [`Camera::stop`].
    pub fn start(self: &Arc<Camera>) -> Result<JoinHandle<()>> {
        let camera = self.clone();
        let thread = std::thread::Builder::new().name(format!("camera {}", self.id)).spawn(move || camera.keep());
        thread.map_err(|error| format!("a thread could not be started: {error}"))
    }

    pub fn stop(&self) {
        lock(&self.life).stop = true;
        self.stop.notify_all();
    }

    /// Whether this is asked for the first time.
    pub fn first_time(&self) -> bool {
        !self.probed.swap(true, Ordering::Relaxed)
    }

    /// A frame went out of the element.
    pub fn count(&self) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        let mut life = lock(&self.life);
        if life.state != State::Playing {
            (life.state, life.problem) = (State::Playing, None);
        }
    }

    /// Frames are of this size from now on.
    pub fn resize(&self, caps: &gst::CapsRef) {
        let number = |name| caps.structure(0)?.get::<i32>(name).ok();
        lock(&self.life).size = number("width").zip(number("height")).unwrap_or_default();
    }

    /// What goes with a picture.
    pub fn beside(&self) -> Beside {
        let life = lock(&self.life);
        Beside { state: life.state.name(), problem: life.problem.clone(), fps: life.fps }
    }

    pub fn is_playing(&self) -> bool {
        lock(&self.life).state == State::Playing
    }

    /// Pictures of at most that width, if one is asked for: the smaller ones where they do.
    pub fn outlet(&self, width: Option<i32>) -> &Outlet {
        if width.is_some_and(|width| width <= TILE) { &self.tile } else { &self.full }
    }

    /// STATE of the wire.
    pub fn to_json(&self) -> Value {
        let text = |name: &str| self.painter.property::<Option<String>>(name);
        let model = text("model").map(PathBuf::from);
        let (layer, provider) = (text("resolved-target-layer"), text("active-provider"));
        let settings = settings::to_json(&self.painter);
        // The element is asked before: it may be saying something just now, which takes the lock.
        let life = lock(&self.life);
        json!({
            "id": self.id,
            "name": self.source.name,
            "source": self.source.told,
            "state": life.state.name(),
            "problem": life.problem,
            "model": model.as_ref().and_then(|path| path.file_stem()).map(|stem| stem.to_string_lossy()),
            "layer": layer,
            "provider": provider,
            "fps": life.fps,
            "width": life.size.0,
            "height": life.size.1,
            "viewers": self.viewers(),
            "settings": settings,
        })
    }

    pub fn viewers(&self) -> usize {
        self.tile.viewers() + self.full.viewers() + self.film.viewers()
    }

    pub fn timeline(&self) -> Value {
        lock(&self.life).timeline.to_json()
    }

    /// Frames that went out of the element, and how often the source was lost.
    pub fn counts(&self) -> (u64, u64) {
        (self.frames.load(Ordering::Relaxed), lock(&self.life).losses)
    }

    /// Probability of the class that was explained last; no number where there is none.
    pub fn score(&self) -> f64 {
        let life = lock(&self.life);
        life.last.as_ref().and_then(|record| record.seen.first()).map_or(f64::NAN, |seen| f64::from(seen.guess.score))
    }

    /// A time of the element's `stats`, in seconds; no number where there is none.
    pub fn stat(&self, name: &str) -> f64 {
        let stats = self.painter.property::<gst::Structure>("stats");
        stats.get::<u64>(name).map_or(f64::NAN, |nanoseconds| nanoseconds as f64 / 1e9)
    }

    fn keep(self: Arc<Camera>) {
        let mut wait = SOON;
        loop {
            let before = self.frames.load(Ordering::Relaxed);
            let end = pipeline::build(&self).map_or_else(End::Failed, |pipeline| self.play(&pipeline));
            let (state, why) = match end {
                End::Stopped => return,
                End::Lost(why) => (State::Lost, why),
                End::Failed(why) => (State::Failed, why),
            };
            {
                let mut life = lock(&self.life);
                life.losses += u64::from(life.state == State::Playing);
                (life.state, life.problem, life.fps, life.last) = (state, Some(why), 0.0, None);
            }
            let beside = self.beside();
            self.tile.blank(&beside);
            self.full.blank(&beside);
            wait = if self.frames.load(Ordering::Relaxed) > before { SOON } else { (wait * 2).min(LATE) };
            let life = lock(&self.life);
            let waited = self.stop.wait_timeout_while(life, wait, |life| !life.stop);
            if waited.unwrap_or_else(PoisonError::into_inner).0.stop {
                return;
            }
        }
    }

    fn play(self: &Arc<Camera>, pipeline: &gst::Pipeline) -> End {
        let end = self.follow(pipeline);
        // A decoder that fails at the same moment has this fail too, once.
        let _ = (0..3).any(|_| pipeline.set_state(gst::State::Null).is_ok());
        if let Some(bus) = pipeline.bus() {
            bus.unset_sync_handler();
        }
        let _ = pipeline.remove(&self.painter);
        end
    }

    fn follow(self: &Arc<Camera>, pipeline: &gst::Pipeline) -> End {
        let Some(bus) = pipeline.bus() else { return End::Failed("a pipeline without a bus".into()) };
        self.listen(&bus);
        if pipeline.set_state(gst::State::Playing).is_err() {
            let error = bus.pop_filtered(&[gst::MessageType::Error]);
            let end = error.and_then(|message| self.hear(pipeline, &message));
            return end.unwrap_or_else(|| End::Lost("it does not start".into()));
        }
        let frames = || self.frames.load(Ordering::Relaxed);
        let (begin, mut counted, mut second) = (frames(), frames(), Instant::now());
        let mut moved = Instant::now();
        loop {
            if let Some(end) = bus.timed_pop(gst::ClockTime::from_mseconds(100)).and_then(|it| self.hear(pipeline, &it))
            {
                return end;
            }
            if lock(&self.life).stop {
                return End::Stopped;
            }
            let (now, passed) = (frames(), second.elapsed());
            if passed < Duration::from_secs(1) {
                continue;
            }
            if now > counted {
                moved = Instant::now();
            }
            let patience = if now > begin { SILENCE } else { FIRST };
            if moved.elapsed() > patience {
                return End::Lost(format!("no picture for {} seconds", patience.as_secs()));
            }
            self.note((now - counted) as f64 / passed.as_secs_f64());
            (counted, second) = (now, Instant::now());
        }
    }

    /// A second is over.
    fn note(&self, fps: f64) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let life = &mut *lock(&self.life);
        life.fps = fps;
        if life.state == State::Playing {
            life.timeline.add(time, life.last.as_ref(), fps);
        }
    }

    /// What the element says of itself, taken down on the thread that says it: nothing is missed between two frames.
    fn listen(self: &Arc<Camera>, bus: &gst::Bus) {
        let camera = Arc::downgrade(self);
        bus.set_sync_handler(move |_, message| {
            if let Some(camera) = camera.upgrade().filter(|camera| message.src() == Some(camera.painter.upcast_ref())) {
                camera.take_down(message);
            }
            gst::BusSyncReply::Pass
        });
    }

    fn take_down(&self, message: &gst::Message) {
        use gst::ProgressType::{Canceled, Complete, Error, Start};
        let mut life = lock(&self.life);
        match message.view() {
            gst::MessageView::Warning(warning) => {
                let about = warning.details().map_or("", |details| details.name().as_str());
                match about {
                    "gradcam-refused" => {
                        (life.refusal, life.refusals) = (warning.error().to_string(), life.refusals + 1)
                    }
                    "gradcam-failed" => life.failure = Some(warning.error().to_string()),
                    _ => {}
                }
            }
            gst::MessageView::Progress(progress) => match progress.get() {
                (Start, ..) => life.begun += 1,
                (Complete | Canceled, ..) => life.ended += 1,
                (Error, _, why) => {
                    (life.refusal, life.unopened, life.ended) = (why.to_string(), life.unopened + 1, life.ended + 1);
                }
                _ => {}
            },
            gst::MessageView::Element(_) => {
                if let Some(record) = Record::from_message(message) {
                    life.failure = life.failure.take().filter(|_| !record.annotated);
                    // Why there is no map, and not just that there is none.
                    life.problem =
                        life.failure.as_ref().or(record.reason.as_ref()).filter(|_| !record.annotated).cloned();
                    life.last = Some(record);
                }
            }
            _ => {}
        }
    }

    /// Whether a message is the end of the pipeline.
    fn hear(&self, pipeline: &gst::Pipeline, message: &gst::Message) -> Option<End> {
        match message.view() {
            gst::MessageView::Error(error) => {
                let why = error.error().to_string();
                let own = message.src() == Some(self.painter.upcast_ref());
                Some(if own { End::Failed(why) } else { End::Lost(why) })
            }
            gst::MessageView::Eos(_) if self.source.repeats() => again(pipeline).err().map(End::Lost),
            gst::MessageView::Eos(_) => Some(End::Lost("the source has ended".into())),
            gst::MessageView::Latency(_) => {
                let _ = pipeline.recalculate_latency();
                None
            }
            _ => None,
        }
    }
}

/// Plays a file from its beginning. The sinks of pictures do not take part in changes of state, so that time is set anew by hand.
fn again(pipeline: &gst::Pipeline) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| format!("it could not be played again: {error}");
    pipeline.set_state(gst::State::Paused).map_err(|error| failed(&error))?;
    pipeline
        .seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT, gst::ClockTime::ZERO)
        .map_err(|error| failed(&error))?;
    pipeline.set_state(gst::State::Playing).map_err(|error| failed(&error))?;
    Ok(())
}
