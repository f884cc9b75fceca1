//! What is painted, as the properties say: ways of painting, scales, and frames of twice the width.

use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};
use gstgradcam::Record;

use crate::rig::{self, Rig, brightness, bytes, info, sides};

const BRIGHT: (&str, &str) = ("target-class", "bright");

fn of() -> VideoInfo {
    info(VideoFormat::I420, 64, 48)
}

/// What was said of the last frame.
fn told(rig: &Rig) -> Record {
    let posted = std::iter::from_fn(|| rig.bus.pop_filtered(&[gst::MessageType::Element]));
    Record::from_message(&posted.last().expect("a message")).expect("a message of the element")
}

/// A picture light on the left, through the element: width of what comes out, and its buffer.
fn out(rig: &mut Rig, ms: u64) -> (VideoInfo, gst::Buffer) {
    let buffer = rig.pass(rig.frame(ms, 255, 0));
    let caps = rig.element.static_pad("src").unwrap().current_caps().unwrap();
    (VideoInfo::from_caps(&caps).unwrap(), buffer)
}

#[test]
fn side_by_side_doubles_the_width_and_keeps_the_picture() {
    for format in [VideoFormat::I420, VideoFormat::Yuy2, VideoFormat::Rgbx, VideoFormat::P01010le] {
        let mut rig = Rig::new(info(format, 64, 48), &[("output-mode", "side-by-side"), BRIGHT, ("alpha", "0.5")]);
        let (double, buffer) = out(&mut rig, 40);
        assert_eq!((double.width(), double.height(), buffer.size()), (128, 48, double.size()), "{format:?}");
        assert_eq!(buffer.pts(), Some(gst::ClockTime::from_mseconds(40)));
        let [left, right, warm, cold] = [0..16, 48..64, 64..80, 112..128].map(|x| brightness(&double, &buffer, x));
        assert!(left > 253.0 && right < 2.0, "{format:?}: the picture is {left}, {right}");
        // opaque white over white, half black over black
        assert!(warm > 250.0 && cold < 5.0, "{format:?}: the map is {warm}, {cold}");
        rig.element.set_property_from_str("colormap", "turbo");
        let (double, buffer) = out(&mut rig, 80);
        let [left, warm] = [0..16, 64..80].map(|x| brightness(&double, &buffer, x));
        assert!(left > 253.0 && warm < 245.0, "{format:?}: only the right half is painted: {left}, {warm}");
        assert!(rig.warnings().is_empty());
    }
}

#[test]
fn the_width_changes_while_playing_where_what_follows_takes_it() {
    let mut rig = Rig::new(of(), &[BRIGHT]);
    assert_eq!(out(&mut rig, 0).0.width(), 64);
    for (mode, width) in [("side-by-side", 128), ("mask", 64), ("side-by-side", 128), ("overlay", 64)] {
        rig.element.set_property_from_str("output-mode", mode);
        let (double, buffer) = out(&mut rig, 40);
        assert_eq!((double.width(), buffer.size()), (width, double.size()), "{mode}");
    }
    assert!(rig.warnings().is_empty());
    rig.harness.set_sink_caps(of().to_caps().unwrap());
    rig.element.set_property_from_str("output-mode", "side-by-side");
    assert_eq!(out(&mut rig, 80).0.width(), 64);
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
    assert!(text.contains("output-mode") && text.contains("next start"), "{text}");
}

/// A source may ask at any time, also while the width changes: it never hears that nothing fits.
#[test]
fn whoever_asks_for_caps_hears_of_one_width() {
    let mut rig = Rig::new(of(), &[BRIGHT]);
    let (pad, own, done) = (rig.harness.srcpad().unwrap(), of().to_caps().unwrap(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (pad, own, done) = (&pad, &own, &done);
        let asks = scope.spawn(move || {
            while !done.load(Ordering::SeqCst) {
                let caps = pad.peer_query_caps(Some(own));
                assert!(!caps.is_empty(), "nothing fits");
            }
        });
        for i in 0..400 {
            rig.element.set_property_from_str("output-mode", ["side-by-side", "overlay"][i % 2]);
            out(&mut rig, 40 * i as u64);
        }
        done.store(true, Ordering::SeqCst);
        asks.join().unwrap();
    });
}

