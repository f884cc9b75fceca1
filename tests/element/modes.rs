//! Sync and async: whose map a frame bears, in which order all goes out, and what latency that costs.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo, VideoRegionOfInterestMeta};

use crate::models;
use crate::rig::{self, Rig, bytes, halves, info, sides, until};

const BRIGHT: (&str, &str) = ("target-class", "bright");
const ASYNC: (&str, &str) = ("mode", "async");
const FOUR: (&str, &str) = ("max-in-flight", "4");

fn of() -> VideoInfo {
    info(VideoFormat::I420, 64, 48)
}

/// Pushes frames of one side or the other until the newest map is that of the side that is pushed.
fn settle(rig: &mut Rig, ms: &mut u64, left: u8, right: u8) {
    until("a map of its own", || {
        *ms += 1;
        let (seen, untouched) = rig.at(*ms, left, right);
        (!untouched && (seen.0 > seen.1) == (left > right)).then_some(())
    });
}

/// What comes out of a stream of frames that alternate, with metas and flags: bytes and times.
fn played(settings: &[(&str, &str)]) -> Vec<(Option<gst::ClockTime>, gst::BufferFlags, Vec<u8>, usize)> {
    let (model, _others) = (models::save(&models::sides()), rig::among_others());
    let pipeline = rig::launch("appsrc name=source ! GRADCAM ! appsink name=painted sync=false", &model.path, settings);
    let source: gst_app::AppSrc = pipeline.by_name("source").unwrap().downcast().unwrap();
    source.set_caps(Some(&of().to_caps().unwrap()));
    source.set_format(gst::Format::Time);
    pipeline.set_state(gst::State::Playing).unwrap();
    for n in 0..30u64 {
        let mut frame = if n % 2 == 0 { halves(&of(), 230, 10 + n as u8) } else { halves(&of(), n as u8, 230) };
        let buffer = frame.get_mut().unwrap();
        buffer.set_pts(gst::ClockTime::from_mseconds(n));
        buffer.set_flags(if n % 5 == 0 { gst::BufferFlags::MARKER } else { gst::BufferFlags::DELTA_UNIT });
        VideoRegionOfInterestMeta::add(buffer, "kept", (1, 2, 3, 4));
        source.push_buffer(frame).unwrap();
    }
    source.end_of_stream().unwrap();
    let painted: gst_app::AppSink = pipeline.by_name("painted").unwrap().downcast().unwrap();
    let mut out = Vec::new();
    while let Ok(sample) = painted.pull_sample() {
        let buffer = sample.buffer().unwrap();
        let metas = buffer.iter_meta::<VideoRegionOfInterestMeta>().count();
        out.push((buffer.pts(), buffer.flags(), bytes(buffer), metas));
    }
    pipeline.set_state(gst::State::Null).unwrap();
    out
}

#[test]
fn a34_frames_in_flight_come_out_as_one_after_the_other_to_the_bit() {
    let one = played(&[BRIGHT]);
    assert_eq!(one.len(), 30, "frames are lost");
    for (n, (pts, flags, _, metas)) in one.iter().enumerate() {
        assert_eq!(*pts, Some(gst::ClockTime::from_mseconds(n as u64)));
        assert_eq!(
            (flags.contains(gst::BufferFlags::MARKER), *metas),
            (n % 5 == 0, 2),
            "frame {n}: what it bore, and the box of what is hot"
        );
    }
    for more in ["2", "4", "64"] {
        assert!(played(&[BRIGHT, ("max-in-flight", more)]) == one, "max-in-flight={more}");
    }
    let interval = [BRIGHT, ("inference-interval", "3"), ("min-change", "0.02")];
    assert!(played(&[&interval[..], &[FOUR]].concat()) == played(&interval), "with frames that are not inferred");
}

