//! Bad models, bad paths: refused before the first frame with one sentence, and never the end of a running video.

use std::path::Path;

use gst::glib;
use gst::prelude::*;
use gst_video::VideoFormat;

use crate::models;
use crate::rig::{self, Rig, bytes, halves, info, sides};

/// The ERROR with which an element refuses to start: its code and the text that users read.
pub fn refusal(element: &gst::Element) -> (glib::Error, String) {
    let _others = rig::among_others();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err(), "it starts");
    let message = bus.pop_filtered(&[gst::MessageType::Error]).expect("an ERROR");
    assert!(bus.pop_filtered(&[gst::MessageType::Error]).is_none(), "one ERROR");
    element.set_state(gst::State::Null).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!("filtered") };
    (error.error(), error.error().message().to_string())
}

fn refused(path: &Path, code: gst::ResourceError, words: &[&str]) {
    let (error, text) = refusal(&rig::element(path, &[]));
    assert!(error.matches(code), "{path:?}: {error:?}");
    for word in words {
        assert!(text.contains(word), "{path:?}: no {word:?} in {text:?}");
    }
}

#[test]
fn b01_paths_that_are_no_model_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("empty.onnx"), "").unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("fifo.onnx")).status().unwrap().success());
    refused(&at("missing.onnx"), gst::ResourceError::NotFound, &["missing.onnx", "does not exist"]);
    refused(folder.path(), gst::ResourceError::OpenRead, &["folder"]);
    refused(&at("empty.onnx"), gst::ResourceError::OpenRead, &["empty"]);
    // Neither may be waited for or read without end.
    refused(&at("fifo.onnx"), gst::ResourceError::OpenRead, &["not a regular file"]);
    refused(Path::new("/dev/zero"), gst::ResourceError::OpenRead, &["/dev/zero", "not a regular file"]);
}

#[test]
fn b02_files_that_are_no_models() {
    let whole = models::sides().to_bytes().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("text", b"not a model at all\n".to_vec()), ("half", whole[..whole.len() / 2].to_vec())] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        refused(&path, gst::ResourceError::Settings, &["ONNX"]);
    }
}

#[test]
fn settings_that_cannot_be_read_are_refused_with_an_example() {
    let model = models::save(&models::sides());
    for (name, value, word) in
        [("mean", "0.5;0.5;0.5", "0.485,0.456,0.406"), ("std", "a,b,c", "0.485"), ("input-size", "224", "224x224")]
    {
        let (error, text) = refusal(&rig::element(&model.path, &[(name, value)]));
        assert!(error.matches(gst::ResourceError::Settings), "{error:?}");
        assert!(text.contains(name) && text.contains(value) && text.contains(word), "{text}");
    }
}

