//! A camera's last ten minutes, a point a second.

use std::collections::VecDeque;
use std::time::Duration;

use gstgradcam::Record;
use serde_json::{Value, json};

/// Points that are kept.
const POINTS: usize = 600;

/// The points, the oldest first.
#[derive(Debug, Default)]
pub struct Timeline(VecDeque<Value>);

impl Timeline {
    /// Adds what was seen last, at `time` (milliseconds since 1970).
    pub fn add(&mut self, time: u64, record: Option<&Record>, fps: f64) {
        let seen = record.and_then(|record| record.seen.first());
        let age = record.and_then(|record| record.map_age).map(|age: Duration| age.as_nanos() as u64);
        self.0.push_back(json!({
            "time": time,
            "class": seen.map(|seen| seen.guess.class),
            "label": seen.map(|seen| &seen.guess.label),
            "score": seen.map(|seen| seen.guess.score),
            "roi-share": seen.and_then(|seen| seen.summary.as_ref()?.roi_share),
            "fps": fps,
            "map-age": age,
        }));
        if self.0.len() > POINTS {
            self.0.pop_front();
        }
    }

    /// All of them, as the wire has it.
    pub fn to_json(&self) -> Value {
        json!({ "points": self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_minutes_are_kept_and_no_more() {
        let mut timeline = Timeline::default();
        for time in 0..1000 {
            timeline.add(time, None, 30.0);
        }
        let kept = timeline.to_json();
        let points = kept["points"].as_array().unwrap();
        assert_eq!((points.len(), &points[0]["time"], &points[599]["time"]), (600, &json!(400), &json!(999)));
        assert_eq!(points[0]["score"], Value::Null, "nothing was seen");
    }
}
