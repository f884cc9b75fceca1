//! The way of a frame: in, asked about or not, and out in order, painted. Frames in are frames out, whatever happens to the model.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;

use super::beside::Beside;
use super::frame::Video;
use super::heatmap::Ready;
use super::imp::CAT;
use super::loading::Load;
use super::message;
use super::mode::OnError;
use super::newest::Newest;
use super::playback::Playback;
use super::regions::InferenceRegion;
use super::remarks::{Blank, Failures};
use super::session::{Asking, Session, Stamp, Token, seen};
use super::settings::GradCam;
use super::stats::Stage;
use super::tell::{Outcome, Tell, Telling};
use super::wishes::Live;
use super::words::{Aside, Pen};
use crate::error::Error;
use crate::record::Told;
use crate::render::{Calm, OutputMode};
use crate::worker::{Answer, Retreat, Source, guard, lock};

/// What frames need; the streaming thread's.
#[derive(Debug, Default)]
pub struct State {
    pub(super) session: Option<Session>,
    /// In the place of a model.
    pub(super) playback: Option<Playback>,
    pub(super) newest: Newest,
    pub(super) video: Option<Video>,
    /// Where frames go out at twice the width.
    pub(super) beside: Option<Beside>,
    /// What is being opened.
    pub(super) load: Option<Load>,
    /// What the session was opened from.
    pub(super) source: Option<Source>,
    /// ONNX Runtime's library, as it was asked for at the start.
    pub(super) runtime_library: Option<PathBuf>,
    /// The model's input before any frame was known, (width, height).
    pub(super) own: (usize, usize),
    /// The session is one on the CPU, as long as there is none on the provider that was asked for.
    pub(super) interim: bool,
    /// There is no model, and none will come.
    pub(super) given_up: bool,
    pub(super) tell: Tell,
    pub(super) inference_region: InferenceRegion,
    pub(super) pen: Pen,
    /// In sync mode, frames on their way.
    out: VecDeque<Pending>,
    pub(super) failures: Failures,
    blank: Blank,
    /// Whether it was told that the worker is lost.
    lost: bool,
    /// Frames to go without an inference.
    rest: u32,
    /// The last frame that had one.
    inferred: Option<gst::ClockTime>,
    /// The last frame.
    last: Option<gst::ClockTime>,
}

/// Why a frame bears no map, where nothing went wrong.
const NO_MODEL: &str = "the model is not open";
const NO_MAP: &str = "there is no map yet, or it has become too old";
const NO_REGION: &str = "no region: no detector upstream has marked one on the frame";

#[derive(Debug)]
struct Pending {
    buffer: gst::Buffer,
    /// The buffer is a copy: upstream's own has gone back to its pool.
    copied: bool,
    fate: Fate,
    /// As the properties were when it came in.
    live: Live,
    stamp: Stamp,
}

/// What becomes of a frame.
#[derive(Debug)]
pub(super) enum Fate {
    /// It goes as it is: why.
    Pass(&'static str),
    /// It waits for its own map.
    Own,
    /// The newest map is painted.
    Newest,
    /// So is it, since the frame hardly differs from the one before.
    Same,
    /// This was seen on it.
    Told(Box<Told>),
    /// It could not be asked about: why, until that is told.
    Failed(Option<Error>),
}

impl State {
    /// Maps so far are of another stream, and not for the frames to come.
    pub(super) fn forget(&mut self) {
        if let Some(session) = &mut self.session {
            session.forget();
        }
        self.newest.forget();
        (self.rest, self.inferred) = (0, None);
    }

    /// Another stream begins: nothing that was learnt of the last one holds.
    pub(super) fn restart(&mut self) {
        self.forget();
        self.newest = Newest::default();
    }

    /// Drops the frames on their way.
    pub(super) fn clear(&mut self) {
        self.out.clear();
        self.forget();
        self.last = None;
    }

