//! How calm the map is on video with what is set where nothing is: the demo model on a still scene, and on empty ones.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gst_video::VideoFormat;

use crate::rig::{self, Rig, info};
use crate::support;

const PHOTOGRAPHS: [&str; 3] = ["banana.jpg", "cat.jpg", "cat_and_bottle.jpg"];
const SIZE: (u32, u32) = (320, 240);

/// Mean opacity of each frame, of what the default `alpha` paints: the map itself comes out, opacity goes with heat up to 0.5.
fn opacities(normalization: &str, frames: impl Iterator<Item = Vec<u8>>) -> Vec<f32> {
    let of = info(VideoFormat::Rgb, SIZE.0, SIZE.1);
    let settings = [
        ("model", &*support::demo_model().to_string_lossy()),
        ("preprocess", "auto"),
        ("resize-mode", "full-frame"),
        ("threads", "2"),
        ("normalization", normalization),
        ("smoothing", if normalization == "frame" { "0" } else { "200" }),
    ]
    .map(|(name, value)| (name, value.to_string()));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut rig = Rig::new(of, &settings);
    let opacity = |(i, pixels): (usize, Vec<u8>)| {
        let mut buffer = gst::Buffer::from_mut_slice(pixels);
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(i as u64 * 1000 / 30));
        let out = rig.pass(buffer);
        let seen = rig::bytes(&out);
        0.5 * seen.iter().map(|&v| f32::from(v) / 255.0).sum::<f32>() / seen.len() as f32
    };
    frames.enumerate().map(opacity).collect()
}

/// Changes from frame to frame, as shares of the opacity: the largest and the mean one.
fn changes(opacities: &[f32]) -> (f32, f32) {
    let changes: Vec<f32> = opacities.windows(2).map(|pair| (pair[1] - pair[0]).abs() / pair[0]).collect();
    (changes.iter().copied().fold(0.0, f32::max), changes.iter().sum::<f32>() / changes.len() as f32)
}

/// A sensor's noise, the same in every run: near to normal, with this deviation.
fn noisy(pixels: &[u8], deviation: f32, state: &mut u32) -> Vec<u8> {
    let mut uniform = || {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        *state as f32 / u32::MAX as f32
    };
    let mut noise = || (uniform() + uniform() + uniform() - 1.5) * 2.0 * deviation;
    pixels.iter().map(|&v| (f32::from(v) + noise()).round().clamp(0.0, 255.0) as u8).collect()
}

fn photograph(name: &str) -> Option<Vec<u8>> {
    let path: PathBuf = support::shared()?.join("images").join(name);
    let picture = image::open(path).unwrap().resize_to_fill(SIZE.0, SIZE.1, image::imageops::FilterType::Triangle);
    Some(picture.to_rgb8().into_raw())
}

#[test]
fn a_still_scene_stays_still() {
    for name in PHOTOGRAPHS {
        let Some(still) = photograph(name) else { return };
        let frames = |seed: u32| {
            let (still, mut state) = (still.clone(), seed);
            (0..45).map(move |_| noisy(&still, 6.0, &mut state))
        };
        let [running, frame] = ["running", "frame"].map(|normalization| opacities(normalization, frames(1)));
        let ((most, mean), (most_of_frame, mean_of_frame)) = (changes(&running), changes(&frame));
        println!(
            "{name}: opacity changes by {:.1} % at most and {:.1} % in the mean with running, {:.1} and {:.1} % with frame",
            100.0 * most,
            100.0 * mean,
            100.0 * most_of_frame,
            100.0 * mean_of_frame
        );
        assert!(most <= 0.05 && most < most_of_frame, "{name}: {running:?}, {frame:?}");
    }
}

/// Where two classes are as likely, and change places with the sensor's noise.
#[test]
fn a_filmed_still_scene_stays_still() {
    let Some(data) = support::shared() else { return };
    rig::init();
    let text = format!(
        "filesrc location={} ! decodebin ! videoconvert ! videoscale add-borders=false \
         ! video/x-raw,format=RGB,width={},height={} ! identity eos-after=60 ! fakesink name=sink sync=false",
        data.join("videos/bottles.mp4").display(),
        SIZE.0,
        SIZE.1
    );
    let pipeline: gst::Pipeline = gst::parse::launch(&text).unwrap().downcast().unwrap();
    let frames = Arc::new(Mutex::new(Vec::new()));
    let (seen, sink) = (frames.clone(), pipeline.by_name("sink").unwrap().static_pad("sink").unwrap());
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, probe| {
        seen.lock().unwrap().push(rig::bytes(probe.buffer().unwrap()));
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    rig::until_eos(pipeline.upcast_ref());
    let frames = std::mem::take(&mut *frames.lock().unwrap());
    assert!(frames.len() >= 50, "{} frames", frames.len());
    let (most, mean) = changes(&opacities("running", frames.into_iter()));
    println!("bottles: opacity changes by {:.1} % at most and {:.1} % in the mean", 100.0 * most, 100.0 * mean);
    assert!(most <= 0.05, "{most}");
}

#[test]
fn an_empty_scene_stays_pale() {
    let pixels = (SIZE.0 * SIZE.1) as usize;
    for (name, grey, deviation) in
        [("black", 0u8, 0.0f32), ("grey", 128, 0.0), ("noisy grey", 128, 6.0), ("dark noise", 16, 4.0)]
    {
        let flat = vec![grey; 3 * pixels];
        let frames = || {
            let (flat, mut state) = (flat.clone(), 1);
            (0..30).map(move |_| noisy(&flat, deviation, &mut state))
        };
        let [running, frame] = ["running", "frame"].map(|normalization| {
            let seen = opacities(normalization, frames());
            seen.iter().sum::<f32>() / seen.len() as f32
        });
        println!("{name}: running {running:.3}, frame {frame:.3}");
        assert!(running <= 0.1, "{name}: {running}");
    }
}
