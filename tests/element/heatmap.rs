//! The pad `heatmap`: the map alone, frame for frame, and never in the way of the picture.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};

use crate::models;
use crate::rig::{self, Rig, brightness, halves, info};

const BRIGHT: [(&str, &str); 1] = [("target-class", "bright")];

type Flow = Result<gst::FlowSuccess, gst::FlowError>;

#[derive(Default)]
struct Caught {
    buffers: Vec<gst::Buffer>,
    events: Vec<gst::Event>,
    answer: Option<Flow>,
}

/// Takes what comes out of the pad.
struct Catcher {
    source: gst::Pad,
    sink: gst::Pad,
    caught: Arc<Mutex<Caught>>,
}

impl Catcher {
    fn new(element: &gst::Element) -> Catcher {
        let source = element.request_pad_simple("heatmap").expect("a pad");
        let caught = Arc::new(Mutex::new(Caught::default()));
        let (buffers, events) = (caught.clone(), caught.clone());
        let any = gst::Caps::new_any();
        let template = gst::PadTemplate::new("any", gst::PadDirection::Sink, gst::PadPresence::Always, &any).unwrap();
        let sink = gst::Pad::builder_from_template(&template)
            .chain_function(move |_, _, buffer| {
                let mut caught = buffers.lock().unwrap();
                caught.buffers.push(buffer);
                caught.answer.unwrap_or(Ok(gst::FlowSuccess::Ok))
            })
            .event_function(move |_, _, event| {
                events.lock().unwrap().events.push(event);
                true
            })
            .build();
        sink.set_active(true).unwrap();
        source.link(&sink).unwrap();
        Catcher { source, sink, caught }
    }

    fn buffers(&self) -> Vec<gst::Buffer> {
        std::mem::take(&mut self.caught.lock().unwrap().buffers)
    }

    fn events(&self) -> Vec<gst::Event> {
        std::mem::take(&mut self.caught.lock().unwrap().events)
    }

    fn types(&self) -> Vec<gst::EventType> {
        self.events().iter().map(|event| event.type_()).collect()
    }

    fn info(&self) -> VideoInfo {
        VideoInfo::from_caps(&self.sink.current_caps().unwrap()).unwrap()
    }
}

/// As the caps of the picture, in grey.
fn gray(of: &VideoInfo) -> VideoInfo {
    info(VideoFormat::Gray8, of.width(), of.height())
}

#[test]
fn the_map_comes_out_as_it_is_painted_frame_for_frame() {
    use gst::EventType::{Caps, Eos, Gap, Segment, StreamStart, Tag};
    let of = info(VideoFormat::Rgb, 64, 48);
    let mut rig = Rig::new(of.clone(), &BRIGHT);
    let catcher = Catcher::new(&rig.element);
    for (n, (format, width, height)) in
        [(VideoFormat::Rgb, 64, 48), (VideoFormat::Rgb, 17, 13), (VideoFormat::Rgb, 1, 1), (VideoFormat::I420, 33, 5)]
            .into_iter()
            .enumerate()
    {
        let of = info(format, width, height);
        assert!(rig.caps(&of));
        let mut input = halves(&of, 255, if width == 1 { 255 } else { 0 });
        let timed = input.get_mut().unwrap();
        timed.set_pts(gst::ClockTime::from_mseconds(40 * n as u64));
        timed.set_duration(gst::ClockTime::from_mseconds(40));
        timed.set_offset(n as u64);
        timed.set_flags(gst::BufferFlags::DISCONT);
        let out = rig.pass(input);
        let [map] = &catcher.buffers()[..] else { panic!("one frame") };
        assert_eq!((map.pts(), map.duration(), map.offset()), (out.pts(), out.duration(), out.offset()));
        assert!(map.flags().contains(gst::BufferFlags::DISCONT));
        let grey = catcher.info();
        assert_eq!((grey.format(), grey.width(), grey.height()), (VideoFormat::Gray8, width, height));
        assert_eq!((grey.fps(), map.size()), (of.fps(), grey.size()));
        // The rig paints the map in grey and opaque: luma or red is the map itself.
        for x in 0..width {
            let (have, want) = (brightness(&gray(&of), map, x..x + 1), brightness(&of, &out, x..x + 1));
            assert!((have - want).abs() <= 1.0, "{width}x{height} column {x}: {have} is not {want}");
        }
    }
    rig.pad().send_event(gst::event::Tag::new(gst::TagList::new()));
    rig.pad().send_event(gst::event::Gap::new(gst::ClockTime::SECOND, gst::ClockTime::SECOND));
    rig.pad().send_event(gst::event::Eos::new());
    let events = catcher.events();
    let types: Vec<_> = events.iter().map(|event| event.type_()).collect();
    assert_eq!(types, [StreamStart, Caps, Segment, Caps, Caps, Caps, Tag, Gap, Eos]);
    let of_picture = rig.pad().sticky_event::<gst::event::StreamStart>(0).unwrap();
    let gst::EventView::StreamStart(own) = events[0].view() else { panic!("{types:?}") };
    assert_eq!(own.stream_id(), format!("{}/heatmap", of_picture.stream_id()));
    assert_eq!(own.group_id(), of_picture.group_id());
    assert!(rig.warnings().is_empty());
}

