//! Recordings: what was seen is written down, and painted anew to the bit without a model; what is damaged is said.

use std::path::{Path, PathBuf};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo, VideoRegionOfInterestMeta};
use gstgradcam::record::Recording;

use crate::faults::refusal;
use crate::models;
use crate::rig::{self, Rig, bytes, info};

const FRAMES: u64 = 16;

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        Desk { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sidecar(&self) -> String {
        self.path("seen.jsonl").to_string_lossy().into_owned()
    }

    /// A recording of all frames, and what came out meanwhile.
    fn record(&self, info: &VideoInfo, settings: &[(&str, &str)]) -> Vec<Vec<u8>> {
        let file = self.sidecar();
        let own = [("sidecar", file.as_str()), ("sidecar-maps", "true")];
        play(info, &[settings, &own].concat())
    }

    /// The same frames, painted by the recording.
    fn paint(&self, info: &VideoInfo, settings: &[(&str, &str)]) -> Vec<Vec<u8>> {
        let file = self.sidecar();
        play(info, &[settings, &[("explanations", file.as_str()), ("model", "/nowhere/m.onnx")]].concat())
    }
}

/// Frames whose light wanders, with a leap in time, a detector's regions and one frame that the model is not asked about.
fn frames(info: &VideoInfo) -> Vec<gst::Buffer> {
    let frame = |i: u64| {
        let mut buffer = rig::halves(info, (i * 31 % 256) as u8, (255 - i * 53 % 256) as u8);
        let own = buffer.get_mut().unwrap();
        own.set_pts(gst::ClockTime::from_mseconds(i * 33 + if i > 9 { 5000 } else { 0 }));
        if i == 10 {
            own.set_flags(gst::BufferFlags::DISCONT);
        }
        if i == 5 {
            own.set_flags(gst::BufferFlags::GAP);
        }
        VideoRegionOfInterestMeta::add(own, "one", (i as u32, 2, 30, 30)).set_id(7);
        if !i.is_multiple_of(3) {
            VideoRegionOfInterestMeta::add(own, "two", (33, 10 + i as u32, 20, 20)).set_id(8);
        }
        buffer
    };
    (0..FRAMES).map(frame).collect()
}

fn play(info: &VideoInfo, settings: &[(&str, &str)]) -> Vec<Vec<u8>> {
    let mut rig = Rig::new(info.clone(), settings);
    let out = frames(info).into_iter().map(|frame| bytes(&rig.pass(frame))).collect();
    assert!(rig.pad().send_event(gst::event::Eos::new()));
    assert_eq!(rig.warnings(), [], "{settings:?}");
    out
}

#[test]
fn a_recording_is_painted_again_to_the_bit() {
    let words = [("draw-labels", "true"), ("draw-legend", "true")];
    let calm = [("normalization", "running"), ("smoothing", "200"), ("alpha-mode", "heat"), ("alpha", "0.5")];
    let cases: &[(VideoFormat, &[(&str, &str)])] = &[
        (VideoFormat::I420, &[]),
        (VideoFormat::Nv12, &[&calm[..], &words].concat()),
        (VideoFormat::Bgrx, &[&calm[..], &[("target-class", "bright,dark")]].concat()),
        (
            VideoFormat::I420,
            &[&calm[..], &[("output-mode", "contour"), ("threshold", "0.3"), ("colormap", "turbo")]].concat(),
        ),
        (VideoFormat::I420, &[("output-mode", "side-by-side"), ("normalization", "score")]),
        (VideoFormat::Rgb, &[&calm[..], &[("output-mode", "mask"), ("smooth", "nearest")]].concat()),
        (VideoFormat::I420, &[&calm[..], &words, &[("confidence-threshold", "0.6"), ("top-k", "2")]].concat()),
        (VideoFormat::I420, &[&calm[..], &words, &[("inference-interval", "3")]].concat()),
        (VideoFormat::I420, &[&calm[..], &words, &[("inference-region", "roi-list")]].concat()),
        (VideoFormat::I420, &[&calm[..], &words, &[("signed", "true"), ("colormap", "blue-red")]].concat()),
    ];
    for (format, settings) in cases {
        let (desk, of) = (Desk::new(), info(*format, 64, 48));
        let before = desk.record(&of, settings);
        let clean: Vec<_> = frames(&of).iter().map(|frame| bytes(frame)).collect();
        assert_ne!(before, clean, "{settings:?}: nothing was painted");
        let again = desk.paint(&of, settings);
        for (i, (before, again)) in before.iter().zip(&again).enumerate() {
            assert!(before == again, "{settings:?}: frame {i} is another one");
        }
        assert_eq!(again.len() as u64, FRAMES);
    }
}

