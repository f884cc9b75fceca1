//! An open model at work: asks it about the pictures of frames, and hears its answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::frame::Video;
use super::newest::Seen;
use super::regions::Object;
use super::scene::{self, Scenes};
use super::wishes::Live;
use crate::cam::Target;
use crate::error::{Error, Result};
use crate::explain::ModelInfo;
use crate::frame::{Part, Region};
use crate::prep::{Preparer, ResizeMode, full_frame};
use crate::render::Colormap;
use crate::worker::{Answer, Asked, Retreat, Seat, Stopper, Worker, guard};

/// A worker, and this stream's seat there.
#[derive(Debug)]
pub(super) struct Session {
    seat: Seat<Token>,
    worker: Arc<Worker>,
    preparer: Preparer,
    targets: Vec<Target>,
    versus: Vec<Target>,
    /// What the user last asked for, valid or not: each wish is looked up, and complained about, once.
    asked: String,
    asked_versus: String,
    /// The colour map of which it was told what there is to say.
    judged: Option<Colormap>,
    /// Whether it was told that the worker left its provider.
    retreat_told: bool,
    /// The inputs of the last frame that was asked about, where small changes are not.
    reference: Option<Vec<Input>>,
    scenes: Scenes,
    /// The last frame that was asked about has several pictures.
    several: bool,
    /// Answers about the first pictures of a frame.
    heard: Vec<Answer<Token>>,
}

/// A picture, ready for the model.
#[derive(Debug, Clone)]
struct Input {
    object: Option<Object>,
    values: Vec<f32>,
    /// The part of the frame that the whole input covers.
    covers: Region,
}

/// What a job is about: one of a frame's pictures.
#[derive(Debug)]
pub(super) struct Token {
    stamp: Stamp,
    object: Option<Object>,
    nth: usize,
    of: usize,
}

/// When a frame is shown, and when it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stamp {
    /// Running time.
    pub(super) time: Option<gst::ClockTime>,
    pub(super) at: Instant,
    /// How many cuts there were before it.
    pub(super) scene: u64,
}

impl Stamp {
    /// From another frame to this one.
    pub(super) fn since(&self, other: &Stamp) -> Duration {
        match (self.time, other.time) {
            (Some(now), Some(then)) => now.saturating_sub(then).into(),
            _ => self.at.saturating_duration_since(other.at),
        }
    }
}

/// What came of asking.
#[derive(Debug, PartialEq)]
pub(super) enum Asking {
    /// The model has the frame, whose preparation took this time, and which so many frames that it had not begun gave way to.
    Asked(Duration, usize),
    /// The frame hardly differs from the last one.
    Same,
    /// The pictures of an earlier frame are still worked on.
    Busy,
}

impl Session {
    pub(super) fn new(worker: Arc<Worker>, live: &Live, stopper: &Stopper) -> Result<Session> {
        let info = worker.info();
        Ok(Session {
            seat: worker.seat(stopper),
            preparer: Preparer::new(info.spec.clone()),
            targets: info.targets(&live.target_class)?,
            versus: worker.versus().to_vec(),
            asked: live.target_class.clone(),
            asked_versus: live.versus.clone(),
            worker,
            judged: None,
            retreat_told: false,
            reference: None,
            scenes: Scenes::default(),
            several: false,
            heard: Vec::new(),
        })
    }

    /// The same model on another worker: its classes and its newest map stay.
    pub(super) fn move_to(&mut self, worker: Arc<Worker>, stopper: &Stopper) {
        (self.seat, self.worker) = (worker.seat(stopper), worker);
        (self.retreat_told, self.reference) = (false, None);
    }

    /// Whether whole frames of this size ask for another input size than now.
    pub(super) fn wants(&self, frame: (usize, usize), own: (usize, usize)) -> Result<bool> {
        let spec = &self.info().spec;
        let full = spec.resize_mode == ResizeMode::FullFrame;
        Ok(full && full_frame(own, frame)? != (spec.width, spec.height))
    }

    /// The model's input, (width, height).
    pub(super) fn input_size(&self) -> (usize, usize) {
        (self.info().spec.width, self.info().spec.height)
    }

    pub(super) fn info(&self) -> &ModelInfo {
        self.worker.info()
    }

    /// That the worker has left its provider for the CPU: once.
    pub(super) fn retreat(&mut self) -> Option<&Retreat> {
        let retreat = self.worker.retreat().filter(|_| !self.retreat_told);
        self.retreat_told |= retreat.is_some();
        retreat
    }

    pub(super) fn restarts(&self) -> u64 {
        self.worker.restarts()
    }

    /// Takes up other classes; the former ones stay when there are no such classes, of which the errors tell.
    pub(super) fn retarget(&mut self, live: &Live) -> Vec<Error> {
        let mut errors = Vec::new();
        if self.asked != live.target_class {
            self.asked.clone_from(&live.target_class);
            match self.info().targets(&live.target_class) {
                Ok(targets) => self.targets = targets,
                Err(error) => errors.push(error),
            }
            self.reference = None;
        }
        if self.asked_versus != live.versus {
            self.asked_versus.clone_from(&live.versus);
            match self.held_against(&live.versus) {
                Ok(versus) => self.versus = versus,
                Err(error) => errors.push(error),
            }
            self.reference = None;
        }
        errors
    }

    fn held_against(&self, text: &str) -> Result<Vec<Target>> {
        if self.info().versus == text.is_empty() {
            let why = "whether one class is held against another is decided at the start: it takes effect at the next one (state \
                       READY or NULL)";
            return Err(Error::Setting { name: "versus", value: format!("{text:?}"), why: why.into() });
        }
        self.info().versus(text)
    }

