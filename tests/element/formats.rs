//! Caps, formats, sizes, strides, memories, colours.

use std::time::Instant;

use gst::prelude::*;
use gst_video::prelude::*;
use gst_video::{
    VideoBufferFlags, VideoColorimetry, VideoFormat, VideoFrameFlags, VideoInfo, VideoInterlaceMode, VideoMeta,
};

use crate::models;
use crate::rig::{
    ALPHA, PADDING, Rig, brightness, bytes, fill, fill_halves, formats, halves, info, offset, sides, until,
};

/// The map of "bright" over a picture that is light on the left: light there, black on the other side.
fn assert_left((left, right): (f32, f32), of: &VideoInfo) {
    assert!(left > 200.0 && right < 30.0, "left {left}, right {right} in {of:?}");
}

const BRIGHT: [(&str, &str); 1] = [("target-class", "bright")];

#[test]
fn a02_caps_change_in_mid_stream() {
    let mut rig = Rig::new(info(VideoFormat::Rgbx, 64, 48), &BRIGHT);
    assert_left(rig.halves(230, 0), &rig.info.clone());
    let changes = [
        (VideoFormat::I420, 640, 360),
        (VideoFormat::Nv12, 32, 24),
        (VideoFormat::Yuy2, 17, 13),
        (VideoFormat::Bgra, 1280, 720),
        (VideoFormat::Rgb, 33, 5),
        (VideoFormat::Gray8, 17, 13),
    ];
    for (format, width, height) in changes {
        assert!(rig.caps(&info(format, width, height)));
        // Once each way round: nothing of the last size or picture is left over.
        assert_left(rig.halves(230, 0), &rig.info.clone());
        let (left, right) = rig.halves(0, 230);
        assert_left((right, left), &rig.info.clone());
    }
    assert!(!rig.caps(&info(VideoFormat::Gray16Le, 64, 48)), "GRAY16_LE is not in the template");
    assert!(rig.warnings().is_empty());
}

#[test]
fn a04_unsupported_caps_are_refused_and_the_earlier_ones_go_on() {
    let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &BRIGHT);
    let good = rig.info.clone();
    for format in [VideoFormat::I42012le, VideoFormat::Y44416le, VideoFormat::Gray16Le, VideoFormat::Gbr] {
        assert!(!rig.caps(&info(format, 64, 48)), "{format:?} is taken");
        assert!(rig.caps(&good));
        assert_left(rig.halves(230, 0), &good);
    }
}

#[test]
fn a06_every_format_at_odd_sizes() {
    let mut rig = Rig::new(info(VideoFormat::Rgb, 64, 48), &BRIGHT);
    for format in formats() {
        for (width, height) in [(1, 1), (3, 3), (2, 1), (1, 7), (17, 13), (319, 241)] {
            assert!(rig.caps(&info(format, width, height)), "{format:?} {width}x{height}");
            let of = rig.info.clone();
            let (left, right) = rig.halves(230, 0);
            if width >= 17 {
                assert_left((left, right), &of);
            }
            if width == 1 {
                // One column cannot have two halves: it is the dark one, and its map empty.
                assert!(left < 10.0, "{left} in {of:?}");
            }
        }
    }
    let warnings = rig.warnings();
    assert!(warnings.iter().all(|(_, text)| text.contains("zero everywhere")), "{warnings:?}");
}

/// Words and outlines, too, end where the frame does.
#[test]
fn a06_every_format_at_every_small_size_with_words() {
    let mut rig = Rig::new(info(VideoFormat::Rgb, 64, 48), &[BRIGHT[0], ("draw-labels", "true")]);
    for format in formats() {
        for (width, height) in (1..=20).flat_map(|width| (1..=9).map(move |height| (width, height))) {
            assert!(rig.caps(&info(format, width, height)), "{format:?} {width}x{height}");
            rig.halves(230, 0);
            let warnings = rig.warnings();
            assert!(
                warnings.iter().all(|(_, text)| text.contains("zero everywhere")),
                "{format:?} {width}x{height}: {warnings:?}"
            );
        }
    }
}

#[test]
fn a06_very_large_frames() {
    let mut rig = Rig::new(info(VideoFormat::I420, 7680, 4320), &BRIGHT);
    assert_left(rig.halves(230, 0), &rig.info.clone());
    assert!(rig.caps(&info(VideoFormat::Rgb, 3840, 2160)));
    assert_left(rig.halves(230, 0), &rig.info.clone());
}

