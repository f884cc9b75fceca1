//! Where the element computes: told, refused, fallen back from.

use gst::prelude::*;
use gst_video::VideoFormat;

use crate::rig::{self, Rig, info};
use crate::{models, support};

fn active(element: &gst::Element) -> Option<String> {
    element.property("active-provider")
}

#[test]
fn b42_the_active_provider_is_told_and_one_that_cannot_be_is_an_error() {
    let model = models::save(&models::sides());
    let (element, _others) = (rig::element(&model.path, &[]), rig::among_others());
    assert_eq!(active(&element), None);
    element.set_state(gst::State::Paused).unwrap();
    assert_eq!(active(&element).as_deref(), Some("cpu"));
    element.set_state(gst::State::Null).unwrap();
    let refused = [
        [("execution-provider", "tensorrt"), ("device", "0")],
        [("execution-provider", "plugin"), ("provider-library", "nowhere.so")],
    ];
    for settings in refused {
        let (error, text) = crate::faults::refusal(&rig::element(&model.path, &settings));
        assert!(error.matches(gst::LibraryError::Init), "{error:?}");
        assert!(text.contains(&format!("execution-provider={} cannot be used", settings[0].1)), "{text}");
    }
    let wrong = rig::element(&model.path, &[("execution-provider", "cuda"), ("provider-options", "x")]);
    let (error, text) = crate::faults::refusal(&wrong);
    assert!(error.matches(gst::ResourceError::Settings) && text.contains("key=value"), "{text}");
}

#[test]
fn b42_a_library_that_is_named_computes_and_one_that_fails_is_a_warning() {
    let settings = |library| [("provider-library", library), ("engine-cache-dir", "none")];
    let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &settings("Cargo.toml"));
    let (left, right) = rig.halves(255, 0);
    assert!(left > 200.0 && right < 30.0, "the CPU explains: left {left}, right {right}");
    assert_eq!(active(&rig.element).as_deref(), Some("cpu"));
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
    assert!(text.contains("auto runs on cpu") && text.contains("Cargo.toml is not a shared library"), "{text}");
    drop(rig);

    // The same where frames do not wait: what cannot be used is left for what explained meanwhile.
    let mut rig =
        Rig::new(info(VideoFormat::I420, 64, 48), &[&settings("Cargo.toml")[..], &[("mode", "async")]].concat());
    let mut ms = 0;
    let warnings = rig::until("a warning", || {
        ms += 1;
        rig.at(ms, 255, 0);
        Some(rig.warnings()).filter(|warnings| !warnings.is_empty())
    });
    assert!(warnings.len() == 1 && warnings[0].1.contains("auto runs on cpu"), "{warnings:?}");
    assert_eq!(active(&rig.element).as_deref(), Some("cpu"));
    drop(rig);

    let Some(library) = support::openvino() else { return };
    let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &settings(&library.to_string_lossy()));
    let (left, right) = rig.halves(255, 0);
    assert!(left > 200.0 && right < 30.0, "OpenVINO explains: left {left}, right {right}");
    assert_eq!(active(&rig.element).as_deref(), Some("plugin"));
    assert!(rig.warnings().is_empty());
}
