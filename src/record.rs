//! What is told of a frame, typed: the fields of the element's message and meta, and the same as JSON. No GStreamer in it.

mod field;
mod json;

use std::time::Duration;

#[cfg(feature = "plugin")]
pub(crate) use field::field;
pub use field::{Field, Kind, fields};
#[cfg(feature = "plugin")]
pub(crate) use json::insert_time;

use crate::explain::{ClassMap, Explanation, Guess, Summary};
use crate::frame::Region;

/// What became of one frame: the fields of the element message `gradcam` and of the buffer meta `GstGradCamMeta`, which
/// `docs/messages.md` lists. With GStreamer it is read from both by `Record::from_message` and `Record::from_buffer`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// The frame's timestamp.
    pub timestamp: Option<Duration>,
    /// The same as stream time.
    pub stream_time: Option<Duration>,
    /// The same as running time.
    pub running_time: Option<Duration>,
    /// How long it is shown.
    pub duration: Option<Duration>,
    /// Size of the frame, (width, height), whose pixels places are told in.
    pub size: (usize, usize),
    /// The part of the frame that the map covers, in pixels; `None` without a map.
    pub region: Option<Region>,
    /// The classes explained, in the order asked. Empty without a map.
    pub seen: Vec<Seen>,
    /// The likeliest classes, the likeliest first.
    pub best: Vec<Guess>,
    /// How much later than the frame that the map was made of this frame is.
    pub map_age: Option<Duration>,
    /// Time of the model's run that made the map.
    pub inference_time: Option<Duration>,
    /// Where the model runs.
    pub provider: String,
    /// Whether a map was painted.
    pub annotated: bool,
    /// Why none was.
    pub reason: Option<String>,
}

/// One class explained.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The class and how likely it is.
    pub guess: Guess,
    /// Where its map lies on the frame; `None` where it has no heat there.
    pub summary: Option<Summary>,
}

impl Record {
    /// Takes up what a run gave for a frame of [`Record::size`]: its classes, the `top_k` best ones, and how much of the heat lies in
    /// `roi`.
    pub fn explained(self, explanation: &Explanation, top_k: usize, roi: Option<Region>) -> Record {
        let size = self.size;
        let seen = |one: &ClassMap| Seen { guess: one.guess(), summary: one.summary(explanation.region, size, roi) };
        Record {
            region: Some(explanation.region),
            seen: explanation.maps.iter().map(seen).collect(),
            best: explanation.best(top_k),
            inference_time: Some(explanation.took),
            ..self
        }
    }
}
