//! The live socket: a picture, and the numbers of just that picture.

use crate::client::{Viewer, ask, connect};
use crate::rig::Dashboard;

#[test]
fn a_message_is_a_picture_with_its_numbers() {
    let dashboard = Dashboard::with(&["test:gradient"], &["--set", "top-k=2"]);
    dashboard.explains(1);
    let mut viewer = Viewer::open(dashboard.address(), "/api/cameras/1/live");
    let first = viewer.explained();
    assert_eq!(first.picture().dimensions(), (640, 360));
    let head = &first.head;
    assert_eq!((&head["state"], &head["problem"]), (&"playing".into(), &serde_json::Value::Null), "{head}");
    let seen = &head["seen"];
    assert_eq!(
        (&seen["class"], &seen["label"], &seen["provider"]),
        (&0.into(), &"bright".into(), &"cpu".into()),
        "{head}"
    );
    assert_eq!(
        (&seen["width"], &seen["height"], &seen["annotated"]),
        (&640.into(), &360.into(), &true.into()),
        "{head}"
    );
    assert!(seen["top-k"].as_array().is_some_and(|best| best.len() == 2) && seen["map-age"].is_u64(), "{head}");
    assert!(head["fps"].is_number(), "{head}");
    let mut last = first;
    for _ in 0..10 {
        let shot = viewer.next();
        for rising in ["sequence", "time"] {
            assert!(
                shot.head[rising].as_u64().unwrap() >= last.head[rising].as_u64().unwrap(),
                "{} after {}",
                shot.head,
                last.head
            );
        }
        assert!(shot.head["sequence"].as_u64() > last.head["sequence"].as_u64(), "{}", shot.head);
        last = shot;
    }
    assert_eq!(dashboard.state(1)["viewers"], 1);
}

/// Over grey only what is painted has colour, so that the picture itself says whether it bears a map.
#[cfg(feature = "fault-injection")]
#[test]
fn numbers_and_picture_never_part() {
    let dashboard = Dashboard::with(
        &["test:gradient"],
        &[
            "--set",
            "fault=slow-load-ms=3000",
            "--set",
            "output-mode=heatmap",
            "--set",
            "alpha-mode=constant",
            "--set",
            "alpha=1",
        ],
    );
    let mut viewer = Viewer::open(dashboard.address(), "/api/cameras/1/live");
    let mut counts = [0, 0];
    while counts[1] < 10 {
        let shot = viewer.next();
        let (seen, painted) = (shot.head["seen"].is_object(), colour(&shot.picture()) > 10.0);
        assert_eq!(seen, painted, "{}", shot.head);
        counts[usize::from(seen)] += 1;
    }
    assert!(counts[0] > 0, "no picture came before the model was open");
}

/// How far colours are from grey, on average.
#[cfg(feature = "fault-injection")]
fn colour(picture: &image::RgbImage) -> f64 {
    let range = |pixel: &image::Rgb<u8>| pixel.0.iter().max().unwrap() - pixel.0.iter().min().unwrap();
    picture.pixels().map(|pixel| f64::from(range(pixel))).sum::<f64>() / f64::from(picture.width() * picture.height())
}

/// `test:clock` paints the time at which a picture was made: it came in no sooner, and not half a minute later, before which bits wrap.
#[test]
fn the_time_is_that_of_the_picture() {
    let dashboard = Dashboard::open(&["test:clock"]);
    let set = dashboard.patch(1, r#"{"output-mode": "none"}"#);
    assert_eq!(set.status, 200, "{set}");
    let mut viewer = Viewer::open(dashboard.address(), "/api/cameras/1/live?width=640");
    let mut before = None;
    for _ in 0..10 {
        let shot = viewer.next();
        let picture = shot.picture();
        let bit = |at: u32| {
            u16::from(picture.get_pixel((2 * at + 1) * picture.width() / 32, picture.height() / 4).0[0] > 127)
        };
        let painted = (0..16).fold(0, |sum, at| sum << 1 | bit(at));
        let later = (shot.head["time"].as_u64().unwrap() as u16).wrapping_sub(painted);
        assert!(later < 30_000, "{} came in at a picture of {painted}", shot.head["time"]);
        assert_ne!(before, Some(painted), "the same picture twice");
        before = Some(painted);
    }
}

#[test]
fn pictures_are_as_wide_as_a_viewer_wants_them() {
    let dashboard = Dashboard::open(&["test:ball"]);
    // Twice as wide, for a picture that is larger than a tile.
    dashboard.plays(1);
    let set = dashboard.patch(1, r#"{"output-mode": "side-by-side"}"#);
    assert_eq!(set.status, 200, "{set}");
    for (query, size) in
        [("", (1280, 360)), ("?width=1280", (1280, 360)), ("?width=640", (640, 180)), ("?width=160", (320, 90))]
    {
        let mut viewer = Viewer::open(dashboard.address(), &format!("/api/cameras/1/live{query}"));
        let shot = viewer.next();
        assert_eq!(shot.picture().dimensions(), size, "{query}");
    }
}

#[test]
fn what_is_no_socket_is_told_so() {
    let dashboard = Dashboard::open(&["test:ball"]);
    let live = "/api/cameras/1/live";
    for headers in [
        &[][..],
        &[("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")],
        &[
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "1"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ],
        &[
            ("connection", "upgrade"),
            ("upgrade", "h2c"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ],
    ] {
        let answer = ask(dashboard.address(), "GET", live, headers, b"");
        assert!((400..500).contains(&answer.status), "{headers:?}: {answer}");
        answer.sentence();
    }
    for query in ["?width=0", "?width=-1", "?width=wide", "?width=99999999999"] {
        let refused =
            Viewer::try_open(connect(dashboard.address()), dashboard.address(), &format!("{live}{query}"), &[]);
        assert_eq!(refused.err(), Some(422), "{query}");
    }
}
