//! `test:clock`: a picture whose blocks are the time at which it was made, so that whoever sees it knows how old it is.
//!
//! The lowest 16 bits of the milliseconds since 1970, the highest first, a block each, white where it is 1, on the upper half of the picture.

use std::time::{SystemTime, UNIX_EPOCH};

use gst::prelude::*;
use gst_video::prelude::*;

const BITS: usize = 16;

/// Paints each picture as it leaves `source`.
pub fn paint(source: &gst::Element) {
    let Some(pad) = source.static_pad("src") else { return };
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, probe| {
        let info = pad.current_caps().and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        if let (Some(info), Some(buffer)) = (info, probe.buffer_mut()) {
            blocks(buffer.make_mut(), &info);
        }
        gst::PadProbeReturn::Ok
    });
}

fn blocks(buffer: &mut gst::BufferRef, info: &gst_video::VideoInfo) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let Ok(mut frame) = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info) else { return };
    // The first plane or component is luma, or all there is, in every format that videotestsrc prefers.
    let (width, height) = (frame.width() as usize, frame.height() as usize / 2);
    let (stride, step) = (frame.plane_stride()[0] as usize, frame.comp_pstride(0) as usize);
    let Ok(data) = frame.plane_data_mut(0) else { return };
    for row in data.chunks_mut(stride).take(height) {
        for (x, sample) in row.chunks_mut(step).take(width).enumerate() {
            let bit = BITS - 1 - x * BITS / width;
            sample.fill(if now >> bit & 1 == 1 { 235 } else { 16 });
        }
    }
}
