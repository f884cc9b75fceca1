//! The rows of the table in `docs/dashboard.md`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::client::{ask, decoded};
use crate::rig::{Dashboard, root};

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().cloned().collect()
}

/// The JSON object that the page shows first after these words.
fn documented(after: &str) -> Value {
    let text = std::fs::read_to_string(root().join("docs/dashboard.md")).unwrap();
    let (_, rest) = text.split_once(after).unwrap();
    let (_, rest) = rest.split_once("```json\n").unwrap();
    serde_json::from_str(rest.split_once("```").unwrap().0).unwrap()
}

#[test]
fn every_request_of_the_table_is_answered() {
    let dashboard = Dashboard::with(&["one=test:ball", "test:smpte"], &["--set", "top-k=2"]);
    dashboard.plays(1);
    dashboard.plays(2);
    dashboard.explains(1);

    let page = dashboard.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let text = String::from_utf8(page.body).unwrap();
    for (attribute, kind) in [
        ("<script type=\"module\" src=\"", "text/javascript; charset=utf-8"),
        ("rel=\"stylesheet\" href=\"", "text/css; charset=utf-8"),
    ] {
        let named: Vec<&str> = text.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(!named.is_empty(), "the page has no {attribute}");
        for path in named {
            let part = dashboard.get(&format!("/{path}"));
            assert_eq!((part.status, part.header("content-type")), (200, Some(kind)), "{path}");
        }
    }

    let all = dashboard.json("/api/cameras");
    let names: Vec<_> =
        all["cameras"].as_array().unwrap().iter().map(|it| (it["id"].clone(), it["name"].clone())).collect();
    assert_eq!(names, [(1.into(), "one".into()), (2.into(), "test: smpte".into())]);
    let (state, wanted) = (&all["cameras"][0], documented("STATE:"));
    assert_eq!(keys(state), keys(&wanted));
    assert_eq!(keys(&state["settings"]), keys(&wanted["settings"]));
    for (name, value) in wanted.as_object().unwrap().iter().filter(|(_, value)| !value.is_null()) {
        assert_eq!(std::mem::discriminant(&state[name]), std::mem::discriminant(value), "{name} is {}", state[name]);
    }
    let told = ["source", "state", "model", "layer", "provider", "width", "height"].map(|name| state[name].clone());
    let is: [Value; 7] = ["test:ball", "playing", "sides", "layer", "cpu"]
        .map(Value::from)
        .into_iter()
        .chain([640.into(), 360.into()])
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert_eq!(told, is);
    assert_eq!(dashboard.json("/api/cameras/2")["name"], "test: smpte");

    let options = dashboard.json("/api/options");
    for (name, words) in
        [("method", ["gradcam", "cam"]), ("colormap", ["jet", "viridis"]), ("output-mode", ["overlay", "heatmap"])]
    {
        let all = options[name].as_array().unwrap_or_else(|| panic!("{options}"));
        assert!(words.iter().all(|word| all.contains(&(*word).into())), "{name}: {all:?}");
    }
    assert_eq!(options.as_object().unwrap().len(), 3, "{options}");

    let snapshot = dashboard.get("/api/cameras/1/snapshot");
    assert_eq!((snapshot.status, snapshot.header("content-type")), (200, Some("image/jpeg")), "{snapshot}");
    assert_eq!(decoded(&snapshot.body).dimensions(), (640, 360));
    assert!(snapshot.header("content-disposition").unwrap().contains("camera-1.jpg"), "{snapshot}");
}

#[test]
fn the_timeline_has_a_point_a_second() {
    let dashboard = Dashboard::open(&["test:gradient"]);
    dashboard.explains(1);
    let points = crate::rig::until("three points with a class", || {
        let timeline = dashboard.json("/api/cameras/1/timeline");
        let points: Vec<Value> =
            timeline["points"].as_array().unwrap().iter().filter(|it| it["class"].is_u64()).cloned().collect();
        (points.len() >= 3).then_some(points)
    });
    let wanted = ["class", "fps", "label", "map-age", "roi-share", "score", "time"];
    assert_eq!(keys(&points[0]), wanted.map(String::from).into());
    let score = points[2]["score"].as_f64().unwrap();
    assert!(points[2]["label"] == "bright" && (0.5..=1.0).contains(&score), "{}", points[2]);
    let times: Vec<i64> = points.iter().map(|it| it["time"].as_i64().unwrap()).collect();
    assert!(times.windows(2).all(|two| two[1] - two[0] >= 1000), "{times:?}");
}

#[test]
fn metrics_are_prometheus_text() {
    let dashboard = Dashboard::open(&["with \"quotes\"=test:ball", "test:snow"]);
    dashboard.explains(1);
    let answer = dashboard.get("/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(answer.body).unwrap();
    let mut family = String::new();
    let mut samples = 0;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge"].contains(&kind) && (kind == "counter") == name.ends_with("_total"), "{line}");
            family = name.into();
        } else if !line.starts_with("# HELP ") {
            let (name, rest) = line.split_once('{').unwrap();
            assert_eq!(name, family);
            let (labels, value) = rest.rsplit_once("} ").unwrap();
            assert!(
                labels.starts_with("camera=\"1\",name=\"with \\\"quotes\\\"\"")
                    || labels == "camera=\"2\",name=\"test: snow\"",
                "{line}"
            );
            assert!(value.parse::<f64>().is_ok(), "{line}");
            samples += 1;
        }
    }
    assert!(samples >= 16 && samples % 2 == 0, "{text}");
}

#[test]
fn what_there_is_not_and_what_cannot_be_asked_is_said() {
    let dashboard = Dashboard::open(&["test:ball"]);
    let asked = |method, path| ask(dashboard.address(), method, path, &[], b"");
    for path in [
        "/nothing",
        "/api",
        "/api/nothing",
        "/api/cameras/2",
        "/api/cameras/0",
        "/api/cameras/01",
        "/api/cameras/x",
        "/api/cameras/1/nothing",
        "/api/cameras/9/live",
        "/api/cameras/9/snapshot",
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/css/..",
        "//etc/passwd",
    ] {
        let answer = asked("GET", path);
        assert_eq!(answer.status, 404, "{path}: {answer}");
        answer.sentence();
    }
    for (method, path) in [
        ("POST", "/"),
        ("DELETE", "/app.js"),
        ("POST", "/api/cameras"),
        ("PUT", "/api/cameras/1"),
        ("DELETE", "/api/cameras/1"),
        ("POST", "/api/cameras/1/snapshot"),
        ("PATCH", "/api/options"),
        ("POST", "/metrics"),
        ("BREW", "/api/cameras"),
    ] {
        let answer = asked(method, path);
        assert_eq!(answer.status, 405, "{method} {path}: {answer}");
        answer.sentence();
    }
    for path in [
        "/api/cameras/1/clip?seconds=0",
        "/api/cameras/1/clip?seconds=61",
        "/api/cameras/1/clip?seconds=x",
        "/api/cameras/1/clip?seconds=-1",
    ] {
        assert_eq!(asked("GET", path).status, 422, "{path}");
        asked("GET", path).sentence();
    }
}

#[test]
fn every_answer_keeps_the_page_to_itself() {
    let dashboard = Dashboard::open(&["test:ball"]);
    for path in ["/", "/app.js", "/api/cameras", "/nothing", "/api/cameras/9", "/metrics"] {
        let answer = dashboard.get(path);
        let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{path}: {answer}"));
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(answer.header("cache-control").is_some(), "{path}");
    }
}
