//! What is told of a frame, and when: the element message, and what its buffer takes along.

use std::path::Path;
use std::time::Duration;

use gst::prelude::*;
use gst_base::prelude::*;

use super::regions::Object;
use super::session::Stamp;
use super::shown::Shown;
use super::sidecar::Sidecar;
use super::{GradCam, meta};
use crate::error::{Error, Result};
use crate::explain::ModelInfo;
use crate::frame::Region;
use crate::prep::parse_numbers;
use crate::record::{self, Record};

/// The values of the properties that say what is told.
#[derive(Debug, Clone)]
pub(super) struct Telling {
    pub(super) top_k: u32,
    pub(super) post_messages: bool,
    /// Nanoseconds.
    pub(super) message_interval: u64,
    pub(super) roi: Option<String>,
    pub(super) attach_meta: bool,
    pub(super) output_map_meta: bool,
    pub(super) sidecar: Option<String>,
    pub(super) sidecar_maps: bool,
}

impl Telling {
    /// A second: for eyes and logs; a program asks for what it needs.
    pub(super) const INTERVAL: u64 = 1_000_000_000;
}

impl Default for Telling {
    fn default() -> Self {
        Self {
            top_k: 1,
            post_messages: false,
            message_interval: Self::INTERVAL,
            roi: None,
            attach_meta: true,
            output_map_meta: false,
            sidecar: None,
            sidecar_maps: false,
        }
    }
}

/// What became of a frame.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    /// Of this frame, or of an earlier one.
    pub(super) shown: Option<&'a Shown>,
    /// How much later this frame is than the one that the map was made of.
    pub(super) map_age: Option<Duration>,
    /// The model's file and what was found in it, if it is open.
    pub(super) opened: Option<(&'a Path, &'a ModelInfo)>,
    /// Where the model runs.
    pub(super) provider: String,
    /// Why no map was painted; `None` if one was.
    pub(super) reason: Option<String>,
}

/// What is kept from frame to frame.
#[derive(Debug, Default)]
pub(super) struct Tell {
    /// What the user last asked for as region of interest, valid or not: each wish is complained about once.
    asked: String,
    roi: Option<Shares>,
    /// Running time of the last message.
    last: Option<gst::ClockTime>,
    /// What was found in maps, which may be painted on many frames.
    found: Option<(Key, Record)>,
    sidecar: Option<Sidecar>,
}

/// What the figures of maps follow from: the frame that these are of, and what was asked about them.
type Key = (Stamp, u32, Option<Shares>, (usize, usize));

impl Tell {
    /// # Errors
    /// [`Error::Setting`] for a region of interest that is none, [`Error::Unwritable`] for a sidecar that cannot be made.
    pub(super) fn new(telling: &Telling) -> Result<Tell> {
        let asked = telling.roi.clone().unwrap_or_default();
        let file = telling.sidecar.as_deref().filter(|file| !file.is_empty());
        let sidecar = file.map(|file| Sidecar::create(file, telling.sidecar_maps)).transpose()?;
        Ok(Tell { roi: Shares::parse(&asked)?, asked, sidecar, ..Tell::default() })
    }

