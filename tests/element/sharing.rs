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