#[test]
fn it_is_painted_otherwise_as_the_model_would_have_it() {
    let (desk, of) = (Desk::new(), info(VideoFormat::I420, 64, 48));
    // A class that was too doubtful to be painted is recorded all the same.
    desk.record(&of, &[("confidence-threshold", "1"), ("output-mode", "none")]);
    let other = [("colormap", "viridis"), ("alpha", "0.7"), ("normalization", "running"), ("smoothing", "50")];
    assert!(desk.paint(&of, &other) == play(&of, &other), "the model itself paints it otherwise");
}

#[test]
fn a_sidecar_says_what_was_recorded_and_its_lines_are_the_messages() {
    let (desk, of) = (Desk::new(), info(VideoFormat::I420, 64, 48));
    desk.record(&of, &[("colormap", "magma"), ("alpha", "0.25"), ("smoothing", "70")]);
    let mut recording = Recording::open(Path::new(&desk.sidecar())).unwrap();
    assert_eq!((recording.frames() as u64, recording.remark()), (FRAMES, None));
    let header = recording.header().clone();
    assert_eq!((header.size, header.version.as_str()), ((64, 48), env!("CARGO_PKG_VERSION")));
    assert!(header.caps.contains("I420") && header.method == "gradcam" && !header.layer.is_empty(), "{header:?}");
    assert!(header.model.ends_with(".onnx") && header.model_sha256.is_some_and(|sum| sum.len() == 64));
    let setting = |name: &str| header.settings[name].clone();
    assert_eq!((setting("colormap"), setting("alpha"), setting("smoothing")), ("magma".into(), 0.25.into(), 70.into()));
    for name in gstgradcam::element::recorded_settings().iter().filter(|name| **name != "font") {
        assert!(header.settings.contains_key(*name), "{name} is not recorded");
    }
    let told = recording.at(std::time::Duration::from_millis(33)).unwrap().unwrap();
    let [(None, seen)] = &told.pictures[..] else { panic!("{told:?}") };
    assert!(told.map == Some(1) && told.record.annotated && seen.maps[0].map.iter().any(|v| *v > 0.0), "{told:?}");
    // half a frame away, and more
    let near =
        |ms| Recording::open(Path::new(&desk.sidecar())).unwrap().at(std::time::Duration::from_millis(ms)).unwrap();
    assert_eq!(near(49).and_then(|told| told.map), Some(1));
    assert_eq!(near(51).and_then(|told| told.map), Some(2));
    assert!(near(3000).is_none());
}