#[test]
fn a_refused_element_starts_once_its_settings_are_right() {
    let model = models::save(&models::sides());
    let element = rig::element(Path::new("/nowhere/m.onnx"), &[]);
    for _ in 0..2 {
        element.set_property("model", "/nowhere/m.onnx");
        refusal(&element);
        element.set_property("model", model.path.to_str().unwrap());
        let _others = rig::among_others();
        element.set_state(gst::State::Paused).unwrap();
        element.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn b24_where_the_model_gives_no_number_the_frame_passes_untouched() {
    let of = info(VideoFormat::I420, 64, 48);
    let settings = [("self-check", "false"), ("target-class", "bright")];
    let mut rig = Rig::with_model(models::save(&models::not_a_number()), of.clone(), &settings);
    for round in 0..3 {
        // sqrt(0.75 - x) is a number on the dark picture, and larger on its darker half.
        let (left, right) = rig.halves(20, 150);
        assert!(left > 200.0 && right < left, "round {round}: left {left}, right {right}");
        for _ in 0..4 {
            let input = halves(&of, 255, 255);
            let before = bytes(&input);
            assert!(bytes(&rig.pass(input)) == before, "round {round}: a frame without a map was painted on");
        }
    }
    let warnings = rig.warnings();
    let (error, text) = warnings.first().expect("a WARNING");
    assert!(error.matches(gst::StreamError::Failed) && text.contains("NaN") && text.contains("goes on"), "{text}");
    assert!(warnings.len() < 12, "one a second at most, not one a frame");
}

#[test]
fn b24_where_the_model_gives_infinity_the_frame_passes_untouched_and_one_warning_tells() {
    let of = info(VideoFormat::I420, 64, 48);
    let settings = [("self-check", "false"), ("target-class", "bright")];
    let mut rig = Rig::with_model(models::save(&models::infinite()), of.clone(), &settings);
    let (left, right) = rig.halves(150, 20);
    assert!(left > 200.0 && right < left, "left {left}, right {right}");
    let input = halves(&of, 255, 255);
    let before = bytes(&input);
    assert!(bytes(&rig.pass(input)) == before, "a frame without a map was painted on");
    let warnings = rig.warnings();
    let [(error, text)] = warnings.as_slice() else { panic!("one WARNING, not {warnings:?}") };
    assert!(error.matches(gst::StreamError::Failed) && text.contains("NaN or infinity"), "{text}");
    let (left, right) = rig.halves(150, 20);
    assert!(left > 200.0 && right < left, "it goes on: left {left}, right {right}");
}

#[test]
fn b30_class_names_that_do_not_fit_are_told_of_and_never_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("names.txt");
    let of = info(VideoFormat::Rgb, 64, 48);
    for (text, name, told) in [
        ("\u{feff}rot\r\ngr\u{fc}n\r\nhell\r\n\r\ndunkel\r\n", "hell", None),
        ("red\ngreen\n", "class 2", Some("only 2 class names")),
        ("red\n\n\nblue\ndark", "class 2", None),
    ] {
        std::fs::write(&file, text).unwrap();
        let settings = [("labels-file", file.to_str().unwrap()), ("target-class", "2")];
        let mut rig = Rig::with_model(models::save(&models::five()), of.clone(), &settings);
        let out = rig.pass(halves(&of, 255, 0));
        let record = gstgradcam::Record::from_buffer(&out).expect("a meta");
        assert_eq!(record.seen[0].guess.label, name, "{text:?}");
        let warnings = rig.warnings();
        assert!(warnings.iter().all(|(_, text)| told.is_some_and(|told| text.contains(told))), "{warnings:?}");
        assert_eq!(warnings.len(), usize::from(told.is_some()), "{text:?}: {warnings:?}");
    }
    let model = models::save(&models::five());
    for (bytes, why) in [(&b"red\n\xff\xfegreen"[..], "not UTF-8 text (byte 4)"), (b"\r\n", "holds no class names")] {
        std::fs::write(&file, bytes).unwrap();
        let (_, text) = refusal(&rig::element(&model.path, &[("labels-file", file.to_str().unwrap())]));
        assert!(text.contains(why) && text.contains("names.txt"), "{text}");
    }
}

#[test]
fn b24_an_empty_map_paints_nothing_and_is_told_once() {
    let of = info(VideoFormat::Rgb, 64, 48);
    let mut rig = Rig::new(of.clone(), &[("target-class", "bright")]);
    for _ in 0..3 {
        let input = halves(&of, 0, 0);
        let before = bytes(&input);
        let out = rig.pass(input);
        assert!(bytes(&out) == before, "black has no brightness: {:?}", sides(&of, &out));
    }
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("told once: {warnings:?}") };
    assert!(text.contains("bright") && text.contains("zero everywhere"), "{text}");
}

