//! How the program begins and ends: what it is told on its command line, signals, its port.

use rustix::process::Signal;

use crate::client::Viewer;
use crate::models;
use crate::rig::{Dashboard, outcome};

#[test]
fn what_cannot_be_played_is_said_in_a_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let model = models::save(&models::sides());
    let model = model.path.to_str().unwrap();
    for (args, says) in [
        (&["--source", "test:ball", "--bind", &port][..], "--bind"),
        (&["--source", "test:nothing"], "test:nothing"),
        (&["--source", "no/such/file.mp4"], "no/such/file.mp4"),
        (&["--source", "src"], "not a file"),
        (&["--source", ""], "source"),
        (&["--source", "gopher://somewhere/"], "gopher://somewhere/"),
        (&["--source", "test:ball", "--model", "no/such/model.onnx"], "no/such/model.onnx"),
        (&["--source", "test:ball", "--set", "nonsense=1"], "nonsense"),
        (&["--source", "test:ball", "--set", "alpha=2"], "alpha=2"),
        (&["--source", "test:ball", "--set", "colormap=plaid"], "plaid"),
        (&["--source", "test:ball", "--set", "active-provider=cuda"], "active-provider"),
        (&["--source", "test:ball", "--set", "stats=x"], "stats"),
        (&["--source", "test:ball", "--set", "roi=nonsense"], "roi=nonsense"),
        (&["--source", "test:ball", "--source", "test:smpte", "--set", "font=no/such/font.ttf"], "no/such/font.ttf"),
    ] {
        let mut all = vec!["--model", model, "--bind", "127.0.0.1:0"];
        all.retain(|arg| !args.contains(&"--model") || (*arg != "--model" && *arg != model));
        if args.contains(&"--bind") {
            all.retain(|arg| *arg != "--bind" && *arg != "127.0.0.1:0");
        }
        all.extend(args);
        let (code, said) = outcome(&all);
        assert_eq!((code, said.trim_end().lines().count()), (Some(1), 1), "{args:?}: {said}");
        assert!(said.starts_with("gradcam-dashboard: ") && said.contains(says), "{args:?}: {said}");
    }
}

#[test]
fn what_cannot_be_read_as_an_option_is_wrong_usage() {
    for args in [
        &["--bind", "nowhere"][..],
        &["--bind", "127.0.0.1"],
        &["--set", "alpha"],
        &["--keep", "601"],
        &["--keep", "-1"],
        &["--max-connections", "0"],
        &["--source"],
        &["--nonsense"],
        &["--source", "rtsp://user:hunter2 @host/"],
    ] {
        let (code, said) = outcome(args);
        assert_eq!(code, Some(2), "{args:?}: {said}");
    }
    assert_eq!(outcome(&["--help"]).0, Some(0));
    assert_eq!(outcome(&["--version"]).0, Some(0));
}

#[test]
fn it_ends_well_when_it_is_asked_to() {
    for signal in [Signal::TERM, Signal::INT] {
        let camera = crate::camera::Camera::on();
        let mut dashboard = Dashboard::open(&["test:ball", &camera.address(), "rtsp://127.0.0.1:1/"]);
        dashboard.plays(1);
        // In the middle of all: viewers, a connection that says nothing, a change that waits for pictures.
        let mut viewer = Viewer::open(dashboard.address(), "/api/cameras/1/live");
        viewer.next();
        let _idle = crate::client::connect(dashboard.address());
        dashboard.signal(signal);
        let status = dashboard.ended();
        assert!(status.success(), "{signal:?}: {status}: {}", dashboard.said());
        assert_eq!(dashboard.said(), "");
    }
}

/// Not before a change has come to its end, which may take as long as a model takes to open.
#[cfg(feature = "fault-injection")]
#[test]
fn it_does_not_wait_for_a_model_to_end() {
    let mut dashboard = Dashboard::with(&["test:ball"], &["--set", "fault=slow-load-ms=100000000"]);
    dashboard.plays(1);
    let address = dashboard.address();
    let change = std::thread::spawn(move || {
        let body = br#"{"method": "cam"}"#;
        crate::client::say(
            address,
            &crate::client::request(address, "PATCH", "/api/cameras/1", &[("content-type", "application/json")], body),
        )
    });
    dashboard.becomes(1, "has another method", |state| state["settings"]["method"] == "cam");
    let asked = std::time::Instant::now();
    dashboard.signal(Signal::TERM);
    let status = dashboard.ended();
    assert!(status.success(), "{status}");
    // The model's own limit is two minutes.
    assert!(asked.elapsed().as_secs() < 60, "it took {:?}", asked.elapsed());
    let _ = change.join().unwrap();
}

#[test]
fn killed_it_starts_again_at_the_same_port() {
    let mut dashboard = Dashboard::open(&["test:ball"]);
    dashboard.plays(1);
    let _viewer = Viewer::open(dashboard.address(), "/api/cameras/1/live");
    let address = dashboard.address().to_string();
    dashboard.signal(Signal::KILL);
    assert!(!dashboard.ended().success());
    let again = Dashboard::with(&["test:ball"], &["--bind", &address]);
    assert_eq!(again.address().to_string(), address);
    again.plays(1);
}