#[test]
fn a06_frames_as_wide_or_as_high_as_any() {
    let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &BRIGHT);
    for format in [
        VideoFormat::I420,
        VideoFormat::Nv12,
        VideoFormat::Uyvy,
        VideoFormat::Gray8,
        VideoFormat::P01010le,
        VideoFormat::Bgrx,
    ] {
        for (width, height) in [(16_384, 6), (16_383, 3), (64, 16_384)] {
            assert!(rig.caps(&info(format, width, height)), "{format:?} {width}x{height}");
            let of = rig.info.clone();
            assert_left(rig.halves(230, 0), &of);
            let (left, right) = rig.halves(0, 230);
            assert_left((right, left), &of);
        }
    }
    assert!(rig.warnings().is_empty());
}

/// A buffer whose planes lie apart, with rows longer than the picture's and a last row that is not; and its layout.
fn padded(of: &VideoInfo, left: u8, right: u8) -> gst::Buffer {
    let planes = of.format_info().n_planes() as usize;
    let strides: Vec<i32> = of.stride()[..planes].iter().map(|stride| stride + 29).collect();
    let (mut offsets, mut end) = (Vec::new(), 32);
    for (plane, &stride) in strides.iter().enumerate() {
        let component = (0..of.format_info().n_components() as u8).find(|&c| of.comp_plane(c) == plane as u32).unwrap();
        offsets.push(end);
        let rows = of.comp_height(component) as usize;
        let row = of.comp_width(component) as usize * of.comp_pstride(component) as usize;
        let pairs = [VideoFormat::Yuy2, VideoFormat::Uyvy, VideoFormat::Yvyu, VideoFormat::Vyuy];
        end += (rows - 1) * stride as usize + row.next_multiple_of(if pairs.contains(&of.format()) { 4 } else { 1 });
        end += if plane + 1 < planes { 13 } else { 0 };
    }
    let mut data = vec![PADDING; end];
    fill_halves(of, &mut data, &offsets, &strides, left, right);
    let mut buffer = gst::Buffer::from_mut_slice(data);
    let flags = VideoFrameFlags::empty();
    let (format, width, height) = (of.format(), of.width(), of.height());
    VideoMeta::add_full(buffer.get_mut().unwrap(), flags, format, width, height, &offsets, &strides).unwrap();
    buffer
}

#[test]
fn a07_strides_and_offsets_of_the_video_meta() {
    for format in formats() {
        let of = info(format, 17, 13);
        let mut rig = Rig::new(of.clone(), &BRIGHT);
        let tight = rig.pass(halves(&of, 230, 0));
        let wide = rig.pass(padded(&of, 230, 0));
        assert_left(sides(&of, &wide), &of);
        let meta = wide.meta::<VideoMeta>().expect("the meta stays");
        let mut data = bytes(&wide);
        let expected = samples(&of, &bytes(&tight), of.offset(), of.stride());
        assert!(samples(&of, &data, meta.offset(), meta.stride()) == expected, "{format:?}: another picture");
        for at in places(&of, meta.offset(), meta.stride()) {
            data[at] = PADDING;
        }
        assert!(data.iter().all(|&byte| byte == PADDING), "{format:?}: padding was written to");
        assert!(rig.warnings().is_empty());
    }
}

/// Where the bytes of samples lie, component by component.
fn places(of: &VideoInfo, offsets: &[usize], strides: &[i32]) -> Vec<usize> {
    let mut places = Vec::new();
    for component in 0..of.format_info().n_components() as u8 {
        let plane = of.comp_plane(component) as usize;
        for y in 0..of.comp_height(component) as usize {
            for x in 0..of.comp_width(component) as usize {
                let at = offsets[plane] + y * strides[plane] as usize + x * of.comp_pstride(component) as usize;
                let at = at + offset(of, component);
                places.extend(at..at + of.comp_depth(component).div_ceil(8) as usize);
            }
        }
    }
    places
}

/// The samples alone.
fn samples(of: &VideoInfo, data: &[u8], offsets: &[usize], strides: &[i32]) -> Vec<u8> {
    places(of, offsets, strides).into_iter().map(|at| data[at]).collect()
}

#[test]
fn a08_many_memories_and_read_only_memory() {
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of.clone(), &BRIGHT);
    let whole = bytes(&halves(&of, 230, 0));
    let expected = bytes(&rig.pass(halves(&of, 230, 0)));
    let mut parts = gst::Buffer::new();
    for chunk in whole.chunks(1000) {
        parts.get_mut().unwrap().append_memory(gst::Memory::from_mut_slice(chunk.to_vec()));
    }
    let frozen = gst::Buffer::from_slice(whole.clone());
    for (what, buffer) in [("many memories", parts), ("read-only memory", frozen.clone())] {
        assert!(bytes(&rig.pass(buffer)) == expected, "{what}");
    }
    assert!(bytes(&frozen) == whole, "read-only memory was written to");
    assert!(rig.warnings().is_empty());
}