#[test]
fn what_is_whole_of_a_recording_is_used_and_the_rest_is_said() {
    let (desk, of) = (Desk::new(), info(VideoFormat::I420, 64, 48));
    let whole = desk.record(&of, &[]);
    let clean: Vec<_> = frames(&of).iter().map(|frame| bytes(frame)).collect();
    let (sidecar, maps) = (desk.path("seen.jsonl"), desk.path("seen.gcm"));
    let (text, values) = (std::fs::read_to_string(&sidecar).unwrap(), std::fs::read(&maps).unwrap());
    let line = |n: usize| text.match_indices('\n').nth(n).unwrap().0 + 1;
    let size = (values.len() - 32) / (FRAMES as usize - 1);
    // Bytes that are left of the sidecar and of the maps, whole frames, and what is said. Frame 5 has no map of its own.
    let cases = [
        (line(FRAMES as usize), values.len(), 16, "broken off: its 16 frames"),
        (line(3), values.len(), 3, "broken off: its 3 frames"),
        (line(3) - 1, values.len(), 2, "2 of its 3 frames are whole"),
        (text.len(), 32 + 4 * size, 4, "4 of its 16 frames are whole"),
        (text.len(), 32 + 5 * size - 1, 4, "4 of its 16 frames are whole"),
    ];
    for (left, of_maps, used, said) in cases {
        std::fs::write(&sidecar, &text[..left]).unwrap();
        std::fs::write(&maps, &values[..of_maps]).unwrap();
        let recording = Recording::open(&sidecar).unwrap();
        assert_eq!(recording.frames(), used, "{said}");
        assert!(recording.remark().is_some_and(|text| text.contains(said)), "{:?} is not {said}", recording.remark());
        let file = desk.sidecar();
        let mut rig = Rig::new(of.clone(), &[("explanations", &file)]);
        for (i, frame) in frames(&of).into_iter().enumerate() {
            let want = if i < used { &whole[i] } else { &clean[i] };
            assert!(bytes(&rig.pass(frame)) == *want, "{said}: frame {i}");
        }
        let warnings = rig.warnings();
        assert!(warnings.len() == 1 && warnings[0].1.contains(said), "{warnings:?}");
        let skipped = rig.element.property::<gst::Structure>("stats").get::<u64>("inferences-skipped").unwrap();
        assert_eq!(skipped, FRAMES - used as u64);
    }
}

#[test]
fn a_damaged_map_is_a_warning_and_its_frame_passes() {
    let (desk, of) = (Desk::new(), info(VideoFormat::I420, 64, 48));
    desk.record(&of, &[]);
    let mut values = std::fs::read(desk.path("seen.gcm")).unwrap();
    values[32 + 16] ^= 0x40;
    std::fs::write(desk.path("seen.gcm"), values).unwrap();
    let file = desk.sidecar();
    let mut rig = Rig::new(of.clone(), &[("explanations", &file)]);
    let frame = frames(&of).remove(0);
    let before = bytes(&frame);
    assert!(bytes(&rig.pass(frame)) == before);
    let warnings = rig.warnings();
    assert!(warnings.len() == 1 && warnings[0].1.contains("map 0 is damaged"), "{warnings:?}");
}

#[test]
fn a_video_that_was_trimmed_is_matched_by_time() {
    let (desk, of) = (Desk::new(), info(VideoFormat::I420, 64, 48));
    let whole = desk.record(&of, &[]);
    let file = desk.sidecar();
    // Its own times begin at zero again.
    let from = 3;
    let offset = (from * 33_000_000).to_string();
    let mut rig = Rig::new(of.clone(), &[("explanations", &file), ("explanations-offset", &offset)]);
    for (i, mut frame) in frames(&of).into_iter().enumerate().skip(from) {
        let own = frame.get_mut().unwrap();
        own.set_pts(own.pts().map(|time| time - gst::ClockTime::from_mseconds(33 * from as u64)));
        assert!(bytes(&rig.pass(frame)) == whole[i], "frame {i}");
    }
}

