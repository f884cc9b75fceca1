//! Viewers that are slow, that never read, that vanish: the pipeline does not know of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::client::Viewer;
use crate::rig::{Dashboard, until};

const LIVE: &str = "/api/cameras/1/live";

/// Pictures of noise, the largest that there are.
fn noise() -> Dashboard {
    let dashboard = Dashboard::with(&["test:snow"], &["--keep", "0"]);
    dashboard.explains(1);
    dashboard
}

#[test]
fn viewers_that_never_read_cost_nobody_anything() {
    let dashboard = noise();
    let address = dashboard.address();
    let (done, before) = (AtomicBool::new(false), dashboard.memory());
    std::thread::scope(|scope| {
        let deaf: Vec<Viewer> = (0..5).map(|_| Viewer::open_narrow(address, LIVE)).collect();
        for at in 0..15 {
            let done = &done;
            scope.spawn(move || {
                let mut viewer =
                    Viewer::open(address, if at % 2 == 0 { LIVE } else { "/api/cameras/1/live?width=320" });
                let mut last = 0;
                while !done.load(Ordering::SeqCst) {
                    let sequence = viewer.next().head["sequence"].as_u64().unwrap();
                    assert!(sequence > last);
                    last = sequence;
                }
            });
        }
        let all = dashboard.becomes(1, "has 20 viewers", |state| state["viewers"] == 20);
        assert_eq!(all["state"], "playing");
        dashboard.frames_go_on(1, 60.0);
        let grown = dashboard.memory().saturating_sub(before);
        assert!(grown < 128 << 20, "{grown} bytes more");
        // Whoever takes nothing for long enough is let go, the others stay.
        dashboard.becomes(1, "has 15 viewers", |state| state["viewers"] == 15);
        done.store(true, Ordering::SeqCst);
        drop(deaf);
    });
    dashboard.becomes(1, "has no viewers", |state| state["viewers"] == 0);
    dashboard.frames_go_on(1, 10.0);
}

#[test]
fn viewers_that_vanish_leave_no_trace() {
    let dashboard = noise();
    let before = dashboard.memory();
    for round in 0..10 {
        let mut viewers: Vec<Viewer> = (0..20).map(|_| Viewer::open_narrow(dashboard.address(), LIVE)).collect();
        dashboard.becomes(1, "has 20 viewers", |state| state["viewers"].as_u64() >= Some(20));
        for (at, viewer) in viewers.drain(..).enumerate() {
            // In mid-frame: a few bytes of one are read, and with the rest unread the socket is closed by a reset.
            let mut stream = viewer.socket.into_inner();
            if at % 2 == 0 {
                std::io::Read::read_exact(&mut stream, &mut [0; 1000]).unwrap();
            }
        }
        dashboard.becomes(1, "has no viewers", |state| state["viewers"] == 0);
        dashboard.frames_go_on(1, 5.0);
        let grown = dashboard.memory().saturating_sub(before);
        assert!(grown < 128 << 20, "{grown} bytes more after {} viewers", 20 * (round + 1));
    }
}

/// A viewer with a thin line misses pictures; those that it gets are the newest there were.
#[test]
fn a_slow_viewer_loses_pictures_and_gets_new_ones() {
    let dashboard = noise();
    let mut viewer = Viewer::open_narrow(dashboard.address(), LIVE);
    let first = viewer.next();
    let frames = |n: f64| dashboard.frames_go_on(1, n);
    let (mut missed, mut last) = (0, first.head["sequence"].as_u64().unwrap());
    for _ in 0..12 {
        frames(15.0);
        let sequence = viewer.next().head["sequence"].as_u64().unwrap();
        missed += sequence - last - 1;
        last = sequence;
    }
    assert!(missed > 0, "no picture was missed");
    let newest = Viewer::open(dashboard.address(), LIVE).next().head["sequence"].as_u64().unwrap();
    // What lies in the sockets' buffers is old; it is a few pictures.
    assert!(newest - last < 100, "{} pictures behind", newest - last);
}

/// Frames a second without viewers and with 20 of which 5 never read; memory before and after. It takes a minute and gates nothing:
/// `cargo test --release -p gradcam-dashboard -- --ignored --nocapture viewers`.
#[test]
#[ignore = "a measurement"]
fn rate_and_memory_with_and_without_viewers() {
    let seconds = 20;
    for (pattern, model) in
        [("test:ball", "models/efficientnet-lite0.onnx"), ("test:snow", "models/efficientnet-lite0.onnx")]
    {
        let model = crate::rig::root().join(model);
        let dashboard = Dashboard::with(&[pattern], &["--model", model.to_str().unwrap(), "--set", "preprocess=auto"]);
        dashboard.explains(1);
        let rate = || {
            let (start, frames) = (Instant::now(), dashboard.metric("gradcam_frames_total", 1));
            std::thread::sleep(Duration::from_secs(seconds));
            (dashboard.metric("gradcam_frames_total", 1) - frames) / start.elapsed().as_secs_f64()
        };
        rate();
        let mut rows = Vec::new();
        for round in 0..3 {
            let (alone, before) = (rate(), dashboard.memory());
            let done = AtomicBool::new(false);
            let (with, during) = std::thread::scope(|scope| {
                let deaf: Vec<Viewer> = (0..5).map(|_| Viewer::open_narrow(dashboard.address(), LIVE)).collect();
                for _ in 0..15 {
                    scope.spawn(|| {
                        let mut viewer = Viewer::open(dashboard.address(), "/api/cameras/1/live?width=640");
                        while !done.load(Ordering::SeqCst) {
                            viewer.next();
                        }
                    });
                }
                let measured = (rate(), dashboard.memory());
                done.store(true, Ordering::SeqCst);
                drop(deaf);
                measured
            });
            until("no viewers", || (dashboard.state(1)["viewers"] == 0).then_some(()));
            rows.push(format!("{pattern} {round}: {alone:.2} fps alone, {with:.2} with 20 viewers ({:+.2} %); {} MB before, {} during, {} after", (with / alone - 1.0) * 100.0, before >> 20, during >> 20, dashboard.memory() >> 20));
        }
        println!("{}", rows.join("\n"));
    }
}
