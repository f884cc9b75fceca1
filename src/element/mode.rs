//! Whether frames wait for their maps, what latency that adds, and which frames come too late for an inference.

use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;

use super::settings::GradCam;
use crate::worker::lock;

/// Values of the property `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstGradCamMode")]
#[non_exhaustive]
pub enum Mode {
    #[default]
    #[enum_value(nick = "auto", name = "async where the source is live, else sync")]
    Auto,
    #[enum_value(nick = "sync", name = "Each frame waits for its own map")]
    Sync,
    #[enum_value(nick = "async", name = "No frame waits: the newest map there is")]
    Async,
}

/// Values of the property `wait-for-model`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstGradCamWaitForModel")]
#[non_exhaustive]
pub enum WaitForModel {
    #[default]
    #[enum_value(nick = "auto", name = "Wait in sync mode")]
    Auto,
    #[enum_value(nick = "true", name = "Wait; a model that cannot be opened is an error")]
    Yes,
    #[enum_value(nick = "false", name = "Frames pass without a map until it is open")]
    No,
}

/// Values of the property `on-error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstGradCamOnError")]
#[non_exhaustive]
pub enum OnError {
    #[default]
    #[enum_value(nick = "pass", name = "A warning; frames pass without a map")]
    Pass,
    #[enum_value(nick = "stop", name = "An error, and the stream ends")]
    Stop,
}

/// Values of the property `interim-provider`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstGradCamInterimProvider")]
#[non_exhaustive]
pub enum InterimProvider {
    #[default]
    #[enum_value(nick = "cpu", name = "The CPU, where frames do not wait for the model")]
    Cpu,
    #[enum_value(nick = "none", name = "None: frames pass without a map, or with those of the model so far")]
    None,
}

/// Reported latencies are whole steps, so that it is not reported anew for every hair.
const STEP: Duration = Duration::from_millis(10);
/// A late stream is explained once in this time all the same.
const SELDOM: gst::ClockTime = gst::ClockTime::SECOND;

/// How the stream runs.
#[derive(Debug, Default)]
pub struct Pace {
    /// As it was at the start.
    mode: Mode,
    /// As it was at the start.
    wait_for_model: WaitForModel,
    /// Whether frames wait, once that is decided.
    sync: Option<bool>,
    /// Upstream is live.
    live: bool,
    /// Of one frame.
    pub(super) frame: Duration,
    /// The longest that a frame has stayed here.
    longest: Duration,
    /// What was answered last.
    reported: Duration,
    /// Frames up to this running time come too late, as the sink has told.
    late: Option<gst::ClockTime>,
}

impl Pace {
    pub(super) fn new(mode: Mode, wait_for_model: WaitForModel) -> Pace {
        Pace { mode, wait_for_model, ..Pace::default() }
    }

    /// Whether the first frames wait for the model.
    pub(super) fn waits(&self, sync: bool) -> bool {
        match self.wait_for_model {
            WaitForModel::Yes => true,
            WaitForModel::No => false,
            WaitForModel::Auto => sync,
        }
    }

    /// A seek: what the sink told does not hold any more.
    pub(super) fn flushed(&mut self) {
        self.late = None;
    }

    /// Whether a frame should go without an inference: `last` is the running time of the last one that had one.
    pub(super) fn is_late(&self, time: Option<gst::ClockTime>, last: Option<gst::ClockTime>) -> bool {
        let (Some(time), Some(late), Some(last)) = (time, self.late, last) else { return false };
        time <= late && time < last + SELDOM
    }

    /// What frames are kept for: those before them in the queue, and the longest stay so far.
    fn latency(&self, in_flight: usize) -> Duration {
        let queue = self.frame * u32::try_from(in_flight.saturating_sub(1)).unwrap_or(0);
        let steps = (queue.max(self.longest).as_nanos()).div_ceil(STEP.as_nanos());
        STEP * u32::try_from(steps).unwrap_or(u32::MAX)
    }
}

