//! Faults on purpose: loads and runs that fail, hang, panic, die or take their time. Frames in are frames out in every one.

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};

use crate::loading::progress;
use crate::models;
use crate::rig::{self, Rig, bytes, halves, info, until};

const ASYNC: (&str, &str) = ("mode", "async");
const BRIGHT: (&str, &str) = ("target-class", "bright");

fn of() -> VideoInfo {
    info(VideoFormat::I420, 64, 48)
}

/// Longer than any test runs: whoever waits for it does not come back.
const FOR_EVER: &str = "slow-load-ms=100000000";

#[test]
fn frames_pass_while_a_model_loads_and_stopping_does_not_wait_for_it() {
    let mut rig = Rig::new(of(), &[ASYNC, ("fault", FOR_EVER)]);
    for n in 0..20 {
        assert!(rig.at(n * 40, 230, 0).1, "there is no map yet");
    }
    assert_eq!(rig.element.property::<Option<String>>("resolved-target-layer"), None);
    rig.element.set_state(gst::State::Null).unwrap();
    let told = progress(&rig.bus);
    assert_eq!(told.first().map(|told| told.0), Some(gst::ProgressType::Start));
    assert_eq!(told.last().map(|told| told.0), Some(gst::ProgressType::Canceled), "{told:?}");
    assert!(rig.warnings().is_empty());
}

#[test]
fn the_first_frame_waits_where_it_is_to_and_a_flush_ends_that() {
    let mut rig = Rig::new(of(), &[ASYNC, ("wait-for-model", "true"), ("fault", "slow-load-ms=100")]);
    rig.at(0, 230, 0);
    assert_eq!(rig.element.property::<Option<String>>("resolved-target-layer").as_deref(), Some("layer"));
    let mut rig = Rig::new(of(), &[ASYNC, ("wait-for-model", "true"), ("fault", FOR_EVER)]);
    for _ in 0..2 {
        let (pad, frame) = (rig.pad(), rig.frame(0, 230, 0));
        let push = std::thread::spawn(move || pad.chain(frame));
        assert!(rig.pad().send_event(gst::event::FlushStart::new()));
        assert_eq!(push.join().unwrap(), Err(gst::FlowError::Flushing));
        assert!(rig.pad().send_event(gst::event::FlushStop::new(true)));
        rig.segment(0);
    }
    assert!(rig.harness.try_pull().is_none());
    let (pad, frame) = (rig.pad(), rig.frame(0, 230, 0));
    let push = std::thread::spawn(move || pad.chain(frame));
    rig.element.set_state(gst::State::Null).unwrap();
    assert!(push.join().unwrap().is_err());
}

#[test]
fn a_load_that_fails_leaves_the_frames_alone_and_the_next_wish_is_heard() {
    let mut rig = Rig::new(of(), &[ASYNC, BRIGHT, ("fault", "fail-load=1")]);
    until("the failure as progress", || {
        progress(&rig.bus).iter().any(|(kind, _)| *kind == gst::ProgressType::Error).then_some(())
    });
    let mut ms = 0;
    let warnings = until("a warning", || {
        ms += 40;
        assert!(rig.at(ms, 230, 0).1);
        Some(rig.warnings()).filter(|warnings| !warnings.is_empty())
    });
    assert!(warnings.len() == 1 && warnings[0].1.contains("goes on without a map"), "{warnings:?}");
    rig.element.set_property("fault", "");
    until("a map", || {
        ms += 40;
        (!rig.at(ms, 230, 0).1).then_some(())
    });
    rig.element.set_property("fault", FOR_EVER);
    rig.at(ms + 40, 230, 0);
    rig.element.set_property("fault", "fail-load=1");
    until("a warning", || {
        ms += 40;
        assert!(!rig.at(ms, 230, 0).1, "the model so far goes on");
        Some(rig.warnings()).filter(|warnings| !warnings.is_empty())
    });
}

/// `frames` frames one by one, four at a time and async: how many warnings, after all have come out.
fn all_come_out(fault: &str, frames: u64) -> Vec<usize> {
    // Where frames wait for a model that cannot be opened there is no stream.
    let wait = if fault.contains("fail-load") { "false" } else { "true" };
    let modes = [vec![], vec![("max-in-flight", "4")], vec![ASYNC]];
    modes
        .map(|mode| {
            let settings = [BRIGHT, ("fault", fault), ("wait-for-model", wait), ("inference-timeout", "0.5")];
            let mut rig = Rig::new(of(), &[&settings, &mode[..]].concat());
            for ms in 0..frames {
                rig.pad().chain(rig.frame(ms * 40, 230, 0)).unwrap();
            }
            rig.pad().send_event(gst::event::Eos::new());
            for ms in 0..frames {
                let out = rig.harness.try_pull().expect("no frame is lost");
                assert_eq!(out.pts(), Some(gst::ClockTime::from_mseconds(ms * 40)), "{fault} {mode:?}");
            }
            assert!(rig.harness.try_pull().is_none(), "{fault} {mode:?}: more came out than went in");
            rig.warnings().len()
        })
        .into()
}

