//! The worker with models that are closures: turns, tickets, cancelling, deaths.

mod batches;
mod retreat;

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use super::room::{Interrupt, Model, RESTARTS, Room};
use super::*;
use crate::explain::Explanation;

const REGION: Region = Region { x: 0.0, y: 0.0, width: 4.0, height: 3.0 };

fn explanation() -> Explanation {
    Explanation { maps: Vec::new(), scores: Default::default(), region: REGION, took: Duration::ZERO }
}

/// A model of a closure, which is given the input's first value.
struct Plain<F> {
    run: F,
    /// The thread dies on such an input's run.
    deadly: Option<Receiver<()>>,
}

/// What a model on the CPU does where its thread or its provider fails: nothing.
macro_rules! stays {
    () => {
        fn renew(&mut self) -> Result<()> {
            Ok(())
        }

        fn elsewhere(&self) -> Option<&'static str> {
            None
        }

        fn on_cpu(&self) -> Result<(Box<dyn Model>, ProviderInfo)> {
            unreachable!("it is there")
        }
    };
}
use stays;

impl<F: FnMut(&[f32], &Asked) -> Result<Explanation> + Send> Model for Plain<F> {
    fn run(&mut self, jobs: &mut [Job]) -> Result<Vec<Explanation>> {
        jobs.iter().map(|job| (self.run)(&job.input, &job.asked)).collect()
    }

    fn begin(&mut self) {
        assert!(self.deadly.as_ref().is_none_or(|deadly| deadly.try_recv().is_err()), "planted death");
    }

    stays!();
}

const ALONE: Batches = Batches { most: 1, timeout: Duration::ZERO };

fn room(run: impl FnMut(&[f32], &Asked) -> Result<Explanation> + Send + 'static, interrupt: Interrupt) -> Arc<Room> {
    Arc::new(Room::start(1, ALONE, Box::new(Plain { run, deadly: None }), interrupt).unwrap())
}

fn seat(room: &Arc<Room>) -> (Seat<u32>, Stopper) {
    let stopper = Stopper::default();
    (Seat::new(room, &stopper), stopper)
}

fn give(seat: &mut Seat<u32>, value: u32) {
    let mut input = seat.input();
    input.fill(value as f32);
    seat.submit(input, Asked::default(), REGION, value).unwrap();
}

fn offer(seat: &mut Seat<u32>, value: u32) {
    let mut input = seat.input();
    input.fill(value as f32);
    seat.offer(input, Asked::default(), REGION, value).unwrap();
}

/// A model whose runs begin and end as the test says; what it is given is told when it begins.
fn led() -> (Arc<Room>, Receiver<f32>, Sender<()>) {
    let ((begun, begins), (end, ends)) = (mpsc::channel(), mpsc::channel::<()>());
    let run = move |input: &[f32], _: &Asked| {
        let _ = begun.send(input[0]);
        let _ = ends.recv();
        Ok(explanation())
    };
    (room(run, Box::new(|_| ())), begins, end)
}

/// A model that runs until it is interrupted, and says when it begins.
fn endless() -> (Arc<Room>, Receiver<f32>) {
    let ((begun, begins), (stop, stopped)) = (mpsc::channel(), mpsc::channel::<()>());
    let stop = Mutex::new(stop);
    let run = move |input: &[f32], _: &Asked| {
        let _ = begun.send(input[0]);
        let _ = stopped.recv();
        Err(Error::Interrupted)
    };
    let interrupt = move |on: bool| {
        if on {
            let _ = stop.lock().unwrap().send(());
        }
    };
    (room(run, Box::new(interrupt)), begins)
}

