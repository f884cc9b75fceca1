//! `gradcam clips`: the seconds before and after a class is seen, and nothing else.

use std::path::Path;

use crate::desk::{Desk, held, play};
use crate::support;

/// Ten frames a second: this many grey ones, then red ones, and so on in turn; and a model that tells red from grey.
fn desk(stretches: &[u32]) -> Desk {
    let desk = Desk::new();
    let stretch = |(i, frames): (usize, &u32)| {
        let colour = if i % 2 == 0 { 0xff80_8080u32 } else { 0xffff_0000 };
        format!(
            "videotestsrc num-buffers={frames} pattern=solid-color foreground-color={colour} ! \
             video/x-raw,format=I420,width=64,height=48,framerate=10/1 ! c. "
        )
    };
    let sources: String = stretches.iter().enumerate().map(stretch).collect();
    play(&format!(
        "concat name=c ! vp8enc deadline=1 ! matroskamux ! filesink location={} {sources}",
        desk.path("in.mkv").display()
    ));
    std::fs::write(desk.path("colours.onnx"), support::colours().to_bytes().expect("a small model")).expect("a file");
    desk
}

fn clips(desk: &Desk, args: &[&str]) -> std::process::Output {
    let plain = ["--alpha", "0", "--no-draw-labels", "--model", "colours.onnx"];
    let all = [&["clips", "in.mkv", "--output-dir", "made"], &plain[..], args].concat();
    desk.command(None, &all).output().expect("the program starts")
}

/// How many frames a clip has, how many of the first are grey, and its length in tenths of a second.
fn measured(path: &Path) -> (usize, usize, u64) {
    let held = held(path);
    let grey = |picture: &Vec<u8>| picture[picture.len() / 2].abs_diff(128) < 30;
    let first = held.pictures.iter().take_while(|picture| grey(picture)).count();
    (held.times.len(), first, held.times.last().expect("a frame").mseconds() / 100)
}

#[test]
fn each_event_has_its_clip_from_before_until_after() {
    let desk = desk(&[60, 5, 60, 5, 4, 5, 30]);
    let args = ["--when", "red, crimson>0.5", "--before", "2", "--after", "1"];
    let output = clips(&desk, &args);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("made: 2 clips") && said.contains("clip-0002.mp4"), "{said}");
    // Red from 6.0 to 6.4 s: from 4.0 s, or up to a second before, until 7.4 s.
    let (frames, grey, last) = measured(&desk.path("made/clip-0001.mp4"));
    assert!(
        (20..=30).contains(&grey) && frames == grey + 5 + 10 && last == frames as u64 - 1,
        "{frames}, {grey}, {last}"
    );
    // Red twice, closely.
    let (frames, grey, _) = measured(&desk.path("made/clip-0002.mp4"));
    assert!((20..=30).contains(&grey) && frames == grey + 14 + 10, "{frames}, {grey}");
    // Others are numbered on.
    let more = clips(&desk, &["--when", "green>0.5", "--when", "0>0.5", "--before", "0", "--after", "0"]);
    assert!(String::from_utf8_lossy(&more.stdout).contains("made: 2 clips"), "{more:?}");
    assert!(desk.path("made/clip-0004.mp4").exists() && !desk.path("made/clip-0005.mp4").exists());
}

#[test]
fn a_clip_that_the_video_ends_in_is_whole_and_without_an_event_there_is_none() {
    let desk = desk(&[10, 5]);
    let output = clips(&desk, &["--when", "0>0.5", "--before", "0.2", "--after", "60"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("made: 1 clip;"), "{output:?}");
    let (frames, grey, _) = measured(&desk.path("made/clip-0001.mp4"));
    assert!(frames == grey + 5 && grey <= 10, "{frames}, {grey}");
    let output = clips(&desk, &["--when", "blue>0.9"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("made: 0 clips;"), "{output:?}");
}

#[test]
fn what_goes_wrong_is_one_sentence() {
    let desk = desk(&[5, 5]);
    let refuses = |args: &[&str]| {
        let output = clips(&desk, args);
        desk.refused(args, &output)
    };
    assert!(refuses(&["--when", "pink>0.5"]).contains("pink"));
    std::fs::write(desk.path("file"), "no folder").expect("a file");
    let with = |args: &[&str]| {
        let output = desk.command(None, &[&["clips"], args].concat()).output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = with(&["in.mkv", "--when", "0>0.5", "--output-dir", "file"]);
    assert!(code == Some(1) && said.contains("cannot make the folder"), "{said}");
    let (code, said) = with(&["gone.mkv", "--when", "0>0.5", "--output-dir", "made"]);
    assert!(code == Some(1) && said.contains("gone.mkv"), "{said}");
    for wrong in ["red", "red>2", ">0.5", "red>", "red>nan"] {
        let (code, said) = with(&["in.mkv", "--when", wrong, "--output-dir", "made"]);
        assert!(code == Some(2) && said.contains("tabby>0.8"), "{wrong}: {said}");
    }
    // No file may grow: the disk is full.
    let args = ["clips", "in.mkv", "--model", "colours.onnx", "--output-dir", "made", "--when", "0>0.5"];
    let output = desk.command(Some("trap '' XFSZ; ulimit -f 1"), &args).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("clip-0001.part.mp4"), "{said}");
    assert!(!desk.path("made/clip-0001.mp4").exists());
}
