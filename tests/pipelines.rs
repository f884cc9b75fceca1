//! Every pipeline of the folder `pipelines/`: parsed, and run where it needs no device, with a test source for a camera.
#![cfg(feature = "plugin")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Once};

use gst::prelude::*;

const FRAMES: usize = 12;

fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstgradcam::plugin_register_static().unwrap();
    });
}

/// Each pipeline: its file and text.
fn pipelines() -> BTreeMap<String, String> {
    let files = std::fs::read_dir(support::root().join("pipelines")).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|e| e == "txt"));
    texts
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().into(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The gst-launch text, filled in by the shell itself as `pipelines/run` does it.
fn filled_in(text: &str, values: &[(&str, &str)]) -> Result<String, String> {
    let body: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let script = format!("printf '%s\\n' {}", body.join(" "));
    let output = Command::new("sh").args(["-euc", &script]).env_clear().envs(values.iter().copied()).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8(output.stdout).unwrap().lines().collect::<Vec<_>>().join(" "))
}

/// A video of `FRAMES` frames with a tone of the same length.
fn video(folder: &Path) -> PathBuf {
    let path = folder.join("in.mkv");
    let text = format!(
        "videotestsrc num-buffers={FRAMES} ! video/x-raw,width=160,height=120,framerate=30/1 ! x264enc tune=zerolatency ! \
         h264parse ! queue ! m. audiotestsrc num-buffers=20 ! audio/x-raw,rate=48000,channels=1 ! avenc_aac ! aacparse ! \
         queue ! m. matroskamux name=m ! filesink location={}",
        path.display()
    );
    run(&gst::parse::launch(&text).unwrap().downcast().unwrap());
    path
}

fn run(pipeline: &gst::Pipeline) {
    pipeline.set_state(gst::State::Playing).unwrap();
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(300), &wanted);
    if let gst::MessageView::Error(error) = message.expect("an end within five minutes").view() {
        panic!("{} ({:?})", error.error(), error.debug());
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

/// The times of the buffers that pass a pad.
fn times(pad: &gst::Pad) -> Arc<Mutex<Vec<Option<gst::ClockTime>>>> {
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = times.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        seen.lock().unwrap().push(info.buffer().unwrap().pts());
        gst::PadProbeReturn::Ok
    });
    times
}

/// Decoded frames and whether there is sound.
fn contents(path: &Path) -> (usize, bool) {
    let text = format!("filesrc location={} ! decodebin name=d", path.display());
    let pipeline: gst::Pipeline = gst::parse::launch(&text).unwrap().downcast().unwrap();
    let (frames, sound) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(false)));
    let (counter, heard, into) = (frames.clone(), sound.clone(), pipeline.downgrade());
    pipeline.by_name("d").unwrap().connect_pad_added(move |_, pad| {
        let sink = gst::ElementFactory::make("fakesink").property("sync", false).build().unwrap();
        into.upgrade().unwrap().add(&sink).unwrap();
        pad.link(&sink.static_pad("sink").unwrap()).unwrap();
        sink.sync_state_with_parent().unwrap();
        if pad.current_caps().unwrap().structure(0).unwrap().name() == "audio/x-raw" {
            *heard.lock().unwrap() = true;
            return;
        }
        let counter = counter.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            *counter.lock().unwrap() += 1;
            gst::PadProbeReturn::Ok
        });
    });
    run(&pipeline);
    (*frames.lock().unwrap(), *sound.lock().unwrap())
}

/// What a comment of a pipeline says behind this word.
fn comment<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix("# ")?.strip_prefix(word)?.strip_prefix(": "))
}

/// An element that has something at its other end, or exists elsewhere, replaced with its properties by one that is here.
fn replaced(text: &str, element: &str) -> String {
    let (before, rest) = text.split_once(element).unwrap_or_else(|| panic!("there is no {element} in {text}"));
    let after = rest.find(" ! ").map_or("", |end| &rest[end..]);
    format!("{before}{}{after}", if after.is_empty() { "fakesink" } else { "decodebin" })
}

/// Numbered pictures, as many as the video has frames.
fn pictures(folder: &Path) {
    let at = folder.join("%04d.jpg");
    let text = format!(
        "videotestsrc num-buffers={FRAMES} pattern=ball ! video/x-raw,width=160,height=120 ! jpegenc ! \
         multifilesink index=1 location={}",
        at.display()
    );
    run(&gst::parse::launch(&text).unwrap().downcast().unwrap());
}

/// Files of this ending.
fn written(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|kind| kind == ending)).collect()
}

