//! Processes: how they end while the element is at work, what is left then, and who else may be in them.

use std::path::PathBuf;
use std::process::Command;

use gst::prelude::*;
use gst_video::VideoFormat;
use gstgradcam::{Explainer, Options};

use crate::models;
use crate::rig::{self, Rig, info};
use crate::support;
use crate::system::{alone, process, said, way};

const EXIT: &str = "exits::a45_a_process_may_end_at_any_time";

#[test]
fn a45_a_process_may_end_at_any_time() {
    if let Some(way) = way(EXIT) {
        return leave(&way);
    }
    for way in ["sync", "async", "running", "loading", "returning"] {
        // What ends is met at another place each time.
        for round in 0..4 {
            let output = process(EXIT, way).output().unwrap();
            assert!(output.status.success(), "{way}, round {round}: {}\n{}", output.status, said(&output));
            assert!(said(&output).contains(&format!("leaves {way}")), "{way}: {}", said(&output));
        }
    }
}

/// Leaves the process while a stream plays, a run or a load is in progress; runs the destructors of the runtime's library.
fn leave(way: &str) {
    let text = "videotestsrc ! video/x-raw,format=I420,width=64,height=48 ! GRADCAM ! appsink name=out sync=false";
    let (mode, model) = match way {
        "sync" | "returning" => ("sync", models::sides()),
        "async" => ("async", models::sides()),
        _ => ("async", models::slow()),
    };
    let model = models::save(&model);
    let settings = [("mode", mode), ("max-in-flight", "4"), ("self-check", "false")];
    let pipeline = rig::launch(text, &model.path, &settings);
    pipeline.set_state(gst::State::Playing).unwrap();
    let out: gst_app::AppSink = pipeline.by_name("out").unwrap().downcast().unwrap();
    let element = pipeline.iterate_elements().find(|e| e.type_() == gstgradcam::element::GradCam::static_type());
    let element = element.expect("the element");
    let runs = || element.property::<gst::Structure>("stats").get::<u64>("inferences").unwrap();
    rig::until("the middle of it", || {
        out.pull_sample().unwrap();
        let open = element.property::<Option<String>>("resolved-target-layer").is_some();
        match way {
            "loading" => Some(()),
            "running" => open.then_some(()),
            _ => (runs() > 5).then_some(()),
        }
    });
    println!("leaves {way}");
    drop(model);
    std::mem::forget((pipeline, out, element));
    if way != "returning" {
        std::process::exit(0);
    }
}

#[test]
fn a46_two_copies_of_the_binding_run_in_one_process_and_children_may_be_started() {
    if !alone("exits::a46_two_copies_of_the_binding_run_in_one_process_and_children_may_be_started") {
        return;
    }
    // This program has one, the plugin's file brings another.
    let model = models::save(&models::sides());
    let library = support::runtime().or_else(|| std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from));
    let library = library.expect("the runtime");
    let options = Options { runtime_library: Some(library.clone()), ..Options::default() };
    gst::init().unwrap();
    gst::Plugin::load_file(rig::plugin()).unwrap();
    for round in 0..5 {
        let text = format!(
            "videotestsrc num-buffers=20 ! video/x-raw,width=64,height=48 ! gradcam model={} runtime-library={} ! \
             fakesink",
            model.path.display(),
            library.display()
        );
        let pipeline = gst::parse::launch(&text).unwrap();
        let explainer = |round: i32| {
            let mut explainer = Explainer::open(&model.path, &options).unwrap();
            let shape = explainer.input_shape().to_vec();
            let targets = explainer.targets("bright").unwrap();
            let region = gstgradcam::frame::Region { x: 0.0, y: 0.0, width: 8.0, height: 8.0 };
            for _ in 0..50 {
                let input = ndarray::ArrayD::from_elem(shape.clone(), 0.5f32);
                let seen = explainer.explain_tensor(input.view(), &targets, region).unwrap();
                assert!((seen.maps[0].map[[0, 0]] - 0.5 / 64.0).abs() < 1e-6 || round < 0, "{:?}", seen.maps[0].map);
            }
        };
        pipeline.set_state(gst::State::Playing).unwrap();
        explainer(round);
        assert!(Command::new("true").status().unwrap().success());
        rig::until_eos(&pipeline);
    }
}

