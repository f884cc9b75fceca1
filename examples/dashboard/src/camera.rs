//! One camera as all others see it: how it is, what was seen last, its settings as they are changed.

mod change;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gst::prelude::*;
use gstgradcam::Record;
use serde_json::{Value, json};

use crate::Result;
use crate::clip::Film;
use crate::outlet::{Beside, Outlet, WIDTHS};
use crate::pipeline::Pipeline;
use crate::settings;
use crate::source::{Source, make};
use crate::timeline::Timeline;

/// What all cameras have in common.
pub struct Plan {
    pub model: Option<PathBuf>,
    pub labels_file: Option<PathBuf>,
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
    pub pipeline: Pipeline,
    /// One for each of [`WIDTHS`].
    outlets: Vec<Arc<Outlet>>,
    pub film: Arc<Film>,
    frames: AtomicU64,
    life: Mutex<Life>,
    changing: Mutex<()>,
}

#[derive(Default)]
struct Life {
    state: State,
    /// Why it does not play, or why there is no map.
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
    /// Models that were begun to be opened, those that this came to an end for, and those of them that could not be.
    begun: u64,
    ended: u64,
    unopened: u64,
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

/// A lock whose holder panicked still holds whole values here.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Camera {
    pub fn new(id: u32, source: Source, plan: &Plan) -> Result<Arc<Camera>> {
        source.check()?;
        let painter = painter(plan)?;
        let outlets: Vec<_> = WIDTHS.iter().map(|width| Arc::new(Outlet::new(*width))).collect();
        let film = Arc::new(Film::new(plan.keep));
        let camera = Arc::new(Camera {
            id,
            source,
            pipeline: Pipeline::new(&painter)?,
            painter,
            outlets,
            film,
            frames: AtomicU64::new(0),
            life: Mutex::default(),
            changing: Mutex::new(()),
        });
        for outlet in &camera.outlets {
            let told = Arc::downgrade(&camera);
            let beside = move || told.upgrade().map(|camera| camera.beside()).unwrap_or_default();
            camera.pipeline.branch(&outlet.make(beside)?)?;
        }
        camera.pipeline.branch(&camera.film.make()?)?;
        camera.listen()?;
        Ok(camera)
    }

    /// Frames that went out of the element.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// A picture comes from the source: it plays.
    pub fn arrives(&self) {
        let mut life = lock(&self.life);
        if life.state != State::Playing {
            (life.state, life.problem) = (State::Playing, None);
        }
    }

    /// The source does not play: who looks is told, since no picture says it.
    pub fn misses(&self, state: State, why: String) {
        {
            let mut life = lock(&self.life);
            life.losses += u64::from(life.state == State::Playing);
            (life.state, life.problem, life.fps, life.last) = (state, Some(why), 0.0, None);
        }
        let beside = self.beside();
        for outlet in &self.outlets {
            outlet.blank(&beside);
        }
    }

    /// A second is over, in which that many frames went out.
    pub fn second(&self, frames: u64, took: Duration) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let life = &mut *lock(&self.life);
        life.fps = (frames as f64 / took.as_secs_f64() * 10.0).round() / 10.0;
        if life.state == State::Playing {
            life.timeline.add(time, life.last.as_ref(), life.fps);
        }
    }

    /// What goes with a picture.
    pub fn beside(&self) -> Beside {
        let life = lock(&self.life);
        Beside { state: life.state.name(), problem: life.problem.clone(), fps: life.fps }
    }

    pub fn is_playing(&self) -> bool {
        lock(&self.life).state == State::Playing
    }

    /// Pictures of at most that width, if one is asked for: the widest of those, or the smallest that there are.
    pub fn outlet(&self, width: Option<i32>) -> &Outlet {
        let own = lock(&self.life).size.0;
        let narrower = width.filter(|&width| own == 0 || width < own);
        let fits = |outlet: &&Arc<Outlet>| match (outlet.width, narrower) {
            (None, None) => true,
            (Some(width), Some(wanted)) => width <= wanted,
            _ => false,
        };
        self.outlets.iter().rev().find(fits).unwrap_or(&self.outlets[0])
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
        self.outlets.iter().map(|outlet| outlet.viewers()).sum::<usize>() + self.film.viewers()
    }

    pub fn timeline(&self) -> Value {
        lock(&self.life).timeline.to_json()
    }

    /// Frames that went out of the element, and how often the source was lost.
    pub fn counts(&self) -> (u64, u64) {
        (self.frames(), lock(&self.life).losses)
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

    /// Hears frames that go out of the element, and what that says of itself, on the threads that it does so: nothing is missed between
    /// two frames.
    fn listen(self: &Arc<Camera>) -> Result<()> {
        let pad = self.painter.static_pad("src").ok_or("an element without a source pad")?;
        let camera = Arc::downgrade(self);
        let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(kinds, move |_, probe| {
            if let Some(camera) = camera.upgrade() {
                match &probe.data {
                    Some(gst::PadProbeData::Buffer(_)) => drop(camera.frames.fetch_add(1, Ordering::Relaxed)),
                    Some(gst::PadProbeData::Event(event)) => camera.sized(event),
                    _ => {}
                }
            }
            gst::PadProbeReturn::Ok
        });
        let camera = Arc::downgrade(self);
        self.pipeline.bus.set_sync_handler(move |_, message| {
            if let Some(camera) = camera.upgrade().filter(|camera| message.src() == Some(camera.painter.upcast_ref())) {
                camera.take_down(message);
            }
            gst::BusSyncReply::Pass
        });
        Ok(())
    }

    fn sized(&self, event: &gst::Event) {
        if let gst::EventView::Caps(caps) = event.view() {
            let number = |name| caps.caps().structure(0)?.get::<i32>(name).ok();
            lock(&self.life).size = number("width").zip(number("height")).unwrap_or_default();
        }
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
}

/// The element with its properties: a live picture never waits for it, and what is seen is told beside the picture.
fn painter(plan: &Plan) -> Result<gst::Element> {
    let painter = make("gradcam")?;
    let mut properties: Vec<(&str, String)> = Vec::new();
    for (name, path) in [("model", &plan.model), ("labels-file", &plan.labels_file)] {
        if let Some(path) = path {
            std::fs::File::open(path).map_err(|error| format!("--{name} {path:?} cannot be read: {error}"))?;
            properties.push((name, path.to_string_lossy().into_owned()));
        }
    }
    let told = [
        ("mode", "async"),
        ("post-messages", "true"),
        ("message-interval", "1000000000"),
        ("top-k", "5"),
        ("draw-labels", "false"),
    ];
    properties.extend(told.map(|(name, value)| (name, value.to_string())));
    properties.extend(plan.properties.iter().map(|(name, value)| (name.as_str(), value.clone())));
    for (name, value) in properties {
        let value = settings::read(&painter, name, &value).map_err(|why| format!("--set {why}"))?;
        painter.set_property_from_value(name, &value);
    }
    Ok(painter)
}