    /// Whether the model is to see a frame.
    fn is_due(&mut self, flags: gst::BufferFlags, late: bool) -> bool {
        if self.rest > 0 {
            self.rest -= 1;
            return false;
        }
        !flags.contains(gst::BufferFlags::GAP) && !late
    }
}

impl GradCam {
    /// Takes a frame in, and asks the model about it.
    pub(super) fn take_in(&self, mut buffer: gst::Buffer) -> Result<(), gst::FlowError> {
        let live = lock(&self.settings).live();
        let segment = self.obj().segment();
        let time = segment.downcast_ref::<gst::ClockTime>().and_then(|segment| segment.to_running_time(buffer.pts()));
        let mut stamp = Stamp { time, at: Instant::now(), scene: 0 };
        self.watch_for_breaks(&buffer, stamp)?;
        self.attend(&live)?;
        let sync = self.is_sync();
        let mut state = lock(&self.state);
        let state = &mut *state;
        self.stats.frame_in();
        let late = lock(&self.pace).is_late(time, state.inferred);
        let due = state.is_due(buffer.flags(), late);
        if let Some(playback) = &mut state.playback {
            let fate = playback.fate(&segment, buffer.pts(), &self.stats);
            state.out.push_back(Pending { buffer, copied: false, fate, live, stamp });
            return Ok(());
        }
        let (Some(session), Some(video)) = (&mut state.session, &state.video) else {
            self.stats.skipped(1);
            state.out.push_back(Pending { buffer, copied: false, fate: Fate::Pass(NO_MODEL), live, stamp });
            return Ok(());
        };
        for error in session.retarget(&live) {
            message::refuse(&*self.obj(), &error, "the class explained so far stays");
        }
        if let Some(text) = session.clash(&live) {
            message::remark(&*self.obj(), &text);
        }
        let before = session.scene();
        let objects = state.inference_region.of(&buffer, video.size(), live.max_regions);
        let fate = if objects.is_empty() {
            self.stats.skipped(1);
            Fate::Pass(NO_REGION)
        } else if !due {
            self.stats.skipped(1);
            Fate::Newest
        } else {
            match session.ask(video, buffer.make_mut(), &objects, (stamp, &live, !sync)) {
                Ok(Asking::Asked(took, replaced)) => {
                    self.stats.took(Stage::Prepare, took);
                    self.stats.skipped(replaced);
                    (state.rest, state.inferred) = (live.inference_interval - 1, time);
                    if sync { Fate::Own } else { Fate::Newest }
                }
                Ok(Asking::Same) => {
                    self.stats.skipped(1);
                    Fate::Same
                }
                Ok(Asking::Busy) => {
                    self.stats.skipped(1);
                    Fate::Newest
                }
                Err(Error::Interrupted) => return Err(gst::FlowError::Flushing),
                Err(error) => Fate::Failed(Some(error)),
            }
        };
        stamp.scene = session.scene();
        self.stats.cut(stamp.scene - before);
        if !sync {
            while let Ok(Some(answers)) = session.answer(false) {
                let told = self.hear_answers((session, &mut state.newest), answers, live.calm, &mut state.blank);
                if let Err(error) = told {
                    session.failed();
                    self.failed(&error, &live, (&mut state.failures, &mut state.lost))?;
                }
            }
        }
        state.out.push_back(Pending { buffer, copied: false, fate, live, stamp });
        Ok(())
    }

    /// Time that goes back or leaps: the maps so far are of another scene, and their frames must not be mixed with the new ones. A
    /// frame that was lost on the way (a camera's, a leaky queue's) is no such break.
    fn watch_for_breaks(&self, buffer: &gst::BufferRef, stamp: Stamp) -> Result<(), gst::FlowError> {
        if buffer.flags().contains(gst::BufferFlags::DISCONT) {
            // Not after the frames on their way: the base class would mark the first of them.
            self.drain()?;
            let mut state = lock(&self.state);
            let goes_on = match (state.last, stamp.time) {
                (Some(last), Some(now)) => now >= last && now - last <= gst::ClockTime::SECOND,
                _ => false,
            };
            if !goes_on {
                state.forget();
            }
        }
        lock(&self.state).last = stamp.time;
        Ok(())
    }

