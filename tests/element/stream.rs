//! Buffers, events, time: what a stream goes through.

use std::sync::mpsc;

use gst::prelude::*;
use gst_controller::prelude::*;
use gst_video::VideoFormat;

use crate::models;
use crate::rig::{self, Rig, bytes, halves, info, sides, until_eos};

const BRIGHT: [(&str, &str); 1] = [("target-class", "bright")];

#[test]
fn a01_ten_buffers_come_out_in_order_as_they_went_in() {
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of.clone(), &BRIGHT);
    let frame = gst::ClockTime::from_mseconds(40);
    for n in 0..10u64 {
        let mut buffer = halves(&of, 230, 0);
        let mutable = buffer.get_mut().unwrap();
        mutable.set_pts(frame * n);
        mutable.set_duration(frame);
        mutable.set_offset(n);
        mutable.set_flags(if n % 3 == 0 { gst::BufferFlags::MARKER } else { gst::BufferFlags::DELTA_UNIT });
        let flags = buffer.flags();
        let out = rig.pass(buffer);
        assert_eq!((out.pts(), out.duration(), out.offset()), (Some(frame * n), Some(frame), n));
        assert_eq!(out.flags(), flags);
        let (left, right) = sides(&of, &out);
        assert!(left > 200.0 && right < 30.0, "frame {n}: left {left}, right {right}");
    }
    rig.pad().send_event(gst::event::Eos::new());
    let mut events = Vec::new();
    while let Some(event) = rig.harness.try_pull_event() {
        events.push(event.type_());
    }
    use gst::EventType::{Caps, Eos, Segment, StreamStart};
    assert_eq!(events, [StreamStart, Caps, Segment, Eos]);
    assert!(rig.warnings().is_empty());
}

/// A frame of raw video for an `appsrc` with these caps.
fn source(pipeline: &gst::Pipeline, of: &gst_video::VideoInfo) -> gst_app::AppSrc {
    let source: gst_app::AppSrc = pipeline.by_name("source").unwrap().downcast().unwrap();
    source.set_caps(Some(&of.to_caps().unwrap()));
    source.set_format(gst::Format::Time);
    source
}

fn sink(pipeline: &gst::Pipeline, name: &str) -> gst_app::AppSink {
    pipeline.by_name(name).unwrap().downcast().unwrap()
}

#[test]
fn a09_the_other_branch_of_a_tee_keeps_its_picture() {
    let (model, _others) = (models::save(&models::sides()), rig::among_others());
    let text = "appsrc name=source ! tee name=t  t. ! queue ! appsink name=raw sync=false \
                t. ! queue ! GRADCAM ! appsink name=painted sync=false";
    let pipeline = rig::launch(text, &model.path, &BRIGHT);
    for format in [VideoFormat::I420, VideoFormat::Rgb] {
        let of = info(format, 64, 48);
        let source = source(&pipeline, &of);
        pipeline.set_state(gst::State::Playing).unwrap();
        let frame = halves(&of, 230, 0);
        let before = bytes(&frame);
        source.push_buffer(frame).unwrap();
        source.end_of_stream().unwrap();
        let raw = sink(&pipeline, "raw").pull_sample().unwrap();
        let painted = sink(&pipeline, "painted").pull_sample().unwrap();
        assert!(bytes(raw.buffer().unwrap()) == before, "{format:?}: the raw branch was painted on");
        assert!(bytes(painted.buffer().unwrap()) != before, "{format:?}: nothing was painted");
        until_eos(pipeline.upcast_ref());
    }
}

#[test]
fn a20_every_frame_has_its_own_map_up_to_the_last_before_eos() {
    let (model, _others) = (models::save(&models::sides()), rig::among_others());
    let text = "appsrc name=source ! GRADCAM ! appsink name=painted sync=false";
    let pipeline = rig::launch(text, &model.path, &BRIGHT);
    let of = info(VideoFormat::I420, 64, 48);
    let source = source(&pipeline, &of);
    pipeline.set_state(gst::State::Playing).unwrap();
    for n in 0..50u64 {
        let mut frame = if n % 2 == 0 { halves(&of, 230, 0) } else { halves(&of, 0, 230) };
        frame.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(n));
        source.push_buffer(frame).unwrap();
    }
    source.end_of_stream().unwrap();
    let painted = sink(&pipeline, "painted");
    for n in 0..50u64 {
        let sample = painted.pull_sample().expect("no frame is lost");
        let buffer = sample.buffer().unwrap();
        assert_eq!(buffer.pts(), Some(gst::ClockTime::from_mseconds(n)));
        let (left, right) = sides(&of, buffer);
        assert_eq!(left > right, n % 2 == 0, "frame {n} bears another's map: left {left}, right {right}");
    }
    assert!(painted.pull_sample().is_err() && painted.is_eos());
    pipeline.set_state(gst::State::Null).unwrap();
}

