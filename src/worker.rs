//! The thread that runs the model: takes prepared inputs, gives back explanations, can be stopped at any moment.
//!
//! Not for frames (they stay with their owner: only the prepared input crosses over) and not for GStreamer.
//!
//! Today every caller waits for its own answer. The hand-over is already a job with a ticket, and answers are taken
//! by ticket, so a caller that does not wait (newest frame wins) needs another way to ask, not another thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select, unbounded};
use ndarray::ArrayViewD;

use crate::cam::Target;
use crate::error::{Error, Result, panic_text};
use crate::explain::{Explainer, Explanation};
use crate::frame::Region;

/// How often a run that has to end is told so, until it does: one interruption may fall just before the run begins.
const NUDGE: Duration = Duration::from_millis(5);

/// An [`Explainer`] on a thread of its own. Dropping it ends the run in progress and joins the thread.
#[derive(Debug)]
pub struct Worker {
    /// `None` only while dropping: closing it is what ends the thread.
    jobs: Option<Sender<Job>>,
    done: Receiver<Done>,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
    /// The number of the last job handed over; answers with another one are leftovers of a cancelled call.
    ticket: u64,
    /// Length of the model's input.
    len: usize,
    /// The input's buffer, between two calls.
    spare: Vec<f32>,
    /// Classes held against the targets of the calls to come.
    versus: Vec<Target>,
}

#[derive(Debug)]
struct Job {
    ticket: u64,
    input: Vec<f32>,
    asked: Asked,
    region: Region,
}

/// The classes that a call is about.
#[derive(Debug, Clone, Default)]
struct Asked {
    targets: Vec<Target>,
    versus: Vec<Target>,
}

#[derive(Debug)]
struct Done {
    ticket: u64,
    input: Vec<f32>,
    result: Result<Explanation>,
}

/// Cancels a [`Worker`]'s calls from any thread.
#[derive(Clone)]
pub struct Stopper(Arc<Shared>);

struct Shared {
    cancelled: AtomicBool,
    wake: Sender<()>,
    woken: Receiver<()>,
    interrupt: Box<dyn Fn() + Send + Sync>,
}

impl Stopper {
    /// Ends the call in progress with [`Error::Interrupted`], at once, and every later one until [`Stopper::resume`].
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        // Full means that a wake-up is already on its way.
        let _ = self.0.wake.try_send(());
        (self.0.interrupt)();
    }

    /// Lets calls through again.
    pub fn resume(&self) {
        self.0.cancelled.store(false, Ordering::SeqCst);
        while self.0.woken.try_recv().is_ok() {}
    }

    /// Between [`Stopper::cancel`] and [`Stopper::resume`].
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }
}

impl std::fmt::Debug for Stopper {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Stopper").field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

impl Worker {
    /// Moves an explainer to its thread.
    pub fn spawn(mut explainer: Explainer) -> Result<Worker> {
        let shape = explainer.input_shape().to_vec();
        let interrupter = explainer.interrupter();
        let (len, versus) = (shape.iter().product(), explainer.versus().to_vec());
        let run = move |input: &[f32], asked: &Asked, region| {
            let input = ArrayViewD::from_shape(shape.as_slice(), input).expect("every job's input has this length");
            if asked.versus != explainer.versus() {
                explainer.set_versus(&asked.versus)?;
            }
            explainer.explain_tensor(input, &asked.targets, region)
        };
        let mut worker = Worker::start(len, run, move || interrupter.interrupt())?;
        worker.versus = versus;
        Ok(worker)
    }

    /// As [`Explainer::set_versus`], from the next call on; that call tells what is wrong with them.
    pub fn set_versus(&mut self, versus: Vec<Target>) {
        self.versus = versus;
    }

