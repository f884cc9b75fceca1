//! One engine's thread and its queue: a place for each stream, served in turns.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Asked, guard, lock};
use crate::error::{Error, Result, panic_text};
use crate::explain::Explanation;
use crate::frame::Region;

/// A thread that dies is started anew so many times.
pub const RESTARTS: u64 = 3;
/// A run that does not heed its interruption is left to itself after this time; it frees what it holds when it ends.
const PATIENCE: Duration = Duration::from_millis(300);

/// What the thread runs.
pub(super) trait Model: Send {
    /// One job; `input` is the stream's buffer, which goes back to it.
    fn run(&mut self, input: &mut [f32], asked: &Asked, region: Region) -> Result<Explanation>;

    /// Called before each run, outside of what is caught: the place where the tests let the thread die.
    fn begin(&mut self) {}

    /// A new session in place of one that may be broken: after a death of the thread.
    fn renew(&mut self) -> Result<()>;
}

/// Called with `true`, ends the run in progress even if it has not quite begun, with `false` lets runs begin again.
pub(super) type Interrupt = Box<dyn Fn(bool) + Send + Sync>;

#[derive(Debug)]
pub(super) struct Job {
    pub ticket: u64,
    pub input: Vec<f32>,
    pub asked: Asked,
    pub region: Region,
    pub queued: Instant,
}

#[derive(Debug)]
pub(super) struct Done {
    pub ticket: u64,
    pub result: Result<Explanation>,
    pub queued: Instant,
    pub begun: Instant,
    pub done: Instant,
}

/// One stream's part of the queue.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    /// The ticket of the next job.
    next: u64,
    /// Nobody waits for the answers to jobs before this one.
    floor: u64,
    pub jobs: VecDeque<Job>,
    pub done: VecDeque<Done>,
    pub spare: Vec<Vec<f32>>,
    news: Arc<Condvar>,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    places: Vec<Place>,
    /// Whose turn it is, of `places`.
    turn: usize,
    next_id: u64,
    /// Place and ticket of the job that runs.
    running: Option<(u64, u64)>,
    closing: bool,
    ended: bool,
    restarts: u64,
    /// Why the thread was given up.
    lost: Option<String>,
}