    /// The next frame that is ready to go out, or that must go since there are too many: painted, and told of.
    pub(super) fn put_out(&self, all: bool) -> Result<Option<Ready>, gst::FlowError> {
        let limit = lock(&self.settings).max_in_flight();
        let mut state = lock(&self.state);
        let state = &mut *state;
        let Some((mut frame, failure)) = self.next_out(state, all, limit)? else { return Ok(None) };
        if let Some(error) = &failure {
            if let Some(session) = state.session.as_mut() {
                session.failed();
            }
            gst::debug!(CAT, imp = self, "frame {:?} passes without a map of its own: {error}", frame.buffer.pts());
            self.failed(error, &frame.live, (&mut state.failures, &mut state.lost))?;
        }
        self.lay_beside(state, &mut frame)?;
        let telling = lock(&self.telling).clone();
        let (age, reason) = self.paint(state, &mut frame, failure, &telling)?;
        if let (Some(age), None) = (age, &reason) {
            self.stats.annotated(age);
        }
        let State { session, playback, source, newest, video, tell, .. } = state;
        let shown = newest.shown().filter(|_| age.is_some());
        if let Some(video) = video {
            if let Some(error) = tell.take_up(&telling) {
                message::refuse(&*self.obj(), &error, "the former region of interest stays");
            }
            let opened = source.as_ref().zip(session.as_ref());
            let opened = opened.map(|(source, session)| (source.model.as_path(), session.info()));
            let outcome = Outcome { shown, map_age: age, opened, provider: self.stats.provider(), reason };
            tell.frame(&self.obj(), frame.buffer.make_mut(), video.size(), outcome, &telling).map_err(|error| {
                message::fail(&*self.obj(), &error);
                gst::FlowError::Error
            })?;
        }
        let Pending { buffer, live, stamp, .. } = frame;
        let signed = session
            .as_ref()
            .map_or(playback.as_ref().is_some_and(Playback::is_signed), |session| session.info().signed);
        let heat = (shown.map(|shown| (shown, &live)), signed);
        let picture = guard(|| self.heatmap.picture(heat, &buffer)).unwrap_or_else(|error| {
            message::warn(&*self.obj(), &error, "the pad heatmap goes without this frame");
            None
        });
        self.stats.frame_out(Instant::now());
        self.stayed(stamp.at, limit);
        Ok(Some(Ready { buffer, picture }))
    }

    /// The oldest frame on its way, if it has its answer or must go, and why it has no map of its own where something went wrong.
    fn next_out(
        &self,
        state: &mut State,
        all: bool,
        limit: usize,
    ) -> Result<Option<(Pending, Option<Error>)>, gst::FlowError> {
        let State { session, playback, newest, out, blank, .. } = state;
        let Some(front) = out.front() else { return Ok(None) };
        let mut failure = None;
        if let (Fate::Own, Some(session)) = (&front.fate, session.as_mut()) {
            match session.answer(all || out.len() >= limit) {
                Ok(Some(answers)) => {
                    failure = self.hear_answers((session, newest), answers, front.live.calm, blank).err()
                }
                Ok(None) => {
                    // Upstream may have no more than two of them, and wait for one.
                    for frame in out.iter_mut().filter(|frame| !frame.copied) {
                        frame.buffer = frame.buffer.copy_deep().map_err(|_| self.no_memory())?;
                        frame.copied = true;
                    }
                    return Ok(None);
                }
                Err(_) => {
                    out.clear();
                    return Err(gst::FlowError::Flushing);
                }
            }
        }
        let Some(mut frame) = out.pop_front() else { return Ok(None) };
        if let Fate::Failed(error) = &mut frame.fate {
            failure = error.take();
        }
        if let (Fate::Told(told), Some(playback)) = (&mut frame.fate, playback) {
            frame.stamp.scene = told.scene;
            playback.keep(told, newest, frame.stamp, frame.live.calm);
        }
        Ok(Some((frame, failure)))
    }

    fn no_memory(&self) -> gst::FlowError {
        let why = "there is no memory to keep it in until its map is ready; set max-in-flight=1".into();
        message::fail(&*self.obj(), &Error::Frame { why });
        gst::FlowError::Error
    }

    /// Where frames go out at twice the width, a frame of that width in place of this one.
    fn lay_beside(&self, state: &State, frame: &mut Pending) -> Result<(), gst::FlowError> {
        let mode = &mut frame.live.style.output_mode;
        if let (Some(video), Some(beside)) = (&state.video, &state.beside) {
            frame.buffer = guard(|| beside.double(video, frame.buffer.make_mut())).map_err(|error| {
                message::fail(&*self.obj(), &error);
                gst::FlowError::Error
            })?;
            *mode = OutputMode::SideBySide;
        } else if *mode == OutputMode::SideBySide {
            *mode = OutputMode::Overlay;
        }
        Ok(())
    }

