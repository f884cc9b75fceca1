//! Threads that run models: one for each engine, with a seat for each stream. No GStreamer in it.
//!
//! `hub.rs` opens models beside the caller and shares what is open, `room.rs` is one engine's thread, `queue.rs` what waits for it,
//! `retreat.rs` leaves a provider that fails, `seat.rs` is what a stream holds of it, `stopper.rs` ends a stream's waiting. Frames stay
//! with their owners: only the prepared input crosses over, in buffers that go to and fro.

#[cfg(feature = "fault-injection")]
pub mod fault;
mod hub;
mod queue;
mod retreat;
mod room;
mod seat;
mod stopper;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ndarray::ArrayViewD;

use crate::cam::Target;
use crate::engine::Interrupter;
use crate::engine::Provider;
use crate::error::{Error, Result, panic_text};
use crate::explain::{Explainer, Explanation, ModelInfo, ProviderInfo};
use crate::frame::Region;
pub use hub::{Loading, News, Source, open};
use queue::Job;
pub use retreat::Retreat;
use room::{Batches, Model, Room};
pub use seat::{Answer, Seat};
pub use stopper::Stopper;

/// The classes that a job is about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// One map for each.
    pub targets: Vec<Target>,
    /// What is held against them; none where the model was opened without.
    pub versus: Vec<Target>,
}

/// An open model on a thread of its own. When the last of its users is gone, the run in progress is ended and the thread joined.
#[derive(Debug)]
pub struct Worker {
    room: Arc<Room>,
    info: ModelInfo,
    versus: Vec<Target>,
    #[cfg(feature = "fault-injection")]
    traps: fault::Traps,
}

impl Worker {
    /// Moves an explainer to its thread. One of several pictures at a time is given what waits for it; where that is less, it waits for
    /// more as long as `batch_timeout`.
    ///
    /// # Errors
    /// [`Error::Inference`] where no thread can be had.
    pub fn spawn(explainer: Explainer, batch_timeout: Duration) -> Result<Worker> {
        Self::with(explainer, batch_timeout, |model, interrupter| (model, Box::new(move |on| interrupter.bar(on))))
    }

    fn with(
        explainer: Explainer,
        timeout: Duration,
        wrap: impl FnOnce(Box<dyn Model>, Interrupter) -> (Box<dyn Model>, room::Interrupt),
    ) -> Result<Worker> {
        let (info, versus) = (explainer.info().clone(), explainer.versus().to_vec());
        let len = explainer.input_shape().iter().product();
        let batches = Batches { most: explainer.batch_size(), timeout };
        let interrupter = explainer.interrupter();
        let (model, interrupt) = wrap(Box::new(explainer), interrupter);
        Ok(Worker {
            room: Room::start(len, batches, model, interrupt)?.into(),
            info,
            versus,
            #[cfg(feature = "fault-injection")]
            traps: fault::Traps::default(),
        })
    }

    /// What was resolved when the model was opened.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Whether it has left its provider for the CPU, where it runs since.
    pub fn retreat(&self) -> Option<&Retreat> {
        self.room.retreat()
    }

    /// The classes held against the targets, as the model was opened with.
    pub fn versus(&self) -> &[Target] {
        &self.versus
    }

    /// A place in its queue, whose waiting `stopper` ends.
    pub fn seat<T>(&self, stopper: &Stopper) -> Seat<T> {
        Seat::new(&self.room, stopper)
    }

    /// What goes wrong on purpose outside of the model.
    #[cfg(feature = "fault-injection")]
    pub fn traps(&self) -> &fault::Traps {
        &self.traps
    }

    /// How often its thread was started anew after a panic.
    pub fn restarts(&self) -> u64 {
        self.room.restarts()
    }

    /// Whether it may be shared: its thread lives, and on the provider that was asked for. Whoever comes new tries that anew.
    fn is_well(&self) -> bool {
        !self.room.is_lost() && self.retreat().is_none()
    }
}

impl Model for Explainer {
    fn run(&mut self, jobs: &mut [Job]) -> Result<Vec<Explanation>> {
        let versus: Vec<Target> = jobs.iter().flat_map(|job| job.asked.versus.iter().copied()).collect();
        if versus != self.versus() {
            self.set_versus(&versus)?;
        }
        let mut shape = self.input_shape().to_vec();
        let wrong = |e| Error::Inference { why: format!("its input has another length than expected: {e}") };
        if let [job] = jobs {
            let input = ArrayViewD::from_shape(shape, &job.input).map_err(wrong)?;
            return self.explain_tensor(input, &job.asked.targets, job.region).map(|seen| vec![seen]);
        }
        let inputs: Vec<&[f32]> = jobs.iter().map(|job| &job.input[..]).collect();
        let inputs = inputs.concat();
        shape[0] = jobs.len();
        let inputs = ArrayViewD::from_shape(shape, &inputs).map_err(wrong)?;
        let targets: Vec<Target> = jobs.iter().flat_map(|job| job.asked.targets.iter().copied()).collect();
        let regions: Vec<Region> = jobs.iter().map(|job| job.region).collect();
        self.explain_batch(inputs, &targets, &regions)
    }

    fn renew(&mut self) -> Result<()> {
        Explainer::renew(self)
    }

    fn elsewhere(&self) -> Option<&'static str> {
        Some(self.info().provider.kind.name()).filter(|&name| name != Provider::Cpu.name())
    }

    fn on_cpu(&self) -> Result<(Box<dyn Model>, ProviderInfo)> {
        let explainer = self.in_place_on_cpu()?;
        let provider = explainer.info().provider.clone();
        Ok((Box::new(explainer), provider))
    }
}

/// Runs `f`; a panic in it becomes an error, so that it ends one frame and not the process.
pub fn guard<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        Err(Error::Inference { why: format!("internal error, please report it: {}", panic_text(&*panic)) })
    })
}

/// A poisoned lock still holds whole values here: nothing is left half changed by a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