/// Seeks, flushes, state cycles, swaps, a heat map's pad that comes and goes: the tracer sees nothing alive behind them.
#[test]
fn a60_nothing_is_alive_after_all_that_a_stream_goes_through() {
    const TEST: &str = "exits::a60_nothing_is_alive_after_all_that_a_stream_goes_through";
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    if way(TEST).is_none() {
        let mut child = process(TEST, "");
        child.env("GST_TRACERS", "leaks").env("GST_LEAKS_TRACER_SIG", "1").env("GST_DEBUG_NO_COLOR", "1");
        child.env("GST_DEBUG", "GST_TRACER:7,leaks:7").env("GST_DEBUG_FILE", &log);
        let output = child.output().unwrap();
        assert!(output.status.success(), "{}\n{}", output.status, said(&output));
        let text = std::fs::read_to_string(&log).unwrap();
        let is_object = |line: &&str| {
            let name = line.split("object-alive, type-name=(string)").nth(1);
            // A plugin that is registered by hand, and its factory, are the registry's.
            let ours = |name: &str| !name.starts_with("GstPlugin,") && !name.starts_with("GstElementFactory,");
            name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_uppercase()) && ours(name))
        };
        let alive: Vec<&str> = text.lines().filter(is_object).collect();
        // One was left on purpose: the tracer is at work.
        assert!(alive.len() == 1 && alive[0].contains("GstBus,"), "{alive:#?}");
        return;
    }
    for mode in [("max-in-flight", "1"), ("max-in-flight", "4"), ("mode", "async")] {
        played_with(mode);
    }
    let _left = gst::Bus::new();
    let log = std::env::var("GST_DEBUG_FILE").unwrap();
    assert!(Command::new("kill").args(["-USR1", &std::process::id().to_string()]).status().unwrap().success());
    rig::until("the tracer's list", || std::fs::read_to_string(&log).unwrap().contains(" alive objects").then_some(()));
}

fn played_with(mode: (&str, &str)) {
    let (model, other) = (models::save(&models::sides()), models::save(&models::five()));
    let settings = [("target-class", "bright"), ("post-messages", "true"), ("output-map-meta", "true"), mode];
    let text = "videotestsrc num-buffers=3000 ! video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! GRADCAM ! \
                appsink name=painted sync=false";
    let pipeline = rig::launch(text, &model.path, &settings);
    let painted: gst_app::AppSink = pipeline.by_name("painted").unwrap().downcast().unwrap();
    for n in 0..10 {
        pipeline.set_state(gst::State::Playing).unwrap();
        painted.pull_sample().unwrap();
        let target = gst::ClockTime::from_mseconds(40) * (n * 37 % 100);
        pipeline.seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, target).unwrap();
        painted.pull_sample().unwrap();
        pipeline.set_state(if n % 2 == 0 { gst::State::Null } else { gst::State::Ready }).unwrap();
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let mut rig = Rig::with_model(model, info(VideoFormat::Rgb, 64, 48), &settings);
    for path in [&other.path, &PathBuf::from("/nowhere/m.onnx")] {
        let pad = rig.element.request_pad_simple("heatmap").unwrap();
        let sink = gst::ElementFactory::make("fakesink").property("async", false).build().unwrap();
        sink.set_state(gst::State::Playing).unwrap();
        pad.link(&sink.static_pad("sink").unwrap()).unwrap();
        rig.element.set_property("model", path.to_str());
        for ms in 0..200 {
            rig.pad().chain(rig.frame(ms, 230, 0)).unwrap();
        }
        while rig.harness.try_pull().is_some() {}
        rig.element.release_request_pad(&pad);
        sink.set_state(gst::State::Null).unwrap();
    }
}
