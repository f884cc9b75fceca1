//! What the element counts: frames, runs, the time of each stage. Any thread may add to it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use serde_json::Map;

use super::structure;
use crate::record::{Field, Kind, field, insert_time};
use crate::worker::lock;

/// So many of the latest times are kept of each stage: percentiles are over these, and so is the frame rate.
const RECENT: usize = 256;

/// What a frame spends its time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Frame to the model's input.
    Prepare,
    /// Between that and the model's run.
    Queue,
    /// The model's run.
    Inference,
    /// Map and words onto the frame.
    Paint,
    /// From the frame that the map was made of to the frame that bears it.
    MapAge,
}

const STAGES: usize = Stage::MapAge as usize + 1;

/// Rows of the structure.
#[rustfmt::skip]
const FIELDS: &[Field] = &[
    field("frames-in",          Kind::Count,  "frames that came in since the start"),
    field("frames-out",         Kind::Count,  "frames that went out: as many, but for one on its way"),
    field("frames-annotated",   Kind::Count,  "those that a map was painted on"),
    field("inferences",         Kind::Count,  "runs of the model"),
    field("inferences-skipped", Kind::Count,  "frames that no run was made for: by interval, change or lateness, or for a newer frame; with `explanations`, those that it does not tell of"),
    field("failures",           Kind::Count,  "frames that went out without a map for an error"),
    field("restarts",           Kind::Count,  "how often the thread that runs the model was started anew"),
    field("scene-cuts",         Kind::Count,  "hard cuts of the picture, at which maps begin anew"),
    field("fps",                Kind::Number, "frames a second that went out, over the latest 256"),
    field("prepare-p50",        Kind::Time,   "frame to the model's input: the median of the latest 256"),
    field("prepare-p95",        Kind::Time,   "the same, 95th percentile"),
    field("queue-p50",          Kind::Time,   "from there to the model's run: the median"),
    field("queue-p95",          Kind::Time,   "the same, 95th percentile"),
    field("inference-p50",      Kind::Time,   "the model's run: the median"),
    field("inference-p95",      Kind::Time,   "the same, 95th percentile"),
    field("paint-p50",          Kind::Time,   "map and words onto the frame: the median"),
    field("paint-p95",          Kind::Time,   "the same, 95th percentile"),
    field("map-age-p50",        Kind::Time,   "how much later a frame is than the one that its map was made of: the median"),
    field("map-age-p95",        Kind::Time,   "the same, 95th percentile"),
    field("provider",           Kind::Text,   "where the model runs"),
    field("cache-hit",          Kind::Flag,   "whether its engine came from the cache, where there is one"),
];

/// Every field of the property `stats`.
pub fn stats_fields() -> impl Iterator<Item = &'static Field> {
    FIELDS.iter()
}

/// What `gst-inspect-1.0` says of the property.
pub(super) fn property() -> glib::ParamSpec {
    glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
        .nick("Statistics")
        .blurb("Frames, runs of the model, frame rate and times of each stage since the start; its fields are in docs/messages.md")
        .read_only()
        .build()
}

/// Counts, from start to start.
#[derive(Debug, Default)]
pub(super) struct Stats(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    frames_in: u64,
    frames_out: u64,
    annotated: u64,
    inferences: u64,
    skipped: u64,
    failures: u64,
    restarts: u64,
    cuts: u64,
    times: [VecDeque<Duration>; STAGES],
    out: VecDeque<Instant>,
    provider: String,
    cache_hit: Option<bool>,
}

