//! One engine's thread: serves its queue, alone or several at once, and is started anew where it dies.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::queue::{Done, Job, Table};
use super::retreat::{Retreat, Retreating};
use super::{Asked, guard, lock};
use crate::error::{Error, Result, panic_text};
use crate::explain::{Explanation, ProviderInfo};
use crate::frame::Region;

/// A thread that dies is started anew so many times.
pub const RESTARTS: u64 = 3;
/// A run that does not heed its interruption is left to itself after this time; it frees what it holds when it ends.
const PATIENCE: Duration = Duration::from_millis(300);

/// What the thread runs.
pub(super) trait Model: Send {
    /// One job, or several that are run at once; their inputs are the streams' buffers, which go back to them.
    fn run(&mut self, jobs: &mut [Job]) -> Result<Vec<Explanation>>;

    /// Called before each run, outside of what is caught: the place where the tests let the thread die.
    fn begin(&mut self) {}

    /// A new session in place of one that may be broken: after a death of the thread.
    fn renew(&mut self) -> Result<()>;

    /// The provider that it runs on, if that is not the CPU.
    fn elsewhere(&self) -> Option<&'static str>;

    /// The same on the CPU, stopped by what stops this one.
    fn on_cpu(&self) -> Result<(Box<dyn Model>, ProviderInfo)>;
}

/// Called with `true`, ends the run in progress even if it has not quite begun, with `false` lets runs begin again.
pub(super) type Interrupt = Box<dyn Fn(bool) + Send + Sync>;

/// How many jobs are run at once, and how long one waits for others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batches {
    pub most: usize,
    pub timeout: Duration,
}

pub(super) struct Shared {
    table: Mutex<Table>,
    work: Condvar,
    end: Condvar,
    interrupt: Interrupt,
    batches: Batches,
    retreat: Arc<OnceLock<Retreat>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("table", &self.table).finish_non_exhaustive()
    }
}

/// The thread's owner. Dropping it ends the run in progress and joins the thread.
#[derive(Debug)]
pub(super) struct Room {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Length of the model's input.
    pub len: usize,
}

impl Room {
    pub fn start(len: usize, batches: Batches, model: Box<dyn Model>, interrupt: Interrupt) -> Result<Room> {
        let (table, work, end) = (Mutex::default(), Condvar::new(), Condvar::new());
        let retreat = Arc::new(OnceLock::new());
        let mut model = Retreating::new(model, retreat.clone());
        let shared = Arc::new(Shared { table, work, end, interrupt, batches, retreat });
        let room = shared.clone();
        let live = move || {
            room.live(&mut model);
            drop(model);
            lock(&room.table).ended = true;
            room.end.notify_all();
        };
        let thread = std::thread::Builder::new().name("gradcam".into()).spawn(live);
        let thread = thread.map_err(|e| Error::Inference { why: format!("its thread cannot be started: {e}") })?;
        Ok(Room { shared, thread: Some(thread), len })
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub fn restarts(&self) -> u64 {
        self.shared.table().restarts
    }

    pub fn is_lost(&self) -> bool {
        self.shared.table().lost.is_some()
    }

    pub fn retreat(&self) -> Option<&Retreat> {
        self.shared.retreat.get()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        table.closing = true;
        (self.shared.interrupt)(true);
        self.shared.work.notify_all();
        let waited = self.shared.end.wait_timeout_while(table, PATIENCE, |table| !table.ended);
        let ended = waited.unwrap_or_else(PoisonError::into_inner).0.ended;
        if let (true, Some(thread)) = (ended, self.thread.take()) {
            // What may panic in it is caught in it.
            let _ = thread.join();
        }
    }
}

impl Shared {
    pub fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// Gives up a place, and ends the run in progress if it is for nobody else.
    pub fn leave(&self, id: u64) {
        self.forget(id, true);
        self.table().leave(id);
    }

    /// A job at the end of a place's queue, as [`Place::ask`](super::queue::Place::ask).
    pub fn ask(&self, id: u64, input: Vec<f32>, asked: Asked, region: Region, replace: bool) -> (u64, usize) {
        let asked = self.table().place(id).map(|place| place.ask(input, asked, region, replace));
        self.work.notify_all();
        asked.unwrap_or_default()
    }