#[test]
fn of_maps_of_either_sign_the_middle_is_nothing() {
    let of = info(VideoFormat::Rgb, 64, 48);
    let mut rig = Rig::new(of.clone(), &[BRIGHT[0], ("versus", "dark"), ("signed", "true"), ("colormap", "auto")]);
    let catcher = Catcher::new(&rig.element);
    // "bright" less "dark": as much as the brightness, less what 90 % grey is brighter
    for right in [0, 115] {
        rig.pass(halves(&of, 255, right));
    }
    let levels = |map: &gst::Buffer| [0..1, 63..64].map(|x| brightness(&gray(&of), map, x).round() as i32);
    let maps: Vec<_> = catcher.buffers().iter().map(levels).collect();
    let near = |have: i32, want: i32| (have - want).abs() <= 1;
    assert!(maps.iter().all(|map| near(map[0], 255)), "{maps:?}");
    assert!(near(maps[0][1], 13) && near(maps[1][1], 128), "against it, and neither: {maps:?}");
    assert!(rig.warnings().is_empty());
}

#[test]
fn a_frame_without_a_map_is_black() {
    let of = info(VideoFormat::I420, 64, 48);
    let settings = [BRIGHT[0], ("self-check", "false")];
    let mut rig = Rig::with_model(models::save(&models::not_a_number()), of.clone(), &settings);
    let catcher = Catcher::new(&rig.element);
    rig.pass(halves(&of, 150, 20));
    rig.pass(halves(&of, 255, 255));
    let levels: Vec<f32> = catcher.buffers().iter().map(|map| brightness(&gray(&of), map, 0..64)).collect();
    assert!(levels[0] > 100.0 && levels[1..] == [0.0], "{levels:?}");
    assert!(!rig.warnings().is_empty());
}

#[test]
fn it_may_be_requested_late_released_and_requested_again() {
    use gst::EventType::{Caps, Eos, Segment, StreamStart};
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of.clone(), &BRIGHT);
    rig.pass(halves(&of, 255, 0));
    for _ in 0..3 {
        let catcher = Catcher::new(&rig.element);
        rig.pass(halves(&of, 255, 0));
        assert_eq!(catcher.types(), [StreamStart, Caps, Segment], "what it missed comes first");
        assert_eq!(catcher.buffers().len(), 1);
        rig.element.release_request_pad(&catcher.source);
        rig.pass(halves(&of, 255, 0));
        assert!(catcher.buffers().is_empty() && rig.element.static_pad("heatmap").is_none());
    }
    let catcher = Catcher::new(&rig.element);
    rig.pad().send_event(gst::event::Eos::new());
    assert_eq!(catcher.types(), [StreamStart, Caps, Segment, Eos]);
    // Down, and up again with the pad still there.
    rig.element.set_state(gst::State::Null).unwrap();
    assert!(!catcher.source.is_active() && catcher.source.current_caps().is_none());
    rig.element.set_state(gst::State::Paused).unwrap();
    rig.pad().send_event(gst::event::StreamStart::new("again"));
    assert!(rig.caps(&of));
    rig.pass(halves(&of, 255, 0));
    assert_eq!((catcher.types(), catcher.buffers().len()), (vec![StreamStart, Caps, Segment], 1));
}

#[test]
fn a_flush_goes_through_and_the_segment_behind_it_counts() {
    use gst::EventType::{FlushStart, FlushStop, Segment};
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of.clone(), &BRIGHT);
    let catcher = Catcher::new(&rig.element);
    rig.pass(halves(&of, 255, 0));
    catcher.events();
    rig.pad().send_event(gst::event::FlushStart::new());
    rig.pad().send_event(gst::event::FlushStop::new(true));
    rig.segment(7);
    rig.pass(halves(&of, 255, 0));
    assert_eq!(catcher.types(), [FlushStart, FlushStop, Segment]);
    assert_eq!(catcher.buffers().len(), 2);
    // A pad that comes after a flush hears of the new segment only.
    rig.element.release_request_pad(&catcher.source);
    let late = Catcher::new(&rig.element);
    rig.pass(halves(&of, 255, 0));
    let segment = late.sink.sticky_event::<gst::event::Segment>(0).unwrap();
    let segment = segment.segment().downcast_ref::<gst::ClockTime>().unwrap().start();
    assert_eq!(segment, Some(gst::ClockTime::from_seconds(7)));
}

