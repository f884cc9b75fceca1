//! Properties: documented, obeyed, and refused with a reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gst::glib::ParamFlags;
use gst::prelude::*;
use gst_video::VideoFormat;

use crate::models;
use crate::rig::{self, Rig, info};

pub fn own_properties() -> Vec<gst::glib::ParamSpec> {
    rig::init();
    let element = gst::ElementFactory::make("gradcam").build().unwrap();
    element.list_properties().iter().filter(|p| p.owner_type().name() == "GstGradCam").cloned().collect()
}

#[test]
fn every_property_says_what_it_is_and_when_it_may_change() {
    let names: Vec<String> = own_properties().iter().map(|p| p.name().to_string()).collect();
    assert_eq!(names.len() - usize::from(cfg!(feature = "fault-injection")), 66, "{names:?}");
    for property in own_properties() {
        let (name, flags) = (property.name(), property.flags());
        assert!(!property.nick().is_empty() && property.nick() != name, "{name} has no nick");
        assert!(property.blurb().is_some_and(|blurb| blurb.len() > 15), "{name} has no blurb");
        let ready = flags.contains(gst::PARAM_FLAG_MUTABLE_READY);
        let playing = flags.contains(gst::PARAM_FLAG_MUTABLE_PLAYING);
        assert_eq!(flags.contains(ParamFlags::WRITABLE), ready != playing, "{name}: {flags:?}");
    }
}

#[test]
fn every_property_begins_as_its_description_says() {
    rig::init();
    let element = gst::ElementFactory::make("gradcam").build().unwrap();
    for property in own_properties().iter().filter(|property| property.name() != "stats") {
        let (own, said) = (element.property_value(property.name()), property.default_value());
        assert_eq!(format!("{own:?}"), format!("{said:?}"), "{}", property.name());
    }
}

#[test]
fn a30_no_frame_is_dropped_for_being_late() {
    rig::init();
    let element = gst::ElementFactory::make("gradcam").build().unwrap();
    assert!(!element.property::<bool>("qos"), "GstVideoFilter would drop late frames");
}

#[test]
fn the_target_class_follows_while_playing() {
    let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &[]);
    // What is set, and whether left and right light up; the picture is light on the left.
    let steps = [
        ("bright", true, false),
        ("dark", false, true),
        ("0", true, false),
        ("1", false, true),
        ("bright,dark", true, true),
        ("", true, false),
        ("-2", false, true),
    ];
    for (target, left, right) in steps {
        rig.element.set_property("target-class", target);
        let seen = rig.halves(255, 0);
        // each of several classes has a hue of its own, darker than white
        let lit = |level: f32| level > 130.0;
        assert_eq!((lit(seen.0), lit(seen.1)), (left, right), "target-class={target:?}: {seen:?}");
    }
    assert!(rig.warnings().is_empty());
}

#[test]
fn b29_a_class_that_does_not_exist_is_an_error_at_the_start() {
    for target in ["2", "-3", "nonsense", "bright,7"] {
        let model = models::save(&models::sides());
        let (error, text) = crate::faults::refusal(&rig::element(&model.path, &[("target-class", target)]));
        assert!(error.matches(gst::ResourceError::Settings), "{target}: {error:?}");
        assert!(
            text.contains("target-class") && text.contains("0") && text.contains('1'),
            "{target}: no range in {text}"
        );
    }
}

#[test]
fn b29_a_class_that_does_not_exist_is_a_warning_while_playing_and_the_former_one_stays() {
    let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &[("target-class", "dark")]);
    for wrong in ["nonsense", "2"] {
        rig.element.set_property("target-class", wrong);
        for _ in 0..5 {
            let (left, right) = rig.halves(255, 0);
            assert!(left < 30.0 && right > 200.0, "the map of \"dark\" stays: left {left}, right {right}");
        }
        let warnings = rig.warnings();
        let [(error, text)] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
        assert!(error.matches(gst::ResourceError::Settings) && text.contains(wrong), "{text}");
    }
}