#[test]
fn every_pipeline_parses_and_those_that_need_no_device_keep_every_frame() {
    init();
    let all = pipelines();
    for name in ["camera-to-screen", "file-to-annotated-file", "test-source-to-screen"] {
        assert!(all.contains_key(name), "{name} is missing");
    }
    let inputs = tempfile::tempdir().unwrap();
    let (input, model, frames) = (video(inputs.path()), support::demo_model(), FRAMES.to_string());
    pictures(inputs.path());
    let numbered = inputs.path().join("%04d.jpg");
    let source = format!("videotestsrc num-buffers={FRAMES} ! video/x-raw,width=160,height=120,framerate=30/1");
    for (name, text) in &all {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
        let (input, output) = match name.as_str() {
            "pictures-to-pictures" => (&numbered, at("%04d.jpg")),
            "camera-to-hls" => (&input, at("")),
            _ if name.contains("-segments") => (&input, at("%02d.mkv")),
            _ => (&input, at("out")),
        };
        let (heatmap, sidecar) = (at("heatmap"), at("seen.jsonl"));
        let mut values = vec![
            ("INPUT", input.to_str().unwrap()),
            ("OUTPUT", &output),
            ("HEATMAP", &heatmap),
            ("SIDECAR", &sidecar),
            ("MODEL", model.to_str().unwrap()),
            ("MODEL_2", model.to_str().unwrap()),
            ("FRAMES", &frames),
            ("DETECTOR", "identity"),
            ("RUNTIME", "libonnxruntime.so"),
            ("SINK", "fakesink"),
        ];
        values.extend(["SOURCE", "SOURCE_1", "SOURCE_2", "SOURCE_3", "SOURCE_4"].map(|name| (name, source.as_str())));
        let needs = comment(text, "Needs").expect("a line that says what it needs");
        let elsewhere: Vec<&str> = comment(text, "Elsewhere").map_or(Vec::new(), |line| line.split(' ').collect());
        let mut filled = filled_in(text, &values).unwrap_or_else(|e| panic!("{name}: {e}"));
        if elsewhere.iter().all(|element| gst::ElementFactory::find(element).is_some()) {
            gst::parse::launch(&filled).unwrap_or_else(|e| panic!("{name}: {e}\n{filled}"));
        }
        for element in &elsewhere {
            filled = replaced(&filled, element);
        }
        let pipeline = gst::parse::launch(&filled).unwrap_or_else(|e| panic!("{name}: {e}\n{filled}"));
        let pipeline: gst::Pipeline = pipeline.downcast().unwrap();
        if ["RTSP camera", "NVIDIA"].iter().any(|device| needs.contains(device)) {
            println!("{name}: parsed, not run: it needs {needs}");
            continue;
        }
        let elements = pipeline.iterate_elements().into_iter().flatten();
        let ours: Vec<_> = elements.filter(|e| e.factory().is_some_and(|f| f.name() == "gradcam")).collect();
        assert!(!ours.is_empty(), "{name} has no gradcam");
        if let Some(library) = support::runtime() {
            ours.iter().for_each(|gradcam| gradcam.set_property("runtime-library", library.to_str().unwrap()));
        }
        let passed: Vec<_> =
            (ours.iter()).map(|gradcam| ["sink", "src"].map(|pad| times(&gradcam.static_pad(pad).unwrap()))).collect();
        run(&pipeline);
        // A leaky queue before the element leaves frames out by design: then those that came in count.
        let leaky = filled.find(" leaky=").is_some_and(|leaky| Some(leaky) < filled.find(" gradcam "));
        for [before, after] in passed {
            let (before, after) = (before.lock().unwrap(), after.lock().unwrap());
            assert!(before.len() == FRAMES || (leaky && !before.is_empty()), "{name}: {}", before.len());
            assert_eq!(*before, *after, "{name}: frames or times are lost");
        }
        match name.as_str() {
            "camera-to-hls" => {
                let playlist = std::fs::read_to_string(at("live.m3u8")).unwrap();
                assert!(playlist.contains("#EXTINF") && playlist.contains("segment00000.ts"), "{playlist}");
                let frames = written(folder.path(), "ts").iter().map(|segment| contents(segment).0).sum::<usize>();
                assert_eq!(frames, FRAMES);
            }
            "pictures-to-pictures" => {
                let pictures = written(folder.path(), "jpg");
                assert_eq!(pictures.len(), FRAMES);
                for picture in pictures {
                    let (before, after) = (inputs.path().join(picture.file_name().unwrap()), &picture);
                    let [before, after] = [&before, after].map(|path| image::open(path).unwrap().to_rgb8());
                    assert!(before.dimensions() == after.dimensions() && before != after, "{picture:?}");
                }
            }
            _ if filled.contains("! filesink") => {
                assert_eq!(contents(Path::new(&output)), (FRAMES, name.starts_with("file-to-annotated")), "{name}");
                if name == "file-to-video-and-heatmap" {
                    assert_eq!(contents(Path::new(&heatmap)), (FRAMES, false), "{name}");
                }
            }
            _ => {}
        }
        println!("{name}: run");
    }
}