pub(super) struct Shared {
    table: Mutex<Table>,
    work: Condvar,
    end: Condvar,
    interrupt: Interrupt,
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
    pub fn start(len: usize, mut model: Box<dyn Model>, interrupt: Interrupt) -> Result<Room> {
        let (table, work, end) = (Mutex::default(), Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { table, work, end, interrupt });
        let room = shared.clone();
        let live = move || {
            room.live(&mut *model);
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
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        table.closing = true;
        (self.shared.interrupt)(true);
        self.shared.work.notify_all();
        let waited = self.shared.end.wait_timeout_while(table, PATIENCE, |table| !table.ended);
        let ended = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0.ended;
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

    /// A new place; its number.
    pub fn enter(&self) -> (u64, Arc<Condvar>) {
        let mut table = self.table();
        let (id, news) = (table.next_id, Arc::new(Condvar::new()));
        table.next_id += 1;
        let (jobs, done, spare) = (VecDeque::new(), VecDeque::new(), Vec::new());
        table.places.push(Place { id, next: 0, floor: 0, jobs, done, spare, news: news.clone() });
        (id, news)
    }

    /// Gives up a place, and ends the run in progress if it is for it.
    pub fn leave(&self, id: u64) {
        self.forget(id, true);
        self.table().places.retain(|place| place.id != id);
    }

    /// Puts a job at the end of a place's queue, `replace` takes back those that have not begun. Returns its ticket, and how many were
    /// taken back.
    pub fn ask(&self, id: u64, input: Vec<f32>, asked: Asked, region: Region, replace: bool) -> (u64, usize) {
        let mut table = self.table();
        let Some(place) = table.place(id) else { return (0, 0) };
        let replaced = if replace { place.jobs.len() } else { 0 };
        if replace {
            place.spare.extend(place.jobs.drain(..).map(|job| job.input));
        }
        let ticket = place.next;
        place.next += 1;
        place.jobs.push_back(Job { ticket, input, asked, region, queued: Instant::now() });
        self.work.notify_all();
        (ticket, replaced)
    }

    /// Nobody waits any more for the answers to what a place has asked so far; `interrupt` ends the run in progress if it is for it.
    pub fn forget(&self, id: u64, interrupt: bool) {
        let mut table = self.table();
        let running = table.running.is_some_and(|(of, _)| of == id);
        let Some(place) = table.place(id) else { return };
        place.spare.extend(place.jobs.drain(..).map(|job| job.input));
        place.done.clear();
        place.floor = place.next;
        place.news.notify_all();
        if interrupt && running {
            // Under the lock: it cannot fall on the next job.
            (self.interrupt)(true);
        }
    }

    /// The thread's life, a death of it included.
    fn live(&self, model: &mut dyn Model) {
        while let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.serve(model))) {
            let why = panic_text(&*panic).to_string();
            let dead = format!("its thread died ({why}) and is started anew");
            self.answer_running(Err(Error::Inference { why: dead }));
            let mut table = self.table();
            let renewed = if table.restarts < RESTARTS {
                table.restarts += 1;
                drop(table);
                // Here a provider that fails for good would give its place to the next one.
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
        while let Some((mut job, lost)) = self.next() {
            let begun = Instant::now();
            let result = match lost {
                Some(why) => Err(Error::WorkerLost { restarts: RESTARTS, why }),
                None => {
                    model.begin();
                    guard(|| model.run(&mut job.input, &job.asked, job.region))
                }
            };
            self.finish(job, result, begun);
        }
    }

    /// The next job in fair turns, as soon as there is one; `None` at the end. With it, why the thread was given up, if it was.
    fn next(&self) -> Option<(Job, Option<String>)> {
        let mut table = self.table();
        loop {
            if table.closing {
                return None;
            }
            let (count, turn) = (table.places.len(), table.turn);
            let with_work = (0..count).map(|i| (turn + i) % count).find(|&at| !table.places[at].jobs.is_empty());
            if let Some(at) = with_work
                && let Some(job) = table.places[at].jobs.pop_front()
            {
                table.turn = at + 1;
                table.running = Some((table.places[at].id, job.ticket));
                return Some((job, table.lost.clone()));
            }
            table = self.work.wait(table).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    fn finish(&self, job: Job, result: Result<Explanation>, begun: Instant) {
        let mut table = self.table();
        let Some((id, _)) = table.running.take() else { return };
        if !table.closing {
            (self.interrupt)(false);
        }
        if let Some(place) = table.place(id) {
            place.spare.push(job.input);
            place.answer(Done { ticket: job.ticket, result, queued: job.queued, begun, done: Instant::now() });
        }
    }

    /// Answers a job whose run has taken its thread with it.
    fn answer_running(&self, result: Result<Explanation>) {
        let mut table = self.table();
        if let Some((id, ticket)) = table.running.take()
            && let Some(place) = table.place(id)
        {
            (self.interrupt)(false);
            let now = Instant::now();
            place.answer(Done { ticket, result, queued: now, begun: now, done: now });
        }
    }
}

impl Table {
    pub fn place(&mut self, id: u64) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.id == id)
    }

    /// Whether an answer is still to come.
    pub fn owes(&mut self, id: u64) -> bool {
        let running = self.running;
        self.place(id).is_some_and(|place| {
            !place.jobs.is_empty() || running.is_some_and(|(of, ticket)| of == id && ticket >= place.floor)
        })
    }
}

impl Place {
    fn answer(&mut self, done: Done) {
        if done.ticket >= self.floor {
            self.done.push_back(done);
        }
        self.news.notify_all();
    }
}