#[test]
fn what_cannot_be_used_is_one_sentence() {
    let (desk, of) = (Desk::new(), info(VideoFormat::I420, 64, 48));
    desk.record(&of, &[]);
    let refused = |settings: &[(&str, &str)]| {
        let model = models::save(&models::sides());
        refusal(&rig::element(&model.path, settings))
    };
    let at = |name: &str| desk.path(name).to_string_lossy().into_owned();
    std::fs::write(desk.path("empty.jsonl"), "").unwrap();
    std::fs::write(desk.path("zeros.jsonl"), [0; 5000]).unwrap();
    std::fs::write(desk.path("other.jsonl"), "{\"frames\":3}\n").unwrap();
    let text = std::fs::read_to_string(desk.path("seen.jsonl")).unwrap();
    std::fs::write(desk.path("alone.jsonl"), &text).unwrap();
    std::fs::write(desk.path("header.jsonl"), text.lines().next().unwrap().to_string() + "\n").unwrap();
    std::fs::copy(desk.path("seen.gcm"), desk.path("header.gcm")).unwrap();
    for (file, word) in [
        ("gone.jsonl", "No such file"),
        ("empty.jsonl", "no header"),
        ("zeros.jsonl", "no header"),
        ("other.jsonl", "no header"),
        ("seen.gcm", "no header"),
        ("alone.jsonl", "--maps"),
        ("header.jsonl", "no frame"),
    ] {
        let (error, text) = refused(&[("explanations", &at(file))]);
        assert!(error.matches(gst::ResourceError::OpenRead) && text.contains(word) && text.contains(file), "{text}");
    }
    std::fs::write(desk.path("alone.gcm"), "no maps at all, but some words").unwrap();
    assert!(refused(&[("explanations", &at("alone.jsonl"))]).1.contains("no file of maps"));
    let (error, text) = refused(&[("sidecar", "/nowhere/at/all.jsonl")]);
    assert!(error.matches(gst::ResourceError::Write) && text.contains("cannot write"), "{text}");
    assert!(refused(&[("sidecar", &at("x.gcm")), ("sidecar-maps", "true")]).1.contains(".jsonl"));
}

#[test]
fn a_video_of_another_size_and_a_full_disk_end_the_stream_with_a_sentence() {
    let (desk, of) = (Desk::new(), info(VideoFormat::I420, 64, 48));
    desk.record(&of, &[]);
    let model = models::save(&models::sides());
    let ends = |settings: &[(&str, &str)], width: u32| {
        let text = format!("videotestsrc num-buffers=30 ! video/x-raw,width={width},height=48 ! GRADCAM ! fakesink");
        let pipeline = rig::launch(&text, &model.path, settings);
        let _others = rig::among_others();
        let _ = pipeline.set_state(gst::State::Playing);
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(120), &wanted).unwrap();
        pipeline.set_state(gst::State::Null).unwrap();
        let gst::MessageView::Error(error) = message.view() else { panic!("it ends well") };
        error.error()
    };
    let other = ends(&[("explanations", &desk.sidecar())], 80);
    assert!(other.message().contains("64x48") && other.message().contains("80x48"), "{other}");
    if Path::new("/dev/full").exists() {
        let full = ends(&[("sidecar", "/dev/full")], 64);
        assert!(full.matches(gst::ResourceError::NoSpaceLeft) && full.message().contains("/dev/full"), "{full}");
    }
}

/// The five lines of the documentation.
#[test]
fn python_reads_the_maps() {
    if !std::process::Command::new("python3").args(["-c", "import numpy"]).output().is_ok_and(|o| o.status.success()) {
        println!("not run: python3 has no numpy here");
        return;
    }
    let (desk, of) = (Desk::new(), info(VideoFormat::I420, 64, 48));
    desk.record(&of, &[]);
    let page = std::fs::read_to_string(crate::support::root().join("docs/recording.md")).unwrap();
    let code = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the lines");
    assert_eq!(code.trim().lines().count(), 5);
    let check = "
import json, zlib
whole = [json.loads(line) for line in open('out.jsonl')]
frames = [line for line in whole if 'map' in line]
assert whole[-1] == {'frames': 16} and len(maps) == 15, (whole[-1], len(maps))
for frame in frames:
    one = maps[frame['map']]
    assert one['class'] == frame['class']
    sum = zlib.crc32(one['map'].tobytes(), zlib.crc32(one.tobytes()[:12]))
    assert sum == one['crc32'], frame
assert [int(one['time']) for one in maps][:3] == [0, 33000000, 66000000]
";
    for ending in ["jsonl", "gcm"] {
        std::fs::copy(desk.path(&format!("seen.{ending}")), desk.path(&format!("out.{ending}"))).unwrap();
    }
    let mut command = std::process::Command::new("python3");
    let output = command.current_dir(desk.folder.path()).args(["-c", &format!("{code}{check}")]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
