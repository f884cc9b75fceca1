//! What may be changed while a camera plays, and what is refused and then has changed nothing.

use image::RgbImage;
use serde_json::{Value, json};

use crate::client::Viewer;
use crate::rig::Dashboard;

const GRADIENT: &[&str] = &["test:gradient"];

/// Mean difference of two pictures, in steps of 0 to 255.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: f64 = a.iter().zip(b.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    sum / a.len() as f64
}

/// The first picture with a map that comes from now on.
fn picture(dashboard: &Dashboard) -> RgbImage {
    Viewer::open(dashboard.address(), "/api/cameras/1/live").explained().picture()
}

fn change(dashboard: &Dashboard, settings: Value) -> Value {
    let answer = dashboard.patch(1, &settings.to_string());
    assert_eq!(answer.status, 200, "{settings}: {answer}");
    answer.json()
}

#[test]
fn each_setting_changes_what_it_says_and_what_is_painted() {
    // Maps that do not lean on those before them.
    let steady = ["--set", "normalization=frame", "--set", "smoothing=0", "--set", "alpha-mode=constant"];
    let dashboard = Dashboard::with(GRADIENT, &steady);
    dashboard.explains(1);
    let plain = picture(&dashboard);
    assert!(difference(&plain, &picture(&dashboard)) < 0.5, "the same picture twice");
    for (name, value, back) in [
        ("output-mode", json!("heatmap"), json!("overlay")),
        ("colormap", json!("viridis"), json!("jet")),
        ("alpha", json!(0.9), json!(0.5)),
        ("target-class", json!("dark"), json!("")),
        ("target-class", json!(1), json!("")),
    ] {
        let state = change(&dashboard, json!({ name: value }));
        let told = if value.is_number() && name == "target-class" { json!(value.to_string()) } else { value.clone() };
        assert_eq!(state["settings"][name], told);
        assert_eq!(dashboard.state(1)["settings"], state["settings"]);
        let changed = difference(&plain, &picture(&dashboard));
        assert!(changed > 5.0, "{name}={value} changed pictures by {changed}");
        assert_eq!(change(&dashboard, json!({ name: back }))["settings"][name], back);
        let left = difference(&plain, &picture(&dashboard));
        assert!(left < 0.5, "{name}={back} after {value} left pictures changed by {left}");
    }
    change(&dashboard, json!({ "draw-labels": true }));
    let changed = difference(&plain, &picture(&dashboard));
    assert!(changed > 0.5, "words changed pictures by {changed}");
    change(&dashboard, json!({ "draw-labels": false, "output-mode": "mask", "threshold": 0.1 }));
    let low = picture(&dashboard);
    change(&dashboard, json!({ "threshold": 0.9 }));
    assert!(difference(&low, &picture(&dashboard)) > 5.0, "a mask's threshold");
}

#[test]
fn a_region_of_interest_is_told_of_with_the_pictures() {
    let dashboard = Dashboard::open(GRADIENT);
    dashboard.explains(1);
    let share = |roi: &str| {
        change(&dashboard, json!({ "roi": roi }));
        let shot = Viewer::open(dashboard.address(), "/api/cameras/1/live").explained();
        shot.head["seen"]["roi-share"].as_f64()
    };
    assert_eq!(share(""), None);
    let (whole, above, below) = (share("0,0,1,1").unwrap(), share("0,0,1,0.5").unwrap(), share("0,0.5,1,0.5").unwrap());
    assert!(
        (whole - 1.0).abs() < 1e-6 && (above + below - 1.0).abs() < 1e-6 && (above - below).abs() > 0.1,
        "{whole} {above} {below}"
    );
    assert_eq!(share(""), None);
}

