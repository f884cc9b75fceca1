//! An open model at work: asks it about frames, keeps the newest map, paints it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ndarray::Array2;

use super::frame::Video;
use super::wishes::Live;
use super::words::{Aside, words};
use crate::cam::Target;
use crate::error::{Error, Result};
use crate::explain::{ClassMap, Explanation, ModelInfo};
use crate::prep::{Layout, Preparer, ResizeMode, full_frame};
use crate::render::{Calm, OutputMode, Painter, Scaler, Seen, Style};
use crate::worker::{Answer, Asked, Retreat, Seat, Stopper, Worker, guard};

/// A worker, and this stream's seat there.
#[derive(Debug)]
pub(super) struct Session {
    seat: Seat<Stamp>,
    worker: Arc<Worker>,
    preparer: Preparer,
    targets: Vec<Target>,
    versus: Vec<Target>,
    /// What the user last asked for, valid or not: each wish is looked up, and complained about, once.
    asked: String,
    asked_versus: String,
    /// Whether it was told that the worker left its provider.
    retreat_told: bool,
    /// The input of the last frame that was asked about, where small changes are not.
    reference: Option<Vec<f32>>,
    scaler: Scaler,
    /// For frames without a time.
    begun: Instant,
    shown: Option<Shown>,
}

/// When a frame is shown, and when it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    /// Running time.
    pub(super) time: Option<gst::ClockTime>,
    pub(super) at: Instant,
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

/// The newest map.
#[derive(Debug)]
struct Shown {
    seen: Explanation,
    /// Each class's, scaled.
    maps: Vec<Array2<f32>>,
    /// The frame that it was made from.
    of: Stamp,
    /// The latest frame that hardly differs from that.
    holds: Stamp,
}