#[test]
fn what_is_read_at_the_start_changes_nothing_while_playing_and_says_so() {
    let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &[("target-class", "bright")]);
    rig.element.set_property("runtime-library", "/nowhere/else.so");
    let (left, right) = rig.halves(255, 0);
    assert!(left > 200.0 && right < 30.0, "the open model goes on: left {left}, right {right}");
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
    assert!(text.contains("runtime-library") && text.contains("next start"), "{text}");
    rig.element.set_property_from_str("colormap", "turbo");
    assert!(rig.warnings().is_empty(), "drawing changes at once");
}

#[test]
fn the_resolved_layer_is_told_and_notified() {
    let model = models::save(&models::sides());
    let (element, _others) = (rig::element(&model.path, &[]), rig::among_others());
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    element.connect_notify(Some("resolved-target-layer"), move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    assert_eq!(element.property::<Option<String>>("resolved-target-layer"), None);
    element.set_state(gst::State::Paused).unwrap();
    assert_eq!(element.property::<Option<String>>("resolved-target-layer").as_deref(), Some("layer"));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn words_are_written_only_if_asked_for() {
    let of = info(VideoFormat::Rgb, 320, 240);
    let mut rig = Rig::new(of.clone(), &[("alpha", "0")]);
    let input = rig::halves(&of, 250, 250);
    let before = rig::bytes(&input);
    assert!(rig::bytes(&rig.pass(input.copy_deep().unwrap())) == before, "alpha=0 without words paints nothing");
    rig.element.set_property("draw-labels", true);
    let after = rig::bytes(&rig.pass(input));
    let changed: Vec<usize> = (0..after.len()).filter(|&i| after[i] != before[i]).map(|i| i / 3).collect();
    let (right, below) =
        (changed.iter().map(|p| p % 320).max().unwrap(), changed.iter().map(|p| p / 320).max().unwrap());
    assert!(right < 240 && below < 40, "a line in the upper left corner, not up to {right}, {below}");
}

/// The library's tables and the element's enumerations go together: a row of the one needs a value of the other.
#[test]
fn every_row_of_the_librarys_tables_is_a_value_of_its_property() {
    use gstgradcam::prep::{ColorFormat, Preprocess, ResizeMode};
    use gstgradcam::render;
    let nicks = |property: &str| -> Vec<String> {
        let found = own_properties().into_iter().find(|p| p.name() == property).unwrap();
        let class = gst::glib::EnumClass::with_type(found.value_type()).unwrap();
        class.values().iter().map(|value| value.nick().to_string()).collect()
    };
    let auto = || std::iter::once("auto");
    let rows: [(&str, Vec<&str>); 13] = [
        ("execution-provider", gstgradcam::Provider::all().map(|p| p.name()).collect()),
        ("precision", gstgradcam::Precision::ALL.iter().map(|p| p.name()).collect()),
        ("method", gstgradcam::Method::all().map(|m| m.name()).collect()),
        ("score-kind", gstgradcam::ScoreKind::all().map(|kind| kind.name()).collect()),
        ("preprocess", Preprocess::ALL.iter().map(|p| p.name()).collect()),
        ("color-format", auto().chain(ColorFormat::ALL.iter().map(|c| c.name())).collect()),
        ("resize-mode", auto().chain(ResizeMode::ALL.iter().map(|r| r.name())).collect()),
        ("colormap", auto().chain(render::Colormap::all().map(|c| c.name())).collect()),
        ("output-mode", render::OutputMode::ALL.iter().map(|m| m.name()).collect()),
        ("alpha-mode", render::AlphaMode::ALL.iter().map(|m| m.name()).collect()),
        ("smooth", render::Smooth::ALL.iter().map(|s| s.name()).collect()),
        ("label-position", render::Corner::ALL.iter().map(|c| c.name()).collect()),
        ("normalization", render::Normalization::ALL.iter().map(|n| n.name()).collect()),
    ];
    for (property, names) in rows {
        assert_eq!(nicks(property), names, "{property}");
    }
}

#[test]
fn every_row_of_the_format_table_is_a_format_that_gstreamer_knows_and_the_pads_offer() {
    rig::init();
    let formats: Vec<VideoFormat> = rig::formats().collect();
    assert!(!formats.contains(&VideoFormat::Unknown), "{formats:?}");
    let factory = gst::ElementFactory::find("gradcam").unwrap();
    for template in factory.static_pad_templates().iter().filter(|t| t.name_template() != "heatmap") {
        for format in &formats {
            let caps = gst_video::VideoCapsBuilder::new().format(*format).width(64).height(48).build();
            assert!(template.caps().can_intersect(&caps), "{format:?} at {}", template.name_template());
        }
    }
    assert_eq!(formats.len(), 26, "the README and this test name how many there are");
}

#[test]
fn maps_of_either_sign_have_two_colours_and_other_colour_maps_are_told_of() {
    let of = info(VideoFormat::Rgb, 64, 48);
    let settings = [("target-class", "bright"), ("versus", "dark"), ("signed", "true"), ("colormap", "auto")];
    let mut rig = Rig::new(of.clone(), &settings);
    // in each half: light speaks for "bright", dark for "dark"
    let colours = |rig: &mut Rig| {
        let seen = rig::bytes(&rig.pass(rig::halves(&of, 255, 0)));
        [8, 56].map(|x| seen[(24 * 64 + x) * 3..][..3].to_vec())
    };
    let [left, right] = colours(&mut rig);
    assert!(left[0] > left[2] && right[2] > right[0], "red for it and blue against it, not {left:?} and {right:?}");
    assert!(rig.warnings().is_empty());
    rig.element.set_property_from_str("colormap", "gray");
    for frame in 0..3 {
        let [left, right] = colours(&mut rig);
        assert_eq!((left[0], left[2], right[0]), (255, 255, 0), "what speaks against it has no colour");
        let warnings = rig.warnings();
        assert_eq!(warnings.len(), usize::from(frame == 0), "{warnings:?}");
        assert!(warnings.iter().all(|(_, text)| text.contains("colormap=gray") && text.contains("blue-red")));
    }
    rig.element.set_property_from_str("colormap", "purple-orange");
    colours(&mut rig);
    assert!(rig.warnings().is_empty());
    let mut rig = Rig::new(of.clone(), &[("colormap", "blue-red")]);
    colours(&mut rig);
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
    assert!(text.contains("colormap=blue-red") && text.contains("signed=true"), "{text}");
}

#[test]
fn the_class_held_against_it_follows_while_playing() {
    let settings = [("target-class", "bright"), ("versus", "dark")];
    let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &settings);
    // both speak for "bright against dark": light on the left is for the one, dark on the right is against the other
    let lit = |rig: &mut Rig| {
        let (left, right) = rig.halves(255, 0);
        (left > 200.0, right > 200.0)
    };
    assert_eq!(lit(&mut rig), (true, false));
    assert!(rig.warnings().is_empty());
    rig.element.set_property("versus", "nonsense");
    assert_eq!(lit(&mut rig), (true, false), "the class held against it stays");
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
    assert!(text.contains("versus") && text.contains("nonsense"), "{text}");
    rig.element.set_property("versus", "0");
    assert_eq!(lit(&mut rig), (true, false), "the picture itself: nothing speaks for a class against itself");
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
    assert!(text.contains("against itself") && text.contains("bright"), "{text}");
    rig.element.set_property("target-class", "dark");
    assert_eq!(lit(&mut rig), (false, true), "and dark against bright on the right");
    rig.element.set_property("versus", "");
    lit(&mut rig);
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
    assert!(text.contains("versus") && text.contains("start"), "{text}");
}
