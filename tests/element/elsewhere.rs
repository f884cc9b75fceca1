//! A provider that fails while frames go by, or takes its time to be ready: the CPU explains. Without OpenVINO's plugin the CPU poses as
//! one.

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};

use crate::loading::progress;
use crate::rig::{Rig, info, until};
use crate::{models, support};

const ASYNC: (&str, &str) = ("mode", "async");
const BRIGHT: (&str, &str) = ("target-class", "bright");
const WAIT: (&str, &str) = ("wait-for-model", "true");

/// Longer than any test runs: whoever waits for it does not come back.
const FOR_EVER: (&str, &str) = ("fault", "slow-place-ms=100000000");

fn of() -> VideoInfo {
    info(VideoFormat::I420, 64, 48)
}

fn active(rig: &Rig) -> Option<String> {
    rig.element.property("active-provider")
}

/// All that was told so far.
#[derive(Debug, Default)]
struct Told {
    infos: Vec<String>,
    warnings: Vec<(gst::glib::Error, String)>,
    progress: Vec<(gst::ProgressType, String)>,
}

fn told(bus: &gst::Bus) -> Told {
    let mut told = Told::default();
    while let Some(message) = bus.pop() {
        match message.view() {
            gst::MessageView::Info(info) => told.infos.push(info.error().message().to_string()),
            gst::MessageView::Warning(warning) => {
                told.warnings.push((warning.error(), warning.error().message().to_string()));
            }
            gst::MessageView::Progress(progress) => {
                told.progress.push((progress.type_(), progress.get().2.to_string()))
            }
            gst::MessageView::Error(error) => panic!("an ERROR: {:?}", error.error()),
            _ => {}
        }
    }
    told
}

/// The same with the CPU that poses as a provider, and with a real one, where it is there.
fn on_both(test: impl Fn(&[(&str, &str)])) {
    test(&[]);
    if let Some(library) = support::openvino() {
        test(&[("execution-provider", "plugin"), ("provider-library", &library.to_string_lossy())]);
    }
}

#[test]
fn b42_a_provider_that_fails_while_frames_go_by_is_left_for_the_cpu_and_no_frame_is_lost() {
    on_both(|provider| {
        let faulty = [BRIGHT, WAIT, ("fault", "lose-provider-at=3"), ("engine-cache-dir", "none")];
        for mode in [&[][..], &[("max-in-flight", "3"), ("batch-size", "2")], &[ASYNC]] {
            let mut rig = Rig::new(of(), &[&faulty, provider, mode].concat());
            rig.pad().chain(rig.frame(0, 230, 0)).unwrap();
            assert_eq!(active(&rig).as_deref(), Some("plugin"));
            let mut frames = 1;
            until("the CPU", || {
                rig.pad().chain(rig.frame(frames * 40, 230, 0)).unwrap();
                frames += 1;
                (active(&rig).as_deref() == Some("cpu")).then_some(())
            });
            rig.pad().chain(rig.frame(frames * 40, 230, 0)).unwrap();
            rig.pad().send_event(gst::event::Eos::new());
            for ms in 0..=frames {
                let out = rig.harness.try_pull().expect("no frame is lost");
                assert_eq!(out.pts(), Some(gst::ClockTime::from_mseconds(ms * 40)));
                let (left, right) = crate::rig::sides(&rig.info, &out);
                let waits = mode != [ASYNC];
                assert!(!waits || (left > 200.0 && right < 30.0), "frame {ms}: left {left}, right {right}");
            }
            let Told { infos, warnings, .. } = told(&rig.bus);
            let [(error, text)] = &warnings[..] else { panic!("one warning, not {warnings:?}") };
            assert!(error.matches(gst::StreamError::Failed), "{error:?}");
            assert!(
                text.contains("on purpose") && text.contains("execution-provider=plugin is left for the CPU"),
                "{text}"
            );
            assert!(infos.len() == 2 && infos[1].contains("runs on cpu"), "{infos:?}");
            let stats: gst::Structure = rig.element.property("stats");
            assert_eq!((stats.get("provider"), stats.get("failures")), (Ok("cpu"), Ok(0u64)), "{stats}");
        }
    });
}

#[test]
fn b42_each_stream_on_a_provider_that_fails_is_told_and_whoever_comes_next_tries_it_anew() {
    let settings = [BRIGHT, ("fault", "lose-provider-at=3")];
    let mut first = Rig::new(of(), &settings);
    let model: String = first.element.property("model");
    let same = || {
        let on_disk = models::OnDisk { dir: tempfile::tempdir().unwrap(), path: (&model).into() };
        Rig::with_model(on_disk, of(), &settings)
    };
    let mut second = same();
    let painted = |rig: &mut Rig| assert!(!rig.at(0, 230, 0).1);
    for _ in 0..2 {
        [&mut first, &mut second].into_iter().for_each(painted);
    }
    let mut third = same();
    assert_eq!([&first, &second, &third].map(active), ["cpu", "cpu", "plugin"].map(|name| Some(name.to_string())));
    [&mut first, &mut third, &mut second].into_iter().for_each(painted);
    for (rig, warnings) in [(first, 1), (second, 1), (third, 0)] {
        assert_eq!(rig.warnings().len(), warnings);
    }
}

