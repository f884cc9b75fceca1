//! What a stream has done so far, in numbers; without GStreamer.

use std::collections::VecDeque;
use std::time::Duration;

/// So many recent durations are kept of each kind.
const KEPT: usize = 256;

/// Since the start.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    pub frames_in: u64,
    pub frames_out: u64,
    pub frames_annotated: u64,
    pub inferences: u64,
    /// Frames without an inference of their own: by interval, change, lateness, or because a newer frame came.
    pub inferences_skipped: u64,
    pub failures: u64,
    pub restarts: u64,
    pub prepare: Recent,
    /// Between preparation and run.
    pub queue: Recent,
    pub inference: Recent,
    pub paint: Recent,
    /// Running time of a frame less that of the frame which its map is of.
    pub map_age: Recent,
}

/// The latest durations of one kind.
#[derive(Debug, Clone, Default)]
pub struct Recent(VecDeque<Duration>);

impl Recent {
    pub fn add(&mut self, time: Duration) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(time);
    }

    /// The duration that this share of them does not exceed, 0 to 1.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let at = (sorted.len() as f64 * share).ceil() as usize;
        sorted.get(at.clamp(1, sorted.len().max(1)) - 1).copied()
    }

    /// "p50 / p95" in milliseconds.
    pub fn text(&self) -> String {
        let ms = |share| self.quantile(share).map_or_else(|| "-".into(), |t| format!("{:.1}", t.as_secs_f64() * 1e3));
        format!("{} / {} ms", ms(0.5), ms(0.95))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_latest_durations() {
        let mut recent = Recent::default();
        assert_eq!(recent.quantile(0.5), None);
        (1..=1000).for_each(|ms| recent.add(Duration::from_millis(ms)));
        assert_eq!(recent.quantile(0.0), Some(Duration::from_millis(745)));
        assert_eq!(recent.quantile(0.5), Some(Duration::from_millis(872)));
        assert_eq!(recent.quantile(1.0), Some(Duration::from_millis(1000)));
    }
}
