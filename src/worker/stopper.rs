//! Ends a stream's waiting, for an answer or for a model, from any thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::lock;

/// Cancels what its stream waits for; one for the stream's life, known to all that it may wait for.
#[derive(Clone, Default)]
pub struct Stopper(Arc<Inner>);

type Wake = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    next: AtomicU64,
    hooks: Mutex<Vec<(u64, Wake)>>,
}

impl Stopper {
    /// Ends all waiting with [`Error::Interrupted`](crate::Error::Interrupted), at once, and every later one until
    /// [`Stopper::resume`]; of a run in progress for this stream nothing is heard any more.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        let hooks: Vec<Wake> = lock(&self.0.hooks).iter().map(|(_, hook)| hook.clone()).collect();
        hooks.iter().for_each(|hook| hook());
    }

    /// Lets waiting be again.
    pub fn resume(&self) {
        self.0.cancelled.store(false, Ordering::SeqCst);
    }

    /// Between [`Stopper::cancel`] and [`Stopper::resume`].
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Has `wake` called at each cancelling, as long as the hook lives. It must take the lock that the waiting holds.
    pub(super) fn hook(&self, wake: impl Fn() + Send + Sync + 'static) -> Hook {
        let id = self.0.next.fetch_add(1, Ordering::SeqCst);
        lock(&self.0.hooks).push((id, Arc::new(wake)));
        Hook { stopper: self.clone(), id }
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Hook {
    stopper: Stopper,
    id: u64,
}

impl Drop for Hook {
    fn drop(&mut self) {
        lock(&self.stopper.0.hooks).retain(|(id, _)| *id != self.id);
    }
}
