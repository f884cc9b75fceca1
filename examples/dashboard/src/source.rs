//! Where a camera's pictures come from: how it is spelt, and the elements that play it.

mod clock;

use std::path::PathBuf;
use std::sync::Mutex;

use gst::glib;
use gst::prelude::*;

use crate::Result;
use crate::camera::lock;

/// A source and its name on the page.
#[derive(Debug, Clone)]
pub struct Source {
    /// As given, or what the address says.
    pub name: String,
    /// The address without what should not be told: user, password, query.
    pub told: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Test(String),
    /// A picture that bears the time at which it was made.
    Clock,
    Device(PathBuf),
    File(PathBuf),
    Uri(String),
}

/// How long the jitter of a network camera is smoothed, in milliseconds.
const JITTER: u32 = 200;
/// The size of test pictures.
const TEST: &str = "video/x-raw,width=640,height=360,framerate=30/1";

impl Source {
    /// `[NAME=]ADDRESS`, a name being what stands before the first `=` and cannot be part of an address.
    pub fn parse(text: &str) -> Result<Source> {
        let (name, address) = match text.split_once('=') {
            Some((name, address)) if !name.contains([':', '/', '?']) => (Some(name.trim()), address),
            _ => (None, text),
        };
        let (kind, told) = match address.split_once(':') {
            Some(("test", "clock")) => (Kind::Clock, address.to_string()),
            Some(("test", pattern)) => (Kind::Test(pattern.into()), address.to_string()),
            Some(("v4l2", device)) => (Kind::Device(device.into()), address.to_string()),
            Some((_, rest)) if rest.starts_with("//") => (Kind::Uri(address.into()), without_secrets(address)?),
            _ => (Kind::File(address.into()), address.to_string()),
        };
        let own = match &kind {
            Kind::File(path) => path.file_stem().map(|stem| stem.to_string_lossy().into_owned()),
            Kind::Test(pattern) => Some(format!("test: {pattern}")),
            _ => None,
        };
        let name = name.filter(|name| !name.is_empty()).map(String::from);
        Ok(Source { name: name.or(own).unwrap_or_else(|| told.clone()), told, kind })
    }

    /// A sentence where it is known beforehand that nothing can come from there.
    pub fn check(&self) -> Result<()> {
        match &self.kind {
            Kind::Test(pattern) => test_source(pattern).map(drop),
            Kind::File(path) => match std::fs::metadata(path) {
                Ok(found) if found.is_file() => Ok(()),
                Ok(_) => Err(format!("the source {path:?} is not a file")),
                Err(error) => Err(format!(
                    "the source {path:?} cannot be read: {error}; a source is a video file, rtsp://..., v4l2:DEVICE or test:PATTERN"
                )),
            },
            Kind::Uri(address) => match gst::Element::make_from_uri(gst::URIType::Src, address, None) {
                Ok(_) => Ok(()),
                Err(_) => Err(format!("GStreamer has no element that plays {:?}", self.told)),
            },
            Kind::Clock | Kind::Device(_) => Ok(()),
        }
    }

    /// What GStreamer says of it, without what should not be told.
    pub fn discreet(&self, text: &str) -> String {
        match &self.kind {
            Kind::Uri(uri) => text.replace(uri.as_str(), &self.told),
            _ => text.to_string(),
        }
    }

    /// Whether it begins anew where it ends.
    pub fn repeats(&self) -> bool {
        matches!(self.kind, Kind::File(_))
    }

    /// A bin with a pad `src` of raw video, in real time.
    pub fn make(&self) -> Result<gst::Bin> {
        // It comes to play by itself, whatever sources that failed before it have left the pipeline waiting for.
        let bin = gst::Bin::builder().name("source").property("async-handling", true).build();
        // What is not live by itself is played as fast as it is seen.
        let paced = matches!(&self.kind, Kind::File(_)) || matches!(&self.kind, Kind::Uri(u) if u.starts_with("http"));
        let last = make(if paced { "clocksync" } else { "identity" })?;
        if paced {
            begin_now(&last);
        }
        let convert = make("videoconvert")?;
        bin.add_many([&convert, &last]).and_then(|()| convert.link(&last)).map_err(wiring)?;
        match &self.kind {
            Kind::Test(pattern) => add_raw(&bin, &test_source(pattern)?, &convert)?,
            Kind::Clock => {
                let source = test_source("black")?;
                clock::paint(&source);
                add_raw(&bin, &source, &convert)?;
            }
            Kind::Device(path) => {
                let (source, decode) = (make("v4l2src")?, make("decodebin")?);
                source.set_property("device", path);
                bin.add_many([&source, &decode]).and_then(|()| source.link(&decode)).map_err(wiring)?;
                link_video(&decode, &convert);
            }
            Kind::File(path) => {
                let path = path.canonicalize().map_err(|error| format!("{path:?} cannot be read: {error}"))?;
                let uri = glib::filename_to_uri(&path, None).map_err(|error| format!("{path:?}: {error}"))?;
                add_uri(&bin, &uri, &convert)?;
            }
            Kind::Uri(uri) => add_uri(&bin, uri, &convert)?,
        }
        let pad = last.static_pad("src").ok_or("an element without a source pad")?;
        let ghost = gst::GhostPad::builder_with_target(&pad).map_err(wiring)?.name("src").build();
        bin.add_pad(&ghost).map_err(wiring)?;
        Ok(bin)
    }
}

/// What plays where nothing is named: the videos that the project made of photographs, else test pictures.
pub fn built_in() -> Vec<Source> {
    let mut videos: Vec<String> = std::fs::read_dir("media")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.path().into_os_string().into_string().ok())
        .filter(|path| path.ends_with(".mp4"))
        .collect();
    videos.sort();
    if videos.is_empty() {
        videos = ["test:ball", "test:smpte", "test:pinwheel"].map(String::from).into();
    }
    videos.iter().flat_map(|address| Source::parse(address)).collect()
}

