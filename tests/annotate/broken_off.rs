//! Runs that end before the video does: by the user, by force, for want of room. What was done plays, and bears no finished file's name.

use std::process::Stdio;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::desk::{Desk, play};
use crate::support;

/// Frames that can be decoded of a file, however it ends.
fn playable(path: &std::path::Path) -> usize {
    let text = format!("filesrc location={} ! decodebin ! fakesink name=sink sync=false", path.display());
    let pipeline: gst::Pipeline = gst::parse::launch(&text).expect(&text).downcast().expect("a pipeline");
    let count = std::sync::Arc::<std::sync::atomic::AtomicUsize>::default();
    let counter = count.clone();
    let pad = pipeline.by_name("sink").expect("the sink").static_pad("sink").expect("its pad");
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).expect(&text);
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    pipeline.bus().expect("a bus").timed_pop_filtered(gst::ClockTime::from_seconds(120), &ends).expect("an end");
    pipeline.set_state(gst::State::Null).expect(&text);
    count.load(std::sync::atomic::Ordering::Relaxed)
}

/// A video too long to be done soon.
fn long(desk: &Desk) {
    play(&format!(
        "videotestsrc num-buffers=2000 pattern=snow ! video/x-raw,width=160,height=120,framerate=25/1 ! x264enc \
         speed-preset=ultrafast key-int-max=25 ! h264parse ! matroskamux ! filesink location={}",
        desk.path("long.mkv").display()
    ));
}

/// Annotates the long video, and sends a signal once so many frames are out.
fn signalled(desk: &Desk, output: &str, signal: &str) -> std::process::Output {
    let model = support::demo_model().to_string_lossy().into_owned();
    let args = ["annotate", "long.mkv", output, "--sidecar", "--maps", "--model", &model];
    let sidecar = desk.path(output).with_extension("part.jsonl");
    // What another run has left.
    let _ = std::fs::remove_file(&sidecar);
    let mut command = desk.command(None, &args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let end = Instant::now() + Duration::from_secs(300);
    while std::fs::read_to_string(&sidecar).map_or(0, |text| text.lines().count()) < 80 {
        assert!(child.try_wait().expect("a child").is_none() && Instant::now() < end, "80 frames never came");
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(kill.expect("kill").success());
    child.wait_with_output().expect("it ends")
}

#[test]
fn a_run_that_is_stopped_or_killed_leaves_what_plays() {
    let desk = Desk::new();
    long(&desk);
    let stopped = signalled(&desk, "stopped.mp4", "-INT");
    let said = String::from_utf8_lossy(&stopped.stderr);
    assert_eq!(stopped.status.code(), Some(1), "{said}");
    assert!(said.contains("stopped before the end; what was done plays: stopped.part.mp4"), "{said}");
    let frames = playable(&desk.path("stopped.part.mp4"));
    assert!((60..2000).contains(&frames), "{frames} frames");
    let text = std::fs::read_to_string(desk.path("stopped.part.jsonl")).expect("the sidecar");
    assert!(text.ends_with(&format!("{{\"frames\":{frames}}}\n")), "it is closed");

    for output in ["killed.mp4", "killed.mkv", "killed.webm"] {
        let killed = signalled(&desk, output, "-KILL");
        assert_eq!(killed.status.code(), None);
        let part = desk.path(output).with_extension(format!("part.{}", &output[7..]));
        let frames = playable(&part);
        assert!(frames >= 20, "{output}: {frames} frames");
        assert!(!desk.path(output).exists(), "{output} looks finished");
        if output != "killed.mp4" {
            continue;
        }
        // Of the clean video as much can be painted anew.
        let again = desk.render(&["long.mkv", "killed.part.jsonl", "again.mkv", "--no-audio"]);
        let said = String::from_utf8_lossy(&again.stderr);
        assert!(again.status.success() && said.contains("tells of"), "{output}: {said}");
    }
}

#[test]
fn a_disk_that_is_full_ends_the_file_where_it_plays() {
    let desk = Desk::new();
    long(&desk);
    let model = support::demo_model().to_string_lossy().into_owned();
    for output in ["full.mp4", "full.mkv", "full.webm"] {
        // No file may grow larger; the signal for that is not heeded, so that writing fails as on a full disk.
        let args = ["annotate", "long.mkv", output, "--model", &model];
        let done = desk.command(Some("trap '' XFSZ; ulimit -f 1200"), &args).output().expect("it starts");
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{output}: {said}");
        let part = output.replace("full", "full.part");
        assert!(
            said.contains(&format!("what was done plays: {part}")) && said.trim_end().lines().count() == 1,
            "{said}"
        );
        assert!(!desk.path(output).exists());
        let frames = playable(&desk.path(&part));
        assert!((10..2000).contains(&frames), "{output}: {frames} frames");
    }
    // The sidecar's own disk.
    std::fs::create_dir(desk.path("other")).expect("a folder");
    if std::path::Path::new("/dev/full").exists() {
        std::os::unix::fs::symlink("/dev/full", desk.path("other/seen.part.jsonl")).expect("a link");
        let done = desk.gradcam(&["long.mkv", "other/seen.mp4", "--sidecar", "--model", &model]);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(said.contains("seen.part.jsonl") && said.contains("No space left"), "{said}");
        assert!(done.status.code() == Some(1) && !desk.path("other/seen.part.mp4").exists(), "{said}");
    }
}