#[test]
fn b24_a_class_that_nothing_speaks_for_is_told_once_with_the_reason() {
    let of = info(VideoFormat::Rgb, 64, 48);
    let mut rig = Rig::with_model(models::save(&models::nobody()), of.clone(), &[("target-class", "nobody")]);
    for _ in 0..5 {
        let input = halves(&of, 255, 0);
        let before = bytes(&input);
        assert!(bytes(&rig.pass(input)) == before, "a map that is zero paints nothing");
    }
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("told once: {warnings:?}") };
    for word in ["is negative", "nothing in this layer (\"layer\") speaks for nobody", "frames go on"] {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    rig.element.set_property("target-class", "bright");
    assert!(rig.halves(255, 0).0 > 200.0, "what the model does look at is painted");
}

#[test]
fn b09_a_model_that_asks_for_gigabytes_is_refused() {
    let model = models::save(&models::bomb());
    refused(&model.path, gst::ResourceError::Settings, &["bomb", "GB", "allowed", "export it again"]);
}

#[test]
fn b10_a_model_that_never_ends_is_stopped_at_the_start() {
    let model = models::save_bytes(&models::endless(-1.0), "model.onnx");
    let (error, text) = refusal(&rig::element(&model.path, &[("inference-timeout", "0.2")]));
    assert!(error.matches(gst::StreamError::Failed), "{error:?}");
    assert!(text.contains("0.2 s") && text.contains("inference-timeout") && text.contains("loop"), "{text}");
}

#[test]
fn b10_a_frame_on_which_the_model_never_ends_passes_and_the_video_goes_on() {
    let model = models::save_bytes(&models::endless(0.75), "model.onnx");
    let of = info(VideoFormat::I420, 64, 48);
    let settings = [("inference-timeout", "0.3"), ("target-class", "bright")];
    let mut rig = Rig::with_model(model, of.clone(), &settings);
    for _ in 0..2 {
        let (left, right) = rig.halves(255, 0);
        assert!(left > 200.0 && right < 30.0, "left {left}, right {right}");
        let input = halves(&of, 255, 255);
        let before = bytes(&input);
        assert!(bytes(&rig.pass(input)) == before, "a frame without a map was painted on");
    }
    let warnings = rig.warnings();
    let (error, text) = warnings.first().expect("a WARNING");
    assert!(error.matches(gst::StreamError::Failed), "{error:?}");
    assert!(text.contains("0.3 s") && text.contains("inference-timeout") && text.contains("goes on"), "{text}");
}

#[test]
fn b45_the_model_may_be_replaced_or_cut_short_while_it_runs() {
    let model = models::with_data_outside();
    let at = |name: &str| model.dir.path().join(name);
    let (file, data, other) = (model.path.clone(), at("model.data"), at("other.onnx"));
    let mut rig = Rig::with_model(model, info(VideoFormat::I420, 64, 48), &[("target-class", "bright")]);
    let mut goes_on = |after: &str| {
        let (left, right) = rig.halves(255, 0);
        assert!(left > 200.0 && right < 30.0, "after {after}: left {left}, right {right}");
    };
    goes_on("the start");
    std::fs::File::options().write(true).open(&data).and_then(|f| f.set_len(1)).unwrap();
    goes_on("the weights were cut short in place");
    std::fs::File::options().write(true).open(&file).and_then(|f| f.set_len(100)).unwrap();
    goes_on("the model was cut short in place");
    std::fs::write(&other, models::colours().to_bytes().unwrap()).unwrap();
    std::fs::rename(&other, &file).unwrap();
    goes_on("another model was moved to its place");
    std::fs::remove_file(&data).unwrap();
    std::fs::remove_file(&file).unwrap();
    goes_on("both were removed");
    assert!(rig.warnings().is_empty());
}

#[test]
fn a_gradient_that_is_wrong_is_refused_and_taken_without_the_check() {
    let model = models::save(&models::staircase());
    refused(&model.path, gst::ResourceError::Settings, &["self-check failed", "\"layer\"", "finite differences"]);
    let mut rig = Rig::with_model(model, info(VideoFormat::I420, 64, 48), &[("self-check", "false")]);
    rig.halves(255, 0);
}