    /// Makes the pictures of a buffer's frame ready and asks the model about each; `newest` drops what was asked and not begun.
    pub(super) fn ask(
        &mut self,
        video: &Video,
        buffer: &mut gst::BufferRef,
        objects: &[Option<Object>],
        (stamp, live, newest): (Stamp, &Live, bool),
    ) -> Result<Asking> {
        #[cfg(feature = "fault-injection")]
        self.worker.traps().frame();
        // Half of a frame's pictures dropped, frame after frame, and none would ever be whole.
        if newest && self.several && self.seat.is_owed() {
            return Ok(Asking::Busy);
        }
        let start = Instant::now();
        let mut inputs: Vec<Input> = Vec::with_capacity(objects.len());
        let prepared = video.with_frame(buffer, |frame| {
            let frame = frame.as_frame();
            for &object in objects {
                let part = object.map_or(Part::whole(video.size()), |object| object.part);
                inputs.push(Input { object, values: self.seat.input(), covers: part.region() });
                if let Some(input) = inputs.last_mut() {
                    input.covers = guard(|| self.preparer.prepare_part(&frame, part, &mut input.values))?;
                }
            }
            Ok(())
        });
        let took = start.elapsed();
        if let Err(error) = prepared {
            self.put_back(inputs);
            return Err(error);
        }
        // The regions of a detector follow their objects by themselves.
        if let [Input { object: None, values, .. }] = &inputs[..] {
            self.scenes.cut(self.preparer.spec(), values);
        }
        let stamp = Stamp { scene: self.scenes.count(), ..stamp };
        if live.min_change > 0.0 && self.hardly_differ(&inputs, live.min_change) {
            self.put_back(inputs);
            return Ok(Asking::Same);
        }
        self.reference = (live.min_change > 0.0).then(|| inputs.clone());
        let (of, mut replaced) = (inputs.len(), 0);
        self.several = of > 1;
        for (nth, Input { object, values, covers }) in inputs.into_iter().enumerate() {
            let asked = Asked { targets: self.targets.clone(), versus: self.versus.clone() };
            let token = Token { stamp, object, nth, of };
            if newest && nth == 0 {
                replaced = self.seat.offer(values, asked, covers, token)?;
            } else {
                self.seat.submit(values, asked, covers, token)?;
            }
        }
        Ok(Asking::Asked(took, replaced))
    }

    fn put_back(&mut self, inputs: Vec<Input>) {
        inputs.into_iter().for_each(|input| self.seat.put_back(input.values));
    }

    /// Whether all pictures are where those of the reference are, and look as they do.
    fn hardly_differ(&self, inputs: &[Input], limit: f32) -> bool {
        let same = |(old, new): (&Input, &Input)| {
            old.object == new.object && scene::change(self.preparer.spec(), &old.values, &new.values) < limit
        };
        self.reference.as_ref().is_some_and(|old| old.len() == inputs.len() && old.iter().zip(inputs).all(same))
    }

    /// The answers about the oldest frame, one for each of its pictures; waits for them where asked to, and is interrupted then.
    pub(super) fn answer(&mut self, wait: bool) -> Result<Option<Vec<Answer<Token>>>> {
        loop {
            let Some(answer) = (if wait { Some(self.seat.wait()?) } else { self.seat.poll() }) else { return Ok(None) };
            if answer.token.nth == 0 {
                // What was left of an interrupted frame.
                self.heard.clear();
            }
            let last = answer.token.nth + 1 == answer.token.of;
            self.heard.push(answer);
            if last {
                return Ok(Some(std::mem::take(&mut self.heard)));
            }
        }
    }

    /// A run has failed: the next frame is asked about, however like the last one it is.
    pub(super) fn failed(&mut self) {
        self.reference = None;
    }

    /// Whether the model has nothing to answer any more.
    pub(super) fn is_idle(&self) -> bool {
        !self.seat.is_owed()
    }

    /// What was asked so far is of another scene.
    pub(super) fn forget(&mut self) {
        self.seat.forget();
        self.scenes.restart();
        (self.reference, self.several) = (None, false);
        self.heard.clear();
    }

    /// Painting begins, in the place where it may be made to fail.
    pub(super) fn about_to_paint(&self) {
        #[cfg(feature = "fault-injection")]
        self.worker.traps().paint();
    }

    /// How many cuts there were so far.
    pub(super) fn scene(&self) -> u64 {
        self.scenes.count()
    }

    /// What is to be said of the colour map with these maps, once.
    pub(super) fn clash(&mut self, live: &Live) -> Option<String> {
        let signed = self.info().signed;
        let colormap = live.colormap.unwrap_or(Colormap::usual(signed));
        let new = self.judged.replace(colormap) != Some(colormap);
        colormap.remark(signed).filter(|_| new && self.targets.len() == 1)
    }
}

/// What the answers about a frame say, and which frame that is.
///
/// # Errors
/// That of the first picture that has one.
pub(super) fn seen(answers: Vec<Answer<Token>>) -> Result<Option<(Stamp, Seen)>> {
    let Some(of) = answers.first().map(|answer| answer.token.stamp) else { return Ok(None) };
    let seen = |answer: Answer<Token>| Ok((answer.token.object, answer.result?));
    Ok(Some((of, answers.into_iter().map(seen).collect::<Result<_>>()?)))
}