#[test]
fn a20_what_is_sent_between_frames_stays_between_them() {
    let mut rig = Rig::new(of(), &[BRIGHT, FOUR]);
    let order = Arc::new(Mutex::new(Vec::new()));
    let log = order.clone();
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    rig.element.static_pad("src").unwrap().add_probe(kinds, move |_, probe| {
        log.lock().unwrap().push(match &probe.data {
            Some(gst::PadProbeData::Buffer(buffer)) => format!("{}", buffer.pts().unwrap().mseconds()),
            Some(gst::PadProbeData::Event(event)) => format!("{:?}", event.type_()),
            _ => "?".into(),
        });
        gst::PadProbeReturn::Ok
    });
    let custom = || gst::event::CustomDownstream::new(gst::Structure::new_empty("mine"));
    let tags = || gst::event::Tag::new(gst::TagList::new());
    let gap = || gst::event::Gap::builder(gst::ClockTime::from_mseconds(3)).build();
    let frame = |ms| assert!(rig.pad().chain(rig.frame(ms, 230, 0)).is_ok());
    [1, 2].into_iter().for_each(frame);
    rig.pad().send_event(custom());
    frame(3);
    rig.pad().send_event(tags());
    [4, 5, 6].into_iter().for_each(frame);
    rig.pad().send_event(gap());
    frame(7);
    rig.segment(0);
    frame(8);
    let larger = info(VideoFormat::I420, 128, 96);
    assert!(rig.pad().send_event(gst::event::Caps::new(&larger.to_caps().unwrap())));
    rig.info = larger;
    rig.pad().chain(rig.frame(9, 230, 0)).unwrap();
    rig.pad().send_event(gst::event::Eos::new());
    let order = order.lock().unwrap().join(" ");
    assert_eq!(order, "1 2 CustomDownstream 3 Tag 4 5 6 Gap 7 Segment 8 Caps 9 Eos");
    while let Some(out) = rig.harness.try_pull() {
        let of = if out.pts() == Some(gst::ClockTime::from_mseconds(9)) { rig.info.clone() } else { self::of() };
        let (left, right) = sides(&of, &out);
        assert!(left > 200.0 && right < 30.0, "{:?}: left {left}, right {right}", out.pts());
    }
}

#[test]
fn a21_a_flush_drops_the_frames_in_flight() {
    let mut rig = Rig::new(of(), &[BRIGHT, ("max-in-flight", "64")]);
    for ms in 0..20 {
        rig.pad().chain(rig.frame(ms, 230, 0)).unwrap();
    }
    assert!(rig.pad().send_event(gst::event::FlushStart::new()));
    assert!(rig.pad().send_event(gst::event::FlushStop::new(true)));
    while rig.harness.try_pull().is_some() {}
    rig.segment(0);
    rig.element.set_property("max-in-flight", 1u32);
    let ((left, right), _) = rig.at(100, 0, 230);
    assert!(left < 30.0 && right > 200.0, "the first frame behind a flush has its own map");
    assert!(rig.harness.try_pull().is_none() && rig.warnings().is_empty());
}

/// A source whose pool has two buffers waits for one to come back: whoever holds both has stopped it.
#[test]
fn a10_a_pool_of_two_buffers_does_not_stall() {
    for settings in [[BRIGHT, FOUR], [BRIGHT, ASYNC]] {
        let (model, _others) = (models::save(&models::sides()), rig::among_others());
        let pipeline =
            rig::launch("appsrc name=source ! GRADCAM ! fakesink name=end sync=false", &model.path, &settings);
        let source: gst_app::AppSrc = pipeline.by_name("source").unwrap().downcast().unwrap();
        let caps = of().to_caps().unwrap();
        source.set_caps(Some(&caps));
        source.set_format(gst::Format::Time);
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        config.set_params(Some(&caps), of().size() as u32, 2, 2);
        pool.set_config(config).unwrap();
        pool.set_active(true).unwrap();
        let count = Arc::new(Mutex::new(0));
        let counter = count.clone();
        let end = pipeline.by_name("end").unwrap().static_pad("sink").unwrap();
        end.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            *counter.lock().unwrap() += 1;
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        for n in 0..20u64 {
            let mut buffer = until("a buffer comes back", || {
                let at_once = gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT);
                pool.acquire_buffer(Some(&at_once)).ok()
            });
            buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(n));
            source.push_buffer(buffer).unwrap();
        }
        source.end_of_stream().unwrap();
        rig::until_eos(pipeline.upcast_ref());
        assert_eq!(*count.lock().unwrap(), 20, "{settings:?}");
        pool.set_active(false).unwrap();
    }
}

