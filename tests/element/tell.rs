//! What the element tells: the message, the metas, the statistics.

use std::time::Duration;

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo, VideoRegionOfInterestMeta};
use gstgradcam::Record;
use gstgradcam::element::maps_of;
use gstgradcam::record::{Kind, fields};

use crate::models;
use crate::rig::{self, Rig, halves, info};

const BRIGHT: (&str, &str) = ("target-class", "bright");
const EACH: [(&str, &str); 2] = [("post-messages", "true"), ("message-interval", "0")];

fn posted(bus: &gst::Bus) -> Vec<gst::Message> {
    std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element])).collect()
}

fn records(bus: &gst::Bus) -> Vec<Record> {
    posted(bus).iter().map(|message| Record::from_message(message).expect("a message of the element")).collect()
}

/// A picture light on the left, so many milliseconds into the stream.
fn at(of: &VideoInfo, ms: u64) -> gst::Buffer {
    let mut buffer = halves(of, 255, 0);
    let timed = buffer.get_mut().unwrap();
    timed.set_pts(gst::ClockTime::from_mseconds(ms));
    timed.set_duration(gst::ClockTime::from_mseconds(40));
    buffer
}

fn near(have: f64, want: f64, within: f64) {
    assert!((have - want).abs() <= within, "{have} is not {want}");
}

/// As many pixels as the model's map has cells.
fn cells() -> VideoInfo {
    info(VideoFormat::Rgb, 8, 8)
}

#[test]
fn a_message_tells_what_is_painted() {
    let of = cells();
    let settings = [&EACH[..], &[BRIGHT, ("top-k", "2"), ("roi", "0,0,0.5,1")]].concat();
    let mut rig = Rig::new(of.clone(), &settings);
    rig.segment(100);
    rig.pass(at(&of, 100_040));
    let messages = posted(&rig.bus);
    let [message] = messages.as_slice() else { panic!("one message, not {messages:?}") };
    assert_eq!(message.src(), Some(rig.element.upcast_ref()));
    let seen = Record::from_message(message).unwrap();
    let time = |ms| Some(Duration::from_millis(ms));
    assert_eq!((seen.timestamp, seen.duration), (time(100_040), time(40)));
    assert_eq!((seen.stream_time, seen.running_time), (time(40), time(40)));
    assert_eq!((seen.size, seen.annotated, &seen.reason), ((8, 8), true, &None));
    assert_eq!((seen.provider.as_str(), seen.map_age), ("cpu", time(0)));
    assert!(seen.inference_time.is_some_and(|time| !time.is_zero()));

    // The map is the picture's brightness: 1 in the left four columns, 0 in the others.
    let [one] = seen.seen.as_slice() else { panic!("one class: {seen:?}") };
    assert_eq!((one.guess.class, one.guess.label.as_str()), (0, "bright"));
    let place = one.summary.clone().expect("heat");
    assert_eq!(place.peak, (0.5, 0.5));
    // level up to 3.5, then down to zero at 4.5: a heat of 3.5 and 0.5, of which 0.375 up to 4
    near(place.roi_share.unwrap(), 3.875 / 4.0, 1e-6);
    near(place.centroid.0, (3.5 * 1.75 + 0.5 * (3.5 + 1.0 / 3.0)) / 4.0, 1e-6);
    near(place.centroid.1, 4.0, 1e-6);
    let hot = place.hot;
    assert_eq!((hot.x, hot.y, hot.height), (0.0, 0.0, 8.0));
    near(hot.width.into(), 4.5 - 0.15, 1e-6);
    near(place.entropy, 32f64.ln() / 64f64.ln(), 1e-6);

    let best: Vec<_> = seen.best.iter().map(|guess| guess.label.as_str()).collect();
    assert_eq!(best, ["bright", "dark"]);
    near(seen.best[0].score.into(), one.guess.score.into(), 1e-6);
    near(f64::from(seen.best[0].score + seen.best[1].score), 1.0, 1e-6);
}