#[test]
fn a_pad_that_is_not_linked_ended_or_flushing_holds_up_nobody_and_an_error_is_one() {
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of.clone(), &BRIGHT);
    let unlinked = rig.element.request_pad_simple("heatmap").unwrap();
    rig.pass(halves(&of, 255, 0));
    rig.element.release_request_pad(&unlinked);
    let catcher = Catcher::new(&rig.element);
    for answer in [gst::FlowError::NotLinked, gst::FlowError::Eos, gst::FlowError::Flushing] {
        catcher.caught.lock().unwrap().answer = Some(Err(answer));
        for _ in 0..2 {
            rig.pass(halves(&of, 255, 0));
        }
    }
    catcher.caught.lock().unwrap().answer = Some(Err(gst::FlowError::NotNegotiated));
    assert_eq!(rig.pad().chain(halves(&of, 255, 0)), Err(gst::FlowError::NotNegotiated));
}

#[test]
fn seeking_on_it_seeks_and_its_lateness_is_its_own() {
    let of = info(VideoFormat::I420, 64, 48);
    let rig = Rig::new(of, &BRIGHT);
    let catcher = Catcher::new(&rig.element);
    let from = gst::ClockTime::from_seconds(3);
    let seek = gst::event::Seek::new(1.0, gst::SeekFlags::FLUSH, gst::SeekType::Set, from, gst::SeekType::None, from);
    let late = gst::event::Qos::new(gst::QOSType::Underflow, 2.0, 40_000_000, gst::ClockTime::ZERO);
    assert!(catcher.sink.push_event(late) && catcher.sink.push_event(seek));
    let mut rig = rig;
    let upstream: Vec<_> = std::iter::from_fn(|| rig.harness.try_pull_upstream_event().map(|e| e.type_())).collect();
    assert!(upstream.contains(&gst::EventType::Seek) && !upstream.contains(&gst::EventType::Qos), "{upstream:?}");
}

/// A pipeline with a branch of pictures and one of maps, each behind a queue.
fn two_branches(source: &str, model: &models::OnDisk) -> (gst::Pipeline, [gst_app::AppSink; 2]) {
    let text = format!(
        "{source} ! video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! GRADCAM ! queue ! appsink name=picture sync=false \
         queue name=map ! appsink name=maps sync=false"
    );
    let pipeline = rig::launch(&text, &model.path, &BRIGHT);
    let gradcam = pipeline.iterate_elements().find(|e| e.factory().is_some_and(|f| f.name() == "gradcam")).unwrap();
    gradcam.link_pads(Some("heatmap"), &pipeline.by_name("map").unwrap(), None).unwrap();
    let sinks = ["picture", "maps"].map(|name| pipeline.by_name(name).unwrap().downcast().unwrap());
    (pipeline, sinks)
}

fn times(sink: &gst_app::AppSink) -> Vec<Option<gst::ClockTime>> {
    std::iter::from_fn(|| sink.pull_sample().ok()).map(|sample| sample.buffer().unwrap().pts()).collect()
}

#[test]
fn both_branches_play_to_their_end_time_after_time() {
    let (model, _others) = (models::save(&models::sides()), rig::among_others());
    let (pipeline, [picture, maps]) = two_branches("videotestsrc num-buffers=12", &model);
    for cycle in 0..10 {
        if cycle % 2 == 1 {
            pipeline.set_state(gst::State::Paused).unwrap();
            pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
            pipeline.set_state(gst::State::Ready).unwrap();
        }
        pipeline.set_state(gst::State::Playing).unwrap();
        let (pictures, maps) = (times(&picture), times(&maps));
        assert_eq!((pictures.len(), &pictures), (12, &maps), "cycle {cycle}");
        rig::until_eos(pipeline.upcast_ref());
    }
}

#[test]
fn after_a_flushing_seek_both_branches_show_the_frame_asked_for() {
    let (model, _others) = (models::save(&models::sides()), rig::among_others());
    let (pipeline, sinks) = two_branches("videotestsrc num-buffers=3000", &model);
    pipeline.set_state(gst::State::Paused).unwrap();
    pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
    for n in 0..20u64 {
        let target = gst::ClockTime::from_mseconds(40) * (n * 37 % 100);
        pipeline.seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, target).unwrap();
        pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
        for sink in &sinks {
            assert_eq!(sink.pull_preroll().unwrap().buffer().unwrap().pts(), Some(target), "{}", sink.name());
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn pads_come_and_go_while_frames_run() {
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of.clone(), &BRIGHT);
    let (element, done) = (rig.element.clone(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let pads = scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(Ordering::SeqCst) {
                let catcher = Catcher::new(&element);
                std::thread::yield_now();
                element.release_request_pad(&catcher.source);
                let types = catcher.types();
                assert!(types.is_empty() || types[0] == gst::EventType::StreamStart, "{types:?}");
                rounds += 1;
            }
            rounds
        });
        for n in 0..200u8 {
            rig.pass(halves(&of, n, 0));
        }
        done.store(true, Ordering::SeqCst);
        assert!(pads.join().unwrap() > 0);
    });
}