    /// The stream is over.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub(super) fn close(&mut self) -> Result<()> {
        self.sidecar.as_mut().map_or(Ok(()), Sidecar::close)
    }

    /// Takes up another region of interest; the former one stays where there is no such one, of which the error tells.
    pub(super) fn take_up(&mut self, telling: &Telling) -> Option<Error> {
        let asked = telling.roi.as_deref().unwrap_or_default();
        if self.asked == asked {
            return None;
        }
        self.asked = asked.into();
        Shares::parse(asked).map(|roi| self.roi = roi).err()
    }

    /// The next frame is told of, however soon it comes: a flush.
    pub(super) fn flush(&mut self) {
        self.last = None;
    }

    /// Posts the message if one is due, hangs the metas on the buffer of a frame of (width, height) if it bears a map, and writes the
    /// frame's line.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub(super) fn frame(
        &mut self,
        element: &GradCam,
        buffer: &mut gst::BufferRef,
        size: (usize, usize),
        outcome: Outcome,
        telling: &Telling,
    ) -> Result<()> {
        let segment = element.segment();
        let segment = segment.downcast_ref::<gst::ClockTime>();
        let running_time = segment.and_then(|segment| segment.to_running_time(buffer.pts()));
        let annotated = outcome.shown.filter(|_| outcome.reason.is_none());
        let explained = annotated.filter(|_| telling.attach_meta);
        let due = telling.post_messages && self.is_due(running_time, telling.message_interval);
        if !due && explained.is_none() && self.sidecar.is_none() {
            return Ok(());
        }
        let time = |time: Option<gst::ClockTime>| time.map(Duration::from);
        let record = Record {
            timestamp: time(buffer.pts()),
            stream_time: time(segment.and_then(|segment| segment.to_stream_time(buffer.pts()))),
            running_time: time(running_time),
            duration: time(buffer.duration()),
            map_age: outcome.map_age,
            provider: outcome.provider,
            annotated: annotated.is_some(),
            reason: outcome.reason,
            ..outcome.shown.map_or(Record { size, ..Record::default() }, |shown| self.found(shown, size, telling.top_k))
        };
        if let Some(shown) = explained {
            meta::attach(buffer, &record, shown, telling.output_map_meta);
        }
        if due {
            let message = gst::message::Element::builder(record.to_structure()).src(element).build();
            // A pipeline that goes down takes no more messages.
            let _ = element.post_message(message);
        }
        self.sidecar.as_mut().map_or(Ok(()), |sidecar| sidecar.frame((element, outcome.opened), &record, outcome.shown))
    }

    /// What is in maps on frames of (width, height).
    fn found(&mut self, shown: &Shown, size: (usize, usize), top_k: u32) -> Record {
        let key = (shown.of, top_k, self.roi, size);
        if let Some((_, found)) = self.found.as_ref().filter(|(of, _)| *of == key) {
            return found.clone();
        }
        let (k, roi) = (top_k as usize, self.roi.map(|roi| roi.of(size)));
        let mut record = Record { size, ..Record::default() };
        for picture in &shown.pictures {
            match picture.object {
                None => record = record.explained(&picture.seen, k, roi),
                Some(Object { part, id }) => {
                    record.objects.push(record::Object::explained(part, id, &picture.seen, k, roi));
                }
            }
        }
        self.found.insert((key, record)).1.clone()
    }

    /// By the frames' running time, as the element `level` does it; frames without one are all told of.
    fn is_due(&mut self, now: Option<gst::ClockTime>, interval: u64) -> bool {
        let Some(now) = now else { return true };
        let next = self.last.map(|last| last.nseconds().saturating_add(interval));
        let backwards = self.last.is_some_and(|last| now < last);
        let due = backwards || next.is_none_or(|next| now.nseconds() >= next);
        if due {
            self.last = Some(now);
        }
        due
    }
}

/// A rectangle in shares of the frame's width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shares([f32; 4]);

impl Shares {
    /// "x,y,width,height", 0 to 1; "" = none.
    fn parse(text: &str) -> Result<Option<Shares>> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let refuse = |why: String| Error::Setting {
            name: "roi",
            value: text.into(),
            why: format!(
                "{why}; give x,y,width,height in shares of the frame, as in \"0.25,0.25,0.5,0.5\" for its middle"
            ),
        };
        match parse_numbers(text).map_err(refuse)?[..] {
            [x, y, width, height] => {
                // A thousandth for three decimals of a third.
                let fits = |from: f32, length: f32| from >= 0.0 && length > 0.0 && from + length <= 1.001;
                if !fits(x, width) || !fits(y, height) {
                    return Err(refuse("the region is empty or reaches beyond the frame".into()));
                }
                Ok(Some(Shares([x, y, width, height])))
            }
            ref numbers => Err(refuse(format!("there are {} numbers where a region has 4", numbers.len()))),
        }
    }

    /// In pixels of a frame of (width, height).
    fn of(self, (width, height): (usize, usize)) -> Region {
        let [x, y, w, h] = self.0;
        let (width, height) = (width as f32, height as f32);
        Region { x: x * width, y: y * height, width: w * width, height: h * height }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_interest_are_read_or_explained() {
        assert_eq!(Shares::parse(" ").unwrap(), None);
        let middle = Shares::parse("0.25, 0.25,0.5,0.5").unwrap().unwrap();
        assert_eq!(middle.of((64, 48)), Region { x: 16.0, y: 12.0, width: 32.0, height: 24.0 });
        for text in
            ["0,0,1", "0,0,1,1,1", "a,0,1,1", "0,0,640,480", "0,0,0,1", "-0.1,0,1,1", "nan,0,1,1", "0.5,0,0.6,1"]
        {
            let error = Shares::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("roi={text}: ")) && error.contains("0.25,0.25,0.5,0.5"), "{error}");
        }
    }

    #[test]
    fn a_message_is_due_once_an_interval_of_running_time() {
        let mut tell = Tell::default();
        let mut due = |ms: Option<u64>, interval: u64| {
            tell.is_due(ms.map(gst::ClockTime::from_mseconds), gst::ClockTime::from_mseconds(interval).nseconds())
        };
        let seen: Vec<bool> = [0, 40, 80, 100, 120, 199, 200].map(|ms| due(Some(ms), 100)).into();
        assert_eq!(seen, [true, false, false, true, false, false, true]);
        assert!(due(Some(50), 100), "after a seek backwards");
        assert!(due(None, 100) && due(None, 100));
        assert!(due(Some(51), 0) && due(Some(52), 0));
        assert!(!due(Some(60), u64::MAX / 1_000_001), "the largest interval does not overflow");
    }
}