#[test]
fn a_messages_fields_have_the_types_of_the_table() {
    let of = info(VideoFormat::I420, 64, 48);
    let settings = [&EACH[..], &[("target-class", "bright,dark"), ("roi", "0,0,1,1")]].concat();
    let mut rig = Rig::new(of.clone(), &settings);
    rig.pass(at(&of, 0));
    let messages = posted(&rig.bus);
    let structure = messages[0].structure().unwrap();
    for field in fields().filter(|field| field.name != "reason") {
        let value = structure.value(field.name).unwrap_or_else(|_| panic!("no {} in {structure}", field.name));
        let kind = match field.kind {
            Kind::Time | Kind::Count => u64::static_type(),
            Kind::Whole => u32::static_type(),
            Kind::Signed => i32::static_type(),
            Kind::Number => f64::static_type(),
            Kind::Text => String::static_type(),
            Kind::Flag => bool::static_type(),
            Kind::List(_) => gst::Array::static_type(),
            Kind::Data => gst::Buffer::static_type(),
        };
        assert_eq!(value.type_(), kind, "{}", field.name);
    }
    let known: Vec<&str> = fields().map(|field| field.name).collect();
    for (name, _) in structure.iter() {
        assert!(known.contains(&name.as_str()), "{name} is not in the table");
    }
    let seen = Record::from_structure(structure).unwrap();
    let labels: Vec<_> = seen.seen.iter().map(|one| one.guess.label.as_str()).collect();
    assert_eq!(labels, ["bright", "dark"]);
    let [left, right] = [0, 1].map(|i| seen.seen[i].summary.clone().unwrap().centroid.0);
    assert!(left < 20.0 && right > 44.0, "{left}, {right}");
    assert_eq!(Record::from_structure(&seen.to_structure()), Some(seen));
    assert_eq!(Record::from_message(&gst::message::Eos::new()), None);
}

#[test]
fn messages_come_if_asked_for_one_an_interval_and_again_after_a_flush() {
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of.clone(), &[BRIGHT]);
    rig.pass(at(&of, 0));
    assert_eq!(records(&rig.bus), [], "nobody asked");
    rig.element.set_property("post-messages", true);
    rig.element.set_property("message-interval", 100_000_000u64);
    let told = |rig: &mut Rig, times: &[u64]| -> Vec<u64> {
        for &ms in times {
            rig.pass(at(&of, ms));
        }
        records(&rig.bus).iter().map(|record| record.timestamp.unwrap().as_millis() as u64).collect()
    };
    assert_eq!(told(&mut rig, &[40, 80, 120, 140, 239, 240, 600]), [40, 140, 240, 600]);
    rig.pad().send_event(gst::event::FlushStart::new());
    rig.pad().send_event(gst::event::FlushStop::new(true));
    rig.segment(0);
    assert_eq!(told(&mut rig, &[640, 680]), [640]);
    rig.element.set_property("message-interval", 0u64);
    assert_eq!(told(&mut rig, &[700, 700]), [700, 700]);
    rig.element.set_property("post-messages", false);
    assert!(told(&mut rig, &[900]).is_empty());
}

#[test]
fn a_frame_without_a_map_is_told_of_with_the_reason_and_bears_no_meta() {
    let of = info(VideoFormat::Rgb, 64, 48);
    let mut rig = Rig::new(of.clone(), &[&EACH[..], &[BRIGHT]].concat());
    let out = rig.pass(halves(&of, 0, 0));
    assert_eq!(Record::from_buffer(&out), None);
    let told = records(&rig.bus);
    let [seen] = told.as_slice() else { panic!("{told:?}") };
    assert!(!seen.annotated && seen.reason.as_ref().is_some_and(|why| why.contains("bright")), "{seen:?}");
    assert_eq!((seen.seen.len(), &seen.seen[0].summary), (1, &None), "the class is told all the same");
    rig.warnings();

    let failing = [&EACH[..], &[BRIGHT, ("self-check", "false")]].concat();
    let mut rig = Rig::with_model(models::save(&models::not_a_number()), of.clone(), &failing);
    let out = rig.pass(halves(&of, 255, 255));
    assert!(out.meta::<VideoRegionOfInterestMeta>().is_none() && Record::from_buffer(&out).is_none());
    let told = records(&rig.bus);
    let [seen] = told.as_slice() else { panic!("{told:?}") };
    assert!(!seen.annotated && seen.reason.as_ref().is_some_and(|why| why.contains("NaN")), "{seen:?}");
    assert_eq!((seen.seen.len(), seen.best.len(), seen.map_age), (0, 0, None));
    rig.warnings();
}

