//! Records and statistics as `GstStructure`s and back, field by field as their tables say.

use gst::glib;
use gst::prelude::*;
use serde_json::{Map, Value};

use super::meta;
use crate::record::{Field, Kind, Record, fields};

/// The element message's name.
const MESSAGE: &str = "gradcam";

/// Stands for a time that is not known.
const NO_TIME: u64 = u64::MAX;

/// With GStreamer.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use gst::prelude::*;
/// use gstgradcam::Record;
///
/// gst::init()?;
/// # gstgradcam::plugin_register_static()?;
/// let text = "videotestsrc num-buffers=2 ! gradcam model=models/efficientnet-lite0.onnx post-messages=true message-interval=0 ! fakesink";
/// # let library = std::fs::read_dir("runtime")?.flatten().map(|file| file.path());
/// # let library = library.into_iter().find(|path| path.to_string_lossy().contains("libonnxruntime.so"));
/// # let set = library.map_or("gradcam".into(), |library| format!("gradcam runtime-library={}", library.display()));
/// # let (text, mut heard) = (&text.replace("gradcam", &set), 0);
/// let pipeline = gst::parse::launch(text)?;
/// pipeline.set_state(gst::State::Playing)?;
/// for message in pipeline.bus().expect("pipelines have one").iter_timed(gst::ClockTime::NONE) {
///     match message.view() {
///         gst::MessageView::Element(_) => {
///             if let Some(Record { running_time, seen, .. }) = Record::from_message(&message) {
///                 # heard += seen.len();
///                 for one in seen {
///                     println!("{running_time:?} {:?} at {:?}", one.guess, one.summary.map(|place| place.peak));
///                 }
///             }
///         }
///         gst::MessageView::Eos(_) | gst::MessageView::Error(_) => break,
///         _ => {}
///     }
/// }
/// pipeline.set_state(gst::State::Null)?;
/// # assert_eq!(heard, 2);
/// # Ok(())
/// # }
/// ```
impl Record {
    /// As the element message has it; GStreamer must be initialised.
    pub fn to_structure(&self) -> gst::Structure {
        made(MESSAGE, fields(), &self.to_json())
    }

    /// `None` where a field that is always there is missing.
    pub fn from_structure(structure: &gst::StructureRef) -> Option<Record> {
        Record::from_json(&read(structure, fields()))
    }

    /// Of an element message `gradcam`; `None` for any other message.
    pub fn from_message(message: &gst::MessageRef) -> Option<Record> {
        message.structure().filter(|structure| structure.name() == MESSAGE).and_then(Record::from_structure)
    }

    /// Of a buffer's meta; `None` where it has none.
    pub fn from_buffer(buffer: &gst::BufferRef) -> Option<Record> {
        Record::from_structure(meta::of(buffer)?.structure())
    }
}

/// A new structure.
pub(super) fn made<'f>(
    name: &str,
    fields: impl Iterator<Item = &'f Field>,
    object: &Map<String, Value>,
) -> gst::Structure {
    let mut structure = gst::Structure::new_empty(name);
    fill(&mut structure, fields, object);
    structure
}

/// Sets the fields that the object has, and times that it has not to none.
pub(super) fn fill<'f>(
    structure: &mut gst::StructureRef,
    fields: impl Iterator<Item = &'f Field>,
    object: &Map<String, Value>,
) {
    for Field { name, kind, .. } in fields {
        let value = object.get(*name);
        if let Some(value) = to_gst(name, *kind, value) {
            structure.set_value(*name, value);
        }
    }
}

fn to_gst(name: &str, kind: Kind, value: Option<&Value>) -> Option<glib::SendValue> {
    Some(match kind {
        Kind::Time => value.and_then(Value::as_u64).unwrap_or(NO_TIME).to_send_value(),
        Kind::Count => value?.as_u64()?.to_send_value(),
        Kind::Whole => u32::try_from(value?.as_u64()?).ok()?.to_send_value(),
        Kind::Signed => i32::try_from(value?.as_i64()?).ok()?.to_send_value(),
        Kind::Number => value?.as_f64()?.to_send_value(),
        Kind::Text => value?.as_str()?.to_send_value(),
        Kind::Flag => value?.as_bool()?.to_send_value(),
        Kind::List(inner) => {
            let objects = value?.as_array()?.iter().filter_map(Value::as_object);
            gst::Array::from_values(objects.map(|one| made(name, inner.iter(), one).to_send_value())).to_send_value()
        }
        Kind::Data => return None,
    })
}

/// The fields that a structure has.
fn read<'f>(structure: &gst::StructureRef, fields: impl Iterator<Item = &'f Field>) -> Map<String, Value> {
    let value = |field: &Field| Some((field.name.to_string(), from_gst(structure, field)?));
    fields.filter_map(value).collect()
}

fn from_gst(structure: &gst::StructureRef, Field { name, kind, .. }: &Field) -> Option<Value> {
    Some(match kind {
        Kind::Time => structure.get::<u64>(*name).ok().filter(|&time| time != NO_TIME)?.into(),
        Kind::Count => structure.get::<u64>(*name).ok()?.into(),
        Kind::Whole => structure.get::<u32>(*name).ok()?.into(),
        Kind::Signed => structure.get::<i32>(*name).ok()?.into(),
        Kind::Number => structure.get::<f64>(*name).ok()?.into(),
        Kind::Text => structure.get::<&str>(*name).ok()?.into(),
        Kind::Flag => structure.get::<bool>(*name).ok()?.into(),
        Kind::List(inner) => {
            let array = structure.get::<gst::Array>(*name).ok()?;
            let object = |one: &glib::SendValue| {
                let one = one.get::<gst::Structure>().ok()?;
                Some(Value::Object(read(&one, inner.iter())))
            };
            array.iter().map(object).collect::<Option<_>>()?
        }
        Kind::Data => return None,
    })
}
