//! One engine for many elements.

use std::sync::PoisonError;

use gst::prelude::*;
use gst_video::VideoFormat;

use crate::models;
use crate::rig::{self, ALONE, bytes, halves, info, sides};
use crate::states::workers;

struct Element {
    element: gst::Element,
    harness: gst_check::Harness,
}

impl Element {
    fn new(path: &std::path::Path, settings: &[(&str, &str)]) -> Element {
        let element = rig::element(path, settings);
        let mut harness = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
        harness.set_src_caps(info(VideoFormat::I420, 64, 48).to_caps().unwrap());
        harness.play();
        Element { element, harness }
    }

    /// A frame that is light on the left, or on the right: whether it bears its own map.
    fn is_right(&mut self, left: bool) -> bool {
        let of = info(VideoFormat::I420, 64, 48);
        let frame = if left { halves(&of, 230, 0) } else { halves(&of, 0, 230) };
        self.harness.push(frame).unwrap();
        let seen = sides(&of, &self.harness.try_pull().expect("no frame is lost"));
        (seen.0 > 200.0) == left && (seen.1 > 200.0) != left
    }
}

/// A thread names itself when it begins, and is gone when its engine is.
fn count(want: usize, why: &str) {
    rig::until(&format!("{want} workers: {why}"), || (workers() == want).then_some(()));
}

#[test]
fn sixteen_elements_share_one_engine_and_part_by_options_or_identifier() {
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    let model = models::save(&models::sides());
    let open = |settings: &[(&str, &str)]| Element::new(&model.path, settings);
    // All at once: the first opens it, the others wait for that.
    let mut elements: Vec<Element> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| open(&[("target-class", "bright")]))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    count(1, "one engine");
    std::thread::scope(|scope| {
        for (n, element) in elements.iter_mut().enumerate() {
            scope.spawn(move || {
                for round in 0..20 {
                    assert!(element.is_right((round + n) % 2 == 0), "element {n}, frame {round}: another's map");
                }
            });
        }
    });
    let own = [[("engine-id", "mine")], [("share-engine", "false")], [("method", "hirescam")]].map(|by| open(&by));
    count(4, "parted by what was set");
    let same = open(&[("engine-id", "mine")]);
    count(4, "the same identifier");
    drop((own, same));
    // One goes in the middle of it all: the others keep the engine.
    for element in elements.drain(1..) {
        element.element.set_state(gst::State::Null).unwrap();
    }
    count(1, "the others keep it");
    assert!(elements[0].is_right(true));
    drop(elements);
    count(0, "the last one takes it with it");
}

/// Frames of four streams in one run, or of one stream that has several on their way: the maps are those of each frame alone, to the bit.
#[test]
fn streams_that_are_explained_in_one_run_have_each_its_own_maps() {
    let (model, _others) = (models::save(&models::sides()), rig::among_others());
    let of = info(VideoFormat::I420, 64, 48);
    let frame = |n: u8, ms: u8| {
        let mut frame = halves(&of, 40 * n + 7 * ms, 250 - 13 * n - 9 * ms);
        frame.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(40 * u64::from(ms)));
        frame
    };
    let outcome = |settings: &[(&str, &str)], n: u8| {
        let mut element = Element::new(&model.path, &[&[("target-class", "bright")], settings].concat());
        let sink = element.element.static_pad("sink").unwrap();
        for ms in 0..12 {
            sink.chain(frame(n, ms)).unwrap();
        }
        sink.send_event(gst::event::Eos::new());
        (0..12).map(|_| bytes(&element.harness.try_pull().expect("no frame is lost"))).collect::<Vec<_>>()
    };
    let batches = [("batch-size", "4"), ("batch-timeout", "20"), ("max-in-flight", "3")];
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|n| scope.spawn(move || outcome(&batches, n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (n, together) in together.iter().enumerate() {
        assert!(*together == outcome(&[], n as u8), "stream {n}");
    }
    // With several classes each is run by itself.
    let classes = [("target-class", "bright,dark")];
    assert!(outcome(&[&batches[..], &classes].concat(), 1) == outcome(&classes, 1));
}

#[cfg(feature = "fault-injection")]
#[test]
fn who_waits_for_a_provider_and_who_does_not_come_to_the_same_engine() {
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    let model = models::save(&models::sides());
    let open = |mode| {
        let settings = [("target-class", "bright"), ("fault", "slow-place-ms=100"), ("mode", mode)];
        Element::new(&model.path, &settings)
    };
    let mut goes_on = open("async");
    let mut waits = open("sync");
    assert!(waits.is_right(true));
    let on = |element: &Element| element.element.property::<Option<String>>("active-provider");
    assert_eq!(on(&waits).as_deref(), Some("plugin"));
    let of = info(VideoFormat::I420, 64, 48);
    rig::until("the provider", || {
        goes_on.harness.push(halves(&of, 230, 0)).unwrap();
        goes_on.harness.try_pull().expect("no frame is lost");
        (on(&goes_on).as_deref() == Some("plugin")).then_some(())
    });
    count(1, "the one on the CPU is gone");
}

#[test]
fn a42_an_element_leaves_a_running_pipeline_and_comes_back() {
    for mode in [("max-in-flight", "1"), ("max-in-flight", "4"), ("mode", "async")] {
        leaves_and_comes_back(mode);
    }
}

fn leaves_and_comes_back(mode: (&str, &str)) {
    let (model, _others) = (models::save(&models::sides()), rig::among_others());
    let text = "videotestsrc ! video/x-raw,format=I420,width=64,height=48 ! tee name=t ! queue ! fakesink sync=false  \
                t. ! queue name=before ! GRADCAM ! appsink name=painted sync=false max-buffers=2";
    let pipeline = rig::launch(text, &model.path, &[("target-class", "bright"), mode]);
    pipeline.set_state(gst::State::Playing).unwrap();
    let painted: gst_app::AppSink = pipeline.by_name("painted").unwrap().downcast().unwrap();
    painted.pull_sample().unwrap();
    let gradcam = pipeline.iterate_elements().find(|e| e.factory().is_some_and(|f| f.name() == "gradcam")).unwrap();
    let before = pipeline.by_name("before").unwrap().static_pad("src").unwrap();
    for _ in 0..5 {
        let (blocked, blocks) = std::sync::mpsc::channel();
        let blocked = std::sync::Mutex::new(blocked);
        let probe = before.add_probe(gst::PadProbeType::BLOCK_DOWNSTREAM, move |_, _| {
            let _ = blocked.lock().unwrap().send(());
            gst::PadProbeReturn::Ok
        });
        let probe = probe.unwrap();
        rig::until("the block", || {
            while painted.try_pull_sample(gst::ClockTime::ZERO).is_some() {}
            blocks.try_recv().ok()
        });
        pipeline.remove(&gradcam).unwrap();
        gradcam.set_state(gst::State::Null).unwrap();
        pipeline.add(&gradcam).unwrap();
        before.link(&gradcam.static_pad("sink").unwrap()).unwrap();
        gradcam.link(&painted).unwrap();
        gradcam.sync_state_with_parent().unwrap();
        before.remove_probe(probe);
        while painted.try_pull_sample(gst::ClockTime::ZERO).is_some() {}
        let sample = painted.pull_sample().expect("it goes on");
        assert!(!bytes(sample.buffer().unwrap()).is_empty());
    }
    pipeline.set_state(gst::State::Null).unwrap();
}