#[test]
fn every_pipeline_is_in_the_readme_and_the_other_way_round() {
    let readme = std::fs::read_to_string(support::root().join("pipelines/README.md")).unwrap();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut listed: Vec<String> = rows.map(String::from).collect();
    listed.sort();
    assert_eq!(listed, pipelines().into_keys().collect::<Vec<_>>());
}

#[test]
fn a_file_that_was_not_named_is_asked_for() {
    let error = filled_in(&pipelines()["file-to-annotated-file"], &[]).unwrap_err();
    assert!(error.contains("INPUT") && error.contains("name a video file"), "{error}");
}

#[test]
fn the_runner_runs_a_pipeline() {
    init();
    let folder = tempfile::tempdir().unwrap();
    let plugin = std::env::current_exe().unwrap().with_file_name("libgstgradcam.so");
    std::os::unix::fs::symlink(&plugin, folder.path().join("libgstgradcam.so")).unwrap();
    // Where no model was made and none is named, the one that is installed.
    let installed = folder.path().join("gradcam");
    std::fs::create_dir(&installed).unwrap();
    std::os::unix::fs::symlink(support::demo_model(), installed.join("efficientnet-lite0.onnx")).unwrap();
    for named in [Some(support::demo_model()), None] {
        let mut command = Command::new(support::root().join("pipelines/run"));
        command.arg("test-source-to-screen").current_dir(folder.path()).env("FRAMES", "2").env("SINK", "fakesink");
        command.env("GST_PLUGIN_PATH", folder.path()).env("GST_REGISTRY", folder.path().join("registry"));
        command.env_remove("MODEL").envs(named.as_ref().map(|model| ("MODEL", model)));
        command.env("XDG_DATA_HOME", folder.path());
        if let Some(library) = support::runtime() {
            command.env("ORT_DYLIB_PATH", library);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let ended = String::from_utf8_lossy(&output.stdout).contains("Got EOS");
        assert!(output.status.success() && ended, "{named:?}: {said}");
    }
}

/// With test pictures in the camera's place.
#[test]
fn a_camera_is_recorded_in_segments_and_what_was_seen_beside_them() {
    init();
    let folder = tempfile::tempdir().unwrap();
    let model = support::demo_model();
    for name in ["camera-to-segments", "camera-to-clean-segments-and-sidecar"] {
        let files = folder.path().join(name);
        std::fs::create_dir(&files).unwrap();
        let (output, sidecar) = (files.join("%02d.mkv"), files.join("seen.jsonl"));
        let source = "videotestsrc num-buffers=25 ! video/x-raw,format=I420,width=160,height=120,framerate=10/1";
        let values = [
            ("SOURCE", source),
            ("MODEL", model.to_str().unwrap()),
            ("OUTPUT", output.to_str().unwrap()),
            ("SIDECAR", sidecar.to_str().unwrap()),
            ("NANOSECONDS", "1000000000"),
        ];
        let text = filled_in(&pipelines()[name], &values).unwrap();
        let pipeline = gst::parse::launch(&text).unwrap();
        let pipeline: gst::Pipeline = pipeline.downcast().unwrap();
        let ours = pipeline.iterate_elements().find(|e| e.factory().is_some_and(|f| f.name() == "gradcam")).unwrap();
        if let Some(library) = support::runtime() {
            ours.set_property("runtime-library", library.to_str().unwrap());
        }
        run(&pipeline);
        let segments: Vec<usize> = (0..3).map(|n| contents(&files.join(format!("{n:02}.mkv"))).0).collect();
        assert_eq!((segments.iter().sum::<usize>(), segments[0]), (25, 10), "{name}: {segments:?}");
        if name.ends_with("sidecar") {
            let recording = gstgradcam::record::Recording::open(&sidecar).unwrap();
            assert_eq!((recording.frames(), recording.remark()), (25, None));
        }
    }
}
