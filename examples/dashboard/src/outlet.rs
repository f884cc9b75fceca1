//! The newest picture of a camera at one size, with its numbers: every viewer looks at the same one, and none is waited for.

use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use gstgradcam::Record;
use serde_json::json;
use tokio::sync::watch;

use crate::Result;
use crate::source::wiring;

/// The widest that pictures of each size are, the smallest first; `None` = as the camera gives them.
pub const WIDTHS: [Option<i32>; 4] = [Some(320), Some(640), Some(1280), None];

/// A message of the live WebSocket, as it is sent.
pub type Shot = Arc<Vec<u8>>;

/// Where pictures of one size are handed out.
#[derive(Debug)]
pub struct Outlet {
    /// The widest that it makes them; `None` = as they are.
    pub width: Option<i32>,
    sender: watch::Sender<Option<Shot>>,
}

/// What goes with a picture, beside what it bears itself.
pub struct Beside {
    /// `playing`, ...
    pub state: &'static str,
    /// Why there is no map, or no picture.
    pub problem: Option<String>,
    /// Frames a second.
    pub fps: f64,
}

impl Outlet {
    pub fn new(width: Option<i32>) -> Outlet {
        Outlet { width, sender: watch::Sender::new(None) }
    }

    /// What comes from now on, the newest only. The last word of a camera that does not play counts as news; a picture from when
    /// somebody looked last does not.
    pub fn watch(&self, playing: bool) -> watch::Receiver<Option<Shot>> {
        let mut receiver = self.sender.subscribe();
        if !playing {
            receiver.mark_changed();
        }
        receiver
    }

    /// How many look.
    pub fn viewers(&self) -> usize {
        self.sender.receiver_count()
    }

    /// Tells all viewers that there is no picture, and why. Whoever comes later gets it too.
    pub fn blank(&self, beside: &Beside) {
        let _ = self.sender.send_replace(Some(Arc::new(message(beside, None, 0, (0, 0), None, &[]))));
    }

    /// A bin that encodes pictures of this size while somebody looks; `beside` is asked for each.
    pub fn make(self: &Arc<Self>, beside: impl Fn() -> Beside + Send + 'static) -> Result<gst::Bin> {
        let width = self.width.map(|width| format!(",width=[1,{width}]")).unwrap_or_default();
        // JPEG has all 256 levels, of which video leaves some out.
        let description = format!(
            "valve name=valve drop-mode=forward-sticky-events \
             ! queue leaky=downstream max-size-buffers=1 max-size-bytes=0 max-size-time=0 \
             ! videoconvertscale ! video/x-raw,format=I420,colorimetry=1:4:0:0,pixel-aspect-ratio=1/1{width} \
             ! jpegenc quality=80 ! appsink name=pictures sync=false async=false max-buffers=1 drop=true"
        );
        let bin = gst::parse::bin_from_description(&description, true).map_err(wiring)?;
        let (valve, sink) = (bin.by_name("valve").ok_or("no valve")?, bin.by_name("pictures").ok_or("no appsink")?);
        let outlet = self.clone();
        let pad = valve.static_pad("sink").ok_or("a valve without a pad")?;
        let valve = valve.downgrade();
        // Asked of each frame: cheaper than to be told of each viewer that comes and goes, and never late.
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            if let Some(valve) = valve.upgrade() {
                valve.set_property("drop", outlet.viewers() == 0);
            }
            gst::PadProbeReturn::Ok
        });
        let sink = sink.downcast::<gst_app::AppSink>().map_err(|_| "appsink is another element")?;
        let (outlet, mut sequence) = (self.clone(), 0);
        let taken = move |sink: &gst_app::AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let (buffer, caps) = (sample.buffer().ok_or(gst::FlowError::Error)?, sample.caps());
            let number = |name| caps.and_then(|caps| caps.structure(0)?.get::<i32>(name).ok()).unwrap_or(0);
            let jpeg = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
            sequence += 1;
            let record = Record::from_buffer(buffer);
            let size = (number("width"), number("height"));
            let shot = message(&beside(), record.as_ref(), sequence, size, stamped(buffer), &jpeg);
            let _ = outlet.sender.send_replace(Some(Arc::new(shot)));
            Ok(gst::FlowSuccess::Ok)
        };
        sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(taken).build());
        Ok(bin)
    }
}

/// Writes the time at which a picture came in on the picture itself.
pub fn stamp(buffer: &mut gst::BufferRef, since_1970: Duration) {
    let time = gst::ClockTime::try_from(since_1970).unwrap_or_default();
    gst::ReferenceTimestampMeta::add(buffer, &reference(), time, gst::ClockTime::NONE);
}

fn stamped(buffer: &gst::BufferRef) -> Option<Duration> {
    let reference = reference();
    let mut metas = buffer.iter_meta::<gst::ReferenceTimestampMeta>();
    metas.find(|meta| meta.reference() == reference.as_ref()).map(|meta| meta.timestamp().into())
}

fn reference() -> gst::Caps {
    gst::Caps::new_empty_simple("timestamp/x-unix")
}

/// The length of the text, the text, the picture.
fn message(
    beside: &Beside,
    record: Option<&Record>,
    sequence: u64,
    (width, height): (i32, i32),
    time: Option<Duration>,
    jpeg: &[u8],
) -> Vec<u8> {
    let text = json!({
        "sequence": sequence,
        "time": time.map(|time| time.as_millis() as u64),
        "width": width,
        "height": height,
        "state": beside.state,
        // It bears a map: what was wrong before is over.
        "problem": beside.problem.as_ref().filter(|_| record.is_none()),
        "seen": record.map(Record::to_json),
        "fps": beside.fps,
    });
    let text = text.to_string();
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&length[..], text.as_bytes(), jpeg].concat()
}