impl GradCam {
    /// Whether frames wait for their maps: asked of upstream, and then kept; `None` where nobody answers yet, unless `now`.
    pub(super) fn decide(&self, now: bool) -> Option<bool> {
        let mode = match *lock(&self.pace) {
            Pace { sync: Some(sync), .. } => return Some(sync),
            Pace { mode, .. } => mode,
        };
        let sync = match mode {
            Mode::Sync => Some(true),
            Mode::Async => Some(false),
            Mode::Auto => None,
        };
        let sync = sync.or_else(|| {
            let mut query = gst::query::Latency::new();
            let answered = self.obj().sink_pad().peer_query(&mut query).then(|| query.result().0);
            let live = answered.or_else(|| source(self.obj().sink_pad()).map(|source| source.is_live()));
            live.map(|live| !live).or(now.then_some(true))
        });
        // Another thread may have asked meanwhile: what was decided first is kept.
        let mut pace = lock(&self.pace);
        pace.sync = pace.sync.or(sync);
        pace.sync
    }

    pub(super) fn is_sync(&self) -> bool {
        self.decide(true) == Some(true)
    }

    /// Upstream's latency, and our own where frames wait on a live stream.
    pub(super) fn answer_latency(&self, query: &mut gst::query::Latency) -> bool {
        if !self.obj().sink_pad().peer_query(query.query_mut()) {
            return false;
        }
        let sync = self.decide(false) == Some(true);
        let (live, min, max) = query.result();
        let in_flight = lock(&self.settings).max_in_flight();
        let mut pace = lock(&self.pace);
        pace.live = live;
        pace.reported = if sync && live { pace.latency(in_flight) } else { Duration::ZERO };
        let own = gst::ClockTime::try_from(pace.reported).unwrap_or(gst::ClockTime::ZERO);
        query.set(live, min + own, max.map(|max| max + own));
        true
    }

    /// A frame that came in at `since` goes out: where it stayed longer than was reported, the latency is to be asked for anew.
    pub(super) fn stayed(&self, since: Instant, in_flight: usize) {
        let mut pace = lock(&self.pace);
        pace.longest = pace.longest.max(since.elapsed());
        if pace.live && pace.sync == Some(true) && pace.latency(in_flight) > pace.reported {
            pace.reported = pace.latency(in_flight);
            drop(pace);
            // Refused only where there is no bus to read it.
            let _ = self.obj().post_message(gst::message::Latency::builder().src(&*self.obj()).build());
        }
    }

    /// What the sink tells about lateness.
    pub(super) fn hear(&self, qos: &gst::event::Qos) {
        let (_, _, diff, time) = qos.get();
        let late = time.filter(|_| diff > 0).map(|time| time + gst::ClockTime::from_nseconds(2 * diff.unsigned_abs()));
        lock(&self.pace).late = late;
    }
}

/// The source that a pad's data comes from, where the way there is linked: it knows whether it is live before it answers queries.
fn source(pad: &gst::Pad) -> Option<gst_base::BaseSrc> {
    let mut pad = pad.peer();
    // No pipeline is longer; a loop in one would be.
    for _ in 0..1000 {
        let from = pad?;
        if let Ok(source) = from.parent_element()?.downcast() {
            return Some(source);
        }
        pad = from.iterate_internal_links().next().ok()??.peer();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latency_is_the_queue_or_the_longest_stay_in_whole_steps() {
        let ms = Duration::from_millis;
        let pace = |frame, longest| Pace { frame: ms(frame), longest: ms(longest), ..Pace::default() };
        assert_eq!(pace(33, 0).latency(1), ms(0));
        assert_eq!(pace(33, 0).latency(4), ms(100));
        assert_eq!(pace(33, 101).latency(4), ms(110));
        assert_eq!(pace(33, 101).latency(1), ms(110));
    }

    #[test]
    fn a_late_stream_is_still_explained_now_and_then() {
        let at = |ms| Some(gst::ClockTime::from_mseconds(ms));
        let pace = Pace { late: at(5000), ..Pace::default() };
        assert!(pace.is_late(at(1500), at(1000)) && !pace.is_late(at(2000), at(1000)));
        assert!(!pace.is_late(at(5001), at(5000)) && !pace.is_late(None, at(0)) && !pace.is_late(at(1500), None));
    }
}
