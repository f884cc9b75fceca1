//! What is told of a frame, typed: the fields of the element's message and meta, and the same as JSON; and recordings of it. No
//! GStreamer in it.

mod field;
mod header;
mod json;
mod maps;
mod recorder;
mod recording;

use std::time::Duration;

#[cfg(feature = "plugin")]
pub(crate) use field::field;
pub use field::{Field, Kind, fields, object_fields};
pub use header::Header;
#[cfg(feature = "plugin")]
pub(crate) use json::insert_time;
pub use recorder::Recorder;
pub use recording::{Pictures, Recording, Told};

use crate::explain::{ClassMap, Explanation, Guess, Summary};
use crate::frame::{Part, Region};

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
    /// The classes explained, in the order asked. Empty without a map, and where regions are explained in place of the frame.
    pub seen: Vec<Seen>,
    /// The likeliest classes, the likeliest first.
    pub best: Vec<Guess>,
    /// The regions of a detector that are explained in place of the frame, the largest first.
    pub objects: Vec<Object>,
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

/// One region of a detector, explained by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// The id of the detector's region meta; 0 where it has none.
    pub id: i32,
    /// The region, cut off at the frame's edge, in pixels of the frame.
    pub bounds: Region,
    /// The part of the frame that the map covers.
    pub region: Region,
    /// The classes explained, in the order asked.
    pub seen: Vec<Seen>,
    /// The likeliest classes, the likeliest first.
    pub best: Vec<Guess>,
    /// Time of the model's run that made the map.
    pub inference_time: Option<Duration>,
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

impl Object {
    /// As [`Record::explained`], of a region with that id: what lies beside it does not count.
    pub fn explained(part: Part, id: i32, explanation: &Explanation, top_k: usize, roi: Option<Region>) -> Object {
        let (bounds, size) = (part.region(), (part.width, part.height));
        let own = |region: Region| region.moved((-bounds.x, -bounds.y));
        let summary = |one: &ClassMap| one.summary(own(explanation.region), size, roi.map(own));
        let seen = |one: &ClassMap| Seen {
            guess: one.guess(),
            summary: summary(one).map(|place| place.moved((bounds.x, bounds.y))),
        };
        Object {
            id,
            bounds,
            region: explanation.region,
            seen: explanation.maps.iter().map(seen).collect(),
            best: explanation.best(top_k),
            inference_time: Some(explanation.took),
        }
    }
}
