//! Puts frames of a video, evenly spread over its length, on one picture.
//!
//!     cargo run --example contact_sheet -- VIDEO OUT.png

use std::error::Error;
use std::path::Path;
use std::{env, process};

use gst_video::prelude::*;
use image::RgbImage;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const COLUMNS: u32 = 4;
const ROWS: u32 = 4;
/// Width of one frame on the sheet; its height follows from the video.
const TILE: u32 = 480;
const GAP: u32 = 6;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [video, out] = &args[..] else {
        eprintln!("usage: contact_sheet VIDEO OUT.png");
        process::exit(2);
    };
    if let Err(error) = frames(video).and_then(|frames| Ok(sheet(&frames).save(out)?)) {
        eprintln!("contact_sheet: {video}: {error}");
        process::exit(1);
    }
}

/// As many frames as the sheet holds, from the middle of as many equal parts of the video.
fn frames(video: &str) -> Result<Vec<RgbImage>> {
    gst::init()?;
    let line = "filesrc name=file ! decodebin ! videoconvert ! videoscale \
                ! appsink name=frames sync=false max-buffers=2";
    let pipeline = gst::parse::launch(line)?.downcast::<gst::Pipeline>().map_err(|_| "not a pipeline")?;
    pipeline.by_name("file").ok_or("no filesrc")?.set_property("location", Path::new(video));
    let sink = pipeline.by_name("frames").ok_or("no appsink")?;
    let sink = sink.downcast::<gst_app::AppSink>().map_err(|_| "not an appsink")?;
    let square = gst::Fraction::new(1, 1);
    let caps = gst::Caps::builder("video/x-raw").field("format", "RGB").field("width", TILE as i32);
    sink.set_caps(Some(&caps.field("pixel-aspect-ratio", square).build()));
    pipeline.set_state(gst::State::Paused)?;
    let (state, ..) = pipeline.state(gst::ClockTime::from_seconds(30));
    state.map_err(|_| "it cannot be decoded")?;
    let length = pipeline.query_duration::<gst::ClockTime>().ok_or("its length is not known")?;
    pipeline.set_state(gst::State::Playing)?;

    let count = COLUMNS * ROWS;
    let mut frames = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().ok_or("a frame without data")?;
        let due = length * (2 * frames.len() as u64 + 1) / (2 * u64::from(count));
        if frames.len() < count as usize && buffer.pts().is_some_and(|pts| pts >= due) {
            frames.push(picture(&sample)?);
        }
    }
    pipeline.set_state(gst::State::Null)?;
    if frames.is_empty() { Err("it holds no frames".into()) } else { Ok(frames) }
}

fn picture(sample: &gst::Sample) -> Result<RgbImage> {
    let info = gst_video::VideoInfo::from_caps(sample.caps().ok_or("a frame without caps")?)?;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer().ok_or("no data")?, &info)?;
    let row = info.width() as usize * 3;
    let stride = frame.plane_stride()[0] as usize;
    let lines = frame.plane_data(0)?.chunks(stride).take(info.height() as usize);
    let pixels = lines.flat_map(|line| &line[..row]).copied().collect();
    RgbImage::from_raw(info.width(), info.height(), pixels).ok_or_else(|| "a short frame".into())
}

fn sheet(frames: &[RgbImage]) -> RgbImage {
    let (width, height) = frames[0].dimensions();
    let mut sheet = RgbImage::new(COLUMNS * (width + GAP) + GAP, ROWS * (height + GAP) + GAP);
    for (i, frame) in (0..).zip(frames) {
        let (x, y) = (GAP + i % COLUMNS * (width + GAP), GAP + i / COLUMNS * (height + GAP));
        image::imageops::replace(&mut sheet, frame, x.into(), y.into());
    }
    sheet
}