#[test]
fn answers_come_in_order_with_what_was_given_and_buffers_are_reused() {
    let (seen, log) = mpsc::channel();
    let run = move |input: &[f32], asked: &Asked| {
        let _ = seen.send((input[0], input.as_ptr() as usize, asked.clone()));
        Ok(explanation())
    };
    let room = room(run, Box::new(|_| ()));
    let (mut seat, _) = seat(&room);
    let asked = Asked { targets: vec![Target::Class(7)], versus: vec![Target::Rank(1)] };
    for value in [1.0, 2.0] {
        let mut input = seat.input();
        input.fill(value);
        seat.submit(input, asked.clone(), REGION, value as u32).unwrap();
        let answer = seat.wait().unwrap();
        assert_eq!((answer.token, answer.result.unwrap().region), (value as u32, REGION));
        assert!(answer.queued <= answer.begun && answer.begun <= answer.done);
    }
    let (first, second) = (log.recv().unwrap(), log.recv().unwrap());
    assert_eq!((first.0, second.0, first.1 == second.1), (1.0, 2.0, true), "one buffer goes to and fro");
    assert_eq!(second.2, asked);
    (10..14).for_each(|value| give(&mut seat, value));
    let tokens: Vec<u32> = (0..4).map(|_| seat.wait().unwrap().token).collect();
    assert_eq!(tokens, [10, 11, 12, 13]);
    assert!(seat.poll().is_none() && !seat.is_owed());
    assert!(matches!(seat.wait(), Err(Error::Interrupted)), "there is nothing to wait for");
}

#[test]
fn the_newest_offer_wins() {
    let (room, begins, end) = led();
    let (mut seat, _) = seat(&room);
    offer(&mut seat, 1);
    assert_eq!(begins.recv().unwrap(), 1.0);
    offer(&mut seat, 2);
    for value in [3, 4] {
        offer(&mut seat, value);
        assert!(seat.poll().is_none(), "nobody waits");
    }
    (0..2).for_each(|_| end.send(()).unwrap());
    assert_eq!(seat.wait().unwrap().token, 1);
    assert_eq!(begins.recv().unwrap(), 4.0, "2 and 3 were never begun");
    assert_eq!(seat.wait().unwrap().token, 4);
    assert!(!seat.is_owed());
}

#[test]
fn seats_are_served_in_turns() {
    let (room, begins, end) = led();
    let [(mut one, _), (mut two, _), (mut three, _)] = [seat(&room), seat(&room), seat(&room)];
    give(&mut one, 10);
    assert_eq!(begins.recv().unwrap(), 10.0);
    (11..14).for_each(|value| give(&mut one, value));
    (20..22).for_each(|value| give(&mut two, value));
    give(&mut three, 30);
    (0..7).for_each(|_| end.send(()).unwrap());
    let order: Vec<f32> = (0..6).map(|_| begins.recv().unwrap()).collect();
    assert_eq!(order, [20.0, 30.0, 11.0, 21.0, 12.0, 13.0]);
    assert_eq!([one.wait().unwrap().token, two.wait().unwrap().token, three.wait().unwrap().token], [10, 20, 30]);
}

#[test]
fn a_panic_in_the_model_is_one_error_and_the_next_job_works() {
    let mut calls = 0;
    let run = move |_: &[f32], _: &Asked| {
        calls += 1;
        assert!(calls != 1, "planted");
        Ok(explanation())
    };
    let room = room(run, Box::new(|_| ()));
    let (mut seat, _) = seat(&room);
    give(&mut seat, 1);
    give(&mut seat, 2);
    let error = seat.wait().unwrap().result.unwrap_err();
    assert!(matches!(&error, Error::Inference { why } if why.contains("planted")), "{error}");
    assert!(seat.wait().unwrap().result.is_ok());
    assert_eq!(room.restarts(), 0, "the thread lives on");
}

