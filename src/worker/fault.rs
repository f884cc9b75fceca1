//! Faults on purpose, for tests: a load that fails, runs that fail, hang, panic, or take their time, and frames that panic beside them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::room::{Interrupt, Model};
use super::{Asked, lock};
use crate::engine::Interrupter;
use crate::error::{Error, Result};
use crate::explain::Explanation;
use crate::frame::Region;

/// What goes wrong, as in "fail-every=3,slow-ms=100"; runs, and frames, are counted from 1. A run that hangs is ended by its time
/// limit, as the runtime's are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    fail_load: u64,
    slow_load_ms: u64,
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
    pub(super) fn load(&self, interrupter: &Interrupter) -> Result<()> {
        let step = Duration::from_millis(1);
        for _ in 0..self.slow_load_ms {
            if interrupter.is_barred() {
                return Err(Error::Interrupted);
            }
            std::thread::sleep(step);
        }
        match self.fail_load {
            0 => Ok(()),
            _ => Err(Error::ModelUnusable { why: "its load fails on purpose".into() }),
        }
    }

    /// What goes wrong outside of the model.
    pub(super) fn traps(&self) -> Traps {
        Traps { faults: self.clone(), ..Traps::default() }
    }

    pub(super) fn wrap(
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

    fn run(&mut self, input: &mut [f32], asked: &Asked, region: Region) -> Result<Explanation> {
        let Faulty { faults, runs, .. } = self;
        if faults.slow_ms > 0 {
            self.pause.take(Some(Duration::from_millis(faults.slow_ms)))?;
        }
        if *runs == faults.hang_at {
            self.pause.take(self.limit)?;
            return Err(Error::TimeLimit { limit: self.limit.unwrap_or_default() });
        }
        assert!(*runs != faults.panic_at, "panics on purpose");
        if every(faults.fail_every, *runs) {
            return Err(Error::Inference { why: "it fails on purpose".into() });
        }
        if every(faults.nan_every, *runs) {
            input.fill(f32::NAN);
        }
        self.model.run(input, asked, region)
    }

    fn renew(&mut self) -> Result<()> {
        self.model.renew()
    }
}