#[test]
fn method_and_layer_open_the_model_anew() {
    let dashboard = Dashboard::open(GRADIENT);
    dashboard.explains(1);
    for (method, layer) in [("gradcam", ""), ("cam", ""), ("hirescam", "before"), ("auto", "")] {
        let state = change(&dashboard, json!({ "method": method, "target-layer": layer }));
        assert_eq!((&state["settings"]["method"], &state["settings"]["target-layer"]), (&json!(method), &json!(layer)));
        assert_eq!(state["layer"], if layer.is_empty() { "layer" } else { layer });
        let shot = Viewer::open(dashboard.address(), "/api/cameras/1/live").next();
        assert!(shot.head["seen"].is_object(), "{method} {layer:?}: {}", shot.head);
    }
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let dashboard = Dashboard::open(GRADIENT);
    dashboard.explains(1);
    let before =
        change(&dashboard, json!({ "alpha": 0.7, "roi": "0,0,0.5,0.5", "target-class": "dark", "method": "gradcam" }))
            ["settings"]
            .clone();
    for (status, body, says) in [
        (422, r#"{"colormap": "plaid"}"#, "plaid"),
        (422, r#"{"output-mode": 17}"#, "output-mode"),
        (422, r#"{"method": "magic"}"#, "magic"),
        (422, r#"{"alpha": 1.5}"#, "alpha"),
        (422, r#"{"alpha": -0.1}"#, "alpha"),
        (422, r#"{"alpha": "much"}"#, "much"),
        (422, r#"{"alpha": 1e999}"#, ""),
        (422, r#"{"alpha": "nan"}"#, "alpha"),
        (422, r#"{"alpha": null}"#, "alpha"),
        (422, r#"{"alpha": [0.5]}"#, "alpha"),
        (422, r#"{"threshold": 2}"#, "threshold"),
        (422, r#"{"draw-labels": "often"}"#, "true or false"),
        (422, r#"{"opacity": 0.5}"#, "opacity"),
        (422, r#"{"model": "other.onnx"}"#, "model"),
        (422, r#"{"roi": "everywhere"}"#, "everywhere"),
        (422, r#"{"roi": "0,0,2,2"}"#, "roi"),
        (422, r#"{"target-class": "unicorn"}"#, "unicorn"),
        (422, r#"{"target-class": 2}"#, "2"),
        (422, r#"{"target-layer": "nowhere"}"#, "nowhere"),
        // One of several is enough, and what is set first is taken back.
        (422, r#"{"alpha": 0.1, "colormap": "plaid"}"#, "plaid"),
        (422, r#"{"alpha": 0.1, "roi": "everywhere"}"#, "everywhere"),
        (422, r#"{"alpha": 0.1, "target-layer": "nowhere"}"#, "nowhere"),
        (422, r#"["alpha"]"#, ""),
        (422, "1", ""),
        (400, "alpha=0.5", ""),
        (400, r#"{"alpha": 0.5"#, ""),
        (400, "", ""),
        (400, "\u{0}\u{1}\u{fffd}", ""),
    ] {
        let answer = dashboard.patch(1, body);
        // A number that JSON cannot hold is an error of its syntax to some readers.
        assert!(answer.status == status || body.contains("1e999") && answer.status == 400, "{body}: {answer}");
        let sentence = answer.sentence();
        assert!(sentence.contains(says), "{body}: {sentence}");
        assert_eq!(dashboard.state(1)["settings"], before, "{body}");
        assert_eq!(dashboard.state(1)["layer"], "layer", "{body}");
    }
    let shot = Viewer::open(dashboard.address(), "/api/cameras/1/live").explained();
    assert_eq!(
        (&shot.head["seen"]["label"], &shot.head["seen"]["roi-share"].is_f64()),
        (&json!("dark"), &true),
        "{}",
        shot.head
    );
    let same = change(&dashboard, json!({}));
    assert_eq!(same["settings"], before);
}

#[test]
fn another_kind_of_body_is_refused() {
    let dashboard = Dashboard::open(GRADIENT);
    dashboard.plays(1);
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let answer = crate::client::ask(
            dashboard.address(),
            "PATCH",
            "/api/cameras/1",
            &[("content-type", kind)],
            br#"{"alpha": 0.1}"#,
        );
        assert_eq!(answer.status, 415, "{answer}");
        answer.sentence();
    }
    assert_eq!(dashboard.state(1)["settings"]["alpha"], 0.5);
}

/// What frames are to judge is not believed where there are none.
#[test]
fn a_camera_without_pictures_takes_no_region_on_trust() {
    let camera = crate::camera::Camera::on();
    let dashboard = Dashboard::open(&[&camera.address()]);
    dashboard.plays(1);
    camera.off();
    dashboard.becomes(1, "is lost", |state| state["state"] == "lost");
    let answer = dashboard.patch(1, r#"{"roi": "everywhere"}"#);
    assert!((400..500).contains(&answer.status), "{answer}");
    answer.sentence();
    assert_eq!(dashboard.state(1)["settings"]["roi"], "");
    camera.on_again();
    dashboard.plays(1);
}

#[test]
fn settings_stay_when_the_source_is_lost_and_comes_back() {
    let camera = crate::camera::Camera::on();
    let dashboard = Dashboard::open(&[&camera.address()]);
    dashboard.explains(1);
    dashboard.plays(1);
    let before =
        change(&dashboard, json!({ "colormap": "magma", "target-class": "dark", "roi": "0,0,1,0.5" }))["settings"]
            .clone();
    camera.off();
    dashboard.becomes(1, "is lost", |state| state["state"] == "lost");
    assert_eq!(dashboard.state(1)["settings"], before);
    camera.on_again();
    dashboard.plays(1);
    assert_eq!(dashboard.state(1)["settings"], before);
    let shot = Viewer::open(dashboard.address(), "/api/cameras/1/live").explained();
    assert_eq!(shot.head["seen"]["label"], "dark", "{}", shot.head);
}

/// What the model complains of by itself is no answer to a change.
#[cfg(feature = "fault-injection")]
#[test]
fn a_model_that_fails_meanwhile_does_not_refuse_a_change() {
    let dashboard = Dashboard::with(GRADIENT, &["--set", "fault=fail-every=1"]);
    dashboard.becomes(1, "has a problem", |state| state["problem"].is_string());
    for alpha in 1..10 {
        let alpha = f64::from(alpha) / 10.0;
        assert_eq!(change(&dashboard, json!({ "alpha": alpha }))["settings"]["alpha"], alpha);
    }
}

/// Nor is what the element remarks on: nothing of black is bright.
#[test]
fn a_class_that_nothing_speaks_for_is_a_class() {
    let dashboard = Dashboard::open(&["test:black"]);
    dashboard.explains(1);
    for class in ["bright", "dark", "bright"] {
        assert_eq!(change(&dashboard, json!({ "target-class": class }))["settings"]["target-class"], class);
    }
}

#[test]
fn many_changes_at_once_are_made_one_after_the_other() {
    let dashboard = Dashboard::open(GRADIENT);
    dashboard.explains(1);
    let address = dashboard.address();
    std::thread::scope(|scope| {
        for at in 0..8 {
            let dashboard = &dashboard;
            scope.spawn(move || {
                let good = at % 2 == 0;
                let body = if good {
                    r#"{"colormap": "turbo", "alpha": 0.25}"#
                } else {
                    r#"{"alpha": 0.9, "roi": "everywhere"}"#
                };
                assert_eq!(dashboard.patch(1, body).status, if good { 200 } else { 422 }, "{address}");
            });
        }
    });
    let settings = &dashboard.state(1)["settings"];
    assert_eq!(
        (&settings["colormap"], &settings["alpha"], &settings["roi"]),
        (&json!("turbo"), &json!(0.25), &json!(""))
    );
}
