//! THE TABLE of containers that can be written, and of the encoders for each, best first.

use std::path::Path;

use gst::prelude::*;

use crate::Result;

/// An encoder: its element, the Debian package that holds it, and what its stream needs before the muxer.
pub struct Encoder {
    pub element: &'static str,
    pub package: &'static str,
    pub parser: Option<&'static str>,
    /// Takes odd widths and heights.
    pub odd: bool,
    /// Properties, as gst-launch spells them.
    settings: &'static [(&'static str, &'static str)],
}

/// A container by the extension of its files.
pub struct Format {
    extension: &'static str,
    pub muxer: (&'static str, &'static str),
    video: &'static [Encoder],
    audio: &'static [Encoder],
}

const GOOD: &str = "gstreamer1.0-plugins-good";
const BAD: &str = "gstreamer1.0-plugins-bad";
const BASE: &str = "gstreamer1.0-plugins-base";
const UGLY: &str = "gstreamer1.0-plugins-ugly";
const LIBAV: &str = "gstreamer1.0-libav";

const H264: Option<&str> = Some("h264parse");
/// No B-frames: they come out of order, and players then show the whole video two frames late. `superfast` with what keeps files
/// small: those of `veryfast` to 4 %, in two thirds of its time.
const QUALITY: &[(&str, &str)] = &[
    ("pass", "qual"),
    ("quantizer", "20"),
    ("speed-preset", "superfast"),
    ("option-string", "bframes=0:mbtree=1:rc-lookahead=10:weightp=1"),
];
const VPX: &[(&str, &str)] = &[("deadline", "1"), ("cpu-used", "5"), ("min-quantizer", "4"), ("max-quantizer", "32")];
/// Microseconds of a frame that count as one bit a second: 0.15 bits a pixel at 25 frames a second.
const BITS_PER_PIXEL_SECOND: u64 = 4;

#[rustfmt::skip]
static TABLE: &[Format] = &[
    Format { extension: "mp4",  muxer: ("mp4mux", GOOD),      video: &[X264, OPENH264],        audio: &[AVAAC, FDKAAC, VOAAC, FAAC] },
    Format { extension: "webm", muxer: ("webmmux", GOOD),     video: &[VP8, VP9],              audio: &[OPUS, VORBIS] },
    Format { extension: "mkv",  muxer: ("matroskamux", GOOD), video: &[X264, OPENH264, VP8],   audio: &[OPUS, VORBIS, AVAAC] },
];

const X264: Encoder = Encoder { element: "x264enc", package: UGLY, parser: H264, odd: false, settings: QUALITY };
const OPENH264: Encoder = Encoder { element: "openh264enc", package: BAD, parser: H264, odd: false, settings: &[] };
const VP8: Encoder = Encoder { element: "vp8enc", package: GOOD, parser: None, odd: true, settings: VPX };
const VP9: Encoder = Encoder { element: "vp9enc", package: GOOD, parser: None, odd: true, settings: VPX };
const AVAAC: Encoder = audio("avenc_aac", LIBAV, Some("aacparse"));
const FDKAAC: Encoder = audio("fdkaacenc", BAD, Some("aacparse"));
const VOAAC: Encoder = audio("voaacenc", BAD, Some("aacparse"));
const FAAC: Encoder = audio("faac", BAD, Some("aacparse"));
const OPUS: Encoder = audio("opusenc", BASE, None);
const VORBIS: Encoder = audio("vorbisenc", BASE, None);

const fn audio(element: &'static str, package: &'static str, parser: Option<&'static str>) -> Encoder {
    Encoder { element, package, parser, odd: true, settings: &[] }
}

/// The container that a file's name asks for.
pub fn of(output: &Path) -> Result<&'static Format> {
    let asked = output.extension().unwrap_or_default();
    TABLE.iter().find(|format| asked.eq_ignore_ascii_case(format.extension)).ok_or_else(|| {
        let known: Vec<_> = TABLE.iter().map(|format| format!(".{}", format.extension)).collect();
        format!("{output:?} does not say what to write; end its name in {}", known.join(", ")).into()
    })
}

impl Format {
    /// The best video encoder that is installed.
    pub fn video(&self) -> Result<&'static Encoder> {
        installed(self.video, "video", self.extension)
    }

    /// The best audio encoder that is installed.
    pub fn audio(&self) -> Result<&'static Encoder> {
        installed(self.audio, "audio", self.extension)
    }
}

fn installed(encoders: &'static [Encoder], kind: &str, extension: &str) -> Result<&'static Encoder> {
    encoders.iter().find(|encoder| gst::ElementFactory::find(encoder.element).is_some()).ok_or_else(|| {
        let wanted: Vec<_> = encoders.iter().map(|e| format!("{} ({})", e.element, e.package)).collect();
        let way_out = if kind == "audio" { ", or leave the sound out with --no-audio" } else { "" };
        format!("no {kind} encoder for .{extension} is installed; install one of {}{way_out}", wanted.join(", ")).into()
    })
}

impl Encoder {
    /// The element, set for quality; `pixels` and `rate` (frames a second) are those of the video.
    pub fn make(&self, pixels: u64, rate: f64) -> Result<gst::Element> {
        let element = make(self.element, self.package)?;
        for (name, value) in self.settings {
            set(&element, name, value)?;
        }
        let bits = (pixels as f64 * rate * BITS_PER_PIXEL_SECOND as f64 / 25.0) as u64;
        match self.element {
            "vp8enc" | "vp9enc" => set(&element, "target-bitrate", &bits.clamp(500_000, 60_000_000).to_string())?,
            "openh264enc" => set(&element, "bitrate", &bits.clamp(500_000, 60_000_000).to_string())?,
            _ => {}
        }
        Ok(element)
    }
}

/// An element of GStreamer's, or a sentence that names the package it comes with.
pub fn make(element: &str, package: &str) -> Result<gst::Element> {
    gst::ElementFactory::make(element).build().map_err(|_| {
        format!("GStreamer's element {element} is missing; install the package {package} (Debian's name for it)").into()
    })
}

/// Sets a property from text, as gst-launch does, but with a sentence where the value does not fit.
pub fn set(element: &gst::Element, name: &str, value: &str) -> Result<()> {
    let kind = element.factory().map_or_else(|| element.name(), |factory| factory.name());
    let pspec = element.find_property(name).ok_or_else(|| format!("the element {kind} has no property {name}"))?;
    let value = gst::glib::Value::deserialize_with_pspec(value, &pspec)
        .map_err(|_| format!("--{name}: {value:?} is no value for the property {name} of {kind}"))?;
    element.set_property_from_value(name, &value);
    Ok(())
}
