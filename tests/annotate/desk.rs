//! A folder with videos in it, the program run there, and what is in the files that come out.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use gst::prelude::*;

use crate::support;

/// Runs a pipeline to its end.
pub fn play(text: &str) {
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
pub struct Held {
    pub times: Vec<gst::ClockTime>,
    pub pictures: Vec<Vec<u8>>,
    pub sounds: usize,
}

pub fn held(path: &Path) -> Held {
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

pub struct Desk {
    pub folder: tempfile::TempDir,
}

impl Desk {
    pub fn new() -> Self {
        gst::init().expect("GStreamer");
        Desk { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A video of `count` frames, with sound or without.
    pub fn video(&self, name: &str, format: &str, size: (u32, u32), count: u32, sound: bool) -> PathBuf {
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

    /// `gradcam` with these arguments, through a shell if something is to be set up there first.
    pub fn command(&self, first: Option<&str>, args: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_gradcam");
        let mut command = match first {
            Some(first) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("{first}; exec \"$0\" \"$@\""), program]);
                shell
            }
            None => Command::new(program),
        };
        command.current_dir(self.folder.path()).args(args);
        if let Some(library) = support::runtime() {
            command.env("ORT_DYLIB_PATH", library);
        }
        command
    }

    pub fn gradcam(&self, args: &[&str]) -> Output {
        self.command(None, &[&["annotate"], args].concat()).output().expect("the program starts")
    }

    /// `gradcam render`, where there is no ONNX Runtime.
    pub fn render(&self, args: &[&str]) -> Output {
        let mut command = self.command(None, &[&["render"], args].concat());
        command.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so").output().expect("the program starts")
    }

    /// Names of the files whose name has this in it.
    pub fn files(&self, part: &str) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).expect("the folder").flatten();
        let names = files.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.contains(part)).collect()
    }

    pub fn annotates(&self, args: &[&str]) -> String {
        let output = self.gradcam(&[args, &["--model", &support::demo_model().to_string_lossy()]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned() + &said
    }

    pub fn refuses(&self, args: &[&str]) -> String {
        self.refused(args, &self.gradcam(args))
    }

    /// The one sentence of a command that failed, and left nothing behind.
    pub fn refused(&self, args: &[&str], output: &Output) -> String {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.starts_with("gradcam: ") && said.trim_end().lines().count() == 1, "{args:?}: {said}");
        let parts = self.files(".part");
        assert!(parts.is_empty(), "{parts:?} is left behind");
        said
    }
}