#[test]
fn each_painted_frame_bears_the_same_as_the_message() {
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of.clone(), &[&EACH[..], &[BRIGHT]].concat());
    let out = rig.pass(at(&of, 40));
    let told = records(&rig.bus);
    assert_eq!(Record::from_buffer(&out).as_ref(), told.first());
    assert_eq!(maps_of(&out), None, "the map only on request");
    let roi = out.meta::<VideoRegionOfInterestMeta>().expect("a region");
    let (x, y, w, h) = roi.rect();
    assert_eq!((x, y, h, roi.roi_type()), (0, 0, 48, "bright"));
    assert!((34..=36).contains(&w), "{w} wide");
    let params = roi.param("gradcam").unwrap();
    let score = f64::from(told[0].seen[0].guess.score);
    assert_eq!((params.get("class"), params.get("score"), params.get("label")), (Ok(0u32), Ok(score), Ok("bright")));

    rig.element.set_property("attach-meta", false);
    let out = rig.pass(at(&of, 80));
    assert!(Record::from_buffer(&out).is_none() && out.meta::<VideoRegionOfInterestMeta>().is_none());
}

#[test]
fn the_raw_maps_lie_in_the_meta_on_request() {
    let of = cells();
    let settings = [("target-class", "bright,dark"), ("output-map-meta", "true")];
    let mut rig = Rig::new(of.clone(), &settings);
    let maps = maps_of(&rig.pass(at(&of, 0))).expect("maps");
    assert_eq!(maps.shape(), [2, 8, 8]);
    // Grad-CAM by hand: alpha is 1/64; bright is the brightness, dark 0.9 less it
    for ((class, _, column), &value) in maps.indexed_iter() {
        let bright = if column < 4 { 1.0 } else { 0.0 };
        let want = if class == 0 { bright } else { (0.9f32 - bright).max(0.0) } / 64.0;
        near(f64::from(value), f64::from(want), 1e-4);
    }
}