fn without_secrets(address: &str) -> Result<String> {
    // What cannot be read is not told either.
    let unreadable =
        || format!("the source begins with {:?} and cannot be read as an address", address.split("//").next());
    let uri = address.parse::<axum::http::Uri>().map_err(|_| unreadable())?;
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return Err(unreadable()) };
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{scheme}://{host}{port}{}", uri.path()))
}

fn test_source(pattern: &str) -> Result<gst::Element> {
    let source = make("videotestsrc")?;
    let pspec = source.find_property("pattern").ok_or("videotestsrc has no patterns")?;
    let value = glib::Value::deserialize_with_pspec(pattern, &pspec).map_err(|_| {
        format!("the source test:{pattern} has a pattern that videotestsrc does not know; test:ball and test:smpte are some that it does")
    })?;
    source.set_property_from_value("pattern", &value);
    source.set_property("is-live", true);
    Ok(source)
}

fn add_raw(bin: &gst::Bin, source: &gst::Element, next: &gst::Element) -> Result<()> {
    let caps: gst::Caps = TEST.parse().map_err(wiring)?;
    bin.add(source).map_err(wiring)?;
    source.link_filtered(next, &caps).map_err(wiring)
}

fn add_uri(bin: &gst::Bin, uri: &str, next: &gst::Element) -> Result<()> {
    let decode = make("uridecodebin")?;
    decode.set_property("uri", uri);
    decode.connect("source-setup", false, |values| {
        let source = values.get(1).and_then(|value| value.get::<gst::Element>().ok());
        if let Some(source) = source.filter(|source| source.factory().is_some_and(|it| it.name() == "rtspsrc")) {
            source.set_property("latency", JITTER);
        }
        None
    });
    // A camera's Motion JPEG is one stream: not told so, the demuxer waits for others, and no picture comes until megabytes have.
    if let Some(parts) = decode.downcast_ref::<gst::Bin>() {
        parts.connect_deep_element_added(|_, _, part| {
            if part.factory().is_some_and(|it| it.name() == "multipartdemux") {
                part.set_property("single-stream", true);
            }
        });
    }
    bin.add(&decode).map_err(wiring)?;
    link_video(&decode, next);
    Ok(())
}

/// Each stream, and each one after a seek, begins at the time that it is now, so that times only go on, and gives pictures without a
/// time (Motion JPEG) that one.
fn begin_now(sync: &gst::Element) {
    let Some(pad) = sync.static_pad("sink") else { return };
    let segment = Mutex::new(gst::FormattedSegment::<gst::ClockTime>::new());
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |pad, probe| {
        let now = pad.parent_element().and_then(|sync| sync.current_running_time());
        match &mut probe.data {
            Some(gst::PadProbeData::Event(event)) => {
                if let gst::EventView::Segment(own) = event.view()
                    && let Some(own) = own.segment().downcast_ref::<gst::ClockTime>()
                {
                    let mut moved = own.clone();
                    moved.set_base(now);
                    *event = gst::event::Segment::new(&moved);
                    *lock(&segment) = moved;
                }
            }
            Some(gst::PadProbeData::Buffer(buffer)) if buffer.pts().is_none() => {
                let time = now.and_then(|now| lock(&segment).position_from_running_time(now));
                buffer.make_mut().set_pts(time);
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

/// Of what a decoder finds, the first video is played.
fn link_video(decode: &gst::Element, next: &gst::Element) {
    let sink = next.static_pad("sink");
    let first = sink.clone();
    decode.connect_no_more_pads(move |decode| {
        if !first.as_ref().is_some_and(|first| first.is_linked()) {
            gst::element_error!(decode, gst::StreamError::WrongType, ("there is no video in it"));
        }
    });
    decode.connect_pad_added(move |_, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let video = caps.structure(0).is_some_and(|structure| structure.name().starts_with("video/"));
        if let Some(sink) = sink.as_ref().filter(|sink| video && !sink.is_linked()) {
            // A refusal is an ERROR of the decoder's: not linked.
            let _ = pad.link(sink);
        }
    });
}

/// An element of GStreamer's.
pub fn make(name: &str) -> Result<gst::Element> {
    let missing =
        |_| format!("GStreamer's element {name} is missing; scripts/setup.sh dashboard installs what holds it");
    gst::ElementFactory::make(name).build().map_err(missing)
}

/// What goes wrong only where elements are not what they were.
pub fn wiring(error: impl std::fmt::Display) -> String {
    format!("the pipeline could not be put together: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String) {
        let source = Source::parse(text).unwrap();
        (source.name, source.told)
    }

    #[test]
    fn a_name_stands_before_the_address() {
        assert_eq!(parts("door=rtsp://10.0.0.1/live?profile=1"), ("door".into(), "rtsp://10.0.0.1/live".into()));
        assert_eq!(parts("test:ball"), ("test: ball".into(), "test:ball".into()));
        assert_eq!(parts("videos/cats.mp4"), ("cats".into(), "videos/cats.mp4".into()));
    }

    #[test]
    fn an_address_without_a_name_with_an_equals_sign_is_an_address() {
        let told = "rtsp://cam.local/live".to_string();
        assert_eq!(parts("rtsp://cam.local/live?profile=1"), (told.clone(), told));
    }

    #[test]
    fn passwords_are_told_nobody() {
        assert_eq!(parts("rtsp://admin:secret@cam.local:554/live?key=secret").1, "rtsp://cam.local:554/live");
        assert!(!Source::parse("rtsp://admin:sec ret@cam/").unwrap_err().contains("ret@"));
    }
}