#[test]
fn a23_frames_backwards_come_out_backwards_with_their_own_maps() {
    for settings in [[BRIGHT, FOUR], [BRIGHT, ASYNC]] {
        let (model, _others) = (models::save(&models::sides()), rig::among_others());
        let text = "videotestsrc num-buffers=200 ! video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! \
                    GRADCAM ! appsink name=painted sync=false";
        let pipeline = rig::launch(text, &model.path, &settings);
        pipeline.set_state(gst::State::Paused).unwrap();
        pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
        let (flags, set) = (gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, gst::SeekType::Set);
        pipeline.seek(-1.0, flags, set, gst::ClockTime::ZERO, set, gst::ClockTime::from_seconds(2)).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let painted: gst_app::AppSink = pipeline.by_name("painted").unwrap().downcast().unwrap();
        let mut times = Vec::new();
        while let Ok(sample) = painted.pull_sample() {
            times.push(sample.buffer().unwrap().pts().unwrap());
        }
        assert!(times.len() >= 49 && times.is_sorted_by(|a, b| a > b), "{settings:?}: {times:?}");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn a24_a_gap_is_not_inferred_and_a_leap_in_time_forgets_the_map() {
    for settings in [[BRIGHT, ("expire-overlay", "0")], [BRIGHT, ASYNC]] {
        let mut rig = Rig::new(of(), &settings);
        let mut ms = 0;
        settle(&mut rig, &mut ms, 230, 0);
        for (flags, after, kept) in [
            (gst::BufferFlags::GAP, 40, true),
            (gst::BufferFlags::GAP | gst::BufferFlags::DISCONT, 40, true),
            (gst::BufferFlags::GAP | gst::BufferFlags::DISCONT, 5_000, false),
            (gst::BufferFlags::GAP | gst::BufferFlags::CORRUPTED, 1, false),
        ] {
            ms += after;
            let mut frame = rig.frame(ms, 0, 230);
            frame.get_mut().unwrap().set_flags(flags);
            let before = bytes(&frame);
            let out = rig.pass(frame);
            assert!(out.flags().contains(flags), "{flags:?}");
            let (left, right) = sides(&rig.info, &out);
            let old = left > 200.0 && right < 60.0;
            assert_eq!(
                (old, bytes(&out) == before),
                (kept, !kept),
                "{settings:?} {flags:?}: left {left}, right {right}"
            );
        }
        settle(&mut rig, &mut ms, 0, 230);
        assert!(rig.warnings().is_empty());
    }
}

#[test]
fn a26_maps_do_not_outlive_their_stream_their_segment_their_caps_or_a_flush() {
    let mut rig = Rig::new(of(), &[BRIGHT, ASYNC]);
    let mut ms = 0;
    for (n, name) in ["stream", "segment", "caps", "flush"].into_iter().enumerate() {
        settle(&mut rig, &mut ms, 230, 0);
        // Else every frame is asked about, and a new map might come at once.
        rig.element.set_property("inference-interval", 1000u32);
        match name {
            "stream" => assert!(rig.pad().send_event(gst::event::StreamStart::new("another"))),
            "segment" => rig.segment(0),
            "caps" => assert!(rig.caps(&info(VideoFormat::Nv12, 64, 48))),
            _ => {
                rig.pad().send_event(gst::event::FlushStart::new());
                rig.pad().send_event(gst::event::FlushStop::new(true));
                rig.segment(0);
            }
        }
        ms += 1;
        let mut frame = rig.frame(ms, 0, 230);
        frame.get_mut().unwrap().set_flags(gst::BufferFlags::GAP);
        let before = bytes(&frame);
        assert!(bytes(&rig.pass(frame)) == before, "{n} {name}: a map of what was before is painted");
        rig.element.set_property("inference-interval", 1u32);
    }
}

#[test]
fn a30_a_late_stream_is_inferred_less_often_and_no_frame_is_lost() {
    let mut rig = Rig::new(of(), &[BRIGHT, ("expire-overlay", "0")]);
    let late = |rig: &Rig, ms, diff: i64| {
        let time = gst::ClockTime::from_mseconds(ms);
        let event = gst::event::Qos::builder(gst::QOSType::Underflow, 1.5, diff).timestamp(time).build();
        rig.element.static_pad("src").unwrap().send_event(event);
    };
    assert!(rig.at(0, 230, 0).0.0 > 200.0);
    late(&rig, 0, 100_000_000);
    for ms in [40, 80, 120, 160, 200] {
        let ((left, right), _) = rig.at(ms, 0, 230);
        assert!(left > 200.0 && right < 60.0, "at {ms} ms the map of the first frame: left {left}, right {right}");
    }
    let ((left, right), _) = rig.at(240, 0, 230);
    assert!(left < 60.0 && right > 200.0, "behind the time that is late: its own map");
    late(&rig, 240, 10_000_000_000);
    assert!(rig.at(300, 230, 0).0.0 < 60.0);
    let ((left, right), _) = rig.at(1_300, 230, 0);
    assert!(left > 200.0 && right < 60.0, "once a second all the same");
    late(&rig, 1_300, -10_000_000);
    assert!(rig.at(1_340, 0, 230).0.1 > 200.0, "in time again");
}

#[test]
fn a33_latency_is_upstreams_and_in_sync_mode_on_a_live_stream_our_own() {
    let ms = gst::ClockTime::from_mseconds;
    let asked = |rig: &Rig| {
        let mut query = gst::query::Latency::new();
        assert!(rig.element.static_pad("src").unwrap().query(query.query_mut()));
        query.result()
    };
    let mut rig = Rig::new(of(), &[BRIGHT, ASYNC]);
    rig.harness.set_upstream_latency(ms(50));
    rig.at(0, 230, 0);
    assert_eq!(asked(&rig).1, ms(50), "async adds none");
    let mut rig = Rig::new(of(), &[BRIGHT, FOUR]);
    rig.harness.set_upstream_latency(ms(50));
    let (live, min, _) = asked(&rig);
    assert!(live && min == ms(150), "{min}: the frames in flight, three of 33 ms");
    rig.element.set_property("max-in-flight", 1u32);
    assert_eq!(asked(&rig).1, ms(50));
    rig.at(0, 230, 0);
    let told = rig.bus.pop_filtered(&[gst::MessageType::Latency]);
    assert!(told.is_some(), "it took some time, of which nothing was said before");
    assert!(asked(&rig).1 >= ms(60));
}

#[test]
fn frames_between_inferences_bear_the_newest_map() {
    let mut rig = Rig::new(of(), &[BRIGHT, ("inference-interval", "3")]);
    for n in 0..9u64 {
        // The first of three is light on one side, the others on the other one.
        let light_left = (n / 3 % 2 == 0) == (n % 3 == 0);
        let (left, right) = if light_left { (230, 0) } else { (0, 230) };
        let (seen, _) = rig.at(n, left, right);
        assert_eq!(seen.0 > seen.1, n / 3 % 2 == 0, "frame {n}: {seen:?}");
    }
}

#[test]
fn a_frame_that_hardly_differs_keeps_the_map() {
    let mut rig = Rig::new(of(), &[BRIGHT, ("min-change", "0.08"), ("expire-overlay", "1000000000")]);
    assert!(rig.at(0, 230, 0).0.1 < 5.0);
    // 30 of 255 on half of the picture: 0.06. Its own map would be as bright as 33 there.
    for ms in [500, 1_000, 1_500, 2_000] {
        let ((left, right), _) = rig.at(ms, 230, 30);
        assert!(
            left > 200.0 && right < 5.0,
            "at {ms} ms: left {left}, right {right}; it does not fade, for it still holds"
        );
    }
    assert!((55.0..75.0).contains(&rig.at(2_500, 230, 60).0.1), "0.12: a map of its own");
    assert!((55.0..75.0).contains(&rig.at(3_000, 230, 70).0.1), "hardly differs from that one");
    rig.element.set_property("target-class", "dark");
    assert!(rig.at(3_500, 230, 70).0.1 > 200.0, "another class is another map");
}

#[test]
fn auto_is_async_on_a_live_source_and_sync_on_another() {
    // Only in sync mode the first frame has a map, of a model that takes its time.
    for (live, sync) in [("true", false), ("false", true)] {
        let (model, _others) = (models::save(&models::slow()), rig::among_others());
        let text = format!(
            "videotestsrc is-live={live} num-buffers=1 pattern=white ! video/x-raw,format=RGB,width=64,height=48 ! GRADCAM ! \
             appsink name=painted sync=false"
        );
        let settings = [("mode", "auto"), ("self-check", "false"), ("wait-for-model", "true"), ("colormap", "jet")];
        let pipeline = rig::launch(&text, &model.path, &settings);
        pipeline.set_state(gst::State::Playing).unwrap();
        let painted: gst_app::AppSink = pipeline.by_name("painted").unwrap().downcast().unwrap();
        let sample = painted.pull_sample().unwrap();
        let white = bytes(sample.buffer().unwrap()).iter().all(|&byte| byte > 250);
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(!white, sync, "is-live={live}");
    }
}
