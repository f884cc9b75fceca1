//! States: up, down, and again; and what is left of it.

use gst::prelude::*;
use gst_video::VideoFormat;
use gstgradcam::{Explainer, Options};

use crate::models;
use crate::rig::{self, halves, info};
use crate::support;
use crate::system::{alone, files, resident, threads};

/// Threads of this process that run a model.
pub fn workers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.map(name).filter(|name| name.trim() == "gradcam").count()
}

fn go(pipeline: &gst::Pipeline, state: gst::State) {
    pipeline.set_state(state).unwrap();
    let (result, now, _) = pipeline.state(gst::ClockTime::from_seconds(60));
    result.unwrap();
    assert_eq!(now, state);
}

#[test]
fn a40_a_hundred_times_up_and_down_leaves_no_thread_no_file_and_no_memory_behind() {
    use gst::State::{Null, Paused, Playing, Ready};
    if !alone("states::a40_a_hundred_times_up_and_down_leaves_no_thread_no_file_and_no_memory_behind") {
        return;
    }
    let model = models::save(&models::sides());
    let text =
        "videotestsrc ! video/x-raw,format=I420,width=64,height=48,framerate=30/1 ! GRADCAM ! fakesink sync=false";
    let mut settled = None;
    for mode in [("mode", "sync"), ("max-in-flight", "4"), ("mode", "async")] {
        let pipeline = rig::launch(text, &model.path, &[mode]);
        for cycle in 0..100 {
            for state in match cycle % 3 {
                0 => [Playing, Paused, Playing, Null].as_slice(),
                1 => [Paused, Ready, Paused, Null].as_slice(),
                _ => [Playing, Null].as_slice(),
            } {
                go(&pipeline, *state);
                if *state <= Ready {
                    // One that opens the model for nobody any more ends beside us.
                    rig::until("no worker", || (workers() == 0).then_some(()));
                } else if mode.1 != "async" {
                    // A thread names itself when it begins.
                    rig::until("one worker", || (workers() == 1).then_some(()));
                }
            }
            if cycle < 10 {
                continue;
            }
            let (known, open, memory) = *settled.get_or_insert_with(|| (threads(), files(), resident()));
            // Some last threads of GStreamer's pool may be on their way out.
            rig::until("as many threads as before", || (threads() <= known).then_some(()));
            assert!(files() <= open, "{mode:?}, cycle {cycle}: {} files are open, not {open}", files());
            let grown = resident().saturating_sub(memory);
            assert!(grown < 30_000, "{mode:?}, cycle {cycle}: {grown} kB more");
        }
    }
}

#[test]
fn b47_a_hundred_loads_give_their_memory_back() {
    if !alone("states::b47_a_hundred_loads_give_their_memory_back") {
        return;
    }
    let model = models::save(&models::heavy());
    let options = Options { runtime_library: support::runtime(), ..Options::default() };
    let mut memory = Vec::new();
    for _ in 0..100 {
        let explainer = Explainer::open(&model.path, &options).unwrap();
        assert_eq!(explainer.info().layer, "layer");
        drop(explainer);
        memory.push(resident());
    }
    // What the allocator gives back, and when, is its own affair: the most of the first loads, the least of the last ones.
    let (first, last) = (memory[..30].iter().max().unwrap(), memory[80..].iter().min().unwrap());
    assert!(*last <= first + first / 20, "{first} kB at most in the first 30 loads, {last} kB at least in the last 20");
}

#[test]
fn b48_sixteen_elements_have_the_threads_that_were_asked_for() {
    if !alone("states::b48_sixteen_elements_have_the_threads_that_were_asked_for") {
        return;
    }
    let (model, of) = (models::save(&models::sides()), info(VideoFormat::I420, 64, 48));
    // Brings up so many elements, waits until they have added that many threads to the process, and for the end of them.
    let added = |settings: &[(&str, &str)], count: usize, wanted: usize| {
        let before = threads();
        let elements: Vec<_> = (0..count)
            .map(|_| {
                let element = rig::element(&model.path, settings);
                let mut harness = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
                harness.set_src_caps(of.to_caps().unwrap());
                harness.play();
                harness.push(halves(&of, 230, 0)).unwrap();
                (harness, element)
            })
            .collect();
        // What opened the model goes when that is done.
        let what = format!("{wanted} threads for {count} elements with {settings:?}");
        rig::until(&what, || (threads() == before + wanted).then_some(()));
        drop(elements);
        rig::until("no thread more than before", || (threads() == before).then_some(()));
    };
    rig::init();
    // The runtime starts a thread of its own for as long as the process lives.
    drop(Explainer::open(&model.path, &Options { runtime_library: support::runtime(), ..Options::default() }).unwrap());
    // One that runs the model, one that watches it, and those that help within an operator.
    added(&[], 16, 2);
    added(&[("threads", "4")], 16, 2 + 3);
    let own = ("share-engine", "false");
    added(&[own], 16, 16 * 2);
    added(&[own, ("threads", "4")], 16, 16 * (2 + 3));
}
