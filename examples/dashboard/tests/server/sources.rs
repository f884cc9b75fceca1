//! Sources that are lost and come back, that end and begin anew, that never were.

use std::path::PathBuf;
use std::time::Instant;

use gst::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::camera::Camera;
use crate::client::Viewer;
use crate::rig::{Dashboard, until};

/// A video file in a folder of its own.
pub struct Film {
    _dir: TempDir,
    path: PathBuf,
}

impl Film {
    pub fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// So many frames of a ball, so many a second.
pub fn film(name: &str, frames: u32, rate: u32) -> Film {
    gst::init().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    let mux = if name.ends_with(".mp4") { "mp4mux" } else { "matroskamux" };
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc num-buffers={frames} pattern=ball ! video/x-raw,format=I420,width=160,height=120,framerate={rate}/1 \
         ! x264enc speed-preset=ultrafast ! {mux} ! filesink name=file"
    ));
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("file").unwrap().set_property("location", &path);
    pipeline.set_state(gst::State::Playing).unwrap();
    let done = pipeline.bus().unwrap().timed_pop_filtered(None, &[gst::MessageType::Eos, gst::MessageType::Error]);
    assert!(matches!(done.unwrap().view(), gst::MessageView::Eos(_)));
    pipeline.set_state(gst::State::Null).unwrap();
    Film { _dir: dir, path }
}

#[test]
fn a_lost_camera_says_so_and_comes_back_by_itself() {
    let camera = Camera::on();
    let dashboard = Dashboard::open(&[&format!("door={}", camera.address()), "test:ball"]);
    dashboard.plays(1);
    dashboard.plays(2);
    let mut viewers =
        ["", "?width=320"].map(|query| Viewer::open(dashboard.address(), &format!("/api/cameras/1/live{query}")));
    viewers.iter_mut().for_each(|viewer| drop(viewer.explained()));

    for round in 1..=2 {
        camera.off();
        let state = dashboard.becomes(1, "is lost", |state| state["state"] == "lost");
        assert!(state["problem"].as_str().is_some_and(|why| why.contains(' ')), "{state:?}");
        assert_eq!((&state["fps"], dashboard.metric("gradcam_up", 1)), (&0.0.into(), 0.0));
        for viewer in &mut viewers {
            let lost = viewer.find("that it is lost", |shot| shot.jpeg.is_empty());
            assert_eq!((&lost.head["state"], &lost.head["seen"]), (&"lost".into(), &Value::Null), "{}", lost.head);
            assert!(lost.head["problem"].is_string(), "{}", lost.head);
        }
        // Whoever comes now is told too.
        let late = Viewer::open(dashboard.address(), "/api/cameras/1/live").next();
        assert!(late.jpeg.is_empty() && late.head["state"] == "lost", "{}", late.head);
        let snapshot = dashboard.get("/api/cameras/1/snapshot");
        assert_eq!(snapshot.status, 503, "{snapshot}");
        snapshot.sentence();
        dashboard.frames_go_on(2, 30.0);
        assert_eq!(dashboard.state(2)["state"], "playing");

        camera.on_again();
        // The first pictures have no map yet.
        dashboard.becomes(1, "is explained", |state| state["state"] == "playing" && state["problem"].is_null());
        for viewer in &mut viewers {
            let back = viewer.explained();
            assert_eq!(back.head["state"], "playing", "{}", back.head);
            back.picture();
        }
        assert_eq!(dashboard.metric("gradcam_losses_total", 1), f64::from(round));
    }
    assert_eq!(dashboard.metric("gradcam_losses_total", 2), 0.0);
}

#[test]
fn a_camera_that_falls_silent_is_lost_until_it_speaks() {
    let camera = Camera::on();
    let dashboard = Dashboard::open(&[&camera.address()]);
    dashboard.plays(1);
    camera.silent(true);
    let state = dashboard.becomes(1, "is lost", |state| state["state"] == "lost");
    assert!(state["problem"].as_str().unwrap().contains("no picture"), "{state:?}");
    camera.silent(false);
    dashboard.plays(1);
}

#[test]
fn a_camera_that_comes_back_with_another_size_is_shown_so() {
    let camera = Camera::on();
    let dashboard = Dashboard::open(&[&camera.address()]);
    let state = dashboard.plays(1);
    assert_eq!((&state["width"], &state["height"]), (&320.into(), &240.into()));
    camera.off();
    dashboard.becomes(1, "is lost", |state| state["state"] == "lost");
    camera.resize(480, 270);
    camera.on_again();
    let state = dashboard.becomes(1, "plays", |state| state["state"] == "playing");
    assert_eq!((&state["width"], &state["height"]), (&480.into(), &270.into()));
    let shot = Viewer::open(dashboard.address(), "/api/cameras/1/live").explained();
    assert_eq!(shot.picture().dimensions(), (480, 270));
    // In mid-stream too.
    camera.resize(240, 180);
    dashboard.becomes(1, "is smaller", |state| state["width"] == 240 && state["height"] == 180);
}