#[test]
fn a_thread_that_dies_is_started_anew_three_times_and_then_every_answer_says_so() {
    let (kill, deadly) = mpsc::channel();
    let model = Plain { run: |_: &[f32], _: &Asked| Ok(explanation()), deadly: Some(deadly) };
    let room = Arc::new(Room::start(1, ALONE, Box::new(model), Box::new(|_| ())).unwrap());
    let (mut seat, _) = seat(&room);
    for death in 1..=RESTARTS {
        kill.send(()).unwrap();
        give(&mut seat, 1);
        let error = seat.wait().unwrap().result.unwrap_err();
        assert!(matches!(&error, Error::Inference { why } if why.contains("planted death")), "{error}");
        give(&mut seat, 2);
        assert!(seat.wait().unwrap().result.is_ok(), "after death {death}");
        assert_eq!((room.restarts(), room.is_lost()), (death, false));
    }
    kill.send(()).unwrap();
    for _ in 0..3 {
        give(&mut seat, 3);
        let _ = seat.wait().unwrap().result.unwrap_err();
    }
    assert!(room.is_lost());
    give(&mut seat, 4);
    assert!(matches!(seat.wait().unwrap().result, Err(Error::WorkerLost { restarts: RESTARTS, .. })));
}

#[test]
fn cancelling_ends_the_waiting_the_run_and_later_jobs_until_resumed() {
    let (room, begins) = endless();
    let (mut seat, stopper) = seat(&room);
    for round in 0..3 {
        give(&mut seat, round);
        give(&mut seat, 100);
        std::thread::scope(|scope| {
            let call = scope.spawn(|| seat.wait());
            assert_eq!(begins.recv().unwrap(), round as f32, "what was cancelled is never begun");
            stopper.cancel();
            assert!(matches!(call.join().unwrap(), Err(Error::Interrupted)));
        });
        let input = seat.input();
        assert!(matches!(seat.submit(input, Asked::default(), REGION, 0), Err(Error::Interrupted)));
        stopper.resume();
    }
}

#[test]
fn cancelling_one_seat_leaves_the_run_of_another_alone() {
    let (room, begins) = endless();
    let ((mut runs, _), (mut other, stopper)) = (seat(&room), seat(&room));
    give(&mut runs, 1);
    begins.recv().unwrap();
    give(&mut other, 2);
    stopper.cancel();
    assert!(matches!(other.wait(), Err(Error::Interrupted)));
    assert!(runs.poll().is_none() && runs.is_owed(), "its run goes on");
    drop(other);
    assert!(runs.poll().is_none() && runs.is_owed(), "and goes on");
}

#[test]
fn a_cancelled_frames_answer_never_reaches_the_next_frame_even_if_the_model_does_not_stop() {
    let (room, begins, end) = led();
    let (mut seat, stopper) = seat(&room);
    give(&mut seat, 1);
    begins.recv().unwrap();
    stopper.cancel();
    assert!(matches!(seat.wait(), Err(Error::Interrupted)), "a model that does not stop holds nobody");
    stopper.resume();
    give(&mut seat, 2);
    (0..2).for_each(|_| end.send(()).unwrap());
    assert_eq!(seat.wait().unwrap().token, 2);
}

#[test]
fn what_is_forgotten_is_not_interrupted_and_never_comes_out() {
    let (room, begins, end) = led();
    let (mut seat, _) = seat(&room);
    give(&mut seat, 1);
    begins.recv().unwrap();
    give(&mut seat, 2);
    seat.forget();
    assert!(!seat.is_owed());
    give(&mut seat, 3);
    (0..2).for_each(|_| end.send(()).unwrap());
    assert_eq!(seat.wait().unwrap().token, 3);
    assert_eq!(begins.recv().unwrap(), 3.0, "2 was not begun");
}

#[test]
fn dropping_ends_the_run_and_a_model_that_does_not_stop_holds_nobody() {
    let (room, begins) = endless();
    let (mut ends, _) = seat(&room);
    give(&mut ends, 1);
    begins.recv().unwrap();
    drop((ends, room));
    let (room, begins, end) = led();
    let (mut stays, _) = seat(&room);
    give(&mut stays, 1);
    begins.recv().unwrap();
    drop((stays, room)); // returns, though nobody ends the run
    end.send(()).unwrap();
}
