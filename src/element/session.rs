//! An open model at work: what the element does to one frame, and what it keeps from frame to frame.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use ndarray::Array2;

use super::frame::Video;
use super::settings::Live;
use super::stats::{Stage, Stats};
use crate::cam::Target;
use crate::error::{Error, Result};
use crate::explain::{ClassMap, Explainer, Explanation, ModelInfo};
use crate::prep::{Preparer, ResizeMode, full_frame};
use crate::render::Painter;
use crate::worker::{Worker, guard};

/// Between start and stop.
#[derive(Debug)]
pub(super) struct Session {
    worker: Worker,
    preparer: Preparer,
    painter: Painter,
    info: ModelInfo,
    targets: Vec<Target>,
    /// What the user last asked for, valid or not: each wish is looked up, and complained about, once.
    asked: String,
    versus: String,
    pub(super) failures: Failures,
    blank: Blank,
}

impl Session {
    pub(super) fn new(explainer: Explainer, live: &Live) -> Result<Session> {
        let info = explainer.info().clone();
        Ok(Session {
            targets: info.targets(&live.target_class)?,
            asked: live.target_class.clone(),
            versus: live.versus.clone(),
            preparer: explainer.preparer(),
            painter: Painter::new(live.style),
            worker: Worker::spawn(explainer)?,
            info,
            failures: Failures::default(),
            blank: Blank::default(),
        })
    }

    /// Goes on with the same model, opened anew for other frames: style, targets and what was told stay.
    pub(super) fn reopen(&mut self, explainer: Explainer) -> Result<()> {
        self.info = explainer.info().clone();
        self.preparer = explainer.preparer();
        let versus = self.worker.versus().to_vec();
        self.worker = Worker::spawn(explainer)?;
        self.worker.set_versus(versus);
        Ok(())
    }

    /// The input size that whole frames of this size ask for, where it is another than now.
    pub(super) fn wants(&self, frame: (usize, usize), own: (usize, usize)) -> Result<bool> {
        let spec = &self.info.spec;
        let full = spec.resize_mode == ResizeMode::FullFrame;
        Ok(full && full_frame(own, frame)? != (spec.width, spec.height))
    }

    /// The model's input, (width, height).
    pub(super) fn input_size(&self) -> (usize, usize) {
        (self.info.spec.width, self.info.spec.height)
    }

