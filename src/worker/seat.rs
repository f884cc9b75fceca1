//! A stream's place at a worker: gives jobs, takes answers, waits or does not.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, PoisonError};
use std::time::Instant;

use super::Asked;
use super::queue::Done;
use super::room::Room;
use super::stopper::{Hook, Stopper};
use crate::error::{Error, Result};
use crate::explain::Explanation;
use crate::frame::Region;

/// One stream's place at a [`Worker`](super::Worker). `T` goes with each job and comes back with its answer.
#[derive(Debug)]
pub struct Seat<T> {
    room: Arc<Room>,
    id: u64,
    news: Arc<Condvar>,
    /// What goes with the jobs that are not answered, by ticket.
    tokens: VecDeque<(u64, T)>,
    stopper: Stopper,
    _hook: Hook,
}

/// What came of a job.
#[derive(Debug)]
pub struct Answer<T> {
    /// What was given with the job.
    pub token: T,
    /// The explanation; [`Error::Inference`] also where the run panicked, [`Error::WorkerLost`] where there is no thread any more.
    pub result: Result<Explanation>,
    /// When the job was given.
    pub queued: Instant,
    /// When its run began.
    pub begun: Instant,
    /// When its run ended.
    pub done: Instant,
}

impl<T> Seat<T> {
    pub(super) fn new(room: &Arc<Room>, stopper: &Stopper) -> Seat<T> {
        let (id, news) = room.shared().table().enter();
        let shared = Arc::downgrade(room.shared());
        let _hook = stopper.hook(move || {
            if let Some(shared) = shared.upgrade() {
                shared.forget(id, true);
            }
        });
        Seat { room: room.clone(), id, news, tokens: VecDeque::new(), stopper: stopper.clone(), _hook }
    }

    /// A buffer of the length of the model's input; its values are of an earlier job.
    pub fn input(&mut self) -> Vec<f32> {
        let spare = self.room.shared().table().place(self.id).and_then(|place| place.spare.pop());
        spare.filter(|buffer| buffer.len() == self.room.len).unwrap_or_else(|| vec![0.0; self.room.len])
    }

    /// Gives back a buffer that no job came of.
    pub fn put_back(&mut self, input: Vec<f32>) {
        if let Some(place) = self.room.shared().table().place(self.id) {
            place.spare.push(input);
        }
    }

    /// Gives a job; its answer comes after those of the jobs before it.
    ///
    /// # Errors
    /// [`Error::Interrupted`] while the stopper is cancelled.
    pub fn submit(&mut self, input: Vec<f32>, asked: Asked, region: Region, token: T) -> Result<()> {
        self.ask(input, asked, region, token, false).map(|_| ())
    }

    /// As [`Seat::submit`]; jobs of this seat that have not begun are dropped for it: returns how many.
    ///
    /// # Errors
    /// As [`Seat::submit`].
    pub fn offer(&mut self, input: Vec<f32>, asked: Asked, region: Region, token: T) -> Result<usize> {
        self.ask(input, asked, region, token, true)
    }

    fn ask(&mut self, input: Vec<f32>, asked: Asked, region: Region, token: T, replace: bool) -> Result<usize> {
        if self.stopper.is_cancelled() {
            self.put_back(input);
            return Err(Error::Interrupted);
        }
        let (ticket, replaced) = self.room.shared().ask(self.id, input, asked, region, replace);
        self.tokens.push_back((ticket, token));
        Ok(replaced)
    }

    /// The oldest answer, as soon as there is one.
    ///
    /// # Errors
    /// [`Error::Interrupted`] as soon as the stopper is used, even if the model does not stop; and where no answer is to come.
    pub fn wait(&mut self) -> Result<Answer<T>> {
        let room = self.room.clone();
        let mut table = room.shared().table();
        loop {
            if self.stopper.is_cancelled() {
                return Err(Error::Interrupted);
            }
            if let Some(done) = table.place(self.id).and_then(|place| place.done.pop_front()) {
                drop(table);
                return self.answer(done).ok_or(Error::Interrupted);
            }
            if !table.owes(self.id) {
                return Err(Error::Interrupted);
            }
            table = self.news.wait(table).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The oldest answer, if there is one already.
    pub fn poll(&mut self) -> Option<Answer<T>> {
        let done = self.room.shared().table().place(self.id).and_then(|place| place.done.pop_front())?;
        self.answer(done)
    }

    /// Whether an answer is still to come.
    pub fn is_owed(&self) -> bool {
        self.room.shared().table().owes(self.id)
    }

    /// Drops what was asked so far; answers to it never come out.
    pub fn forget(&mut self) {
        self.room.shared().forget(self.id, false);
        self.tokens.clear();
    }

    fn answer(&mut self, Done { ticket, result, queued, begun, done }: Done) -> Option<Answer<T>> {
        while let Some((of, token)) = self.tokens.pop_front() {
            if of == ticket {
                return Some(Answer { token, result, queued, begun, done });
            }
        }
        None
    }
}

impl<T> Drop for Seat<T> {
    fn drop(&mut self) {
        self.room.shared().leave(self.id);
    }
}
