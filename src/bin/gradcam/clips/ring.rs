//! The last seconds of an encoded stream, from which a clip begins before its event does. No GStreamer in it.

use std::collections::VecDeque;
use std::time::Duration;

/// Events that are no farther apart make one clip, however soon it would end.
const TOGETHER: Duration = Duration::from_secs(1);

/// What is kept, and when a clip goes on.
#[derive(Debug)]
pub struct Ring<T> {
    before: Duration,
    after: Duration,
    /// From a key frame on.
    kept: VecDeque<Frame<T>>,
    /// The first and the last event of the clip that is open, and of those to come: events are told before their frames are encoded.
    events: VecDeque<(Duration, Duration)>,
    open: bool,
}

#[derive(Debug)]
struct Frame<T> {
    at: Duration,
    key: bool,
    data: T,
}

/// What is to be done with a frame.
#[derive(Debug, PartialEq)]
pub enum Step<T> {
    /// The open clip ends before it.
    End,
    /// A clip begins with these, of which it is the last.
    Begin(Vec<T>),
    /// The open clip goes on with it.
    GoOn(T),
}

impl<T: Clone> Ring<T> {
    pub fn new(before: Duration, after: Duration) -> Self {
        Ring { before, after, kept: VecDeque::new(), events: VecDeque::new(), open: false }
    }

    /// Something happens at that time: from `before` until `after` it is kept.
    pub fn event(&mut self, at: Duration) {
        let apart = self.after.max(TOGETHER);
        match self.events.back_mut() {
            Some((_, last)) if at <= *last + apart => *last = at.max(*last),
            _ => self.events.push_back((at, at)),
        }
    }

    /// The next frame.
    pub fn push(&mut self, at: Duration, key: bool, data: T) -> Vec<Step<T>> {
        let mut steps = Vec::new();
        while self.events.front().is_some_and(|(_, last)| at > *last + self.after) {
            self.events.pop_front();
            if std::mem::take(&mut self.open) {
                steps.push(Step::End);
            }
        }
        self.kept.push_back(Frame { at, key, data: data.clone() });
        self.trim(at.saturating_sub(self.before));
        if self.open {
            steps.push(Step::GoOn(data));
        } else if let Some(&(first, _)) =
            self.events.front().filter(|(first, _)| *first <= at + self.before && !self.kept.is_empty())
        {
            self.open = true;
            // The encoder is some frames behind the events: what is kept until then reaches back farther than is asked for.
            self.trim(first.saturating_sub(self.before));
            steps.push(Step::Begin(self.kept.iter().map(|frame| frame.data.clone()).collect()));
        }
        steps
    }

    /// Leaves the frames from the last key frame on that is not later than this.
    fn trim(&mut self, from: Duration) {
        let begins = |frame: &Frame<T>| frame.key && frame.at <= from;
        let first = self.kept.iter().position(|frame| frame.key).unwrap_or(self.kept.len());
        let start = self.kept.iter().rposition(begins).unwrap_or(first);
        self.kept.drain(..start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A frame a second with a key frame every second one, and events at these times: the frames of each clip.
    fn clips(before: u64, after: u64, events: &[u64]) -> Vec<Vec<u64>> {
        let mut ring = Ring::new(s(before), s(after));
        let (mut clips, mut open) = (Vec::<Vec<u64>>::new(), false);
        for at in 0..30 {
            if events.contains(&at) {
                ring.event(s(at));
            }
            for step in ring.push(s(at), at % 2 == 0, at) {
                match step {
                    Step::End => open = false,
                    Step::Begin(frames) => (open, _) = (true, clips.push(frames)),
                    Step::GoOn(frame) if open => clips.last_mut().unwrap().push(frame),
                    Step::GoOn(_) => panic!("no clip is open"),
                }
            }
        }
        clips
    }

    #[test]
    fn a_clip_begins_with_a_key_frame_before_and_ends_after() {
        assert_eq!(clips(3, 2, &[]), Vec::<Vec<u64>>::new());
        assert_eq!(clips(3, 2, &[10]), [(6..=12).collect::<Vec<_>>()]);
        assert_eq!(clips(4, 2, &[10]), [(6..=12).collect::<Vec<_>>()]);
        assert_eq!(clips(0, 0, &[10]), [vec![10]]);
        assert_eq!(clips(0, 0, &[11]), [vec![10, 11]]);
        assert_eq!(clips(5, 1, &[1]), [vec![0, 1, 2]], "there is nothing before the beginning");
    }

    #[test]
    fn events_that_follow_make_a_clip_longer_and_later_ones_another() {
        assert_eq!(clips(2, 3, &[10, 12, 15]), [(8..=18).collect::<Vec<_>>()]);
        assert_eq!(clips(2, 1, &[10, 15]), [(8..=11).collect::<Vec<_>>(), (12..=16).collect()]);
        assert_eq!(
            clips(4, 1, &[10, 13]),
            [(6..=11).collect::<Vec<_>>(), (8..=14).collect()],
            "each has what was before it"
        );
    }

    #[test]
    fn an_event_that_comes_before_its_frame_begins_no_earlier() {
        let mut ring = Ring::new(s(2), s(1));
        for at in 0..6 {
            assert_eq!(ring.push(s(at), true, at), []);
        }
        ring.event(s(9));
        assert_eq!(ring.push(s(6), true, 6), []);
        assert_eq!(ring.push(s(7), true, 7), [Step::Begin(vec![7])]);
    }

    #[test]
    fn frames_before_the_first_key_frame_are_none() {
        let mut ring = Ring::new(s(9), s(1));
        ring.event(s(0));
        assert_eq!(ring.push(s(0), false, 0), []);
        assert_eq!(ring.push(s(1), true, 1), [Step::Begin(vec![1])]);
    }
}
