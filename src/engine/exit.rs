//! The end of the process: no thread is in the runtime when its library's destructors run. A thread that opens or runs a model while
//! `main` returns would otherwise meet what they have freed.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::Duration;

use ort::session::RunOptions;

/// What does not leave the runtime in this time is left to its fate.
const PATIENCE: Duration = Duration::from_secs(2);

static HALL: Mutex<Hall> = Mutex::new(Hall { inside: 0, runs: Vec::new(), ending: None });
static LEFT: Condvar = Condvar::new();

struct Hall {
    /// Threads in the runtime.
    inside: usize,
    /// What ends their runs.
    runs: Vec<Weak<RunOptions>>,
    /// The thread that ends the process.
    ending: Option<ThreadId>,
}

/// While it lives, the process does not end around its thread.
pub struct Inside(());

fn hall() -> MutexGuard<'static, Hall> {
    HALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Before a call into the runtime. Once the process ends, this does not return.
pub fn enter() -> Inside {
    let mut hall = hall();
    if hall.ending.is_some_and(|thread| thread != std::thread::current().id()) {
        drop(hall);
        loop {
            std::thread::park();
        }
    }
    hall.inside += 1;
    Inside(())
}

impl Drop for Inside {
    fn drop(&mut self) {
        hall().inside -= 1;
        LEFT.notify_all();
    }
}

/// A run that is ended with the process.
pub fn ends_with(run: &Arc<RunOptions>) {
    let mut hall = hall();
    hall.runs.retain(|run| run.strong_count() > 0);
    hall.runs.push(Arc::downgrade(run));
}

/// Has the process's end wait from now on. Exit handlers run in the reverse order of their registration, the library's own among them:
/// so this is called once after each step that may have brought it new ones.
pub fn wait_after(step: &Once) {
    // Refused only where there is no memory.
    step.call_once(|| {
        let _ = shutdown_hooks::add_shutdown_hook(end);
    });
}

extern "C" fn end() {
    let mut hall = hall();
    hall.ending = Some(std::thread::current().id());
    for run in hall.runs.drain(..).filter_map(|run| run.upgrade()) {
        // Setting a flag; the runtime has no way to refuse it.
        let _ = run.terminate();
    }
    drop(LEFT.wait_timeout_while(hall, PATIENCE, |hall| hall.inside > 0));
}