#[test]
fn a53_whatever_goes_wrong_no_frame_is_lost() {
    for fault in [
        "fail-every=3",
        "fail-every=1",
        "nan-every=2",
        "nan-every=1",
        "hang-at=3",
        "panic-at=4",
        "kill-at=2",
        "kill-every=2",
        "panic-paint-at=1",
        "slow-ms=20,fail-every=2",
        "fail-every=2,nan-every=3,panic-at=4,kill-at=5,hang-at=7,panic-paint-at=2",
    ] {
        let warnings = all_come_out(fault, 12);
        assert!(warnings[0] > 0 && warnings[1] > 0, "{fault}: {warnings:?}");
    }
    all_come_out("fail-load=1", 12);
    all_come_out("slow-load-ms=50,fail-load=1", 12);
}

#[test]
fn a53_an_error_ends_the_stream_where_it_is_to() {
    let rig = Rig::new(of(), &[("on-error", "stop"), ("fault", "fail-every=3")]);
    let frame = |ms| rig.pad().chain(rig.frame(ms, 230, 0));
    assert_eq!(
        [frame(0), frame(40), frame(80)],
        [Ok(gst::FlowSuccess::Ok), Ok(gst::FlowSuccess::Ok), Err(gst::FlowError::Error)]
    );
    let message = rig.bus.pop_filtered(&[gst::MessageType::Error]).expect("an ERROR");
    let gst::MessageView::Error(error) = message.view() else { unreachable!("filtered") };
    assert!(error.error().matches(gst::StreamError::Failed), "{error:?}");
}

#[test]
fn a44_a_panic_in_the_model_is_a_warning_and_the_next_frame_has_its_map() {
    let mut rig = Rig::new(of(), &[BRIGHT, ("fault", "panic-at=2")]);
    let untouched = [0, 40, 80].map(|ms| rig.at(ms, 230, 0).1);
    assert_eq!(untouched, [false, true, false]);
    let warnings = rig.warnings();
    assert!(warnings.len() == 1 && warnings[0].1.contains("on purpose"), "{warnings:?}");
}

#[test]
fn a44_a_panic_while_painting_is_a_warning_and_the_next_frame_is_painted() {
    for mode in [("max-in-flight", "1"), ("max-in-flight", "4")] {
        let mut rig = Rig::new(of(), &[BRIGHT, mode, ("fault", "panic-paint-at=2")]);
        let untouched: Vec<bool> = [0, 40, 80]
            .map(|ms| {
                let frame = rig.frame(ms, 230, 0);
                let before = bytes(&frame);
                rig.pad().chain(frame).unwrap();
                rig.pad().send_event(gst::event::CustomDownstream::new(gst::Structure::new_empty("drain")));
                bytes(&rig.harness.try_pull().expect("no frame is lost")) == before
            })
            .into();
        assert_eq!(untouched, [false, true, false], "{mode:?}");
        let warnings = rig.warnings();
        assert!(warnings.len() == 1 && warnings[0].1.contains("on purpose"), "{mode:?}: {warnings:?}");
    }
}

/// Where frames are taken in nothing can be passed on for certain: the stream ends, and no other with it.
#[test]
fn a44_a_panic_on_the_frames_own_thread_is_one_error_and_not_the_elements_death() {
    for mode in ["sync", "async"] {
        let mut other = Rig::new(of(), &[BRIGHT]);
        let rig = Rig::new(of(), &[BRIGHT, ("mode", mode), ("wait-for-model", "true"), ("fault", "panic-frame-at=2")]);
        assert_eq!(rig.pad().chain(rig.frame(0, 230, 0)), Ok(gst::FlowSuccess::Ok));
        assert_eq!(rig.pad().chain(rig.frame(40, 230, 0)), Err(gst::FlowError::Error));
        let message = rig.bus.pop_filtered(&[gst::MessageType::Error]).expect("an ERROR");
        let gst::MessageView::Error(error) = message.view() else { unreachable!("filtered") };
        assert!(error.error().message().contains("please report it"), "{error:?}");
        assert!(rig.bus.pop_filtered(&[gst::MessageType::Error]).is_none(), "one ERROR");
        assert!(!other.at(0, 230, 0).1, "the other stream goes on");
        // The same element takes frames again, at once and after a new start.
        assert_eq!(rig.pad().chain(rig.frame(80, 230, 0)), Ok(gst::FlowSuccess::Ok));
        rig.element.set_state(gst::State::Null).unwrap();
        rig.element.set_property("fault", "");
        rig.element.set_state(gst::State::Playing).unwrap();
        assert!(rig.pad().send_event(gst::event::StreamStart::new("again")));
        assert!(rig.pad().send_event(gst::event::Caps::new(&of().to_caps().unwrap())));
        rig.segment(0);
        assert_eq!(rig.pad().chain(rig.frame(0, 230, 0)), Ok(gst::FlowSuccess::Ok));
    }
}