/// Pushes a frame on a thread of its own and returns once the model is at it.
fn push_beside(rig: &Rig) -> std::thread::JoinHandle<Result<gst::FlowSuccess, gst::FlowError>> {
    let (entered, enters) = mpsc::channel();
    rig.pad().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let _ = entered.send(());
        gst::PadProbeReturn::Remove
    });
    let (buffer, pad) = (halves(&rig.info, 230, 0), rig.pad());
    let push = std::thread::spawn(move || pad.chain(buffer));
    enters.recv().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20)); // lets the run begin; a call before it ends the same way
    push
}

fn slow() -> Rig {
    let of = info(VideoFormat::I420, 192, 192);
    Rig::with_model(models::save(&models::slow()), of, &[("self-check", "false")])
}

#[test]
fn a21_a_flush_ends_the_run_in_progress_and_its_map_is_never_painted() {
    let mut rig = slow();
    let push = push_beside(&rig);
    assert!(rig.pad().send_event(gst::event::FlushStart::new()));
    assert_eq!(push.join().unwrap(), Err(gst::FlowError::Flushing));
    assert!(rig.pad().send_event(gst::event::FlushStop::new(true)));
    assert!(rig.harness.try_pull().is_none(), "a flushed frame came out");
    rig.segment(0);
    let input = halves(&rig.info, 0, 230);
    let before = bytes(&input);
    assert!(bytes(&rig.pass(input)) != before, "the element works on after a flush");
    assert!(rig.warnings().is_empty());
}

#[test]
fn a40_going_down_ends_the_run_in_progress() {
    let rig = slow();
    let push = push_beside(&rig);
    rig.element.set_state(gst::State::Null).unwrap();
    assert_eq!(push.join().unwrap(), Err(gst::FlowError::Flushing));
    assert!(rig.warnings().is_empty());
}

#[test]
fn a22_forty_accurate_seeks_each_shows_the_frame_asked_for() {
    for mode in [("mode", "sync"), ("max-in-flight", "4"), ("mode", "async")] {
        let (model, _others) = (models::save(&models::sides()), rig::among_others());
        let text = "videotestsrc num-buffers=3000 ! video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! \
                    GRADCAM ! appsink name=painted sync=false";
        let pipeline = rig::launch(text, &model.path, &[BRIGHT[0], mode]);
        pipeline.set_state(gst::State::Paused).unwrap();
        pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
        let painted = sink(&pipeline, "painted");
        for n in 0..40u64 {
            let target = gst::ClockTime::from_mseconds(40) * (n * 37 % 100);
            pipeline.seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, target).unwrap();
            pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
            let sample = painted.pull_preroll().unwrap();
            assert_eq!(sample.buffer().unwrap().pts(), Some(target), "{mode:?}");
        }
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn a25_odd_times_are_passed_on() {
    let of = info(VideoFormat::Rgb, 32, 24);
    let mut rig = Rig::new(of.clone(), &BRIGHT);
    let second = gst::ClockTime::SECOND;
    for pts in [None, Some(second * 5), Some(second), Some(second * 86_400), None, Some(gst::ClockTime::ZERO)] {
        let mut buffer = halves(&of, 230, 0);
        buffer.get_mut().unwrap().set_pts(pts);
        buffer.get_mut().unwrap().set_duration(gst::ClockTime::ZERO);
        let out = rig.pass(buffer);
        assert_eq!(out.pts(), pts);
        let (left, right) = sides(&of, &out);
        assert!(left > 200.0 && right < 30.0, "{pts:?}: left {left}, right {right}");
    }
    assert!(rig.warnings().is_empty());
}

#[test]
fn a25_a_controlled_alpha_follows_stream_time() {
    let of = info(VideoFormat::Rgb, 32, 24);
    let mut rig = Rig::new(of.clone(), &BRIGHT);
    // Opaque at 0 s, gone at 10 s; and a segment that begins at 100 s, where stream time is 0.
    let curve = gst_controller::InterpolationControlSource::new();
    curve.set_mode(gst_controller::InterpolationMode::Linear);
    curve.set(gst::ClockTime::ZERO, 1.0);
    curve.set(gst::ClockTime::from_seconds(10), 0.0);
    rig.element.add_control_binding(&gst_controller::DirectControlBinding::new(&rig.element, "alpha", &curve)).unwrap();
    rig.segment(100);
    for (at, alpha) in [(100, 1.0), (105, 0.5), (110, 0.0)] {
        let mut buffer = halves(&of, 128, 128);
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_seconds(at));
        let (left, _) = sides(&of, &rig.pass(buffer));
        let expected = 255.0 * alpha + 128.0 * (1.0 - alpha);
        assert!((left - expected as f32).abs() <= 2.0, "at {at} s: {left}, not {expected}");
    }
}
