//! States: up, down, and again.

use std::sync::PoisonError;

use gst::prelude::*;

use crate::models;
use crate::rig::{self, ALONE};

/// Threads of this process that run a model.
pub fn workers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.map(name).filter(|name| name.trim() == "gradcam").count()
}

fn resident_megabytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

fn go(pipeline: &gst::Pipeline, state: gst::State) {
    pipeline.set_state(state).unwrap();
    let (result, now, _) = pipeline.state(gst::ClockTime::from_seconds(60));
    result.unwrap();
    assert_eq!(now, state);
}

#[test]
fn a40_a_hundred_times_up_and_down_leaves_no_thread_and_no_memory_behind() {
    use gst::State::{Null, Paused, Playing, Ready};
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    let model = models::save(&models::sides());
    let text =
        "videotestsrc ! video/x-raw,format=I420,width=64,height=48,framerate=30/1 ! GRADCAM ! fakesink sync=false";
    let pipeline = rig::launch(text, &model.path, &[]);
    let mut settled = 0;
    for cycle in 0..100 {
        for state in match cycle % 3 {
            0 => [Playing, Paused, Playing, Null].as_slice(),
            1 => [Paused, Ready, Paused, Null].as_slice(),
            _ => [Playing, Null].as_slice(),
        } {
            go(&pipeline, *state);
            if *state <= Ready {
                assert_eq!(workers(), 0, "cycle {cycle}: a thread is left behind in {state:?}");
            } else {
                // A thread names itself when it begins.
                rig::until("one worker", || (workers() == 1).then_some(()));
            }
        }
        if cycle == 30 {
            settled = resident_megabytes();
        }
    }
    let grown = resident_megabytes().saturating_sub(settled);
    assert!(grown < 30, "{grown} MB more after 70 further cycles");
}