#[test]
fn a08_a_short_buffer_passes_with_a_warning_at_most_each_second() {
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of.clone(), &BRIGHT);
    let start = Instant::now();
    for _ in 0..20 {
        let short = gst::Buffer::from_mut_slice(vec![PADDING; of.size() / 2]);
        assert!(bytes(&rig.pass(short)) == vec![PADDING; of.size() / 2]);
    }
    let (warnings, seconds) = (rig.warnings(), start.elapsed().as_secs() as usize);
    assert!((1..=1 + seconds).contains(&warnings.len()), "{warnings:?}");
    let (error, text) = &warnings[0];
    assert!(error.matches(gst::StreamError::Format) && text.contains("bad video frame"), "{text}");
    assert_left(rig.halves(230, 0), &of);
}

#[test]
fn a12_interlaced_anamorphic_still_and_stereo_pictures_are_taken_as_they_are() {
    let base = || VideoInfo::builder(VideoFormat::I420, 64, 48);
    let kinds = || {
        [
            base().interlace_mode(VideoInterlaceMode::Interleaved).fps((25, 1)),
            base().interlace_mode(VideoInterlaceMode::Mixed).fps((25, 1)),
            base().par((16, 11)).fps((25, 1)),
            base().fps((0, 1)),
            base().fps((1, 1)),
            base().multiview_mode(gst_video::VideoMultiviewMode::SideBySide).fps((25, 1)),
        ]
    };
    for mode in [("max-in-flight", "1"), ("max-in-flight", "4"), ("mode", "async")] {
        let mut rig = Rig::new(info(VideoFormat::Rgb, 64, 48), &[BRIGHT[0], mode]);
        for kind in kinds() {
            let of = kind.build().unwrap();
            assert!(rig.caps(&of), "{of:?}");
            let flags = VideoBufferFlags::INTERLACED | VideoBufferFlags::TFF;
            // In async mode the first frames have none.
            until("a map", || {
                let mut buffer = halves(&of, 230, 0);
                buffer.get_mut().unwrap().set_video_flags(flags);
                rig.pad().chain(buffer).unwrap();
                rig.pad().send_event(gst::event::CustomDownstream::new(gst::Structure::new_empty("drain")));
                let out = rig.harness.try_pull().expect("no frame is lost");
                assert!(out.video_flags().contains(flags), "{mode:?}: {:?}", out.video_flags());
                let (left, right) = sides(&of, &out);
                (left > 200.0 && right < 30.0).then_some(())
            });
            let caps = rig.element.static_pad("src").unwrap().current_caps().unwrap();
            assert!(caps.is_strictly_equal(&of.to_caps().unwrap()), "caps come out as they go in");
        }
        assert!(rig.warnings().is_empty());
    }
}

#[test]
fn a13_alpha_and_the_unused_byte_are_untouched() {
    for (format, at, value) in [
        (VideoFormat::Rgba, 3, ALPHA),
        (VideoFormat::Bgra, 3, ALPHA),
        (VideoFormat::Argb, 0, ALPHA),
        (VideoFormat::Abgr, 0, ALPHA),
        (VideoFormat::Rgbx, 3, PADDING),
        (VideoFormat::Xrgb, 0, PADDING),
        (VideoFormat::Bgrx, 3, PADDING),
    ] {
        let of = info(format, 67, 41);
        let mut rig = Rig::new(of.clone(), &[("target-class", "bright"), ("draw-labels", "true")]);
        let input = halves(&of, 230, 0);
        let before = bytes(&input);
        let after = bytes(&rig.pass(input));
        assert!(before != after, "{format:?}: nothing was painted");
        assert!(after.iter().skip(at).step_by(4).all(|&byte| byte == value), "{format:?}");
    }
}

/// An RGB colour as coded luma and chroma of a colorimetry: the textbook's formula.
fn yuv(colorimetry: &VideoColorimetry, [r, g, b]: [f64; 3]) -> [f64; 3] {
    let (kr, kb) = colorimetry.matrix().kr_kb().unwrap();
    let y = kr * r + (1.0 - kr - kb) * g + kb * b;
    let (u, v) = ((b - y) / (2.0 * (1.0 - kb)), (r - y) / (2.0 * (1.0 - kr)));
    match colorimetry.range() {
        gst_video::VideoColorRange::Range0_255 => [y * 255.0, u * 255.0 + 128.0, v * 255.0 + 128.0],
        _ => [y * 219.0 + 16.0, u * 224.0 + 128.0, v * 224.0 + 128.0],
    }
}

