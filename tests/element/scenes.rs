//! Hard cuts within a stream: what moves, however fast, and what fades is none; behind one the maps begin anew.

use std::path::PathBuf;

use gst::prelude::*;
use gst_video::VideoFormat;

use crate::models;
use crate::rig::{self, Rig, info};
use crate::support;

/// Next to nothing is computed, and nothing painted.
const SETTINGS: [(&str, &str); 3] = [("input-size", "64x64"), ("output-mode", "none"), ("self-check", "false")];
const SIDE: u32 = 64;

fn cuts(element: &gst::Element) -> u64 {
    element.property::<gst::Structure>("stats").get("scene-cuts").unwrap()
}

#[test]
fn clips_without_a_cut_have_none_found_in_them() {
    let demo = support::root().join("media/demo.mp4");
    let shared = support::shared().map(|data| data.join("videos"));
    let clips = ["bottles.mp4", "cockatoo_yuv444.mp4", "pan_strawberry.mp4"];
    let clips = shared.iter().flat_map(|folder| clips.map(|clip| folder.join(clip)));
    let clips: Vec<PathBuf> = clips.chain(demo.exists().then_some(demo)).collect();
    let _others = rig::among_others();
    for clip in clips {
        let text = format!(
            "filesrc location={} ! decodebin ! videoconvert ! videoscale ! video/x-raw,width={SIDE},height={SIDE} ! GRADCAM \
             ! fakesink sync=false",
            clip.display()
        );
        let model = models::save(&models::sides());
        let pipeline = rig::launch(&text, &model.path, &SETTINGS);
        let gradcam = pipeline.iterate_elements().find(|e| e.factory().is_some_and(|f| f.name() == "gradcam")).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        rig::until_eos(pipeline.upcast_ref());
        let stats: gst::Structure = gradcam.property("stats");
        println!("{}: {} frames, {} cuts", clip.display(), stats.get::<u64>("frames-in").unwrap(), cuts(&gradcam));
        assert!(stats.get::<u64>("frames-in").unwrap() > 100);
        assert_eq!(cuts(&gradcam), 0, "{}", clip.display());
    }
}

#[test]
fn from_photograph_to_photograph_each_cut_is_found() {
    let Some(data) = support::shared() else { return };
    let photographs = [
        "banana.jpg",
        "cat.jpg",
        "coffee.jpg",
        "dragonfly.jpg",
        "hotdog.jpg",
        "jellyfish.jpg",
        "macaw.jpg",
        "malamute.jpg",
        "polar_bear.jpg",
        "robin.jpg",
        "samoyed.png",
        "stingray.jpg",
        "strawberry.jpg",
        "sunflower.jpg",
    ];
    let mut rig = Rig::new(info(VideoFormat::Rgb, SIDE, SIDE), &SETTINGS);
    for (n, name) in photographs.iter().enumerate() {
        let picture = image::open(data.join("images").join(name)).unwrap();
        // A camera that moves over it.
        let picture = picture.resize_to_fill(SIDE + 12, SIDE + 12, image::imageops::FilterType::Triangle).to_rgb8();
        for i in 0..10 {
            let part = image::imageops::crop_imm(&picture, i, i / 2, SIDE, SIDE).to_image();
            let mut buffer = gst::Buffer::from_mut_slice(part.into_raw());
            let time = gst::ClockTime::from_mseconds(40 * (10 * n as u64 + u64::from(i)));
            buffer.get_mut().unwrap().set_pts(time);
            rig.pass(buffer);
            assert_eq!(cuts(&rig.element), n as u64, "{name}, frame {i}");
        }
    }
}

#[test]
fn behind_a_cut_the_map_is_not_mixed_with_the_last_scenes() {
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of, &[("target-class", "bright"), ("smoothing", "1000")]);
    let mut at = |ms, left, right| rig.at(ms, left, right).0;
    for ms in [0, 40, 80] {
        at(ms, 100, 50);
    }
    let (_, right) = at(120, 100, 90);
    assert!(right < 140.0, "a change within a scene comes slowly, not up to {right} at once");
    let (left, right) = at(160, 0, 255);
    assert!(left < 2.0 && right > 250.0, "another scene is seen as it is: {left}, {right}");
    let (left, _) = at(200, 60, 255);
    assert!(left < 10.0, "and changes come slowly again: {left}");
    assert_eq!(cuts(&rig.element), 1);
}