    /// Paints the newest maps on a frame, unless it goes without: their age, if they were taken, and why nothing is to be seen, if so.
    fn paint(
        &self,
        state: &mut State,
        frame: &mut Pending,
        failure: Option<Error>,
        telling: &Telling,
    ) -> Result<(Option<Duration>, Option<String>), gst::FlowError> {
        let Pending { buffer, fate, live, stamp, .. } = frame;
        let State { session, newest, video, beside, pen, failures, lost, .. } = state;
        match fate {
            Fate::Pass(why) => return Ok((None, Some(why.to_string()))),
            Fate::Told(told) if told.map.is_none() => return Ok((None, told.record.reason.clone())),
            _ => {}
        }
        let reason = failure.map(|error| error.to_string());
        if reason.is_some() && self.is_sync() {
            return Ok((None, reason));
        }
        let target = beside.as_ref().map(|beside| &beside.video).or(video.as_ref());
        let (true, Some(target)) = (session.is_some() || matches!(fate, Fate::Told(_)), target) else {
            return Ok((None, reason.or_else(|| Some(NO_MODEL.into()))));
        };
        if matches!(fate, Fate::Same) && session.as_ref().is_some_and(Session::is_idle) {
            newest.holds(*stamp);
        }
        let (painters, no_font) = pen.painters(live, newest.shown().map_or(0, |shown| shown.pictures.len()));
        if let Some(error) = no_font {
            message::refuse(&*self.obj(), &error, "the former font stays");
        }
        let aside = Aside { top_k: telling.top_k as usize, figures: live.draw_stats.then(|| self.stats.figures()) };
        let start = Instant::now();
        let about_to = || session.iter().for_each(Session::about_to_paint);
        let painted = newest.paint(painters, (target, buffer.make_mut()), (*stamp, live, &aside), about_to);
        self.stats.restarted(session.as_ref().map_or(0, Session::restarts));
        match painted {
            Ok(None) => Ok((None, reason.or_else(|| Some(NO_MAP.into())))),
            Ok(Some((age, nothing))) => {
                self.stats.took(Stage::Paint, start.elapsed());
                // an older map is painted where the newest run failed
                Ok((Some(age), nothing))
            }
            Err(error) => {
                self.failed(&error, live, (failures, lost))?;
                Ok((None, Some(error.to_string())))
            }
        }
    }

    /// Keeps the maps of a frame's answers, and counts.
    fn hear_answers(
        &self,
        (session, newest): (&mut Session, &mut Newest),
        answers: Vec<Answer<Token>>,
        calm: Calm,
        blank: &mut Blank,
    ) -> Result<(), Error> {
        for answer in &answers {
            self.stats.took(Stage::Queue, answer.begun.saturating_duration_since(answer.queued));
            self.stats.inference(answer.done.saturating_duration_since(answer.begun));
        }
        if let Some(Retreat { from, why, to }) = session.retreat() {
            let and_so =
                format!("execution-provider={from} is left for the CPU, which explained this frame and goes on");
            message::warn(&*self.obj(), &Error::Inference { why: why.clone() }, &and_so);
            self.runs_on(to);
        }
        if let Some((of, seen)) = seen(answers)? {
            newest.keep(seen, of, calm);
        }
        if let Some(text) = blank.tell(&newest.blank(), Instant::now()) {
            message::remark(&*self.obj(), &text);
        }
        Ok(())
    }

    /// A frame could not be explained or painted: an end or a warning, as `on-error` says.
    fn failed(
        &self,
        error: &Error,
        live: &Live,
        (failures, lost): (&mut Failures, &mut bool),
    ) -> Result<(), gst::FlowError> {
        self.stats.failed();
        if live.on_error == OnError::Stop {
            message::fail(&*self.obj(), error);
            return Err(gst::FlowError::Error);
        }
        let is_lost = matches!(error, Error::WorkerLost { .. });
        let count = failures.count(Instant::now()).filter(|_| !is_lost);
        if is_lost && !std::mem::replace(lost, true) {
            message::warn(&*self.obj(), error, "the video goes on without a map");
        } else if let Some(count) = count {
            message::warn(&*self.obj(), error, &format!("the video goes on without a map ({count} frames so far)"));
        }
        Ok(())
    }

    /// Waits for the frames on their way and sends them on.
    pub(super) fn drain(&self) -> Result<(), gst::FlowError> {
        while let Some(ready) = self.put_out(true)? {
            if let Err(error) = ready.first().and_then(|buffer| self.obj().src_pad().push(buffer)) {
                lock(&self.state).clear();
                return Err(error);
            }
        }
        Ok(())
    }
}
