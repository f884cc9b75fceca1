//! Recordings painted anew, without ONNX Runtime.

use crate::desk::{Desk, held, play};
use crate::support;

/// A recording of twelve frames in these settings.
fn recorded(settings: &[&str]) -> Desk {
    let desk = Desk::new();
    desk.video("in.mkv", "I420", (320, 240), 12, true);
    desk.annotates(&[&["in.mkv", "out.mkv", "--sidecar", "--maps"], settings].concat());
    desk
}

fn renders(desk: &Desk, args: &[&str]) -> String {
    let output = desk.render(args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &said
}

#[test]
fn a_recording_is_painted_as_it_was_but_for_what_is_named() {
    let settings: &[&[&str]] =
        &[&["--colormap", "viridis"], &["--alpha", "0.3"], &["--no-draw-labels"], &["--smoothing", "90"]];
    let desk = recorded(&settings.concat());
    let said = renders(&desk, &["in.mkv", "out.jsonl", "again.mkv"]);
    assert!(said.contains("12 frames") && said.contains("with sound"), "{said}");
    let (was, again) = (held(&desk.path("out.mkv")), held(&desk.path("again.mkv")));
    assert!(was.pictures.len() == 12 && was.pictures == again.pictures && was.times == again.times && again.sounds > 0);

    // As the model itself paints it with that one difference.
    for named in
        [&["--colormap", "gray"][..], &["--alpha", "0.9"], &["--draw-labels"], &["--output-mode", "side-by-side"]]
    {
        renders(&desk, &[&["in.mkv", "out.jsonl", "other.mkv"], named].concat());
        let stays = |one: &&&[&str]| {
            one[0].trim_start_matches("--no-") != named[0].trim_start_matches("--") && one[0] != named[0]
        };
        let rest: Vec<&[&str]> = settings.iter().filter(stays).copied().collect();
        desk.annotates(&[&["in.mkv", "fresh.mkv"], &rest.concat()[..], named].concat());
        let (other, fresh) = (held(&desk.path("other.mkv")), held(&desk.path("fresh.mkv")));
        assert!(other.pictures == fresh.pictures, "{named:?}");
        assert!(other.pictures != was.pictures, "{named:?} changes nothing");
    }
}

#[test]
fn what_is_cut_off_is_used_as_far_as_it_goes() {
    let desk = recorded(&[]);
    let text = std::fs::read_to_string(desk.path("out.jsonl")).expect("the sidecar");
    std::fs::write(desk.path("cut.jsonl"), &text[..text.len() / 2]).expect("a file");
    std::fs::copy(desk.path("out.gcm"), desk.path("cut.gcm")).expect("a copy");
    let said = renders(&desk, &["in.mkv", "cut.jsonl", "cut.mkv"]);
    assert!(said.contains("is damaged or cut off") && said.contains("of the 12 frames"), "{said}");
    let (whole, cut, clean) = (held(&desk.path("out.mkv")), held(&desk.path("cut.mkv")), held(&desk.path("in.mkv")));
    assert_eq!(cut.pictures.len(), 12);
    let change = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
    // Encoders look ahead, so that frames that are painted alike differ a little all the same.
    assert!(change(&cut.pictures[0], &whole.pictures[0]) < change(&cut.pictures[0], &clean.pictures[0]) / 4);
    assert!(change(&cut.pictures[11], &clean.pictures[11]) < change(&whole.pictures[11], &clean.pictures[11]) / 4);
}

#[test]
fn a_trimmed_video_finds_its_frames() {
    let desk = recorded(&["--smoothing", "0", "--normalization", "frame"]);
    for (name, from, count) in [("begin.mkv", 0, 5), ("end.mkv", 4, 8)] {
        // Its first frame is at zero again.
        let text = format!(
            "videotestsrc num-buffers={count} pattern=smpte ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! vp8enc \
             deadline=1 ! matroskamux ! filesink location={}",
            desk.path(name).display()
        );
        play(&text);
        let offset = format!("{}", f64::from(from) * 0.04);
        let said = renders(&desk, &[name, "out.jsonl", "trimmed.mkv", "--offset", &offset]);
        assert!(said.contains(&format!("{count} frames")) && !said.contains("tells of"), "{said}");
    }
}

#[test]
fn what_goes_wrong_is_one_sentence_and_leaves_nothing_behind() {
    let desk = recorded(&[]);
    desk.video("small.mkv", "I420", (160, 120), 3, false);
    desk.annotates(&["in.mkv", "mapless.mkv", "--sidecar"]);
    assert!(!desk.path("mapless.gcm").exists());
    let refuses = |args: &[&str]| desk.refused(args, &desk.render(args));
    assert!(refuses(&["in.mkv", "gone.jsonl", "x.mkv"]).contains("gone.jsonl"));
    assert!(refuses(&["gone.mkv", "out.jsonl", "x.mkv"]).contains("gone.mkv"));
    assert!(refuses(&["in.mkv", "in.mkv", "x.mkv"]).contains("no header"));
    assert!(refuses(&["in.mkv", "mapless.jsonl", "x.mkv"]).contains("--maps"));
    assert!(refuses(&["in.mkv", "out.jsonl", "x.avi"]).contains(".mp4, .webm, .mkv"));
    assert!(refuses(&["in.mkv", "out.jsonl", "in.mkv"]).contains("the input itself"));
    assert!(refuses(&["in.mkv", "out.jsonl", "no/such/x.mkv"]).contains("cannot write"));
    assert!(refuses(&["small.mkv", "out.jsonl", "x.mkv"]).contains("320x240"));
    assert!(refuses(&["in.mkv", "out.jsonl", "x.mkv", "--offset", "1000"]).contains("another video"));
    assert!(refuses(&["in.mkv", "out.jsonl", "x.mkv", "--font", "gone.ttf"]).contains("gone.ttf"));
    assert!(!desk.path("x.mkv").exists() && support::demo_model().exists());
}
