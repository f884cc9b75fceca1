//! What waits for an engine, what runs on it, what was answered: a place for each stream, served in turns.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar};
use std::time::Instant;

use super::Asked;
use crate::error::Result;
use crate::explain::Explanation;
use crate::frame::Region;

#[derive(Debug)]
pub(super) struct Job {
    /// Whose it is.
    pub place: u64,
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
    /// Place and ticket of the jobs that run.
    running: Vec<(u64, u64)>,
    pub closing: bool,
    pub ended: bool,
    pub restarts: u64,
    /// Why the thread was given up.
    pub lost: Option<String>,
}

impl Job {
    /// Whether it can be run at once with others: one class of its picture.
    fn joins(&self) -> bool {
        self.asked.targets.len() == 1 && self.asked.versus.len() <= 1
    }
}

impl Table {
    /// A new place; its number.
    pub fn enter(&mut self) -> (u64, Arc<Condvar>) {
        let (id, news) = (self.next_id, Arc::new(Condvar::new()));
        self.next_id += 1;
        let (jobs, done, spare) = (VecDeque::new(), VecDeque::new(), Vec::new());
        self.places.push(Place { id, next: 0, floor: 0, jobs, done, spare, news: news.clone() });
        (id, news)
    }

    pub fn leave(&mut self, id: u64) {
        self.places.retain(|place| place.id != id);
    }

    pub fn place(&mut self, id: u64) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.id == id)
    }

    /// Whether an answer is still to come.
    pub fn owes(&self, id: u64) -> bool {
        let place = self.places.iter().find(|place| place.id == id);
        place.is_some_and(|place| !place.jobs.is_empty() || self.running.iter().any(|job| place.awaits(*job)))
    }

    /// Whether a job of this place runs, and none that anybody waits for.
    pub fn runs_in_vain(&self, id: u64) -> bool {
        let awaited = |job: &(u64, u64)| self.places.iter().any(|place| place.awaits(*job));
        self.running.iter().any(|(of, _)| *of == id) && !self.running.iter().any(awaited)
    }

    /// How many jobs could be run at once now, and since when the first of them waits; of one that is run alone, as many as ever.
    pub fn ready(&self) -> Option<(usize, Instant)> {
        let first = self.places[self.turn_of(|_| true)?].jobs.front()?;
        let joining = |place: &Place| place.jobs.iter().take_while(|job| job.joins()).count();
        let count = if first.joins() { self.places.iter().map(joining).sum() } else { usize::MAX };
        Some((count, first.queued))
    }

    /// What is run next, in fair turns: up to so many jobs, or one that is run alone.
    pub fn take(&mut self, most: usize) -> Vec<Job> {
        let mut taken = Vec::new();
        while let Some(at) = self.turn_of(|job| taken.is_empty() || job.joins())
            && let Some(job) = self.places[at].jobs.pop_front()
        {
            self.turn = at + 1;
            self.running.push((job.place, job.ticket));
            let alone = !job.joins();
            taken.push(job);
            if alone || taken.len() >= most {
                break;
            }
        }
        taken
    }

    /// The next place in turn whose next job is such a one.
    fn turn_of(&self, of: impl Fn(&Job) -> bool) -> Option<usize> {
        let (count, turn) = (self.places.len(), self.turn);
        (0..count).map(|i| (turn + i) % count).find(|&at| self.places[at].jobs.front().is_some_and(&of))
    }

    /// Nothing runs any more: place and ticket of what did.
    pub fn end(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.running)
    }
}

impl Place {
    /// Puts a job at the end of the queue, `replace` takes back those that have not begun. Returns its ticket, and how many were taken
    /// back.
    pub fn ask(&mut self, input: Vec<f32>, asked: Asked, region: Region, replace: bool) -> (u64, usize) {
        let replaced = if replace { self.jobs.len() } else { 0 };
        if replace {
            self.take_back();
        }
        let ticket = self.next;
        self.next += 1;
        self.jobs.push_back(Job { place: self.id, ticket, input, asked, region, queued: Instant::now() });
        (ticket, replaced)
    }

    /// Nobody waits any more for the answers to what was asked so far.
    pub fn forget(&mut self) {
        self.take_back();
        self.done.clear();
        self.floor = self.next;
        self.news.notify_all();
    }

    pub fn answer(&mut self, done: Done) {
        if done.ticket >= self.floor {
            self.done.push_back(done);
        }
        self.news.notify_all();
    }

    fn take_back(&mut self) {
        self.spare.extend(self.jobs.drain(..).map(|job| job.input));
    }

    fn awaits(&self, (of, ticket): (u64, u64)) -> bool {
        of == self.id && ticket >= self.floor
    }
}
