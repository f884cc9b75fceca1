//! Who may ask: tokens, other sites' pages, names that lead here.

use serde_json::json;

use crate::client::{Viewer, ask, connect};
use crate::rig::{Dashboard, outcome};

const LIVE: &str = "/api/cameras/1/live";

#[test]
fn pages_of_other_sites_change_nothing_and_see_nothing() {
    let dashboard = Dashboard::open(&["test:ball"]);
    dashboard.plays(1);
    let address = dashboard.address();
    let before = dashboard.state(1)["settings"].clone();
    let json = ("content-type", "application/json");
    for origin in ["http://example.org", "https://127.0.0.1.example.org", "http://127.0.0.1:1", "null", "", "file://"] {
        let answer = ask(address, "PATCH", "/api/cameras/1", &[json, ("origin", origin)], br#"{"alpha": 0.1}"#);
        assert_eq!(answer.status, 403, "{origin}: {answer}");
        answer.sentence();
        let refused = Viewer::try_open(connect(address), address, LIVE, &[("origin", origin)]).err();
        assert_eq!(refused, Some(403), "{origin}");
    }
    // A name of theirs that leads to this machine (DNS rebinding), also with their own origin.
    for host in ["example.org", "example.org:80", "127.0.0.1.example.org", "10.0.0.1", "localhost.example.org:8090", ""]
    {
        for headers in [vec![("host", host)], vec![("host", host), ("origin", "http://example.org")]] {
            for path in ["/", "/api/cameras", "/metrics", "/api/cameras/1/snapshot"] {
                let answer = ask(address, "GET", path, &headers, b"");
                assert_eq!(answer.status, 403, "{host} {path}: {answer}");
            }
            let refused = Viewer::try_open(connect(address), address, LIVE, &headers).err();
            assert_eq!(refused, Some(403), "{host}");
        }
    }
    assert_eq!(dashboard.state(1)["settings"], before);
    // Its own page may.
    let own = format!("http://{address}");
    let answer = ask(address, "PATCH", "/api/cameras/1", &[json, ("origin", &own)], br#"{"alpha": 0.1}"#);
    assert_eq!((answer.status, &answer.json()["settings"]["alpha"]), (200, &json!(0.1)), "{answer}");
    Viewer::try_open(connect(address), address, LIVE, &[("origin", &own)]).unwrap().next();
    for host in ["localhost", "localhost:8090", "127.0.0.1", "[::1]:8090"] {
        assert_eq!(ask(address, "GET", "/api/cameras", &[("host", host)], b"").status, 200, "{host}");
    }
}

#[test]
fn with_a_token_whoever_has_it_may_ask_and_nobody_else() {
    let dashboard = Dashboard::with(&["test:ball"], &["--token", "s3cret.word", "--bind", "0.0.0.0:0"]);
    let address = (std::net::Ipv4Addr::LOCALHOST, dashboard.address().port()).into();
    let get = |path: &str, headers: &[(&str, &str)]| ask(address, "GET", path, headers, b"");
    let bearer = ("authorization", "Bearer s3cret.word");
    let cookie = ("cookie", "theme=dark; gradcam-token=s3cret.word; x=y");
    let wrong = [
        vec![],
        vec![("authorization", "Bearer s3cret.wor")],
        vec![("authorization", "Bearer s3cret.wordy")],
        vec![("authorization", "Bearer ")],
        vec![("authorization", "Basic s3cret.word")],
        vec![("authorization", "s3cret.word")],
        vec![("cookie", "gradcam-token=")],
        vec![("cookie", "gradcam-token=wrong")],
        vec![("cookie", "other=s3cret.word")],
    ];
    for path in [
        "/",
        "/app.js",
        "/api/cameras",
        "/api/cameras/1",
        "/api/cameras/1/snapshot",
        "/metrics",
        "/nothing",
        "/api/cameras?token=s3cret.word",
    ] {
        for headers in &wrong {
            let answer = get(path, headers);
            assert_eq!(answer.status, 401, "{path} {headers:?}: {answer}");
            answer.sentence();
        }
        let expected = if path == "/nothing" { 404 } else { 200 };
        for right in [bearer, cookie] {
            let status = crate::rig::until("an answer but 503", || {
                Some(get(path, &[right]).status).filter(|status| *status != 503)
            });
            assert_eq!(status, expected, "{path} {right:?}");
        }
    }
    let change = |headers: &[(&str, &str)]| {
        let headers = [&[("content-type", "application/json")], headers].concat();
        ask(address, "PATCH", "/api/cameras/1", &headers, br#"{"alpha": 0.3}"#).status
    };
    assert_eq!((change(&[]), change(&[bearer]), change(&[cookie, ("origin", "http://example.org")])), (401, 200, 403));
    assert_eq!(Viewer::try_open(connect(address), address, LIVE, &[]).err(), Some(401));
    Viewer::try_open(connect(address), address, LIVE, &[cookie]).unwrap().next();

    let refused = get("/?token=wrong", &[]);
    assert_eq!((refused.status, refused.header("set-cookie")), (401, None), "{refused}");
    let taken = get("/?x=1&token=s3cret.word", &[]);
    assert_eq!((taken.status, taken.header("location")), (303, Some("/")), "{taken}");
    let set = taken.header("set-cookie").unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let pair = set.split(';').next().unwrap();
    assert_eq!(get("/", &[("cookie", pair)]).status, 200);
    // Ended here, since the rig asks without the token.
    assert!(!dashboard.said().contains("s3cret"), "{}", dashboard.said());
}

#[test]
fn others_are_let_in_with_a_token_only() {
    for bind in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8090"] {
        let (code, said) = outcome(&["--bind", bind, "--source", "test:ball"]);
        assert_eq!(code, Some(1), "{bind}: {said}");
        assert!(said.lines().count() == 1 && said.contains("--token"), "{said}");
    }
    for token in ["", "two words", "a;b", "ä"] {
        let (code, said) = outcome(&["--token", token, "--source", "test:ball"]);
        assert_eq!((code, said.lines().count()), (Some(1), 1), "{token:?}: {said}");
        assert!(said.contains("--token") && (token.is_empty() || !said.contains(token)), "{said}");
    }
}
