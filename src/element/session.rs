//! An open model at work: what the element does to one frame, and what it keeps from frame to frame.

use std::time::{Duration, Instant};

use super::frame::Video;
use super::settings::Live;
use crate::cam::Target;
use crate::error::Result;
use crate::explain::{ClassMap, Explainer, ModelInfo};
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
    pub(super) failures: Failures,
    /// The user was told once that a map had nothing in it.
    told_blank: bool,
}

impl Session {
    pub(super) fn new(explainer: Explainer, live: &Live) -> Result<Session> {
        let info = explainer.info().clone();
        Ok(Session {
            targets: info.targets(&live.target_class)?,
            asked: live.target_class.clone(),
            preparer: explainer.preparer(),
            painter: Painter::new(live.style),
            worker: Worker::spawn(explainer)?,
            info,
            failures: Failures::default(),
            told_blank: false,
        })
    }

    /// Goes on with the same model, opened anew for other frames: style, targets and what was told stay.
    pub(super) fn reopen(&mut self, explainer: Explainer) -> Result<()> {
        self.info = explainer.info().clone();
        self.preparer = explainer.preparer();
        self.worker = Worker::spawn(explainer)?;
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

    /// Takes up another target class; the former one stays when there is no such class.
    pub(super) fn retarget(&mut self, target_class: &str) -> Result<()> {
        if self.asked == target_class {
            return Ok(());
        }
        self.asked = target_class.to_owned();
        self.targets = self.info.targets(target_class)?;
        Ok(())
    }

    /// Explains the buffer's picture and paints the map over it. On an error the picture is as it was,
    /// unless painting itself failed. Returns what the user should know, once.
    pub(super) fn annotate(
        &mut self,
        video: &Video,
        buffer: &mut gst::BufferRef,
        live: &Live,
    ) -> Result<Option<String>> {
        let Session { worker, preparer, painter, targets, info, told_blank, .. } = self;
        video.with_frame(buffer, |frame| {
            let seen = worker.explain(targets, |input| guard(|| preparer.prepare(&frame.as_frame(), input)))?;
            guard(|| {
                painter.set_style(live.style);
                let heat = seen.heat();
                painter.paint(frame, heat.view(), seen.region)?;
                if live.draw_labels {
                    painter.write(frame, &seen.maps.iter().map(ClassMap::caption).collect::<Vec<_>>())?;
                }
                let blank = heat.iter().all(|&value| value <= 0.0);
                let tell = blank && !*told_blank;
                *told_blank |= blank;
                Ok(tell.then(|| blank_remark(&seen.maps, &info.layer)))
            })
        })
    }
}

fn blank_remark(maps: &[ClassMap], layer: &str) -> String {
    let names: Vec<&str> = maps.iter().map(|seen| seen.label.as_str()).collect();
    format!(
        "nothing in a frame speaks for {} at layer {layer:?}: its map is zero everywhere and nothing is painted; frames go on, \
         and this is said once",
        names.join(", ")
    )
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
    fn failures_are_reported_once_a_second_and_all_counted() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let said: Vec<_> = [0, 40, 999, 1000, 1100, 2500].into_iter().map(|ms| failures.count(at(ms))).collect();
        assert_eq!(said, [Some(1), None, None, Some(4), None, Some(6)]);
        assert_eq!(failures.total(), 6);
    }
}