#[test]
fn a_camera_that_sends_no_pictures_is_lost_until_it_does() {
    let camera = Camera::on();
    camera.garbled(true);
    let dashboard = Dashboard::open(&[&camera.address(), "test:ball"]);
    let state = dashboard.becomes(1, "is lost", |state| state["state"] == "lost");
    assert!(state["problem"].is_string(), "{state:?}");
    dashboard.plays(2);
    camera.garbled(false);
    dashboard.plays(1);
}

#[test]
fn a_camera_that_is_not_there_yet_is_waited_for() {
    let camera = Camera::on();
    camera.off();
    let dashboard = Dashboard::open(&[&camera.address()]);
    dashboard.becomes(1, "is lost", |state| state["state"] == "lost" && state["problem"].is_string());
    assert_eq!(dashboard.metric("gradcam_losses_total", 1), 0.0, "what never was cannot be lost");
    camera.on_again();
    dashboard.plays(1);
}

#[test]
fn a_file_is_played_round_and_round_in_real_time() {
    for (name, frames, rate) in [("second.mp4", 10, 10), ("second.mkv", 10, 10)] {
        let file = film(name, frames, rate);
        let dashboard = Dashboard::open(&[file.path()]);
        dashboard.plays(1);
        let (start, before) = (Instant::now(), dashboard.metric("gradcam_frames_total", 1));
        until("five rounds", || {
            (dashboard.metric("gradcam_frames_total", 1) >= before + 5.0 * f64::from(frames)).then_some(())
        });
        let rate_seen = (dashboard.metric("gradcam_frames_total", 1) - before) / start.elapsed().as_secs_f64();
        let rate = f64::from(rate);
        assert!(rate_seen < 2.0 * rate && rate_seen > rate / 2.0, "{name}: {rate_seen} frames a second of {rate}");
        let mut viewer = Viewer::open(dashboard.address(), "/api/cameras/1/live");
        viewer.explained();
        for _ in 0..2 * frames {
            let shot = viewer.next();
            assert_eq!(shot.head["state"], "playing", "{}", shot.head);
            shot.picture();
        }
        assert_eq!(dashboard.metric("gradcam_losses_total", 1), 0.0);
        assert_eq!(dashboard.state(1)["name"], "second");
    }
}

/// The file is there when the program starts, and is gone when the camera is tried again.
#[test]
fn a_file_that_is_no_video_says_so_and_plays_once_it_is_one() {
    let file = film("video.mp4", 10, 10);
    let video = std::fs::read(file.path()).unwrap();
    std::fs::write(file.path(), b"this is no video").unwrap();
    let dashboard = Dashboard::open(&[file.path(), "test:ball"]);
    let state = dashboard.becomes(1, "is not played", |state| state["problem"].is_string());
    assert!(["lost", "failed"].iter().any(|it| state["state"] == *it), "{state:?}");
    std::fs::remove_file(file.path()).unwrap();
    dashboard
        .becomes(1, "has no file", |state| state["problem"].as_str().is_some_and(|why| why.contains("No such file")));
    dashboard.plays(2);
    std::fs::write(file.path(), video).unwrap();
    dashboard.plays(1);
}

#[test]
fn passwords_of_sources_are_told_nowhere() {
    let secret = |scheme| format!("{scheme}://admin:hunter2@127.0.0.1:1/live?key=hunter2");
    let dashboard = Dashboard::open(&[&secret("rtsp"), &secret("http")]);
    for (id, told) in [(1, "rtsp://127.0.0.1:1/live"), (2, "http://127.0.0.1:1/live")] {
        let state = dashboard.becomes(id, "is lost", |state| state["state"] == "lost");
        assert_eq!(state["source"], told);
    }
    let told = [
        dashboard.json("/api/cameras").to_string(),
        String::from_utf8(dashboard.get("/metrics").body).unwrap(),
        dashboard.said(),
    ];
    assert!(told.iter().all(|text| !text.contains("hunter2")), "{told:?}");
    let lost = Viewer::open(dashboard.address(), "/api/cameras/1/live").next();
    assert!(!lost.head.to_string().contains("hunter2"), "{}", lost.head);
}
