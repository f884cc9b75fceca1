//! A GStreamer buffer as the crate's own frame: format, colour and planes.
//!
//! The buffer is mapped whole and cut here, since `GstVideoFrame`'s slices take the last row for a full stride, which
//! a cropped or padded buffer does not have.

use gst_video::{VideoChromaSite, VideoColorMatrix, VideoColorRange, VideoFormat, VideoInfo, VideoMeta};

use crate::error::{Error, Result};
use crate::frame::{Color, Format, FrameMut, Matrix, Plane, Range, Siting};

/// What the element takes: every row of the format table, which names formats as GStreamer does.
pub(super) fn formats() -> impl Iterator<Item = VideoFormat> {
    Format::all().map(|format| VideoFormat::from_string(format.name()))
}

/// What the caps say about every frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Video {
    format: Format,
    color: Color,
    siting: Siting,
    width: usize,
    height: usize,
    offsets: Vec<usize>,
    strides: Vec<i32>,
}

impl Video {
    /// `None` for a format that is not in the table.
    pub(super) fn new(caps: &gst::Caps, info: &VideoInfo) -> Option<Video> {
        Some(Video {
            format: info.name().parse().ok()?,
            color: color(info),
            siting: siting(caps, info),
            width: info.width() as usize,
            height: info.height() as usize,
            offsets: info.offset().to_vec(),
            strides: info.stride().to_vec(),
        })
    }

    /// (width, height)
    pub(super) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Runs `f` on the frame that the buffer holds; strides and offsets are its `GstVideoMeta`'s, where it has one.
    pub(super) fn with_frame<T>(
        &self,
        buffer: &mut gst::BufferRef,
        f: impl FnOnce(&mut FrameMut) -> Result<T>,
    ) -> Result<T> {
        let meta = buffer.meta::<VideoMeta>().map(|meta| (meta.offset().to_vec(), meta.stride().to_vec()));
        let (offsets, strides) = meta.unwrap_or_else(|| (self.offsets.clone(), self.strides.clone()));
        let mut map = buffer.map_writable().map_err(|_| Error::Frame {
            why: "its memory cannot be mapped for writing; put a videoconvert before it".into(),
        })?;
        let planes = cut(&mut map, &offsets, &strides)?;
        f(&mut FrameMut::new(self.format, self.width, self.height, self.color, planes)?.sited(self.siting))
    }
}

/// Each plane from its offset to the next one's, the last to the end.
fn cut<'a>(mut data: &'a mut [u8], offsets: &[usize], strides: &[i32]) -> Result<Vec<Plane<&'a mut [u8]>>> {
    let mut order: Vec<usize> = (0..offsets.len()).collect();
    order.sort_by_key(|&plane| std::cmp::Reverse(offsets[plane]));
    let mut planes = Vec::with_capacity(offsets.len());
    for plane in order {
        let (offset, stride) = (offsets[plane], strides[plane]);
        let stride = usize::try_from(stride).map_err(|_| Error::Frame {
            why: format!("plane {plane} is stored bottom up (stride {stride}); put a videoconvert before it"),
        })?;
        if offset > data.len() {
            let why = format!("plane {plane} begins at byte {offset}, past its end ({} bytes)", data.len());
            return Err(Error::Frame { why });
        }
        let (before, own) = data.split_at_mut(offset);
        data = before;
        planes.push((plane, Plane { data: own, stride }));
    }
    planes.sort_by_key(|(plane, _)| *plane);
    Ok(planes.into_iter().map(|(_, plane)| plane).collect())
}

/// Where the caps are silent: studio range for YUV, full for RGB and grey, and BT.601 below, BT.709 from 720 lines on.
fn color(info: &VideoInfo) -> Color {
    let full = info.format_info().is_rgb() || info.format_info().is_gray();
    let matrix = match info.colorimetry().matrix() {
        VideoColorMatrix::Bt601 => Matrix::Bt601,
        VideoColorMatrix::Bt709 => Matrix::Bt709,
        VideoColorMatrix::Bt2020 => Matrix::Bt2020,
        VideoColorMatrix::Smpte240m => Matrix::Smpte240m,
        VideoColorMatrix::Fcc => Matrix::Fcc,
        _ if info.height() < 720 => Matrix::Bt601,
        _ => Matrix::Bt709,
    };
    let range = match info.colorimetry().range() {
        VideoColorRange::Range0_255 => Range::Full,
        VideoColorRange::Range16_235 => Range::Limited,
        _ if full => Range::Full,
        _ => Range::Limited,
    };
    Color { matrix, range }
}

