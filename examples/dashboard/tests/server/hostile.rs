//! Clients that mean no good, or know no better: limits, 4xx, and everybody else is served meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Viewer, ask, connect, narrow, read_all, request, say};
use crate::rig::{Dashboard, until};

fn is_served(dashboard: &Dashboard) {
    assert_eq!(dashboard.get("/api/cameras").status, 200);
    dashboard.frames_go_on(1, 5.0);
}

#[test]
fn what_is_too_large_is_refused() {
    let dashboard = Dashboard::open(&["test:ball"]);
    dashboard.plays(1);
    let (address, before) = (dashboard.address(), dashboard.state(1)["settings"].clone());
    let memory = dashboard.memory();
    let megabyte = "a".repeat(1 << 20);
    for head in [
        format!("GET /api/cameras HTTP/1.1\r\nhost: {address}\r\nx: {megabyte}\r\n\r\n"),
        format!("GET /{megabyte} HTTP/1.1\r\nhost: {address}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: {address}\r\n{}\r\n", "a: b\r\n".repeat(10_000)),
        format!("GET / HTTP/1.1\r\nhost: {address}\r\n{}\r\n", "a: b\r\n".repeat(150)),
        megabyte.clone(),
    ] {
        // Cut off without an answer, too, where the client does not stop to talk.
        if let Some(answer) = say(address, head.as_bytes()) {
            assert!((400..500).contains(&answer.status), "{answer}");
        }
        is_served(&dashboard);
    }
    let body = format!("{{\"alpha\": 0.1, \"roi\": \"{}\"}}", "0".repeat(10 << 20));
    for path in ["/api/cameras/1", "/api/cameras"] {
        let sent = request(address, "PATCH", path, &[("content-type", "application/json")], body.as_bytes());
        if let Some(answer) = say(address, &sent) {
            assert!([405, 413].contains(&answer.status), "{answer}");
        }
    }
    // A body that is only announced, and one that comes in chunks without end.
    for more in [
        "content-length: 10000000\r\n\r\n",
        "content-length: 18446744073709551615\r\n\r\n",
        "content-length: -1\r\n\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    ] {
        let head =
            format!("PATCH /api/cameras/1 HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n{more}");
        let answer = say(address, head.as_bytes()).unwrap_or_else(|| panic!("no answer to {more}"));
        assert!([400, 413, 431].contains(&answer.status), "{more}: {answer}");
    }
    let mut stream = connect(address);
    write!(stream, "PATCH /api/cameras/1 HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let sent = (0..10_000).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
    assert!(sent < 10_000, "40 MB were taken");
    is_served(&dashboard);
    assert_eq!(dashboard.state(1)["settings"], before);
    let grown = dashboard.memory().saturating_sub(memory);
    assert!(grown < 64 << 20, "{grown} bytes more");
}

#[test]
fn what_is_no_http_is_answered_so_or_cut_off() {
    let dashboard = Dashboard::open(&["test:ball"]);
    dashboard.plays(1);
    let address = dashboard.address();
    let noise: Vec<u8> = (0u32..70_000).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let odd: &[&[u8]] = &[
        &noise,
        b"\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: \xff\xfe\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        b"GET http:///// HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\nexpect: 200-maybe\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    ];
    for bytes in odd {
        let mut stream = connect(address);
        let _ = stream.write_all(bytes);
        // What is half a request ends here; the rest is the next test's.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let answered = crate::client::Answer::parse(&read_all(&mut stream));
        let fine = answered.as_ref().is_none_or(|answer| (400..500).contains(&answer.status));
        assert!(fine, "{:?}: {}", String::from_utf8_lossy(bytes), answered.unwrap());
    }
    is_served(&dashboard);
}

/// Requests that never come to their end hold their place for a while only; there is place for others.
#[test]
fn requests_that_never_end_are_given_up() {
    let dashboard = Dashboard::open(&["test:ball"]);
    dashboard.plays(1);
    let address = dashboard.address();
    let starts = [
        String::new(),
        "GET / HT".into(),
        format!("GET / HTTP/1.1\r\nhost: {address}\r\nx: "),
        format!(
            "PATCH /api/cameras/1 HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{{"
        ),
        format!(
            "PATCH /api/cameras/1 HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nea60\r\n{{"
        ),
        // As a browser that keeps its connection, and never asks again but for a byte.
        format!("GET / HTTP/1.1\r\nhost: {address}\r\n\r\n"),
    ];
    let mut streams: Vec<TcpStream> = (0..200)
        .map(|at| {
            let mut stream = connect(address);
            stream.write_all(starts[at % starts.len()].as_bytes()).unwrap();
            stream
        })
        .collect();
    is_served(&dashboard);
    let mut viewer = Viewer::open(address, "/api/cameras/1/live");
    viewer.next();
    // A byte now and then does not keep it.
    let mut open = streams.len();
    while open > 0 {
        streams.retain_mut(|stream| stream.write_all(b" ").is_ok());
        open = streams.len();
        is_served(&dashboard);
        viewer.next();
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
fn a_thousand_connections_are_bounded_and_then_all_is_served_again() {
    // Files are as short here as there.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let dashboard = Dashboard::open(&["test:ball"]);
    dashboard.plays(1);
    let (address, memory) = (dashboard.address(), dashboard.memory());
    let mut viewer = Viewer::open(address, "/api/cameras/1/live");
    let mut streams: Vec<TcpStream> = (0..1000).map(|_| connect(address)).collect();
    let asked = request(address, "GET", "/api/cameras", &[("connection", "keep-alive")], b"");
    for stream in &mut streams {
        // It may have been turned away already.
        let _ = stream.write_all(&asked);
    }
    let (mut served, mut turned_away) = (0, 0);
    for stream in &mut streams {
        let mut some = [0; 200];
        let n = stream.read(&mut some).unwrap_or(0);
        match &some[..n] {
            answer if answer.starts_with(b"HTTP/1.1 200") => served += 1,
            answer if answer.starts_with(b"HTTP/1.1 503") => turned_away += 1,
            other => panic!("{:?}", String::from_utf8_lossy(other)),
        }
    }
    assert!(
        served >= 500 && turned_away >= 400 && served + turned_away == 1000,
        "{served} served, {turned_away} turned away"
    );
    viewer.next();
    let grown = dashboard.memory().saturating_sub(memory);
    assert!(grown < 64 << 20, "{grown} bytes more");
    drop(streams);
    until("an answer", || {
        say(address, &request(address, "GET", "/api/cameras", &[], b"")).filter(|answer| answer.status == 200)
    });
    is_served(&dashboard);
}

#[test]
fn whoever_is_turned_away_is_told_why() {
    let dashboard = Dashboard::with(&["test:ball"], &["--max-connections", "2"]);
    let address = dashboard.address();
    let busy: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(&request(address, "GET", "/api/cameras", &[("connection", "keep-alive")], b"")).unwrap();
            assert_ne!(stream.read(&mut [0; 4096]).unwrap(), 0);
            stream
        })
        .collect();
    let answer = ask(address, "GET", "/", &[], b"");
    assert_eq!((answer.status, answer.sentence().as_str()), (503, "there are too many viewers"), "{answer}");
    drop(busy);
    until("an answer", || (dashboard.get("/api/cameras").status == 200).then_some(()));
}

#[test]
fn whoever_asks_and_takes_no_answer_is_let_go() {
    let dashboard = Dashboard::with(&["test:snow"], &["--max-connections", "4"]);
    until("a clip that no socket holds", || {
        (dashboard.get("/api/cameras/1/clip?seconds=60").body.len() > 4 << 20).then_some(())
    });
    let asked = request(dashboard.address(), "GET", "/api/cameras/1/clip?seconds=60", &[], b"");
    let _deaf: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = narrow(dashboard.address());
            stream.write_all(&asked).unwrap();
            stream
        })
        .collect();
    until("a place", || (dashboard.get("/api/cameras").status == 200).then_some(()));
}

