//! How often the user is told the same: reasons of empty maps once, failures once a second.

use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Says why nothing is painted: each reason once, and once a second at most.
#[derive(Debug, Default)]
pub(super) struct Blank {
    told: HashSet<String>,
    last: Option<Instant>,
}

impl Blank {
    pub(super) fn tell(&mut self, reasons: &[&str], now: Instant) -> Option<String> {
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
        assert_eq!(failures.count, 6);
    }
}