    /// Nobody waits any more for the answers to what a place has asked so far; `interrupt` ends the run in progress if it is for it and
    /// nobody else.
    pub fn forget(&self, id: u64, interrupt: bool) {
        let mut table = self.table();
        let Some(place) = table.place(id) else { return };
        place.forget();
        if interrupt && table.runs_in_vain(id) {
            // Under the lock: it cannot fall on the next run.
            (self.interrupt)(true);
        }
    }

    /// The thread's life, a death of it included.
    fn live(&self, model: &mut dyn Model) {
        while let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.serve(model))) {
            let why = panic_text(&*panic).to_string();
            self.answer_running(&format!("its thread died ({why}) and is started anew"));
            let mut table = self.table();
            let renewed = if table.restarts < RESTARTS {
                table.restarts += 1;
                drop(table);
                guard(|| model.renew()).map_err(|error| error.to_string())
            } else {
                drop(table);
                Err(format!("it died once more: {why}"))
            };
            if let Err(why) = renewed {
                self.table().lost = Some(why);
            }
        }
    }

    fn serve(&self, model: &mut dyn Model) {
        while let Some((mut jobs, lost)) = self.next() {
            let begun = Instant::now();
            let results = match lost {
                Some(why) => {
                    let lost = |_: &Job| Err(Error::WorkerLost { restarts: RESTARTS, why: why.clone() });
                    jobs.iter().map(lost).collect()
                }
                None => {
                    model.begin();
                    run(model, &mut jobs)
                }
            };
            self.finish(jobs, results, begun);
        }
    }

    /// What to run next, as soon as there is something and others to be run with it, or have not come in time; `None` at the end. With
    /// it, why the thread was given up, if it was.
    fn next(&self) -> Option<(Vec<Job>, Option<String>)> {
        let mut table = self.table();
        // That of the first job, even if a newer one takes its place.
        let mut until = None;
        loop {
            if table.closing {
                return None;
            }
            let Batches { most, timeout } = self.batches;
            if let Some((count, since)) = table.ready() {
                let until = *until.get_or_insert(since + timeout);
                let left = until.saturating_duration_since(Instant::now());
                if count >= most || left.is_zero() || table.lost.is_some() {
                    return Some((table.take(most), table.lost.clone()));
                }
                table = self.work.wait_timeout(table, left).unwrap_or_else(PoisonError::into_inner).0;
            } else {
                until = None;
                table = self.work.wait(table).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn finish(&self, jobs: Vec<Job>, results: Vec<Result<Explanation>>, begun: Instant) {
        let mut table = self.table();
        table.end();
        if !table.closing {
            (self.interrupt)(false);
        }
        let done = Instant::now();
        for (job, result) in jobs.into_iter().zip(results) {
            if let Some(place) = table.place(job.place) {
                place.spare.push(job.input);
                place.answer(Done { ticket: job.ticket, result, queued: job.queued, begun, done });
            }
        }
    }

    /// Answers jobs whose run has taken its thread with it.
    fn answer_running(&self, why: &str) {
        let mut table = self.table();
        let now = Instant::now();
        for (id, ticket) in table.end() {
            if let Some(place) = table.place(id) {
                let result = Err(Error::Inference { why: why.into() });
                place.answer(Done { ticket, result, queued: now, begun: now, done: now });
            }
        }
        if !table.closing {
            (self.interrupt)(false);
        }
    }
}

/// Runs jobs at once; where that fails, one by one, so that what cannot be run fails alone.
fn run(model: &mut dyn Model, jobs: &mut [Job]) -> Vec<Result<Explanation>> {
    let count = jobs.len();
    let all = |error: &dyn Fn() -> Error| (0..count).map(|_| Err(error())).collect();
    match guard(|| model.run(jobs)) {
        Ok(seen) => seen.into_iter().map(Ok).collect(),
        Err(error) if count == 1 => vec![Err(error)],
        Err(Error::Interrupted) => all(&|| Error::Interrupted),
        // Each would take as long: a run takes the time of a full one.
        Err(Error::TimeLimit { limit }) => all(&|| Error::TimeLimit { limit }),
        Err(_) => jobs.chunks_mut(1).flat_map(|one| run(model, one)).collect(),
    }
}
