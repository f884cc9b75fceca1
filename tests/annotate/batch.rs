//! Many videos at once: what is whole is left as it is, and what fails keeps no other from being made.

use std::time::SystemTime;

use crate::desk::{Desk, held};
use crate::support;

fn model() -> String {
    support::demo_model().to_string_lossy().into_owned()
}

#[test]
fn what_is_whole_is_skipped_and_what_fails_is_told_in_the_end() {
    let desk = Desk::new();
    desk.video("a.mkv", "I420", (160, 120), 3, false);
    desk.video("b.webm", "I420", (160, 120), 3, true);
    std::fs::write(desk.path("c.avi"), "no video at all").expect("a file");
    let model = model();
    let args = ["a.mkv", "c.avi", "b.webm", "--output-dir", "made/here", "--model", &model, "--sidecar", "--maps"];
    let made = |name: &str| desk.path("made/here").join(name);
    // What a run that was killed has left is not whole.
    std::fs::create_dir_all(desk.path("made/here")).expect("a folder");
    std::fs::write(made("a.part.mkv"), "some of it").expect("a file");

    let first = desk.gradcam(&args);
    let (said, complained) = (String::from_utf8_lossy(&first.stdout), String::from_utf8_lossy(&first.stderr));
    assert_eq!(first.status.code(), Some(1), "{complained}");
    assert!(
        complained.contains("GStreamer") && complained.contains("1 of 3 videos could not be annotated; 2 were"),
        "{complained}"
    );
    assert!(said.contains("a.mkv: 3 frames") && said.contains("b.webm: 3 frames"), "{said}");
    let mut files: Vec<_> = std::fs::read_dir(made("")).expect("the folder").flatten().map(|e| e.file_name()).collect();
    files.sort();
    assert_eq!(files, ["a.gcm", "a.jsonl", "a.mkv", "b.gcm", "b.jsonl", "b.webm"]);
    assert_eq!(held(&made("a.mkv")).times.len(), 3);

    let written = |name: &str| std::fs::metadata(made(name)).and_then(|data| data.modified()).expect("a time");
    let (a, b): (SystemTime, SystemTime) = (written("a.mkv"), written("b.webm"));
    std::fs::remove_file(made("b.jsonl")).expect("it is there");
    desk.video("c.avi", "I420", (160, 120), 4, false);
    let second = desk.gradcam(&args);
    let said = String::from_utf8_lossy(&second.stdout);
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    assert!(said.contains("a.mkv: there already") && said.contains("c.mp4: 4 frames"), "{said}");
    assert!(written("a.mkv") == a && written("b.webm") > b, "the one without its sidecar is made anew, and no other");

    let third = desk.gradcam(&[&args[..], &["--overwrite"]].concat());
    assert!(third.status.success() && written("a.mkv") > a, "{}", String::from_utf8_lossy(&third.stderr));
}

#[test]
fn wrong_lists_of_files_are_refused_before_anything_is_made() {
    let desk = Desk::new();
    desk.video("a.mkv", "I420", (160, 120), 3, false);
    std::fs::create_dir(desk.path("other")).expect("a folder");
    std::fs::copy(desk.path("a.mkv"), desk.path("other/a.mkv")).expect("a copy");
    std::fs::write(desk.path("file"), "no folder").expect("a file");
    assert!(desk.refuses(&["a.mkv"]).contains("--output-dir DIR"));
    assert!(desk.refuses(&["a.mkv", "b.mp4", "c.mp4"]).contains("3 files are named"));
    let said = desk.refuses(&["a.mkv", "other/a.mkv", "--output-dir", "made"]);
    assert!(said.contains("both be written") && !desk.path("made").exists(), "{said}");
    assert!(desk.refuses(&["a.mkv", "--output-dir", "file"]).contains("cannot make the folder"));
    assert!(desk.refuses(&["a.mkv", "--output-dir", "made", "--model", "gone.onnx"]).contains("gone.onnx"));
    for usage in [&["a.mkv", "b.mp4", "--overwrite"][..], &["a.mkv", "b.mp4", "--maps"]] {
        assert_eq!(desk.gradcam(usage).status.code(), Some(2), "{usage:?}");
    }
    // Its own folder, where every output would be its input.
    let model = model();
    let said = desk.gradcam(&["a.mkv", "--output-dir", ".", "--overwrite", "--model", &model]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("the input itself"));
    assert_eq!(held(&desk.path("a.mkv")).times.len(), 3, "it is as it was");
}
