//! Loading beside the stream, without faults on purpose: what is told, and when.

use gst::prelude::*;
use gst_video::VideoFormat;

use crate::models;
use crate::rig::{self, Rig, info, until};

/// The progress told so far: kinds and texts.
pub fn progress(bus: &gst::Bus) -> Vec<(gst::ProgressType, String)> {
    let mut told = Vec::new();
    while let Some(message) = bus.pop_filtered(&[gst::MessageType::Progress]) {
        let gst::MessageView::Progress(progress) = message.view() else { unreachable!("filtered") };
        let (kind, code, text) = progress.get();
        assert_eq!(code, "gradcam-load");
        told.push((kind, text.to_string()));
    }
    told
}

#[test]
fn the_stages_of_a_load_are_told() {
    use gst::ProgressType::{Complete, Continue, Start};
    let rig = Rig::new(info(VideoFormat::I420, 64, 48), &[]);
    let mut told = Vec::new();
    until("the end of the load", || {
        told.extend(progress(&rig.bus));
        told.iter().any(|(kind, _)| *kind == Complete).then_some(())
    });
    let kinds: Vec<_> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [Start, Continue, Continue, Continue, Continue, Continue, Continue, Complete], "{told:?}");
    for (stage, word) in told[1..7].iter().zip(["reading", "measuring", "backward", "session", "checking", "provider"])
    {
        assert!(stage.1.contains(word), "{told:?}");
    }
}

#[test]
fn a_load_that_fails_is_told_and_by_on_error_the_end_or_not() {
    let _others = rig::among_others();
    let model = models::save(&models::staircase()); // the self-check refuses it
    let of = info(VideoFormat::I420, 64, 48);
    for (on_error, wait, ends) in [("pass", "auto", false), ("stop", "auto", true), ("pass", "true", true)] {
        let settings = [("mode", "async"), ("on-error", on_error), ("wait-for-model", wait)];
        let element = rig::element(&model.path, &settings);
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let mut harness = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
        harness.set_src_caps(of.to_caps().unwrap());
        harness.play();
        let kinds = [gst::MessageType::Error, gst::MessageType::Warning];
        let told = until("the failure", || {
            let flow = harness.push(rig::halves(&of, 230, 0));
            let told = bus.pop_filtered(&kinds);
            let failed = matches!(told.as_ref().map(|told| told.type_()), Some(gst::MessageType::Error));
            assert_eq!(flow.is_err(), failed, "{on_error} {wait}: {flow:?}");
            assert_eq!(flow.is_ok(), harness.try_pull().is_some(), "frames in are frames out");
            told
        });
        assert_eq!(told.type_() == gst::MessageType::Error, ends, "on-error={on_error} wait-for-model={wait}");
        assert_eq!(harness.push(rig::halves(&of, 230, 0)).is_err(), ends, "and so it stays");
        assert!(bus.pop_filtered(&kinds).is_none(), "told once");
        element.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn what_can_be_refused_at_once_is_in_async_mode_too() {
    let model = models::save(&models::sides());
    for (path, settings) in [
        (std::path::Path::new("/nowhere/m.onnx"), [("mode", "async"), ("mean", "")]),
        (&model.path, [("mode", "async"), ("mean", "a;b")]),
    ] {
        crate::faults::refusal(&rig::element(path, &settings));
    }
}
