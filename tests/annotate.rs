//! `gradcam annotate`: whole video files, as a user meets it.
#![cfg(all(feature = "plugin", feature = "cli"))]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use gst::prelude::*;

/// Runs a pipeline to its end.
fn play(text: &str) {
    run(gst::parse::launch(text).expect(text).downcast_ref::<gst::Pipeline>().expect("a pipeline"), text);
}

fn run(pipeline: &gst::Pipeline, text: &str) {
    pipeline.set_state(gst::State::Playing).expect(text);
    let bus = pipeline.bus().expect("a bus");
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(None, &ends).expect("an end");
    pipeline.set_state(gst::State::Null).expect(text);
    if let gst::MessageView::Error(error) = message.view() {
        panic!("{text}: {} ({:?})", error.error(), error.debug());
    }
}

/// What a file holds: every frame's time and grey values, and the number of sound buffers.
#[derive(Default)]
struct Held {
    times: Vec<gst::ClockTime>,
    pictures: Vec<Vec<u8>>,
    sounds: usize,
}

fn held(path: &Path) -> Held {
    let pipeline = gst::Pipeline::new();
    let decode = gst::ElementFactory::make("uridecodebin").build().expect("uridecodebin");
    decode.set_property("uri", gst::glib::filename_to_uri(path, None).expect("a URI"));
    pipeline.add(&decode).expect("it is added");
    let held: Arc<Mutex<Held>> = Arc::default();
    let (told, home) = (held.clone(), pipeline.downgrade());
    decode.connect_pad_added(move |_, pad| {
        let video = pad.current_caps().is_some_and(|caps| caps.to_string().starts_with("video/"));
        let convert = if video { "videoconvert ! video/x-raw,format=GRAY8" } else { "audioconvert" };
        let text = format!("{convert} ! fakesink name=sink sync=false signal-handoffs=true");
        let bin = gst::parse::bin_from_description(&text, true).expect(&text);
        let told = told.clone();
        bin.by_name("sink").expect("the sink").connect("handoff", false, move |values| {
            let buffer = values[1].get::<gst::Buffer>().expect("a buffer");
            let mut held = told.lock().expect("no panic");
            if video {
                held.times.push(buffer.pts().expect("a time"));
                held.pictures.push(buffer.map_readable().expect("bytes").to_vec());
            } else {
                held.sounds += 1;
            }
            None
        });
        home.upgrade().expect("the pipeline").add(&bin).expect("it is added");
        bin.sync_state_with_parent().expect("it starts");
        pad.link(&bin.static_pad("sink").expect("its pad")).expect("it links");
    });
    run(&pipeline, &path.to_string_lossy());
    drop(decode);
    std::mem::take(&mut *held.lock().expect("no panic"))
}

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        gst::init().expect("GStreamer");
        Desk { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A video of `count` frames, with sound or without.
    fn video(&self, name: &str, format: &str, size: (u32, u32), count: u32, sound: bool) -> PathBuf {
        let (width, height) = size;
        let path = self.path(name);
        let video = format!(
            "videotestsrc num-buffers={count} pattern=smpte ! video/x-raw,format={format},width={width},height={height},\
             framerate=25/1 ! {}",
            if format == "Y444" { "x264enc ! h264parse" } else { "vp8enc deadline=1" }
        );
        let sound = match sound {
            true => format!(
                "audiotestsrc num-buffers={} samplesperbuffer=1920 ! audio/x-raw,rate=48000 ! opusenc ! m.",
                count
            ),
            false => String::new(),
        };
        play(&format!("matroskamux name=m ! filesink location={} {video} ! m. {sound}", path.display()));
        path
    }

    fn gradcam(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gradcam"));
        command.current_dir(self.folder.path()).arg("annotate").args(args);
        if let Some(library) = support::runtime() {
            command.env("ORT_DYLIB_PATH", library);
        }
        command.output().expect("the program starts")
    }

    fn annotates(&self, args: &[&str]) -> String {
        let output = self.gradcam(&[args, &["--model", &support::demo_model().to_string_lossy()]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned() + &said
    }

    fn refuses(&self, args: &[&str]) -> String {
        let output = self.gradcam(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.starts_with("gradcam: ") && said.trim_end().lines().count() == 1, "{args:?}: {said}");
        let parts = std::fs::read_dir(self.folder.path()).expect("the folder").flatten();
        let parts: Vec<_> =
            parts.map(|entry| entry.file_name()).filter(|n| n.to_string_lossy().ends_with(".part")).collect();
        assert!(parts.is_empty(), "{parts:?} is left behind");
        said
    }
}

#[test]
fn every_frame_comes_out_at_its_time_and_the_sound_is_kept() {
    let desk = Desk::new();
    let input = desk.video("in.mkv", "I420", (320, 240), 12, true);
    let before = held(&input);
    assert_eq!(before.times.len(), 12);
    for output in ["out.mp4", "out.webm", "out.mkv"] {
        let said = desk.annotates(&["in.mkv", output]);
        assert!(said.contains("12 frames") && said.contains("with sound"), "{said}");
        let after = held(&desk.path(output));
        assert!(after.sounds > 0, "{output} has no sound");
        assert_eq!(after.times.len(), before.times.len(), "{output}");
        for (was, is) in before.times.iter().zip(&after.times) {
            let away = was.absdiff(*is);
            assert!(away <= gst::ClockTime::from_mseconds(1), "{output}: a frame of {was} is at {is}");
        }
        for (at, (was, is)) in before.pictures.iter().zip(&after.pictures).enumerate() {
            let change: u64 = was.iter().zip(is).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            assert!(change > was.len() as u64, "{output}: frame {at} is not annotated");
        }
    }
}

#[test]
fn odd_sizes_444_and_silence_are_fine() {
    let desk = Desk::new();
    desk.video("odd.mkv", "I420", (161, 121), 3, false);
    assert!(desk.annotates(&["odd.mkv", "odd.mp4"]).contains("160x120"));
    assert_eq!(held(&desk.path("odd.mp4")).times.len(), 3);
    assert!(!desk.annotates(&["odd.mkv", "odd.webm"]).contains("160x120"), "VP8 takes odd sizes");
    desk.video("444.mkv", "Y444", (160, 120), 3, false);
    assert!(desk.annotates(&["444.mkv", "444.mp4"]).contains("no sound"));
    assert_eq!(held(&desk.path("444.mp4")).times.len(), 3);
    desk.video("loud.mkv", "I420", (160, 120), 3, true);
    assert!(desk.annotates(&["loud.mkv", "still.mp4", "--no-audio"]).contains("no sound"));
}

#[test]
fn what_goes_wrong_is_one_sentence_and_leaves_nothing_behind() {
    let desk = Desk::new();
    desk.video("in.mkv", "I420", (160, 120), 3, false);
    std::fs::write(desk.path("text.mp4"), "no video at all, only some words in a file").expect("a file");
    play(&format!(
        "audiotestsrc num-buffers=5 ! opusenc ! matroskamux ! filesink location={}",
        desk.path("sound.mkv").display()
    ));
    let model = support::demo_model();
    let with = |args: [&'static str; 2]| [&args[..], &["--model", model.to_str().expect("UTF-8")]].concat();
    assert!(desk.refuses(&with(["gone.mp4", "out.mp4"])).contains("gone.mp4"));
    assert!(desk.refuses(&with(["in.mkv", "out.avi"])).contains(".mp4, .webm, .mkv"));
    assert!(desk.refuses(&with(["in.mkv", "in.mkv"])).contains("the input itself"));
    assert!(desk.refuses(&with(["in.mkv", "no/such/out.mp4"])).contains("cannot write"));
    assert!(desk.refuses(&with(["text.mp4", "out.mp4"])).contains("GStreamer"));
    assert!(desk.refuses(&with(["sound.mkv", "out.mp4"])).contains("no video"));
    assert!(desk.refuses(&["in.mkv", "out.mp4", "--model", "gone.onnx"]).contains("gone.onnx"));
    let target = [&with(["in.mkv", "out.mp4"])[..], &["--target-class", "5000"]].concat();
    assert!(desk.refuses(&target).contains("0..=999"));
    assert!(!desk.path("out.mp4").exists());
}
