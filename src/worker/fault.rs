//! Faults on purpose, for tests: a load that fails, a provider that is slow to build or fails, runs that fail, hang, panic, or take their
//! time, and frames that panic beside them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::queue::Job;
use super::room::{Interrupt, Model};
use super::{Source, Worker, lock};
use crate::engine::{Interrupter, Provider};
use crate::error::{Error, Result};
use crate::explain::{Explainer, Explanation, Opening, ProviderInfo};

/// The provider that the CPU poses as, where one is to fail or to be slow.
const POSE: Provider = Provider::Plugin;

/// What goes wrong, as in "fail-every=3,slow-ms=100"; runs, and frames, are counted from 1. A run that hangs is ended by its time
/// limit, as the runtime's are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    fail_load: u64,
    slow_load_ms: u64,
    fail_place: u64,
    slow_place_ms: u64,
    lose_provider_at: u64,
    fail_every: u64,
    nan_every: u64,
    hang_at: u64,
    panic_at: u64,
    kill_at: u64,
    kill_every: u64,
    slow_ms: u64,
    panic_frame_at: u64,
    panic_paint_at: u64,
}

impl std::str::FromStr for Faults {
    type Err = Error;

    fn from_str(text: &str) -> Result<Faults> {
        let mut faults = Faults::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let refuse = |why: &str| Error::Setting { name: "fault", value: part.into(), why: why.into() };
            let (name, value) = part.split_once('=').ok_or_else(|| refuse("expected name=number"))?;
            let value = value.parse().map_err(|_| refuse("expected name=number"))?;
            *match name {
                "fail-load" => &mut faults.fail_load,
                "slow-load-ms" => &mut faults.slow_load_ms,
                "fail-place" => &mut faults.fail_place,
                "slow-place-ms" => &mut faults.slow_place_ms,
                "lose-provider-at" => &mut faults.lose_provider_at,
                "fail-every" => &mut faults.fail_every,
                "nan-every" => &mut faults.nan_every,
                "hang-at" => &mut faults.hang_at,
                "panic-at" => &mut faults.panic_at,
                "kill-at" => &mut faults.kill_at,
                "kill-every" => &mut faults.kill_every,
                "slow-ms" => &mut faults.slow_ms,
                "panic-frame-at" => &mut faults.panic_frame_at,
                "panic-paint-at" => &mut faults.panic_paint_at,
                _ => return Err(refuse("there is no such fault")),
            } = value;
        }
        Ok(faults)
    }
}

/// A pause that an interruption ends.
#[derive(Debug, Default)]
struct Pause(Mutex<bool>, Condvar);

impl Pause {
    fn bar(&self, on: bool) {
        *lock(&self.0) = on;
        self.1.notify_all();
    }

    /// Until the time is over or, without one, for ever.
    fn take(&self, time: Option<Duration>) -> Result<()> {
        let barred = lock(&self.0);
        let barred = match time {
            Some(time) => self.1.wait_timeout_while(barred, time, |barred| !*barred).map(|(barred, _)| *barred),
            None => Ok(self.1.wait_while(barred, |barred| !*barred).is_ok_and(|barred| *barred)),
        };
        if barred.unwrap_or_else(|poisoned| *PoisonError::into_inner(poisoned).0) {
            Err(Error::Interrupted)
        } else {
            Ok(())
        }
    }
}

impl Faults {
    /// What goes wrong with the load.
    fn load(&self, interrupter: &Interrupter) -> Result<()> {
        pause(self.slow_load_ms, interrupter)?;
        match self.fail_load {
            0 => Ok(()),
            _ => Err(Error::ModelUnusable { why: "its load fails on purpose".into() }),
        }
    }

    /// What goes wrong on the way to the provider.
    fn place(&self, interrupter: &Interrupter) -> Result<()> {
        pause(self.slow_place_ms, interrupter)?;
        match self.fail_place {
            0 => Ok(()),
            _ => Err(Error::Provider { name: POSE.name(), why: "it fails on purpose".into(), needs: "it is a test" }),
        }
    }

    /// Whether there is to be a provider that is not the CPU.
    fn poses(&self) -> bool {
        self.fail_place + self.slow_place_ms + self.lose_provider_at > 0
    }

    /// The same without those of a provider.
    fn on_cpu(self) -> Faults {
        Faults { fail_place: 0, slow_place_ms: 0, lose_provider_at: 0, ..self }
    }

    fn spawn(self, source: &Source, explainer: Explainer) -> Result<Worker> {
        let poses = self.poses() && explainer.elsewhere().is_none();
        let (traps, limit) = (self.traps(), source.options.inference_timeout);
        let wrap = |model, interrupter| self.wrap(model, interrupter, limit);
        let mut worker = Worker { traps, ..Worker::with(explainer, source.batch_timeout, wrap)? };
        if poses {
            worker.info.provider.kind = POSE;
        }
        Ok(worker)
    }