#[test]
fn a43_a_thread_that_dies_is_started_anew_and_given_up_the_fourth_time() {
    let mut rig = Rig::new(of(), &[BRIGHT, ("fault", "kill-at=2")]);
    let untouched = [0, 40, 80].map(|ms| rig.at(ms, 230, 0).1);
    assert_eq!(untouched, [false, true, false]);
    assert_eq!(rig.warnings().len(), 1);
    all_come_out("kill-at=3", 10);
    all_come_out("kill-every=1", 10);
    let mut rig = Rig::new(of(), &[BRIGHT, ("fault", "kill-every=1")]);
    for ms in 0..10 {
        assert!(rig.at(ms * 40, 230, 0).1, "frames pass");
    }
    let warnings = rig.warnings();
    let lost = warnings.iter().filter(|(_, text)| text.contains("not started any more")).count();
    assert_eq!(lost, 1, "told once: {warnings:?}");
    // Others that ask for the same engine do not get the dead one.
    let stop = Rig::new(of(), &[BRIGHT, ("fault", "kill-every=1"), ("on-error", "stop")]);
    assert_eq!(stop.pad().chain(halves(&of(), 230, 0)), Err(gst::FlowError::Error));
}

#[test]
fn a41_stopping_ends_a_run_that_hangs() {
    let mut rig = Rig::new(of(), &[ASYNC, BRIGHT, ("fault", "hang-at=1"), ("wait-for-model", "true")]);
    for ms in 0..10 {
        assert!(rig.at(ms * 40, 230, 0).1, "frames pass");
    }
    rig.element.set_state(gst::State::Null).unwrap();
    let rig = Rig::new(of(), &[BRIGHT, ("fault", "hang-at=1")]);
    let (pad, frame) = (rig.pad(), rig.frame(0, 230, 0));
    let push = std::thread::spawn(move || pad.chain(frame));
    rig.element.set_state(gst::State::Null).unwrap();
    assert!(push.join().unwrap().is_err());
    assert!(rig.warnings().is_empty());
}

#[test]
fn a32_a_map_fades_and_goes_when_no_new_one_comes() {
    let settings = [ASYNC, BRIGHT, ("fault", "hang-at=2"), ("wait-for-model", "true")];
    let mut rig = Rig::new(of(), &settings);
    // The first frame is asked about; until its map comes no other is.
    rig.element.set_property("inference-interval", 1_000_000u32);
    until("the first map", || (!rig.at(0, 128, 0).1).then_some(()));
    rig.element.set_property("inference-interval", 1u32);
    // A map of the picture is as bright as it can be where the picture is a middle grey.
    let mut left = |ms| rig.at(ms, 128, 0).0.0;
    let (fresh, young, fading, faint) = (left(1), left(490), left(750), left(950));
    assert!(fresh > 250.0 && young > 250.0, "{fresh} {young}");
    assert!(
        (180.0..205.0).contains(&fading) && (130.0..150.0).contains(&faint),
        "half way, and nearly gone: {fading} {faint}"
    );
    assert!(rig.at(1_001, 128, 0).1 && rig.at(10_000, 128, 0).1, "gone");
    assert!(rig.warnings().is_empty());
}

#[test]
fn a31_a_live_source_loses_no_frame_to_a_slow_model() {
    let (model, _others) = (models::save(&models::sides()), rig::among_others());
    let text = "videotestsrc is-live=true num-buffers=45 ! video/x-raw,format=NV12,width=640,height=480,framerate=30/1 ! \
                GRADCAM ! fakesink name=end sync=true";
    let settings = [("mode", "auto"), ("fault", "slow-ms=100")];
    let pipeline = rig::launch(text, &model.path, &settings);
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos]).expect("the end");
    // Rendered, or dropped by a sink for which this machine was too slow: both have come that far.
    let stats: gst::Structure = pipeline.by_name("end").unwrap().property("stats");
    assert_eq!(stats.get::<u64>("rendered").unwrap() + stats.get::<u64>("dropped").unwrap(), 45, "{stats}");
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a03_a_map_of_other_caps_in_flight_is_never_painted() {
    let mut rig = Rig::new(of(), &[ASYNC, BRIGHT, ("fault", "slow-ms=30"), ("wait-for-model", "true")]);
    let mut ms = 0;
    for (n, format) in [VideoFormat::Nv12, VideoFormat::Rgb, VideoFormat::I420].into_iter().cycle().take(9).enumerate()
    {
        let light_left = n % 2 == 0;
        assert!(rig.caps(&info(format, 32 + 16 * n as u32, 48)));
        until("a map", || {
            ms += 1;
            let ((left, right), untouched) = if light_left { rig.at(ms, 230, 0) } else { rig.at(ms, 0, 230) };
            assert!(untouched || (left > right) == light_left, "a map of the caps before: left {left}, right {right}");
            (!untouched).then_some(())
        });
    }
}