    /// The thread round any `run`, whose call in progress `interrupt` ends: the tests' way in.
    fn start(
        len: usize,
        mut run: impl FnMut(&[f32], &Asked, Region) -> Result<Explanation> + Send + 'static,
        interrupt: impl Fn() + Send + Sync + 'static,
    ) -> Result<Worker> {
        let (wake, woken) = bounded(1);
        let shared = Shared { cancelled: AtomicBool::new(false), wake, woken, interrupt: Box::new(interrupt) };
        let stopper = Stopper(Arc::new(shared));
        let (jobs, inbox) = bounded::<Job>(1);
        let (outbox, done) = unbounded();
        let stopped = stopper.clone();
        let work = move || {
            for Job { ticket, input, asked, region } in inbox {
                let result = match stopped.is_cancelled() {
                    true => Err(Error::Interrupted),
                    false => guard(|| run(&input, &asked, region)),
                };
                if outbox.send(Done { ticket, input, result }).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("gradcam".into()).spawn(work);
        let thread = thread.map_err(|e| Error::Inference { why: format!("its thread cannot be started: {e}") })?;
        let (spare, versus) = (Vec::new(), Vec::new());
        Ok(Worker { jobs: Some(jobs), done, stopper, thread: Some(thread), ticket: 0, len, spare, versus })
    }

    /// Has `prepare` fill the model's input on this thread, runs the model on the worker's and waits for its answer.
    /// [`Error::Interrupted`] as soon as the [`Stopper`] is used, even if the model does not stop.
    pub fn explain(
        &mut self,
        targets: &[Target],
        prepare: impl FnOnce(&mut [f32]) -> Result<Region>,
    ) -> Result<Explanation> {
        if self.stopper.is_cancelled() {
            return Err(Error::Interrupted);
        }
        self.spare.resize(self.len, 0.0);
        let region = prepare(&mut self.spare)?;
        let input = std::mem::take(&mut self.spare);
        let asked = Asked { targets: targets.to_vec(), versus: self.versus.clone() };
        let ticket = self.hand_over(input, asked, region)?;
        self.wait(ticket)
    }

    /// The classes held against the targets.
    pub fn versus(&self) -> &[Target] {
        &self.versus
    }

    /// What cancels the calls.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    fn hand_over(&mut self, input: Vec<f32>, asked: Asked, region: Region) -> Result<u64> {
        self.ticket += 1;
        let ticket = self.ticket;
        let jobs = self.jobs.as_ref().expect("open until dropped");
        select! {
            send(jobs, Job { ticket, input, asked, region }) -> sent => sent.map_err(|_| gone()).map(|()| ticket),
            recv(self.stopper.0.woken) -> _ => Err(Error::Interrupted),
        }
    }

    fn wait(&mut self, ticket: u64) -> Result<Explanation> {
        loop {
            select! {
                recv(self.done) -> done => {
                    let done = done.map_err(|_| gone())?;
                    self.spare = done.input;
                    if done.ticket == ticket {
                        return done.result;
                    }
                }
                recv(self.stopper.0.woken) -> _ => return Err(Error::Interrupted),
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        self.stopper.cancel();
        while !matches!(self.done.recv_timeout(NUDGE), Err(RecvTimeoutError::Disconnected)) {
            self.stopper.cancel();
        }
        if let Some(thread) = self.thread.take() {
            // A panic outside `guard` has nobody left to be told.
            let _ = thread.join();
        }
    }
}

/// Runs `f`; a panic in it becomes an error, so that it ends one frame and not the process.
pub fn guard<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        Err(Error::Inference { why: format!("internal error, please report it: {}", panic_text(&*panic)) })
    })
}

fn gone() -> Error {
    Error::Inference { why: "its thread has ended; restart the pipeline".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc;

    const REGION: Region = Region { x: 0.0, y: 0.0, width: 4.0, height: 3.0 };

    fn explanation() -> Explanation {
        Explanation { maps: Vec::new(), scores: Default::default(), region: REGION, took: Duration::ZERO }
    }

    fn fill(value: f32) -> impl FnOnce(&mut [f32]) -> Result<Region> {
        move |input| {
            input.fill(value);
            Ok(REGION)
        }
    }

    #[test]
    fn answers_belong_to_their_questions_and_the_buffer_is_reused() {
        let (seen, log) = mpsc::channel();
        let run = move |input: &[f32], asked: &Asked, _| {
            let _ = seen.send((input.to_vec(), input.as_ptr() as usize, asked.targets.clone()));
            Ok(explanation())
        };
        let mut worker = Worker::start(3, run, || ()).unwrap();
        for value in [1.0, 2.0] {
            assert_eq!(worker.explain(&[Target::Class(7)], fill(value)).unwrap().region, REGION);
        }
        let (first, second) = (log.recv().unwrap(), log.recv().unwrap());
        assert_eq!((first.0, second.0), (vec![1.0; 3], vec![2.0; 3]));
        assert_eq!(first.1, second.1, "one buffer goes to and fro");
        assert_eq!(second.2, [Target::Class(7)]);
    }

    #[test]
    fn classes_held_against_the_targets_go_with_each_call() {
        let (seen, log) = mpsc::channel();
        let run = move |_: &[f32], asked: &Asked, _| {
            let _ = seen.send(asked.versus.clone());
            Ok(explanation())
        };
        let mut worker = Worker::start(1, run, || ()).unwrap();
        for versus in [vec![], vec![Target::Rank(1)], vec![Target::Class(3)]] {
            worker.set_versus(versus.clone());
            worker.explain(&[], fill(0.0)).unwrap();
            assert_eq!(log.recv().unwrap(), versus);
        }
    }

    #[test]
    fn a_panic_in_the_model_is_one_error_and_the_next_frame_works() {
        let mut calls = 0;
        let run = move |_: &[f32], _: &Asked, _| {
            calls += 1;
            assert!(calls != 1, "planted");
            Ok(explanation())
        };
        let mut worker = Worker::start(1, run, || ()).unwrap();
        let error = worker.explain(&[], fill(0.0)).unwrap_err();
        assert!(matches!(&error, Error::Inference { why } if why.contains("planted")), "{error}");
        worker.explain(&[], fill(0.0)).unwrap();
    }

    #[test]
    fn a_failed_preparation_asks_nothing_of_the_model() {
        let mut worker = Worker::start(1, |_: &[f32], _: &Asked, _| panic!("ran"), || ()).unwrap();
        let refuse = |_: &mut [f32]| Err(Error::Frame { why: "planted".into() });
        assert!(matches!(worker.explain(&[], refuse), Err(Error::Frame { .. })));
    }

    /// A model that runs until it is interrupted, says when it begins, and then answers that it was.
    fn endless() -> (Worker, mpsc::Receiver<()>) {
        let (begun, begins) = mpsc::channel();
        let (stop, stopped) = mpsc::channel();
        let stop = Mutex::new(stop);
        let run = move |_: &[f32], _: &Asked, _| {
            while stopped.try_recv().is_ok() {}
            let _ = begun.send(());
            let _ = stopped.recv();
            Err(Error::Interrupted)
        };
        let interrupt = move || {
            let _ = stop.lock().unwrap().send(());
        };
        (Worker::start(1, run, interrupt).unwrap(), begins)
    }

    #[test]
    fn cancelling_ends_the_call_the_run_and_later_calls_until_resumed() {
        let (mut worker, begins) = endless();
        let stopper = worker.stopper();
        for _ in 0..2 {
            std::thread::scope(|scope| {
                let call = scope.spawn(|| worker.explain(&[], fill(0.0)));
                begins.recv().unwrap();
                stopper.cancel();
                assert!(matches!(call.join().unwrap(), Err(Error::Interrupted)));
            });
            assert!(matches!(worker.explain(&[], fill(0.0)), Err(Error::Interrupted)));
            stopper.resume();
        }
    }

    #[test]
    fn a_cancelled_frames_answer_never_reaches_the_next_frame() {
        let (answer, answers) = bounded::<f32>(0);
        let (begun, begins) = mpsc::channel();
        let run = move |_: &[f32], _: &Asked, region| {
            let _ = begun.send(());
            let x = answers.recv().unwrap();
            Ok(Explanation { region: Region { x, ..region }, ..explanation() })
        };
        let mut worker = Worker::start(1, run, || ()).unwrap();
        let stopper = worker.stopper();
        std::thread::scope(|scope| {
            let call = scope.spawn(|| worker.explain(&[], fill(0.0)));
            begins.recv().unwrap();
            stopper.cancel();
            assert!(matches!(call.join().unwrap(), Err(Error::Interrupted)), "a model that does not stop holds nobody");
        });
        stopper.resume();
        std::thread::scope(|scope| {
            let call = scope.spawn(|| worker.explain(&[], fill(0.0)));
            answer.send(1.0).unwrap();
            answer.send(2.0).unwrap();
            assert_eq!(call.join().unwrap().unwrap().region.x, 2.0);
        });
    }

    #[test]
    fn dropping_ends_a_run_that_was_left_behind() {
        let (mut worker, begins) = endless();
        let stopper = worker.stopper();
        std::thread::scope(|scope| {
            let call = scope.spawn(move || {
                let result = worker.explain(&[], fill(0.0));
                drop(worker);
                result
            });
            begins.recv().unwrap();
            stopper.cancel();
            assert!(matches!(call.join().unwrap(), Err(Error::Interrupted)));
        });
    }
}