#[test]
fn frames_on_their_way_go_as_they_were_to_go() {
    let mut rig = Rig::new(of(), &[BRIGHT, ("max-in-flight", "4")]);
    let pass = |ms: u64, mode: Option<&str>| {
        if let Some(mode) = mode {
            rig.element.set_property_from_str("output-mode", mode);
        }
        rig.pad().chain(rig.frame(ms, 255, 0)).unwrap();
    };
    for i in 0..12 {
        pass(40 * i, [Some("side-by-side"), None, Some("contour"), None][i as usize % 4]);
    }
    assert!(rig.pad().send_event(gst::event::Eos::new()));
    let sizes: Vec<usize> = (0..12).map(|_| rig.harness.try_pull().expect("no frame is lost").size()).collect();
    let one = of().size();
    let want: Vec<usize> = (0..12).map(|i| if i % 4 < 2 { 2 * one } else { one }).collect();
    assert_eq!(sizes, want);
}

#[test]
fn metas_come_along_to_the_wider_frame() {
    let mut rig = Rig::new(of(), &[("output-mode", "side-by-side"), BRIGHT]);
    let mut frame = rig.frame(0, 255, 0);
    let own = of();
    let planes = frame.get_mut().unwrap();
    gst_video::VideoRegionOfInterestMeta::add(planes, "face", (1, 2, 3, 4));
    gst_video::VideoMeta::add_full(
        planes,
        gst_video::VideoFrameFlags::empty(),
        VideoFormat::I420,
        64,
        48,
        own.offset(),
        own.stride(),
    )
    .unwrap();
    let out = rig.pass(frame);
    let regions: Vec<_> = out.iter_meta::<gst_video::VideoRegionOfInterestMeta>().map(|meta| meta.rect()).collect();
    assert!(regions.contains(&(1, 2, 3, 4)), "{regions:?}");
    assert!(out.meta::<gst_video::VideoMeta>().is_none_or(|meta| meta.width() == 128));
}

#[test]
fn a_doubtful_class_is_not_painted_and_the_message_says_so() {
    let settings = [BRIGHT, ("confidence-threshold", "0.6"), ("post-messages", "true"), ("message-interval", "0")];
    let mut rig = Rig::new(of(), &settings);
    let (_, untouched) = rig.at(0, 128, 128);
    assert!(untouched, "the two classes are equally likely");
    let seen = told(&rig);
    let reason = seen.reason.unwrap_or_default();
    assert!(!seen.annotated && reason.contains("confidence-threshold=0.6") && reason.contains("bright"), "{reason}");
    rig.element.set_property("confidence-threshold", 0.4);
    let (_, untouched) = rig.at(40, 128, 128);
    assert!(!untouched && told(&rig).annotated);
}

#[test]
fn without_painting_all_is_told_and_the_frame_is_as_it_was() {
    let settings = [BRIGHT, ("output-mode", "none"), ("draw-labels", "true"), ("post-messages", "true")];
    let mut rig = Rig::new(of(), &settings);
    let frame = rig.frame(0, 255, 0);
    let before = bytes(&frame);
    let out = rig.pass(frame);
    assert!(bytes(&out) == before && told(&rig).annotated);
    assert!(out.iter_meta::<gst::Meta>().next().is_some(), "what was seen goes with the buffer");
}

#[test]
fn heat_is_as_opaque_as_it_is_hot() {
    let mut rig = Rig::new(of(), &[BRIGHT, ("alpha-mode", "heat"), ("colormap", "turbo")]);
    let (_, untouched) = rig.at(0, 0, 0);
    assert!(untouched, "an empty map leaves all as it was");
    rig.element.set_property_from_str("alpha-mode", "constant");
    let (left, right) = rig.at(40, 255, 100).0;
    rig.element.set_property_from_str("alpha-mode", "heat");
    let pale = rig.at(80, 255, 100).0;
    assert!((pale.0 - left).abs() < 3.0 && (pale.1 - right).abs() > 10.0, "{left}, {right} and {pale:?}");
}

#[test]
fn a_scale_that_runs_knows_quiet_frames_from_loud_ones() {
    let brightest = |normalization: &str| {
        let mut rig = Rig::new(of(), &[BRIGHT, ("normalization", normalization)]);
        rig.at(0, 255, 0);
        rig.at(40, 25, 0).0.0
    };
    let (running, frame) = (brightest("running"), brightest("frame"));
    assert!(frame > 250.0 && running < 60.0, "frame {frame}, running {running}");
    // The class's score is the heat of the hottest place.
    let settings = [BRIGHT, ("normalization", "score"), ("post-messages", "true")];
    let mut rig = Rig::new(of(), &settings);
    let (half, _) = rig.at(0, 128, 128).0;
    let score = told(&rig).seen[0].guess.score;
    assert!((0.4..0.6).contains(&score) && (half - 255.0 * score).abs() < 3.0, "{half} of {score}");
}

