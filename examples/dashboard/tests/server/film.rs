//! Clips: the last seconds as a file that any player plays.

use std::path::Path;

use gst::prelude::*;

use crate::rig::{Dashboard, until};

/// What a player makes of a file: its length, and its frames, decoded, with their times.
struct Played {
    duration: gst::ClockTime,
    times: Vec<gst::ClockTime>,
    size: (i32, i32),
    /// The mean of the first frame's luma, which is not that of a frame that could not be decoded.
    first: f64,
}

fn play(file: &Path) -> Played {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(
        "filesrc name=file ! decodebin ! videoconvert ! video/x-raw,format=I420 ! appsink name=frames sync=false",
    );
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("file").unwrap().set_property("location", file);
    let frames = pipeline.by_name("frames").and_downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let (mut times, mut size, mut first) = (Vec::new(), (0, 0), None);
    let mut duration = None;
    while let Ok(sample) = frames.pull_sample() {
        duration = duration.or_else(|| pipeline.query_duration::<gst::ClockTime>());
        let (buffer, caps) = (sample.buffer().unwrap(), sample.caps().unwrap().structure(0).unwrap());
        size = (caps.get("width").unwrap(), caps.get("height").unwrap());
        times.push(buffer.pts().unwrap());
        first.get_or_insert_with(|| {
            let map = buffer.map_readable().unwrap();
            let luma = &map[..(size.0 * size.1) as usize];
            luma.iter().map(|sample| f64::from(*sample)).sum::<f64>() / luma.len() as f64
        });
    }
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error, gst::MessageType::Warning]);
    assert!(error.is_none(), "{error:?}");
    pipeline.set_state(gst::State::Null).unwrap();
    Played { duration: duration.unwrap(), times, size, first: first.unwrap() }
}

fn clip(dashboard: &Dashboard, query: &str) -> Played {
    let answer = dashboard.get(&format!("/api/cameras/1/clip{query}"));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("video/mp4")), "{answer}");
    assert!(answer.header("content-disposition").unwrap().contains("camera-1.mp4"), "{answer}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &answer.body).unwrap();
    play(file.path())
}

#[test]
fn a_clip_is_as_long_as_asked_and_begins_with_a_picture() {
    let dashboard = Dashboard::open(&["test:white"]);
    let set = until("a picture", || {
        Some(dashboard.patch(1, r#"{"output-mode": "none"}"#)).filter(|answer| answer.status == 200)
    });
    assert_eq!(set.json()["settings"]["output-mode"], "none");
    dashboard.frames_go_on(1, 300.0);
    let ms = gst::ClockTime::from_mseconds;
    for seconds in [1, 5] {
        let played = clip(&dashboard, &format!("?seconds={seconds}"));
        // From the last key frame before that; there is one at least every 30 frames, and those that are left out count for no frame.
        let length = played.duration;
        assert!(
            length >= ms(seconds * 1000 - 100) && length <= ms(seconds * 1000 + 5000),
            "{seconds} s asked, {length} got"
        );
        assert_eq!(played.size, (640, 360));
        assert!(played.first > 200.0, "the first frame of white has a luma of {}", played.first);
        assert!(played.times[0] < ms(100), "it begins at {}", played.times[0]);
        assert!(played.times.windows(2).all(|two| two[0] < two[1]), "{:?}", played.times);
        assert!(played.times.len() as u64 > seconds * 3, "{} frames", played.times.len());
    }
}

#[test]
fn a_clip_is_whole_where_the_source_began_anew_meanwhile() {
    let file = crate::sources::film("clip.mp4", 20, 10);
    let dashboard = Dashboard::open(&[file.path()]);
    dashboard.frames_go_on(1, 70.0);
    let played = clip(&dashboard, "?seconds=5");
    let length = played.duration;
    assert!(length >= gst::ClockTime::from_mseconds(4900), "5 s of a file of 2 s: {length}");
    assert!(played.times.windows(2).all(|two| two[0] < two[1]), "{:?}", played.times);
}

/// What was seen before a loss is what one wants to see then.
#[test]
fn a_lost_camera_has_its_last_seconds_still() {
    let camera = crate::camera::Camera::on();
    let dashboard = Dashboard::open(&[&camera.address()]);
    dashboard.plays(1);
    dashboard.frames_go_on(1, 40.0);
    camera.off();
    dashboard.becomes(1, "is lost", |state| state["state"] == "lost");
    let before = clip(&dashboard, "?seconds=60");
    assert!(before.times.len() > 30, "{} frames", before.times.len());
    camera.on_again();
    dashboard.plays(1);
    dashboard.frames_go_on(1, 40.0);
    let both = clip(&dashboard, "?seconds=60");
    assert!(both.times.len() > before.times.len() + 30, "{} frames, then {}", before.times.len(), both.times.len());
    assert!(both.times.windows(2).all(|two| two[0] < two[1]), "{:?}", both.times);
}

#[test]
fn where_nothing_is_kept_there_is_no_clip() {
    let dashboard = Dashboard::with(&["test:ball"], &["--keep", "0"]);
    dashboard.plays(1);
    dashboard.frames_go_on(1, 10.0);
    let answer = dashboard.get("/api/cameras/1/clip");
    assert_eq!(answer.status, 503, "{answer}");
    answer.sentence();
}

#[test]
fn sizes_that_are_odd_are_filmed_too() {
    let camera = crate::camera::Camera::of(161, 121);
    let dashboard = Dashboard::open(&[&camera.address()]);
    dashboard.plays(1);
    dashboard.frames_go_on(1, 30.0);
    let played = clip(&dashboard, "?seconds=1");
    assert_eq!((played.size.0 % 2, played.size.1 % 2), (0, 0), "{:?}", played.size);
    assert!((160..=162).contains(&played.size.0) && (120..=122).contains(&played.size.1), "{:?}", played.size);
}
