//! Painting against GStreamer's own blend of an overlay: another's arithmetic, in every format that it knows.

use gst_video::{VideoFormat, VideoFrameRef, VideoInfo, VideoMeta, VideoOverlayComposition, VideoOverlayFormatFlags};
use gstgradcam::frame::{Color, Format, FrameMut, Matrix, Plane, Range, Region};
use gstgradcam::render::{Colormap, OutputMode, Painter, Style};
use ndarray::{Array2, array};

use crate::rig::{fill, formats, info, init};

const SIZE: (u32, u32) = (320, 240);

fn map() -> Array2<f32> {
    array![[0.0, 0.3, 0.1], [0.2, 1.0, 0.6], [0.1, 0.5, 0.2]]
}

/// Paints a tight frame of these caps.
fn paint(of: &VideoInfo, data: &mut [u8], style: Style) {
    let (mut rest, mut planes, mut start) = (data, Vec::new(), 0);
    let count = of.n_planes() as usize;
    // GStreamer lays planes out one behind the other, though not always in their order (YV12).
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&plane| of.offset()[plane]);
    for (i, &plane) in order.iter().enumerate() {
        let end = order.get(i + 1).map_or(of.size(), |&next| of.offset()[next]);
        let (own, after) = rest.split_at_mut(end - start);
        planes.push((plane, Plane { data: own, stride: of.stride()[plane] as usize }));
        (rest, start) = (after, end);
    }
    planes.sort_by_key(|(plane, _)| *plane);
    let full = of.format_info().is_rgb() || of.format_info().is_gray();
    let color = Color { matrix: Matrix::Bt601, range: if full { Range::Full } else { Range::Limited } };
    let format: Format = of.name().parse().unwrap();
    let planes = planes.into_iter().map(|(_, plane)| plane).collect();
    let (width, height) = (of.width() as usize, of.height() as usize);
    let mut frame = FrameMut::new(format, width, height, color, planes).unwrap();
    let region = Region { x: 0.0, y: 0.0, width: SIZE.0 as f32, height: SIZE.1 as f32 };
    assert!(Painter::new(style).paint(&mut frame, map().view(), region).unwrap());
}

/// The map in colours, alone, half transparent: what GStreamer blends.
fn overlay() -> VideoOverlayComposition {
    let of = info(VideoFormat::Bgra, SIZE.0, SIZE.1);
    let mut data = vec![128; of.size()];
    paint(&of, &mut data, Style { output_mode: OutputMode::Heatmap, colormap: Colormap::Viridis, ..Style::DEFAULT });
    let mut buffer = gst::Buffer::from_mut_slice(data);
    let flags = gst_video::VideoFrameFlags::empty();
    VideoMeta::add(buffer.get_mut().unwrap(), flags, VideoFormat::Bgra, SIZE.0, SIZE.1).unwrap();
    let whole =
        gst_video::VideoOverlayRectangle::new_raw(&buffer, 0, 0, SIZE.0, SIZE.1, VideoOverlayFormatFlags::empty());
    VideoOverlayComposition::new([&whole]).unwrap()
}

#[test]
fn a14_gstreamers_own_blend_agrees() {
    init();
    let mut compared = Vec::new();
    for format in formats() {
        let of = info(format, SIZE.0, SIZE.1);
        let mut ours = vec![255; of.size()];
        fill(&of, &mut ours, of.offset(), of.stride(), |component, x, y| match component {
            0 => (40 + x / 2) as u8,
            1 => (90 + y / 4) as u8,
            2 => 140,
            _ => 255,
        });
        let mut buffer = gst::Buffer::from_mut_slice(ours.clone());
        let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer.get_mut().unwrap(), &of).unwrap();
        if overlay().blend(&mut frame).is_err() {
            continue;
        }
        drop(frame);
        paint(&of, &mut ours, Style { colormap: Colormap::Viridis, ..Style::DEFAULT });
        let theirs = buffer.map_readable().unwrap();
        let deep = of.comp_depth(0) > 8;
        // GStreamer's matrix has 8 bits, its half is 128 of 255, and its 4:2:0 chroma comes from one row of two. A wrong matrix,
        // range or order of components is off by tens.
        let (mut worst, mut sum) = (0.0f64, 0.0);
        let value = |data: &[u8], i: usize| match deep {
            true => f64::from(u16::from_le_bytes([data[2 * i], data[2 * i + 1]]) >> of.format_info().shift()[0]) / 4.0,
            false => f64::from(data[i]),
        };
        // GStreamer writes into unused bytes, and makes a frame with alpha more opaque; those are not compared.
        let used: Vec<usize> = (0..3.min(of.n_components() as u8)).map(|c| of.comp_poffset(c) as usize).collect();
        let cell = if of.format_info().is_rgb() { of.comp_pstride(0) as usize } else { 1 };
        let count = if deep { of.size() / 2 } else { of.size() };
        for i in (0..count).filter(|i| cell == 1 || used.contains(&(i % cell))) {
            let off = (value(&ours, i) - value(&theirs, i)).abs();
            (worst, sum) = (worst.max(off), sum + off);
        }
        let mean = sum / count as f64;
        println!("{format:?}: mean {mean:.3}, worst {worst:.2}");
        assert!(worst <= 8.0 && mean <= 3.0, "{format:?}: mean {mean:.3}, worst {worst:.2}");
        compared.push(format);
    }
    assert!(compared.len() >= 18, "GStreamer blends on {compared:?} alone");
}