/// What the caps say, which GStreamer 1.22 does not read itself; where they are silent it takes chroma to be left in high
/// definition and amid all four pixels below.
fn siting(caps: &gst::Caps, info: &VideoInfo) -> Siting {
    let said = caps.structure(0).and_then(|caps| caps.get::<&str>("chroma-site").ok()?.parse().ok());
    let site: VideoChromaSite = said.unwrap_or(info.chroma_site());
    if site.is_empty() {
        return Siting::MPEG2;
    }
    // What GStreamer calls `none` is JPEG's: amid all four.
    Siting { left: site.contains(VideoChromaSite::H_COSITED), top: site.contains(VideoChromaSite::V_COSITED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_cut_in_any_order_and_the_last_row_may_be_short() {
        let mut data: Vec<u8> = (0..20).collect();
        let planes = cut(&mut data, &[2, 14, 10], &[4, 2, 2]).unwrap();
        let seen: Vec<_> = planes.iter().map(|p| (p.data[0], p.data.len(), p.stride)).collect();
        assert_eq!(seen, [(2, 8, 4), (14, 6, 2), (10, 4, 2)]);
    }

    #[test]
    fn planes_past_the_end_and_bottom_up_planes_are_refused() {
        for (offset, stride, word) in [(21, 4, "past its end"), (0, -4, "bottom up")] {
            let error = cut(&mut [0; 20], &[offset], &[stride]).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn colorimetry_comes_from_the_caps_else_from_the_size() {
        gst::init().unwrap();
        let of = |format, height, colorimetry: Option<&str>| {
            let colorimetry = colorimetry.map(|c| c.parse::<gst_video::VideoColorimetry>().unwrap());
            let info =
                VideoInfo::builder(format, 64, height).colorimetry_if_some(colorimetry.as_ref()).build().unwrap();
            let color = color(&info);
            (color.matrix, color.range)
        };
        use VideoFormat::{I420, Rgb};
        assert_eq!(of(I420, 480, None), (Matrix::Bt601, Range::Limited));
        assert_eq!(of(I420, 1080, None), (Matrix::Bt709, Range::Limited));
        assert_eq!(of(I420, 480, Some("bt709")), (Matrix::Bt709, Range::Limited));
        assert_eq!(of(I420, 480, Some("1:4:0:0")), (Matrix::Bt601, Range::Full));
        assert_eq!(of(I420, 480, Some("smpte240m")), (Matrix::Smpte240m, Range::Limited));
        assert_eq!(of(I420, 2160, Some("bt2020")), (Matrix::Bt2020, Range::Limited));
        assert_eq!(of(Rgb, 480, None).1, Range::Full);
        assert_eq!(of(Rgb, 480, Some("2:1:0:0")).1, Range::Limited);
    }

    #[test]
    fn chroma_sits_where_the_caps_say() {
        gst::init().unwrap();
        for (name, height, left, top) in [
            (None, 480, false, false),
            (None, 1080, true, false),
            (Some("mpeg2"), 480, true, false),
            (Some("jpeg"), 1080, false, false),
            (Some("cosited"), 480, true, true),
            (Some("dv"), 480, true, true),
            (Some("v-cosited"), 480, false, true),
        ] {
            let caps =
                gst::Caps::builder("video/x-raw").field("format", "I420").field("width", 64).field("height", height);
            let caps = caps.field("framerate", gst::Fraction::new(30, 1));
            let caps = match name {
                Some(name) => caps.field("chroma-site", name),
                None => caps,
            };
            let caps = caps.build();
            let video = Video::new(&caps, &VideoInfo::from_caps(&caps).unwrap()).unwrap();
            assert_eq!(video.siting, Siting { left, top }, "{name:?} {height}");
        }
    }
}
