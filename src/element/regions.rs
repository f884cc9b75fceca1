//! What of a frame is explained: all of it, or the regions that a detector upstream has marked, each by itself.

use gst::glib;
use gst_video::VideoRegionOfInterestMeta;

use super::meta::MARK;
use crate::frame::Part;

/// Values of the property `inference-region`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstGradCamInferenceRegion")]
#[non_exhaustive]
pub enum InferenceRegion {
    #[default]
    #[enum_value(nick = "full-frame", name = "The whole frame")]
    FullFrame,
    #[enum_value(nick = "roi-list", name = "Each region that a detector upstream has marked, by itself")]
    RoiList,
}

/// A region with a shorter side than this, in pixels of the frame, is none.
const SMALLEST: usize = 4;

/// A region that a detector has marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Object {
    /// What of it lies in the frame.
    pub(super) part: Part,
    /// The id that the detector gave it; 0 = none.
    pub(super) id: i32,
}

impl InferenceRegion {
    /// What is explained of a buffer's frame of (width, height): `None` = all of it. Of the regions marked, so many at most, the
    /// largest first; those that this element marks are none.
    pub(super) fn of(self, buffer: &gst::BufferRef, frame: (usize, usize), most: usize) -> Vec<Option<Object>> {
        if self == InferenceRegion::FullFrame {
            return vec![None];
        }
        let metas = buffer.iter_meta::<VideoRegionOfInterestMeta>().filter(|meta| meta.param(MARK).is_none());
        let mut objects: Vec<Object> = metas.map(|meta| object(meta.rect(), meta.id(), frame)).collect();
        objects.retain(|Object { part, .. }| part.width.min(part.height) >= SMALLEST);
        objects.sort_by_key(|object| std::cmp::Reverse(object.part.area()));
        objects.truncate(most);
        objects.into_iter().map(Some).collect()
    }
}

fn object((x, y, width, height): (u32, u32, u32, u32), id: i32, frame: (usize, usize)) -> Object {
    let [x, y, width, height] = [x, y, width, height].map(|side| side as usize);
    Object { part: Part { x, y, width, height }.inside(frame), id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_regions_that_are_in_the_frame_are_taken() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let all = buffer.get_mut().unwrap();
        let mut mark = |id, rect| VideoRegionOfInterestMeta::add(all, "person", rect).set_id(id);
        mark(1, (0, 0, 10, 10));
        mark(2, (60, 40, u32::MAX, u32::MAX));
        mark(3, (5, 5, 0, 0));
        mark(4, (0, 0, 20, 3));
        mark(5, (61, 0, 40, 40));
        mark(6, (64, 0, 8, 8));
        mark(7, (7, 9, 11, 13));
        mark(8, (u32::MAX, 0, 9, 9));
        mark(9, (20, 0, 10, 10));
        let mut own = VideoRegionOfInterestMeta::add(all, "cat", (0, 0, 64, 48));
        own.add_param(gst::Structure::new_empty(MARK));
        let of = |most| {
            let objects = InferenceRegion::RoiList.of(&buffer, (64, 48), most);
            objects.into_iter().map(|object| object.unwrap()).collect::<Vec<_>>()
        };
        let ids: Vec<i32> = of(100).iter().map(|object| object.id).collect();
        assert_eq!(ids, [7, 1, 9, 2], "5 is cut to 3 pixels, 6 and 8 lie beside the frame");
        assert_eq!(of(100)[3].part, Part { x: 60, y: 40, width: 4, height: 8 }, "cut off at the frame's edge");
        assert_eq!(of(2), of(100)[..2]);
        assert_eq!(InferenceRegion::FullFrame.of(&buffer, (64, 48), 2), [None]);
    }
}