/// What came of asking.
#[derive(Debug, PartialEq)]
pub(super) enum Asking {
    /// The model has the frame, whose preparation took this time, and which so many frames that it had not begun gave way to.
    Asked(Duration, usize),
    /// The frame hardly differs from the last one.
    Same,
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
            retreat_told: false,
            reference: None,
            scaler: Scaler::default(),
            begun: Instant::now(),
            shown: None,
        })
    }

    /// The same model on another worker: its classes and its newest map stay.
    pub(super) fn move_to(&mut self, worker: Arc<Worker>, stopper: &Stopper) {
        (self.seat, self.worker) = (worker.seat(stopper), worker);
        (self.retreat_told, self.reference) = (false, None);
    }

    /// The input size that whole frames of this size ask for, where it is another than now.
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

    /// Makes the buffer's picture ready and asks the model about it; `newest` drops what was asked and not begun.
    pub(super) fn ask(
        &mut self,
        video: &Video,
        buffer: &mut gst::BufferRef,
        (stamp, live, newest): (Stamp, &Live, bool),
    ) -> Result<Asking> {
        #[cfg(feature = "fault-injection")]
        self.worker.traps().frame();
        let start = Instant::now();
        let mut input = self.seat.input();
        let preparer = &mut self.preparer;
        let prepared = video.with_frame(buffer, |frame| guard(|| preparer.prepare(&frame.as_frame(), &mut input)));
        let took = start.elapsed();
        let region = match prepared {
            Ok(region) => region,
            Err(error) => {
                self.seat.put_back(input);
                return Err(error);
            }
        };
        let hardly = |reference: &Vec<f32>| self.difference(reference, &input) < live.min_change;
        if live.min_change > 0.0 && self.reference.as_ref().is_some_and(hardly) {
            self.seat.put_back(input);
            return Ok(Asking::Same);
        }
        self.reference = (live.min_change > 0.0).then(|| input.clone());
        let asked = Asked { targets: self.targets.clone(), versus: self.versus.clone() };
        let replaced = if newest {
            self.seat.offer(input, asked, region, stamp)?
        } else {
            self.seat.submit(input, asked, region, stamp).map(|()| 0)?
        };
        Ok(Asking::Asked(took, replaced))
    }

    /// Mean absolute difference of two inputs on the 0 to 1 scale of pixels.
    fn difference(&self, a: &[f32], b: &[f32]) -> f32 {
        let spec = self.preparer.spec();
        let (channels, pixels) = (spec.std.len(), a.len() / spec.std.len().max(1));
        let std = |i: usize| match spec.layout {
            Layout::ChannelsFirst => spec.std[(i / pixels).min(channels - 1)],
            Layout::ChannelsLast => spec.std[i % channels],
        };
        let sum: f64 = a.iter().zip(b).enumerate().map(|(i, (a, b))| f64::from((a - b).abs() * std(i))).sum();
        (sum / a.len().max(1) as f64) as f32
    }

    /// The oldest answer; waits for it where asked to, and is interrupted then.
    pub(super) fn answer(&mut self, wait: bool) -> Result<Option<Answer<Stamp>>> {
        if wait { self.seat.wait().map(Some) } else { Ok(self.seat.poll()) }
    }

    /// Keeps the map of an answer as the newest one, scaled by the time of its own frame.
    pub(super) fn keep(&mut self, seen: Explanation, of: Stamp, calm: Calm) {
        let at = of.time.map_or_else(|| of.at.saturating_duration_since(self.begun), Duration::from);
        let classes: Vec<Seen> = seen.maps.iter().map(as_seen).collect();
        self.scaler.set(calm);
        let maps = self.scaler.scale(&classes, at);
        self.shown = Some(Shown { maps, seen, of, holds: of });
    }

    /// A run has failed: the next frame is asked about, however like the last one it is.
    pub(super) fn failed(&mut self) {
        self.reference = None;
    }

    /// The newest map is this frame's too, unless another one is on its way.
    pub(super) fn holds(&mut self, stamp: Stamp) {
        if let Some(shown) = self.shown.as_mut().filter(|_| !self.seat.is_owed()) {
            shown.holds = stamp;
        }
    }

    /// What was seen so far is of another scene.
    pub(super) fn forget(&mut self) {
        self.seat.forget();
        self.scaler.cut();
        (self.reference, self.shown) = (None, None);
    }

    /// What was seen so far is of another stream.
    pub(super) fn restart(&mut self) {
        self.forget();
        self.scaler.forget();
    }

    /// What came of the newest map.
    pub(super) fn seen(&self) -> Option<&Explanation> {
        self.shown.as_ref().map(|shown| &shown.seen)
    }

    /// The newest map as it is painted, in one: the hottest class at each place.
    pub(super) fn heat(&self, live: &Live) -> Option<Array2<f32>> {
        let shown = self.shown.as_ref()?;
        let mut heat = Array2::zeros(shown.maps.first()?.dim());
        for (map, _) in
            shown.maps.iter().zip(&shown.seen.maps).filter(|(_, one)| one.score >= live.confidence_threshold)
        {
            heat.zip_mut_with(map, |heat: &mut f32, &value| *heat = heat.max(value));
        }
        Some(heat)
    }

    /// Paints the newest map, unless it is too old: then `None`, else its age, and the reason if there was nothing to paint. On an
    /// error the picture is as it was, unless painting itself failed.
    pub(super) fn paint(
        &self,
        painter: &mut Painter,
        (video, buffer): (&Video, &mut gst::BufferRef),
        (stamp, live, aside): (Stamp, &Live, &Aside),
    ) -> Result<Option<(Duration, Option<String>)>> {
        let Some(shown) = &self.shown else { return Ok(None) };
        let opacity = live.expire_overlay.map_or(1.0, |limit| opacity(stamp.since(&shown.holds), limit));
        if opacity == 0.0 {
            return Ok(None);
        }
        let age = stamp.since(&shown.of);
        let likely = |one: &&ClassMap| one.score >= live.confidence_threshold;
        if !shown.seen.maps.iter().any(|one| likely(&one)) {
            let captions: Vec<String> = shown.seen.maps.iter().map(ClassMap::caption).collect();
            let why = format!("{} is below confidence-threshold={}", captions.join(", "), live.confidence_threshold);
            return Ok(Some((age, Some(why))));
        }
        let reason = || match self.blank().join("; ") {
            none if none.is_empty() => "no place is hot".to_string(),
            reasons => reasons,
        };
        if live.style.output_mode == OutputMode::None {
            let is_blank = shown.maps.iter().flatten().all(|value| *value <= 0.0);
            return Ok(Some((age, is_blank.then(reason))));
        }
        // A class that is left out keeps its place, and so the others their hues.
        let nothing = Array2::zeros(shown.maps.first().map_or((0, 0), |map| map.dim()));
        let classes = shown.maps.iter().zip(&shown.seen.maps);
        let maps: Vec<_> = classes.map(|(map, one)| if likely(&one) { map.view() } else { nothing.view() }).collect();
        let painted = video.with_frame(buffer, |frame| {
            guard(|| {
                #[cfg(feature = "fault-injection")]
                self.worker.traps().paint();
                painter.set_style(Style { alpha: live.style.alpha * opacity, ..live.style });
                let painted = painter.paint_maps(frame, &maps, shown.seen.region)?;
                let words = words(&shown.seen, age, live, aside);
                if !words.is_empty() {
                    painter.write(frame, &words)?;
                }
                Ok(painted)
            })
        })?;
        Ok(Some((age, (!painted).then(reason))))
    }

    /// Why nothing is painted on the newest frame: the reasons of its maps, if all have one.
    pub(super) fn blank(&self) -> Vec<&str> {
        let maps = self.shown.as_ref().map_or(&[][..], |shown| &shown.seen.maps);
        let reasons: Vec<&str> = maps.iter().filter_map(|one| one.reason.as_deref()).collect();
        if reasons.len() == maps.len() { reasons } else { Vec::new() }
    }
}

fn as_seen(one: &ClassMap) -> Seen<'_> {
    Seen { class: one.class, score: one.score, map: one.map.view() }
}

/// 1 while a map is young, 0 when its time is over; between half of it and the end it fades.
fn opacity(age: Duration, limit: Duration) -> f32 {
    let left = 1.0 - age.as_secs_f32() / limit.as_secs_f32();
    (2.0 * left).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_fades_over_the_second_half_of_its_time() {
        let at = |ms| opacity(Duration::from_millis(ms), Duration::from_secs(1));
        assert_eq!([0, 500, 750, 1000, 5000].map(at), [1.0, 1.0, 0.5, 0.0, 0.0]);
    }
}
