//! Another model, method or layer while the stream plays: taken between two frames, or refused and nothing lost.

use gst::prelude::*;
use gst_video::VideoFormat;
use gstgradcam::Record;

use crate::models::{self, OnDisk};
use crate::rig::{Rig, info, until};

const BRIGHT: (&str, &str) = ("target-class", "bright");

/// The classes of [`models::sides`] by each other's names.
fn swapped() -> OnDisk {
    let mut model = models::sides();
    model.set_metadata("gradcam.labels", "dark\nbright");
    models::save(&model)
}

/// Frames go on, each in and out, until the left side is lit or is not.
fn until_left(rig: &mut Rig, ms: &mut u64, lit: bool) {
    until("the other model", || {
        *ms += 40;
        let ((left, right), untouched) = rig.at(*ms, 255, 0);
        assert!(
            untouched || (left > 200.0) != (right > 200.0),
            "one model's map or the other's: left {left}, right {right}"
        );
        (!untouched && (left > 200.0) == lit).then_some(())
    });
}

#[test]
fn a51_another_model_takes_over_between_two_frames_and_back() {
    for mode in ["sync", "async"] {
        let other = swapped();
        let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &[BRIGHT, ("mode", mode)]);
        let first: String = rig.element.property("model");
        let mut ms = 0;
        until_left(&mut rig, &mut ms, true);
        for _ in 0..2 {
            rig.element.set_property("model", other.path.to_str().unwrap());
            until_left(&mut rig, &mut ms, false);
            rig.element.set_property("model", &first);
            until_left(&mut rig, &mut ms, true);
        }
        assert!(rig.warnings().is_empty());
    }
}

#[test]
fn what_is_read_at_the_start_holds_for_another_model_too() {
    let other = swapped();
    let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &[BRIGHT]);
    let mut ms = 0;
    until_left(&mut rig, &mut ms, true);
    rig.element.set_property("runtime-library", "/nowhere/else.so");
    assert_eq!(rig.warnings().len(), 1, "that it takes effect at the next start");
    rig.element.set_property("model", other.path.to_str().unwrap());
    until_left(&mut rig, &mut ms, false);
    assert!(rig.warnings().is_empty(), "no word of another library");
}

#[test]
fn a51_what_cannot_be_opened_is_a_warning_and_the_model_so_far_goes_on() {
    let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &[BRIGHT]);
    let first: String = rig.element.property("model");
    let text = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(text.path(), "not a model at all").unwrap();
    let unlabelled = models::save(&models::one_size()); // has no class "bright"
    let mut ms = 0;
    let bad = [
        ("model", "/nowhere/m.onnx", "does not exist"),
        ("model", text.path().to_str().unwrap(), "ONNX"),
        ("model", unlabelled.path.to_str().unwrap(), "bright"),
        ("target-layer", "nonsense", "usable layers"),
        ("mean", "a,b,c", "mean="),
        ("labels-file", "/nowhere/labels.txt", "labels"),
    ];
    for (name, value, word) in bad {
        rig.element.set_property(name, value);
        let warnings = until("a warning", || {
            ms += 40;
            let ((left, right), _) = rig.at(ms, 255, 0);
            assert!(left > 200.0 && right < 30.0, "{name}={value}: left {left}, right {right}");
            Some(rig.warnings()).filter(|warnings| !warnings.is_empty())
        });
        let [(_, said)] = warnings.as_slice() else { panic!("{name}={value}: one warning, not {warnings:?}") };
        assert!(said.contains(word) && said.contains("goes on"), "{name}={value}: {said}");
        rig.element.set_property("model", &first);
        for name in ["target-layer", "mean", "labels-file"] {
            rig.element.set_property(name, None::<String>);
        }
    }
    let other = swapped();
    rig.element.set_property("model", other.path.to_str().unwrap());
    until_left(&mut rig, &mut ms, false);
}