impl Stats {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        lock(&self.0)
    }

    /// From zero.
    pub(super) fn start(&self) {
        *self.counts() = Counts::default();
    }

    /// Where the model runs from now on, and whether its engine came from the cache, if there is one.
    pub(super) fn runs_on(&self, provider: &str, cache_hit: Option<bool>) {
        let mut counts = self.counts();
        (counts.provider, counts.cache_hit) = (provider.into(), cache_hit);
    }

    /// Where the model runs, and frames a second.
    pub(super) fn figures(&self) -> (String, f64) {
        let counts = self.counts();
        (counts.provider.clone(), counts.fps())
    }

    /// Where the model runs.
    pub(super) fn provider(&self) -> String {
        self.counts().provider.clone()
    }

    pub(super) fn frame_in(&self) {
        self.counts().frames_in += 1;
    }

    pub(super) fn frame_out(&self, now: Instant) {
        let mut counts = self.counts();
        counts.frames_out += 1;
        keep(&mut counts.out, now);
    }

    /// A map was painted on a frame, so much older than the frame.
    pub(super) fn annotated(&self, map_age: Duration) {
        self.counts().annotated += 1;
        self.took(Stage::MapAge, map_age);
    }

    /// A run of the model, however it ended.
    pub(super) fn inference(&self, time: Duration) {
        self.counts().inferences += 1;
        self.took(Stage::Inference, time);
    }

    pub(super) fn took(&self, stage: Stage, time: Duration) {
        keep(&mut self.counts().times[stage as usize], time);
    }

    /// So many frames were not given to the model, on purpose, or gave way to newer ones.
    pub(super) fn skipped(&self, frames: usize) {
        self.counts().skipped += frames as u64;
    }

    /// A frame went out without a map for an error.
    pub(super) fn failed(&self) {
        self.counts().failures += 1;
    }

    /// The thread that runs the model was started anew so many times.
    pub(super) fn restarted(&self, times: u64) {
        self.counts().restarts = times;
    }

    /// The picture was cut so many times more.
    pub(super) fn cut(&self, times: u64) {
        self.counts().cuts += times;
    }

    /// The property.
    pub(super) fn to_structure(&self) -> gst::Structure {
        let counts = self.counts();
        let mut object = Map::new();
        for (name, count) in [
            ("frames-in", counts.frames_in),
            ("frames-out", counts.frames_out),
            ("frames-annotated", counts.annotated),
            ("inferences", counts.inferences),
            ("inferences-skipped", counts.skipped),
            ("failures", counts.failures),
            ("restarts", counts.restarts),
            ("scene-cuts", counts.cuts),
        ] {
            object.insert(name.into(), count.into());
        }
        object.insert("fps".into(), counts.fps().into());
        for (stage, times) in ["prepare", "queue", "inference", "paint", "map-age"].iter().zip(&counts.times) {
            for percent in [50, 95] {
                insert_time(&mut object, &format!("{stage}-p{percent}"), percentile(times, percent));
            }
        }
        object.insert("provider".into(), counts.provider.as_str().into());
        object.extend(counts.cache_hit.map(|hit| ("cache-hit".to_string(), hit.into())));
        structure::made("gradcam-stats", FIELDS.iter(), &object)
    }
}

impl Counts {
    fn fps(&self) -> f64 {
        let (Some(first), Some(last)) = (self.out.front(), self.out.back()) else { return 0.0 };
        let seconds = last.duration_since(*first).as_secs_f64();
        if seconds > 0.0 { (self.out.len() - 1) as f64 / seconds } else { 0.0 }
    }
}

fn keep<T>(latest: &mut VecDeque<T>, one: T) {
    if latest.len() == RECENT {
        latest.pop_front();
    }
    latest.push_back(one);
}

/// The smallest time that so many percent are no longer than.
fn percentile(times: &VecDeque<Duration>, percent: usize) -> Option<Duration> {
    let mut sorted: Vec<Duration> = times.iter().copied().collect();
    sorted.sort_unstable();
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let of = |n: u32, percent| percentile(&(1..=n).rev().map(|i| MS * i).collect(), percent);
        assert_eq!([of(1, 50), of(1, 95)], [Some(MS), Some(MS)]);
        assert_eq!([of(4, 50), of(4, 95)], [Some(2 * MS), Some(4 * MS)]);
        assert_eq!([of(100, 50), of(100, 95)], [Some(50 * MS), Some(95 * MS)]);
        assert_eq!(of(0, 50), None);
    }

    #[test]
    fn counts_and_times_are_told_from_start_to_start() {
        gst::init().unwrap();
        let stats = Stats::default();
        let start = Instant::now();
        for frame in 0..300u32 {
            stats.frame_in();
            stats.took(Stage::Prepare, MS * frame);
            stats.inference(MS * 7);
            stats.annotated(Duration::ZERO);
            stats.frame_out(start + MS * 40 * frame);
        }
        stats.runs_on("cpu", Some(true));
        stats.failed();
        stats.skipped(1);
        stats.restarted(1);
        let told = stats.to_structure();
        let count = |name: &str| told.get::<u64>(name).unwrap();
        for name in ["frames-in", "frames-out", "frames-annotated", "inferences"] {
            assert_eq!(count(name), 300, "{name}");
        }
        assert_eq!([count("failures"), count("inferences-skipped"), count("restarts")], [1; 3]);
        assert!((told.get::<f64>("fps").unwrap() - 25.0).abs() < 1e-9, "{told}");
        // of the latest 256, 44 to 299, the 128th and the 244th
        assert_eq!([count("prepare-p50"), count("prepare-p95")], [171_000_000, 287_000_000]);
        assert_eq!([count("inference-p95"), count("map-age-p95")], [7_000_000, 0]);
        assert_eq!(count("queue-p50"), u64::MAX, "none was measured");
        assert_eq!((told.get("provider"), told.get("cache-hit")), (Ok("cpu"), Ok(true)));
        stats.start();
        assert_eq!(stats.to_structure().get("frames-in"), Ok(0u64));
    }
}