#[test]
fn changes_take_the_time_that_smoothing_says_and_none_after_a_break() {
    let mut rig = Rig::new(of(), &[BRIGHT, ("smoothing", "100"), ("normalization", "frame")]);
    // dark, so that it is no cut
    rig.at(0, 30, 0);
    let (left, right) = rig.at(100, 0, 30).0;
    let want = 255.0 * (1.0 - (-1.0f32).exp());
    assert!((right - want).abs() < 6.0 && (left - (255.0 - want)).abs() < 6.0, "{left}, {right}, not {want}");
    let mut leap = rig.frame(50_000, 255, 0);
    leap.get_mut().unwrap().set_flags(gst::BufferFlags::DISCONT);
    let seen = rig.pass(leap);
    let (left, right) = sides(&rig.info, &seen);
    assert!(left > 250.0 && right < 5.0, "{left}, {right} after a leap in time");
}

#[test]
fn classes_have_hues_of_their_own() {
    let rgb = info(VideoFormat::Rgb, 64, 48);
    let mut rig = Rig::new(rgb.clone(), &[("target-class", "bright,dark")]);
    let out = bytes(&rig.pass(rig::halves(&rgb, 255, 0)));
    let (left, right) = (&out[3 * (24 * 64 + 4)..][..3], &out[3 * (24 * 64 + 60)..][..3]);
    assert_eq!((left, right), (&gstgradcam::render::hue(0)[..], &gstgradcam::render::hue(1)[..]));
}

#[test]
fn words_stand_where_they_are_asked_to_with_figures_and_a_legend() {
    let large = info(VideoFormat::Rgb, 320, 240);
    let mut rig = Rig::new(large.clone(), &[("alpha", "0"), ("draw-labels", "true")]);
    let plain = bytes(&rig::halves(&large, 128, 128));
    let mut box_of = |settings: &[(&str, &str)]| {
        for (name, value) in settings {
            rig.element.set_property_from_str(name, value);
        }
        let out = bytes(&rig.pass(rig::halves(&large, 128, 128)));
        let changed = || (0..out.len()).filter(|&i| out[i] != plain[i]).map(|i| (i / 3 % 320, i / 960));
        let (x, y) = (changed().map(|at| at.0), changed().map(|at| at.1));
        ((x.clone().min().unwrap(), x.max().unwrap()), (y.clone().min().unwrap(), y.max().unwrap()))
    };
    let alone = box_of(&[]);
    let two = box_of(&[("top-k", "2")]);
    let stats = box_of(&[("draw-stats", "true")]);
    let legend = box_of(&[("draw-legend", "true")]);
    let heights = [alone, two, stats, legend].map(|(_, (top, bottom))| bottom - top);
    assert!(heights.is_sorted_by(|a, b| a + 8 < *b), "{heights:?}");
    let ((left, right), (top, bottom)) = box_of(&[("label-position", "bottom-right")]);
    assert!(left > 160 && right > 310 && top > 120 && bottom > 230, "{left}..{right}, {top}..{bottom}");
}

#[test]
fn a_font_that_cannot_be_read_is_an_error_at_the_start_and_a_warning_while_playing() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.ttf");
    std::fs::write(&bad, "no font").unwrap();
    let mono = folder.path().join("mono.ttf");
    std::fs::write(&mono, dejavu::sans_mono::regular()).unwrap();
    let [bad, mono] = [&bad, &mono].map(|path| path.to_str().unwrap());
    let model = crate::models::save(&crate::models::sides());
    for font in [bad, "/nowhere.ttf"] {
        let (error, text) = crate::faults::refusal(&rig::element(&model.path, &[("font", font)]));
        assert!(error.matches(gst::ResourceError::Settings) && text.contains("TrueType"), "{text}");
    }
    let large = info(VideoFormat::Rgb, 320, 240);
    let mut rig = Rig::new(large.clone(), &[("draw-labels", "true"), ("font", mono)]);
    let written = |rig: &mut Rig| bytes(&rig.pass(rig::halves(&large, 128, 128)));
    let own = written(&mut rig);
    rig.element.set_property("font", bad);
    assert!(written(&mut rig) == own && written(&mut rig) == own, "the former font stays");
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
    assert!(text.contains("font") && text.contains("former"), "{text}");
    rig.element.set_property("font", "");
    assert!(written(&mut rig) != own);
}
