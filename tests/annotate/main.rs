//! `gradcam annotate`, `gradcam render` and `gradcam clips`: videos, as a user meets them.
#![cfg(all(feature = "plugin", feature = "cli"))]

#[path = "../support/mod.rs"]
mod support;

mod batch;
mod broken_off;
mod clips;
mod desk;
mod render;

use desk::{Desk, held, play};

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