#[test]
fn a14_colorimetry_on_the_way_in_and_on_the_way_out() {
    // Dark red, the hottest colour of jet; pure green and a dim grey to show.
    let (hot, green, dim) = ([0.5, 0.0, 0.0], [0.0, 1.0, 0.0], [0.251; 3]);
    for text in ["bt601", "bt709", "bt2020", "smpte240m", "1:4:0:0", "1:3:5:1"] {
        let colorimetry: VideoColorimetry = text.parse().unwrap();
        for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Yuy2] {
            let of = VideoInfo::builder(format, 32, 24).fps((30, 1)).colorimetry(&colorimetry).build().unwrap();
            for (class, shown) in [("green", green), ("dim", dim)] {
                let settings = [("colormap", "jet"), ("target-class", class)];
                let mut rig = Rig::with_model(models::save(&models::colours()), of.clone(), &settings);
                let coded = yuv(&colorimetry, shown);
                let mut data = vec![PADDING; of.size()];
                fill(&of, &mut data, of.offset(), of.stride(), |component, _, _| coded[component].round() as u8);
                let out = bytes(&rig.pass(gst::Buffer::from_mut_slice(data)));
                let wanted = yuv(&colorimetry, hot);
                let mut samples = samples(&of, &out, of.offset(), of.stride()).into_iter();
                for component in 0..3u8 {
                    let count = (of.comp_width(component) * of.comp_height(component)) as usize;
                    for sample in samples.by_ref().take(count) {
                        let off = (f64::from(sample) - wanted[component as usize]).abs();
                        assert!(
                            off <= 2.0,
                            "{text} {format:?} {class}: component {component} is {sample}, not {wanted:?}"
                        );
                    }
                }
            }
        }
    }
}

/// Light and dark stripes of so many pixels: how far apart the map has them.
fn contrast(rig: &mut Rig, width: u32, stripe: u32) -> f32 {
    let of = rig.info.clone();
    let mut data = vec![PADDING; of.size()];
    fill(&of, &mut data, of.offset(), of.stride(), |_, x, _| if (x / stripe).is_multiple_of(2) { 230 } else { 20 });
    let out = rig.pass(gst::Buffer::from_mut_slice(data));
    let mean = |parity: u32| {
        let stripes = (0..width / stripe).filter(|i| i % 2 == parity);
        let centres = stripes.map(|i| i * stripe + stripe / 2).collect::<Vec<_>>();
        centres.iter().map(|&x| brightness(&of, &out, x..x + 1)).sum::<f32>() / centres.len() as f32
    };
    mean(0) - mean(1)
}

/// The whole frame at its own proportions: the model is opened anew for other proportions, and a cell of its map stays as fine.
#[test]
fn a02_a_full_frame_follows_the_proportions_of_the_caps() {
    let settings = [("resize-mode", "full-frame"), ("target-class", "bright"), ("input-size", "16x16")];
    let mut rig = Rig::new(info(VideoFormat::Rgb, 64, 64), &settings);
    for (width, height) in [(64, 64), (256, 64), (64, 128), (512, 128), (64, 64)] {
        assert!(rig.caps(&info(VideoFormat::Rgb, width, height)), "{width}x{height}");
        // 16 cells to the short side: a stripe of an eighth of it has two
        let stripe = width.min(height) / 8;
        let contrast = contrast(&mut rig, width, stripe);
        assert!(contrast > 100.0, "{width}x{height}: {contrast}");
        assert_left(rig.halves(230, 0), &rig.info.clone());
    }
    assert!(rig.warnings().is_empty());
    assert!(!rig.caps(&info(VideoFormat::Rgb, 2048, 64)), "32 times as long as wide");
    let message = rig.bus.pop_filtered(&[gst::MessageType::Error]).expect("an error on the bus");
    let gst::MessageView::Error(error) = message.view() else { panic!("not an error") };
    assert!(error.error().to_string().contains("2048x64"), "{}", error.error());
}

#[test]
fn a_model_of_one_size_refuses_full_frames_by_the_node() {
    let mut rig = Rig::with_model(
        models::save(&models::one_size()),
        info(VideoFormat::I420, 64, 64),
        &[("resize-mode", "full-frame"), ("self-check", "false")],
    );
    rig.halves(230, 0);
    assert!(!rig.caps(&info(VideoFormat::I420, 256, 64)));
    let message = rig.bus.pop_filtered(&[gst::MessageType::Error]).expect("an error on the bus");
    let gst::MessageView::Error(error) = message.view() else { panic!("not an error") };
    let text = error.error().to_string();
    for word in ["resize-mode=full-frame", "256x64", "\"fc\"", "192", "3x8x8", "letterbox"] {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
}