    pub(super) fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Takes up other classes; the former ones stay when there are no such classes, of which the errors tell.
    pub(super) fn retarget(&mut self, live: &Live) -> Vec<Error> {
        let mut errors = Vec::new();
        if self.asked != live.target_class {
            self.asked.clone_from(&live.target_class);
            match self.info.targets(&live.target_class) {
                Ok(targets) => self.targets = targets,
                Err(error) => errors.push(error),
            }
        }
        if self.versus != live.versus {
            self.versus.clone_from(&live.versus);
            match self.held_against(&live.versus) {
                Ok(versus) => self.worker.set_versus(versus),
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    fn held_against(&self, text: &str) -> Result<Vec<Target>> {
        if self.info.versus == text.is_empty() {
            let why = "whether one class is held against another is decided at the start: it takes effect at the next one (state \
                       READY or NULL)";
            return Err(Error::Setting { name: "versus", value: format!("{text:?}"), why: why.into() });
        }
        self.info.versus(text)
    }

    /// Explains the buffer's picture and paints the map over it. On an error the picture is as it was,
    /// unless painting itself failed.
    pub(super) fn annotate(
        &mut self,
        video: &Video,
        buffer: &mut gst::BufferRef,
        live: &Live,
        stats: &Stats,
    ) -> Result<Annotated> {
        let Session { worker, preparer, painter, targets, blank, .. } = self;
        video.with_frame(buffer, |frame| {
            let (begun, mut prepared) = (Instant::now(), Duration::ZERO);
            let explanation = worker.explain(targets, |input| {
                let region = guard(|| preparer.prepare(&frame.as_frame(), input));
                prepared = begun.elapsed();
                region
            })?;
            stats.took(Stage::Prepare, prepared);
            stats.took(Stage::Queue, begun.elapsed().saturating_sub(prepared + explanation.took));
            stats.inference(explanation.took);
            guard(|| {
                let begun = Instant::now();
                painter.set_style(live.style);
                let heat = explanation.heat();
                let painted = painter.paint(frame, heat.view(), explanation.region)?;
                if live.draw_labels {
                    painter.write(frame, &explanation.maps.iter().map(ClassMap::caption).collect::<Vec<_>>())?;
                }
                stats.took(Stage::Paint, begun.elapsed());
                let reasons: Vec<&str> = explanation.maps.iter().filter_map(|one| one.reason.as_deref()).collect();
                let all = reasons.len() == explanation.maps.len();
                let remark = blank.tell(if all { &reasons } else { &[] }, Instant::now());
                let reason = (!painted).then(|| reasons.join("; "));
                Ok(Annotated { heat, remark, reason, explanation })
            })
        })
    }
}

/// What was done to a frame.
#[derive(Debug)]
pub(super) struct Annotated {
    pub(super) explanation: Explanation,
    /// What was painted; see [`Explanation::heat`].
    pub(super) heat: Array2<f32>,
    /// Why nothing was.
    pub(super) reason: Option<String>,
    /// What the user should know, once.
    pub(super) remark: Option<String>,
}

/// Says why nothing is painted: each reason once, and once a second at most.
#[derive(Debug, Default)]
struct Blank {
    told: HashSet<String>,
    last: Option<Instant>,
}

impl Blank {
    fn tell(&mut self, reasons: &[&str], now: Instant) -> Option<String> {
        let new: Vec<&str> = reasons.iter().copied().filter(|reason| !self.told.contains(*reason)).collect();
        let soon = self.last.is_some_and(|last| now.duration_since(last) < Duration::from_secs(1));
        if new.is_empty() || soon {
            return None;
        }
        self.last = Some(now);
        self.told.extend(new.iter().map(|reason| reason.to_string()));
        let why = new.join("; ");
        Some(format!(
            "nothing is painted on a frame, whose map is zero everywhere: {why}; frames go on, and this is said once"
        ))
    }
}

/// Counts frames that passed without a map, and says which of them to report: the first, then one a second at most.
#[derive(Debug, Default)]
pub(super) struct Failures {
    count: u64,
    reported: Option<Instant>,
}

impl Failures {
    /// Counts one; the number so far if it is time to say so.
    pub(super) fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.reported.is_some_and(|last| now.duration_since(last) < Duration::from_secs(1)) {
            return None;
        }
        self.reported = Some(now);
        Some(self.count)
    }

    /// Frames that passed without a map, so far.
    pub(super) fn total(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_of_an_empty_map_is_told_once() {
        let (mut blank, start) = (Blank::default(), Instant::now());
        let mut tell = |reasons: &[&str], ms| blank.tell(reasons, start + Duration::from_millis(ms)).is_some();
        assert!(!tell(&[], 0) && tell(&["a"], 1) && !tell(&["a"], 5_000) && !tell(&[], 5_001));
        assert!(tell(&["b"], 6_000) && !tell(&["c"], 6_100) && tell(&["c"], 7_000));
        assert!(
            !tell(&["a"], 9_000) && !tell(&["b"], 19_000) && !tell(&["a", "b"], 29_000) && tell(&["a", "d"], 39_000)
        );
    }

    #[test]
    fn failures_are_reported_once_a_second_and_all_counted() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let said: Vec<_> = [0, 40, 999, 1000, 1100, 2500].into_iter().map(|ms| failures.count(at(ms))).collect();
        assert_eq!(said, [Some(1), None, None, Some(4), None, Some(6)]);
        assert_eq!(failures.total(), 6);
    }
}
