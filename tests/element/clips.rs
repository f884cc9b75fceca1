//! Real clips through the demo model: every frame comes out, at its time, painted on. Where the clips are there.

use std::sync::{Arc, Mutex};

use gst::prelude::*;

use crate::rig;
use crate::support;

/// Of each clip; all of it would take minutes without optimisation.
const PART: gst::ClockTime = gst::ClockTime::from_mseconds(700);

#[test]
fn frames_of_real_clips_come_out_as_many_as_they_went_in_each_at_its_time_and_painted() {
    rig::init();
    let Some(data) = support::shared() else { return };
    for clip in ["bottles.mp4", "cockatoo_yuv444.mp4", "pan_strawberry.mp4", "pan_strawberry.webm"] {
        let text = format!(
            "filesrc location={} ! decodebin ! videoconvert ! GRADCAM ! fakesink sync=false",
            data.join("videos").join(clip).display()
        );
        let _others = rig::among_others();
        let pipeline = rig::launch(&text, &support::demo_model(), &[]);
        let gradcam = pipeline.iterate_elements().find(|e| e.factory().is_some_and(|f| f.name() == "gradcam")).unwrap();
        for (name, value) in
            [("preprocess", "auto"), ("resize-mode", "auto"), ("alpha", "0.5"), ("draw-labels", "true")]
        {
            gradcam.set_property_from_str(name, value);
        }
        let [before, after] = ["sink", "src"].map(|name| {
            let frames = Arc::new(Mutex::new(Vec::new()));
            let seen = frames.clone();
            gradcam.static_pad(name).unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, probe| {
                let buffer = probe.buffer().unwrap();
                let sum =
                    rig::bytes(buffer).iter().fold(0u64, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
                seen.lock().unwrap().push((buffer.pts(), sum));
                gst::PadProbeReturn::Ok
            });
            frames
        });
        pipeline.set_state(gst::State::Paused).unwrap();
        pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
        // The sink holds on to the first frame now, so none is on its way: the count begins with the seek.
        for frames in [&before, &after] {
            frames.lock().unwrap().clear();
        }
        let (flags, from) = (gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, gst::SeekType::Set);
        pipeline.seek(1.0, flags, from, gst::ClockTime::ZERO, gst::SeekType::Set, PART).unwrap();
        pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        rig::until_eos(pipeline.upcast_ref());
        let (before, after) = (before.lock().unwrap(), after.lock().unwrap());
        assert!(before.len() >= 10, "{clip}: {} frames", before.len());
        assert_eq!(before.len(), after.len(), "{clip}: frames are lost");
        for (n, ((time_in, as_was), (time_out, painted))) in before.iter().zip(after.iter()).enumerate() {
            assert_eq!(time_in, time_out, "{clip}: frame {n}");
            assert!(as_was != painted, "{clip}: frame {n} is not painted");
        }
        println!("{clip}: {} frames in, {} out", before.len(), after.len());
    }
}