#[test]
fn the_meta_survives_conversion_scaling_and_encoding() {
    let (model, _others) = (models::save(&models::sides()), rig::among_others());
    let text = "videotestsrc num-buffers=2 pattern=smpte ! video/x-raw,format=I420,width=64,height=48 ! GRADCAM \
                ! videoconvert ! video/x-raw,format=RGB ! videoscale ! video/x-raw,width=128,height=96 ! tee name=t \
                t. ! queue ! appsink name=scaled sync=false  t. ! queue ! jpegenc ! appsink name=encoded sync=false";
    let pipeline = rig::launch(text, &model.path, &[BRIGHT, ("output-map-meta", "true")]);
    pipeline.set_state(gst::State::Playing).unwrap();
    for name in ["scaled", "encoded"] {
        let sink: gst_app::AppSink = pipeline.by_name(name).unwrap().downcast().unwrap();
        let sample = sink.pull_sample().unwrap();
        let buffer = sample.buffer().unwrap();
        let seen = Record::from_buffer(buffer).expect("the meta is taken along");
        assert_eq!((seen.size, seen.seen[0].guess.label.as_str()), ((64, 48), "bright"));
        assert!(maps_of(buffer).is_some());
        // encoders drop what tells of pixels
        let roi = buffer.meta::<VideoRegionOfInterestMeta>().map(|roi| f64::from(roi.rect().2));
        if name == "scaled" {
            near(roi.unwrap(), 2.0 * f64::from(seen.seen[0].summary.clone().unwrap().hot.width), 4.0);
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_region_of_interest_that_is_none_is_refused_and_while_playing_the_former_one_stays() {
    let model = models::save(&models::sides());
    let (error, text) = crate::faults::refusal(&rig::element(&model.path, &[("roi", "0,0,640,480")]));
    assert!(error.matches(gst::ResourceError::Settings), "{error:?}");
    assert!(text.contains("roi=0,0,640,480") && text.contains("shares of the frame"), "{text}");

    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of.clone(), &[BRIGHT, ("roi", "0.75,0,0.25,1")]);
    let share = |rig: &mut Rig| {
        let seen = Record::from_buffer(&rig.pass(at(&of, 0))).unwrap();
        seen.seen[0].summary.clone().unwrap().roi_share
    };
    near(share(&mut rig).unwrap(), 0.0, 1e-3);
    rig.element.set_property("roi", "left");
    for _ in 0..3 {
        near(share(&mut rig).unwrap(), 0.0, 1e-3);
    }
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
    assert!(text.contains("roi=left") && text.contains("stays"), "{text}");
    rig.element.set_property("roi", "0,0,0.75,1");
    near(share(&mut rig).unwrap(), 1.0, 1e-3);
    rig.element.set_property("roi", "");
    assert_eq!(share(&mut rig), None);
}

/// By the names of their details programs tell what the element did not take from what it could not do.
#[test]
fn warnings_say_what_they_are_about() {
    let of = info(VideoFormat::I420, 64, 48);
    let settings = [BRIGHT, ("self-check", "false")];
    let mut rig = Rig::with_model(models::save(&models::not_a_number()), of.clone(), &settings);
    let element = rig.element.clone();
    let mut about = |picture: &gst::Buffer| {
        rig::until("a warning", || {
            rig.pass(picture.copy());
            let message = rig.bus.pop_filtered(&[gst::MessageType::Warning])?;
            let gst::MessageView::Warning(warning) = message.view() else { unreachable!("filtered") };
            Some(warning.details().map(|details| details.name().to_string()))
        })
    };
    let (grey, white) = (halves(&of, 150, 20), halves(&of, 255, 255));
    for (property, value) in [("roi", "left"), ("target-class", "unicorn"), ("target-layer", "nowhere")] {
        element.set_property_from_str(property, value);
        assert_eq!(about(&grey).as_deref(), Some("gradcam-refused"), "{property}={value}");
    }
    assert_eq!(about(&white).as_deref(), Some("gradcam-failed"));
}

#[test]
fn the_statistics_count_every_frame_and_begin_anew_at_each_start() {
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig =
        Rig::with_model(models::save(&models::not_a_number()), of.clone(), &[BRIGHT, ("self-check", "false")]);
    let stats = |rig: &Rig| rig.element.property::<gst::Structure>("stats");
    let counts = |rig: &Rig| {
        let names = ["frames-in", "frames-out", "frames-annotated", "inferences", "failures"];
        names.map(|name| stats(rig).get::<u64>(name).unwrap())
    };
    assert_eq!(counts(&rig), [0; 5]);
    for _ in 0..3 {
        rig.pass(halves(&of, 150, 20));
        rig.pass(halves(&of, 255, 255));
    }
    assert_eq!(counts(&rig), [6, 6, 3, 6, 3]);
    let told = stats(&rig);
    let time = |name: &str| told.get::<u64>(name).unwrap();
    for stage in ["prepare", "queue", "inference", "paint"] {
        let [median, high] = ["p50", "p95"].map(|p| time(&format!("{stage}-{p}")));
        assert!(0 < median && median <= high && high < 60_000_000_000, "{stage}: {median}, {high}");
    }
    assert_eq!((time("map-age-p95"), told.get("provider")), (0, Ok("cpu")));
    assert!(told.get::<f64>("fps").unwrap() > 0.0 && !told.has_field("cache-hit"), "{told}");
    let known: Vec<&str> = gstgradcam::element::stats_fields().map(|field| field.name).collect();
    for (name, _) in told.iter() {
        assert!(known.contains(&name.as_str()), "{name} is not in the table");
    }
    rig.warnings();
    rig.element.set_state(gst::State::Null).unwrap();
    rig.element.set_state(gst::State::Paused).unwrap();
    assert_eq!(counts(&rig), [0; 5]);
}
