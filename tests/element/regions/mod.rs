//! Regions of a detector upstream: each explained by itself, and painted inside its box only.

mod alone;
mod frames;
mod inside;

use gst::prelude::*;
use gst_video::{VideoInfo, VideoRegionOfInterestMeta};
use gstgradcam::Record;
use gstgradcam::record::Object;

use crate::rig::{Rig, halves, offset};

pub const LIST: (&str, &str) = ("inference-region", "roi-list");
pub const EACH: [(&str, &str); 2] = [("post-messages", "true"), ("message-interval", "0")];

pub type Rect = (u32, u32, u32, u32);

/// What a detector does: its regions on a buffer, with ids from 1 on.
pub fn mark(buffer: &mut gst::Buffer, regions: &[Rect]) {
    let buffer = buffer.get_mut().unwrap();
    for (id, &rect) in (1..).zip(regions) {
        VideoRegionOfInterestMeta::add(buffer, "thing", rect).set_id(id);
    }
}

pub fn marked(of: &VideoInfo, ms: u64, regions: &[Rect]) -> gst::Buffer {
    let mut buffer = halves(of, 230, 20);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(ms));
    mark(&mut buffer, regions);
    buffer
}

pub fn messages(rig: &Rig) -> Vec<Record> {
    let all = std::iter::from_fn(|| rig.bus.pop_filtered(&[gst::MessageType::Element]));
    all.map(|message| Record::from_message(&message).expect("a message of the element")).collect()
}

pub fn objects(buffer: &gst::BufferRef) -> Vec<Object> {
    Record::from_buffer(buffer).expect("a meta").objects
}

pub fn stat(rig: &Rig, name: &str) -> u64 {
    rig.element.property::<gst::Structure>("stats").get(name).unwrap()
}

/// How many samples have changed that are not wholly in a region, or other bytes, and how many in each region.
pub fn changed_beside(of: &VideoInfo, before: &[u8], after: &[u8], regions: &[Rect]) -> (usize, Vec<usize>) {
    let (width, height) = (of.width(), of.height());
    let (mut beside, mut inside) = (0, vec![0; regions.len()]);
    let mut known = vec![false; before.len()];
    for component in 0..of.format_info().n_components() as u8 {
        let info = of.format_info();
        let (sx, sy) = (1u32 << info.w_sub()[component as usize], 1u32 << info.h_sub()[component as usize]);
        let plane = of.comp_plane(component) as usize;
        for y in 0..of.comp_height(component) {
            for x in 0..of.comp_width(component) {
                let at = of.offset()[plane] + y as usize * of.stride()[plane] as usize;
                let at = at + (x as i32 * of.comp_pstride(component)) as usize + offset(of, component);
                let sample = at..at + info.depth()[component as usize].div_ceil(8) as usize;
                known[sample.clone()].fill(true);
                if before[sample.clone()] == after[sample] {
                    continue;
                }
                let (x0, y0) = (x * sx, y * sy);
                let (x1, y1) = ((x0 + sx).min(width), (y0 + sy).min(height));
                let holds = |&(left, top, w, h): &Rect| {
                    x0 >= left
                        && y0 >= top
                        && u64::from(x1) <= u64::from(left) + u64::from(w)
                        && u64::from(y1) <= u64::from(top) + u64::from(h)
                };
                let own: Vec<usize> = (0..regions.len()).filter(|&i| holds(&regions[i])).collect();
                beside += usize::from(own.is_empty());
                own.into_iter().for_each(|i| inside[i] += 1);
            }
        }
    }
    beside += (0..before.len()).filter(|&at| !known[at] && before[at] != after[at]).count();
    (beside, inside)
}
