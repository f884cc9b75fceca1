//! `output-mode=side-by-side`: frames of twice the width, in the caps and in memory.

use gst::glib;
use gst::prelude::*;
use gst_video::VideoInfo;

use super::frame::Video;
use crate::error::{Error, Result};
use crate::render;

/// Where doubled frames are made.
#[derive(Debug)]
pub(super) struct Beside {
    /// What they are.
    pub(super) video: Video,
    pool: gst::BufferPool,
}

impl Beside {
    pub(super) fn new(caps: &gst::Caps, info: &VideoInfo, video: Video) -> Result<Beside> {
        let cannot = |error: glib::BoolError| Error::Frame { why: format!("there is no memory for {caps}: {error}") };
        let size = u32::try_from(info.size()).map_err(|_| Error::Frame { why: format!("{caps} is too large") })?;
        let pool = gst_video::VideoBufferPool::new();
        let mut config = pool.config();
        config.set_params(Some(caps), size, 0, 0);
        pool.set_config(config).and_then(|()| pool.set_active(true)).map_err(cannot)?;
        Ok(Beside { video, pool: pool.upcast() })
    }

    /// The picture twice, side by side; times, flags and metas are those of the one picture.
    pub(super) fn double(&self, video: &Video, picture: &mut gst::BufferRef) -> Result<gst::Buffer> {
        let mut double = self.pool.acquire_buffer(None).map_err(|error| Error::Frame {
            why: format!("there is no memory for a second one beside it ({error})"),
        })?;
        let to = double.make_mut();
        video.with_frame(picture, |from| self.video.with_frame(to, |to| render::beside(&from.as_frame(), to)))?;
        // Without memory nothing can fail.
        let _ = picture.copy_into(to, gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS, ..);
        picture.foreach_meta(|meta| {
            // What is said of the one picture's memory does not hold for the other.
            if !meta.has_tag::<gst::meta::tags::Memory>() {
                // Metas that cannot be copied say so, and stay behind as in any element.
                let _ = meta.transform(to, &gst::meta::MetaTransformCopy::new(..));
            }
            std::ops::ControlFlow::Continue(())
        });
        Ok(double)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Frames downstream are freed as they come back.
        let _ = self.pool.set_active(false);
    }
}

/// Caps of one side for those of the other: twice the width behind the element, half of it before.
pub(super) fn across(direction: gst::PadDirection, caps: &gst::Caps) -> gst::Caps {
    let doubles = direction == gst::PadDirection::Sink;
    let mut other = gst::Caps::new_empty();
    for (structure, features) in caps.iter_with_features() {
        let mut structure = structure.to_owned();
        let width = match structure.value("width") {
            Ok(width) => if doubles { doubled(width) } else { halved(width) }.map(Some),
            Err(_) => Some(None),
        };
        let Some(width) = width else { continue };
        if let Some(width) = width {
            structure.set_value("width", width);
        }
        other.make_mut().append_structure_full(structure, Some(features.to_owned()));
    }
    other
}

fn doubled(width: &glib::Value) -> Option<glib::SendValue> {
    if let Ok(one) = width.get::<i32>() {
        return one.checked_mul(2).map(|two| two.to_send_value());
    }
    if let Ok(range) = width.get::<gst::IntRange<i32>>() {
        return Some(gst::IntRange::new(range.min().checked_mul(2)?, range.max().saturating_mul(2)).to_send_value());
    }
    list(width, doubled)
}

/// `None` where nothing is half of it.
fn halved(width: &glib::Value) -> Option<glib::SendValue> {
    if let Ok(two) = width.get::<i32>() {
        return (two % 2 == 0).then(|| (two / 2).to_send_value());
    }
    if let Ok(range) = width.get::<gst::IntRange<i32>>() {
        let (least, most) = (range.min().div_euclid(2) + range.min() % 2, range.max() / 2);
        return match least.max(1) {
            least if least < most => Some(gst::IntRange::new(least, most).to_send_value()),
            least => (least == most).then(|| least.to_send_value()),
        };
    }
    list(width, halved)
}

fn list(width: &glib::Value, each: fn(&glib::Value) -> Option<glib::SendValue>) -> Option<glib::SendValue> {
    let list = width.get::<gst::List>().ok()?;
    let all: Vec<glib::SendValue> = list.iter().filter_map(|one| each(one)).collect();
    (!all.is_empty()).then(|| gst::List::new(all).to_send_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_doubled_and_halved_in_every_form() {
        gst::init().unwrap();
        let other = |direction, width: &str| {
            let caps: gst::Caps = format!("video/x-raw, width={width}").parse().unwrap();
            across(direction, &caps).to_string()
        };
        let caps = |width: &str| format!("video/x-raw, width={width}").parse::<gst::Caps>().unwrap().to_string();
        for (one, two) in [
            ("(int)320", "(int)640"),
            ("(int)[ 1, 500 ]", "(int)[ 2, 1000 ]"),
            ("{ (int)3, (int)5 }", "{ (int)6, (int)10 }"),
        ] {
            assert_eq!(other(gst::PadDirection::Sink, one), caps(two));
            assert_eq!(other(gst::PadDirection::Src, two), caps(one));
        }
        assert_eq!(other(gst::PadDirection::Sink, "(int)[ 1, 2147483647 ]"), caps("(int)[ 2, 2147483647 ]"));
        assert_eq!(other(gst::PadDirection::Src, "(int)[ 1, 2147483647 ]"), caps("(int)[ 1, 1073741823 ]"));
        assert_eq!(other(gst::PadDirection::Src, "(int)641"), "EMPTY");
        assert_eq!(other(gst::PadDirection::Src, "{ (int)6, (int)7 }"), caps("{ (int)3 }"));
    }
}
