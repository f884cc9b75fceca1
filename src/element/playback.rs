//! A recording in the place of a model: what was seen on a frame is read where a model would be asked. No ONNX Runtime is loaded.

use std::path::Path;
use std::time::Duration;

use super::newest::Newest;
use super::regions::Object;
use super::session::Stamp;
use super::stats::Stats;
use super::stream::Fate;
use crate::error::{Error, Result};
use crate::record::{Recording, Told};
use crate::render::Calm;

/// Where the maps come from, as `active-provider` and messages name it.
pub(super) const NAME: &str = "recording";

/// Why a frame bears no map.
const NOT_TOLD: &str = "the recording does not tell of this frame";

/// An open recording.
#[derive(Debug)]
pub(super) struct Playback {
    file: String,
    recording: Recording,
    /// Nanoseconds of the recording before the video begins.
    offset: i64,
    /// The number of the maps that are shown.
    shown: Option<u64>,
}

impl Playback {
    /// # Errors
    /// [`Error::Recording`].
    pub(super) fn open(file: &str, offset: i64) -> Result<Playback> {
        Ok(Playback { file: file.into(), recording: Recording::open(Path::new(file))?, offset, shown: None })
    }

    /// What is missing of it.
    pub(super) fn remark(&self) -> Option<&str> {
        self.recording.remark()
    }

    /// Whether its maps have either sign.
    pub(super) fn is_signed(&self) -> bool {
        self.recording.header().signed
    }

    /// Whether it is one of frames of (width, height).
    ///
    /// # Errors
    /// [`Error::Recording`] where it is not.
    pub(super) fn fits(&self, (width, height): (usize, usize)) -> Result<()> {
        let (own_width, own_height) = self.recording.header().size;
        if (own_width, own_height) == (width, height) {
            return Ok(());
        }
        let why = format!(
            "it is that of a video of {own_width}x{own_height}, and this one is {width}x{height}; name the sidecar of this video, or scale \
             the video before"
        );
        Err(Error::Recording { path: self.file.clone().into(), why })
    }

    /// What becomes of a frame: what was seen at its stream time is looked up.
    pub(super) fn fate(&mut self, segment: &gst::Segment, time: Option<gst::ClockTime>, stats: &Stats) -> Fate {
        let segment = segment.downcast_ref::<gst::ClockTime>();
        let time = segment.and_then(|segment| segment.to_stream_time(time));
        let time = time.and_then(|time| time.nseconds().checked_add_signed(self.offset));
        match time.map_or(Ok(None), |time| self.recording.at(Duration::from_nanos(time))) {
            Ok(Some(told)) => Fate::Told(Box::new(told)),
            Ok(None) => {
                stats.skipped(1);
                Fate::Pass(NOT_TOLD)
            }
            Err(error) => Fate::Failed(Some(error)),
        }
    }

    /// Takes up what was seen on a frame. Maps that several frames bear are scaled once, as they were.
    pub(super) fn keep(&mut self, told: &mut Told, newest: &mut Newest, stamp: Stamp, calm: Calm) {
        if told.map.is_none() || (newest.shown().is_some() && told.map == self.shown) {
            return;
        }
        let object = |(part, id)| Object { part, id };
        let seen =
            std::mem::take(&mut told.pictures).into_iter().map(|(region, seen)| (region.map(object), seen)).collect();
        let age = told.record.map_age.and_then(|age| gst::ClockTime::try_from(age).ok()).unwrap_or_default();
        let of = Stamp { time: stamp.time.map(|time| time.saturating_sub(age)), at: stamp.at, scene: told.scene };
        newest.keep(seen, of, calm);
        self.shown = told.map;
    }
}