    /// What goes wrong outside of the model.
    fn traps(&self) -> Traps {
        Traps { faults: self.clone(), ..Traps::default() }
    }

    fn wrap(
        self,
        model: Box<dyn Model>,
        interrupter: Interrupter,
        limit: Option<Duration>,
    ) -> (Box<dyn Model>, Interrupt) {
        let pause = Arc::new(Pause::default());
        let faulty = Faulty { model, faults: self, pause: pause.clone(), limit, runs: 0 };
        let interrupt = move |on| {
            pause.bar(on);
            interrupter.bar(on);
        };
        (Box::new(faulty), Box::new(interrupt))
    }
}

/// So long, unless it is interrupted.
fn pause(ms: u64, interrupter: &Interrupter) -> Result<()> {
    for _ in 0..ms {
        if interrupter.is_barred() {
            return Err(Error::Interrupted);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The open model's thread, if its faults let it be; `interim` is given it on the CPU where they are of a provider.
pub(super) fn worker(source: &Source, opening: &Opening, interim: impl Fn(&Explainer) -> Result<()>) -> Result<Worker> {
    let faults: Faults = source.fault.parse()?;
    faults.load(&opening.interrupter())?;
    let explainer = Explainer::open_watched(&source.model, &source.options, opening)?;
    if faults.poses() && explainer.elsewhere().is_none() {
        interim(&explainer)?;
    }
    faults.place(&opening.interrupter())?;
    faults.spawn(source, explainer)
}

/// That of the model on the CPU meanwhile.
pub(super) fn spawn(source: &Source, explainer: Explainer) -> Result<Worker> {
    source.fault.parse::<Faults>()?.on_cpu().spawn(source, explainer)
}

/// Panics on the thread that frames come by.
#[derive(Debug, Default)]
pub struct Traps {
    faults: Faults,
    frames: AtomicU64,
    paintings: AtomicU64,
}

impl Traps {
    /// At each frame that the model is to see.
    pub fn frame(&self) {
        assert!(self.frames.fetch_add(1, Ordering::SeqCst) + 1 != self.faults.panic_frame_at, "panics on purpose");
    }

    /// At each frame that is painted.
    pub fn paint(&self) {
        assert!(self.paintings.fetch_add(1, Ordering::SeqCst) + 1 != self.faults.panic_paint_at, "panics on purpose");
    }
}

struct Faulty {
    model: Box<dyn Model>,
    faults: Faults,
    pause: Arc<Pause>,
    limit: Option<Duration>,
    runs: u64,
}

fn every(n: u64, run: u64) -> bool {
    n > 0 && run.is_multiple_of(n)
}

impl Model for Faulty {
    fn begin(&mut self) {
        self.runs += 1;
        assert!(self.runs != self.faults.kill_at && !every(self.faults.kill_every, self.runs), "killed on purpose");
    }

    fn run(&mut self, jobs: &mut [Job]) -> Result<Vec<Explanation>> {
        let Faulty { faults, runs, .. } = self;
        if faults.slow_ms > 0 {
            self.pause.take(Some(Duration::from_millis(faults.slow_ms)))?;
        }
        if *runs == faults.hang_at {
            self.pause.take(self.limit)?;
            return Err(Error::TimeLimit { limit: self.limit.unwrap_or_default() });
        }
        assert!(*runs != faults.panic_at, "panics on purpose");
        let lost = faults.lose_provider_at > 0 && *runs >= faults.lose_provider_at;
        if lost || every(faults.fail_every, *runs) {
            return Err(Error::Inference { why: "it fails on purpose".into() });
        }
        if every(faults.nan_every, *runs) {
            jobs.iter_mut().for_each(|job| job.input.fill(f32::NAN));
        }
        self.model.run(jobs)
    }

    fn renew(&mut self) -> Result<()> {
        self.model.renew()
    }

    fn elsewhere(&self) -> Option<&'static str> {
        self.model.elsewhere().or(self.faults.poses().then(|| POSE.name()))
    }

    fn on_cpu(&self) -> Result<(Box<dyn Model>, ProviderInfo)> {
        let (model, provider) = self.model.on_cpu()?;
        let Faulty { pause, limit, runs, .. } = self;
        let (faults, pause, limit, runs) = (self.faults.clone().on_cpu(), pause.clone(), *limit, *runs);
        Ok((Box::new(Faulty { model, faults, pause, limit, runs }), provider))
    }
}