#[test]
fn b44_the_cpu_explains_while_a_provider_is_built_and_stopping_waits_for_neither() {
    on_both(|provider| {
        let mut rig = Rig::new(of(), &[&[ASYNC, BRIGHT, FOR_EVER, ("engine-cache-dir", "none")], provider].concat());
        let mut ms = 0;
        for _ in 0..3 {
            until("a map by the CPU", || {
                ms += 1;
                (!rig.at(ms, 230, 0).1).then_some(())
            });
        }
        assert_eq!(active(&rig).as_deref(), Some("cpu"));
        rig.element.set_state(gst::State::Null).unwrap();
        let Told { progress, warnings, .. } = told(&rig.bus);
        // gst-launch-1.0 plays on from there, and not when the provider is ready.
        let (kind, text) = progress.last().expect("progress");
        assert!(*kind == gst::ProgressType::Complete && text.contains("the CPU explains until"), "{progress:?}");
        assert!(warnings.is_empty(), "{warnings:?}");
    });
}

#[test]
fn b44_a_provider_that_is_ready_takes_over_and_no_frame_is_without_a_map() {
    on_both(|provider| {
        let settings = [ASYNC, BRIGHT, ("fault", "slow-place-ms=100"), ("expire-overlay", "0")];
        let settings = [&settings[..], &[("engine-cache-dir", "none")], provider].concat();
        let mut rig = Rig::new(of(), &settings);
        let mut ms = 0;
        until("a map", || {
            ms += 1;
            (!rig.at(ms, 230, 0).1).then_some(())
        });
        let mut after = 0;
        until("the provider", || {
            ms += 1;
            assert!(!rig.at(ms, 230, 0).1, "the map so far stays");
            after += u32::from(active(&rig).as_deref() == Some("plugin"));
            (after == 20).then_some(())
        });
        let Told { infos, warnings, progress } = told(&rig.bus);
        assert!(infos.len() == 2 && infos[1].contains("runs on plugin"), "{infos:?}");
        assert_eq!(progress.last().map(|told| told.0), Some(gst::ProgressType::Complete), "{progress:?}");
        assert!(warnings.is_empty(), "{warnings:?}");
    });
}

#[test]
fn b44_nobody_explains_meanwhile_where_that_is_not_wished_for() {
    let mut rig = Rig::new(of(), &[ASYNC, BRIGHT, FOR_EVER, ("interim-provider", "none")]);
    until("the last stage", || {
        progress(&rig.bus).iter().any(|(_, text)| text.contains("execution provider")).then_some(())
    });
    for ms in 0..20 {
        assert!(rig.at(ms, 230, 0).1, "there is no map");
    }
    assert_eq!(active(&rig), None);
    // It is read when a model begins to be opened.
    rig.element.set_property_from_str("interim-provider", "cpu");
    rig.element.set_property_from_str("method", "hirescam");
    let mut ms = 20;
    until("a map by the CPU", || {
        ms += 1;
        (!rig.at(ms, 230, 0).1).then_some(())
    });
}

#[test]
fn b44_a_provider_that_cannot_be_built_is_a_warning_and_the_cpu_goes_on() {
    let mut rig = Rig::new(of(), &[ASYNC, BRIGHT, ("on-error", "stop"), ("fault", "slow-place-ms=20,fail-place=1")]);
    let mut ms = 0;
    let mut warned = |rig: &mut Rig| {
        let warnings = until("a warning", || {
            ms += 1;
            rig.at(ms, 230, 0);
            Some(rig.warnings()).filter(|warnings| !warnings.is_empty())
        });
        let [(_, text)] = &warnings[..] else { panic!("one warning, not {warnings:?}") };
        assert!(text.contains("on purpose") && text.contains("goes on"), "{text}");
        until("a map by the CPU", || {
            ms += 1;
            (!rig.at(ms, 230, 0).1).then_some(())
        });
    };
    warned(&mut rig);
    assert_eq!(active(&rig).as_deref(), Some("cpu"));
    rig.element.set_property_from_str("method", "hirescam");
    warned(&mut rig);
    assert_eq!(active(&rig).as_deref(), Some("cpu"));
}

#[test]
fn b44_who_waits_for_the_model_waits_for_its_provider() {
    let rig = Rig::new(of(), &[BRIGHT, ("fault", "slow-place-ms=50")]);
    assert_eq!(active(&rig).as_deref(), Some("plugin"));
    assert!(!progress(&rig.bus).iter().any(|(_, text)| text.contains("the CPU explains")));
    drop(rig);
    let mut rig = Rig::new(of(), &[BRIGHT, ("fault", "slow-place-ms=50"), ("wait-for-model", "false")]);
    let mut ms = 0;
    until("the provider", || {
        ms += 1;
        let ((left, right), untouched) = rig.at(ms, 230, 0);
        assert!(untouched || (left > 200.0 && right < 30.0), "left {left}, right {right}");
        (active(&rig).as_deref() == Some("plugin")).then_some(())
    });
}

#[test]
fn b44_the_input_follows_the_frames_on_the_cpu_and_on_the_provider() {
    for mode in [&[ASYNC][..], &[("wait-for-model", "false")], &[]] {
        let settings = [BRIGHT, ("resize-mode", "full-frame"), ("fault", "slow-place-ms=40"), ("expire-overlay", "0")];
        let wide = info(VideoFormat::I420, 128, 48);
        let mut rig = Rig::with_model(models::save(&models::sides()), wide, &[&settings, mode].concat());
        let mut ms = 0;
        for size in [(128, 48), (48, 96), (128, 48), (64, 64)] {
            assert!(rig.caps(&info(VideoFormat::I420, size.0, size.1)));
            let mut explained = 0;
            until("the provider's map", || {
                ms += 1;
                let ((left, right), untouched) = rig.at(ms, 230, 0);
                assert!(untouched || left > right, "{size:?}: left {left}, right {right}");
                explained += u32::from(!untouched && active(&rig).as_deref() == Some("plugin"));
                (explained == 3).then_some(())
            });
        }
        assert!(rig.warnings().is_empty());
    }
}