/// Frames go on, in and out in order, `max-in-flight` of them late, until the element says what is wanted.
#[test]
fn b46_models_of_other_sizes_and_classes_take_over_without_a_frame_lost() {
    let [two, five, other] = [models::sides(), models::five(), models::colours()].map(|model| models::save(&model));
    for mode in [("max-in-flight", "1"), ("max-in-flight", "4"), ("mode", "async")] {
        let mut rig = Rig::with_model(models::save(&models::sides()), info(VideoFormat::I420, 64, 48), &[mode]);
        let (mut sent, mut seen) = (0, 0);
        let mut explained = |rig: &mut Rig| {
            rig.pad().chain(rig.frame(40 * sent, 255, 0)).unwrap();
            sent += 1;
            let mut class = None;
            while let Some(out) = rig.harness.try_pull() {
                assert_eq!(out.pts(), Some(gst::ClockTime::from_mseconds(40 * seen)), "{mode:?}");
                seen += 1;
                let seen = Record::from_buffer(&out).map(|record| record.seen);
                class = seen.and_then(|seen| seen.first().map(|one| (one.guess.class, one.guess.label.clone())));
            }
            assert!(sent - seen < 4, "{mode:?}: frames are lost");
            class
        };
        let changes: [(&OnDisk, &str, &str, usize); 6] = [
            (&two, "", "bright", 0),
            (&five, "", "bright", 2),
            (&five, "24x16", "blue", 3),
            (&two, "", "dark", 1),
            (&other, "32x32", "dim", 1),
            (&five, "", "dark", 4),
        ];
        for (model, size, label, class) in changes {
            rig.element.set_property("model", model.path.to_str());
            rig.element.set_property("input-size", size);
            rig.element.set_property("target-class", label);
            let wanted = (class, label.to_string());
            until(label, || explained(&mut rig).filter(|seen| *seen == wanted));
            // One that cannot be opened is heard of, and what explains goes on.
            rig.element.set_property("model", "/nowhere/m.onnx");
            until("a warning", || {
                explained(&mut rig);
                rig.warnings().iter().any(|(_, text)| text.contains("goes on")).then_some(())
            });
            until("the model so far", || explained(&mut rig).filter(|seen| *seen == wanted));
        }
    }
}

#[test]
fn of_several_changes_the_last_one_counts() {
    let other = swapped();
    let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &[BRIGHT]);
    let mut ms = 0;
    for layer in ["nonsense", "relu", "nothing", "conv", "layer"] {
        rig.element.set_property("target-layer", layer);
        rig.at(ms, 255, 0);
        ms += 40;
    }
    rig.element.set_property_from_str("method", "hirescam");
    rig.element.set_property("model", other.path.to_str().unwrap());
    until_left(&mut rig, &mut ms, false);
    assert_eq!(rig.element.property::<String>("resolved-target-layer"), "layer");
    let warnings = rig.warnings();
    assert!(warnings.iter().all(|(_, text)| text.contains("goes on")), "{warnings:?}");
}

/// Ten thousand settings from two threads while frames go through: no dead lock, no frame lost.
#[test]
fn a50_properties_set_at_random_while_playing() {
    for mode in ["sync", "async"] {
        let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &[("mode", mode)]);
        let element = rig.element.clone();
        let wild = |seed: u64| {
            let element = element.clone();
            move || {
                let mut random = seed;
                for n in 0..5_000u64 {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let (pick, value) = (random >> 60, (random >> 32) as u32);
                    match pick {
                        0..4 => element.set_property("alpha", f64::from(value) / f64::from(u32::MAX)),
                        4..6 => element.set_property_from_str("colormap", ["jet", "gray", "turbo"][value as usize % 3]),
                        6 => element.set_property("draw-labels", value % 2 == 0),
                        7 => element.set_property("target-class", ["bright", "dark", "0", ""][value as usize % 4]),
                        8 => element.set_property("inference-interval", 1 + value % 5),
                        9 => element.set_property("max-in-flight", 1u32),
                        10 => element.set_property("min-change", f64::from(value % 10) / 100.0),
                        11 => element.set_property("expire-overlay", u64::from(value)),
                        12 if n % 50 == 0 => {
                            element.set_property_from_str("method", ["cam", "gradcam"][value as usize % 2])
                        }
                        13 => element.set_property_from_str("on-error", "pass"),
                        _ => drop(element.property::<f64>("alpha")),
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            let setters = [scope.spawn(wild(1)), scope.spawn(wild(2))];
            let mut ms = 0;
            while setters.iter().any(|setter| !setter.is_finished()) || ms < 2_000 {
                rig.at(ms, 255, 0);
                ms += 40;
            }
        });
        assert!(rig.warnings().is_empty());
    }
}