#[test]
fn what_a_viewer_says_is_bounded_and_not_listened_to() {
    let dashboard = Dashboard::open(&["test:ball"]);
    dashboard.explains(1);
    let address = dashboard.address();
    let open = || Viewer::open(address, "/api/cameras/1/live");
    let mut calm = open();
    // Small ones, and pings, are fine.
    let mut viewer = open();
    for said in [Message::Text("hello".into()), Message::Binary(vec![0; 100].into()), Message::Ping(vec![1].into())] {
        viewer.socket.send(said).unwrap();
        viewer.explained();
    }
    viewer.socket.close(None).unwrap();
    // What is too large ends the connection, that one only.
    for size in [5 << 10, 1 << 20, 20 << 20] {
        let mut viewer = open();
        let _ = viewer.socket.send(Message::Binary(vec![0; size].into()));
        until("the end of the connection", || viewer.socket.read().is_err().then_some(()));
    }
    // As does what is no frame at all, what is not masked, and a length that nobody has.
    let huge = [&[0x82, 0xff][..], &[0x7f; 8], &[0; 4]].concat();
    for bytes in [&[0xffu8; 64][..], b"\x82\x05hello", b"\x83\x80\0\0\0\0", &huge, b"GET / HTTP/1.1\r\n\r\n"] {
        let mut viewer = open();
        viewer.socket.get_mut().write_all(bytes).unwrap();
        read_all(viewer.socket.get_mut());
        calm.next();
    }
    dashboard.becomes(1, "has one viewer", |state| state["viewers"] == 1);
    is_served(&dashboard);
}
