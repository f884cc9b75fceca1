//! Opens models beside the caller, and shares those that are open: streams that ask for the same get the same.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use super::{Stopper, Worker, guard, lock};
use crate::engine::Interrupter;
use crate::error::{Error, Result};
use crate::explain::{Explainer, Opening, Options, Stage};

/// What to open.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The model's file.
    pub model: PathBuf,
    /// What is asked of it.
    pub options: Options,
    /// Take an engine that is open for the same file, options and `engine_id`, and let others take this one.
    pub share: bool,
    /// Parts those that would share otherwise.
    pub engine_id: String,
    /// What is to go wrong, as [`Faults`](super::fault::Faults) reads it.
    #[cfg(feature = "fault-injection")]
    pub fault: String,
}

/// How far it has come.
#[derive(Debug, Clone)]
pub enum News {
    /// A stage has begun.
    Stage(Stage),
    /// The model is open.
    Open,
    /// It cannot be opened.
    Failed(Arc<Error>),
}

type Tell = Arc<dyn Fn(&News) + Send + Sync>;
type Outcome = Result<Arc<Worker>, Arc<Error>>;

/// A model that is being opened, or is open. Dropping it gives up waiting; an opening that nobody waits for is ended where it can be,
/// and else its result dropped.
pub struct Loading {
    load: Arc<Load>,
    id: u64,
}

struct Load {
    state: Mutex<State>,
    ready: Condvar,
    interrupter: Interrupter,
}

#[derive(Default)]
struct State {
    waiting: Vec<(u64, Tell)>,
    next: u64,
    outcome: Option<Outcome>,
}

/// What makes two streams' wishes the same.
#[derive(Debug, PartialEq)]
struct Key {
    file: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
    source: Source,
}

struct Entry {
    key: Key,
    /// While it is being opened.
    load: Weak<Load>,
    /// From then on.
    worker: Weak<Worker>,
}

/// Taken before a [`Load`]'s own lock.
static HUB: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

impl Key {
    /// `None` where it is not to be shared.
    fn of(source: &Source) -> Option<Key> {
        let file = source.share.then(|| source.model.canonicalize().ok())??;
        let meta = file.metadata().ok()?;
        let source = Source { model: file.clone(), ..source.clone() };
        Some(Key { size: meta.len(), modified: meta.modified().ok(), file, source })
    }
}

/// Begins to open a model; `tell` is called from another thread. Where the same is open or being opened already, that is taken.
///
/// # Errors
/// [`Error::ModelNotFound`], [`Error::ModelUnreadable`] and [`Error::Runtime`] at once; all others come from [`Loading::wait`] and [`Loading::poll`].
pub fn open(source: Source, tell: impl Fn(&News) + Send + Sync + 'static) -> Result<Loading> {
    Explainer::readable(&source.model)?;
    // Not beside the caller, who may end the process: nothing can wait for the runtime while it is being set up.
    crate::engine::runtime(source.options.runtime_library.as_deref())?;
    let tell: Tell = Arc::new(tell);
    let key = Key::of(&source);
    let mut hub = lock(&HUB);
    hub.retain(|entry| entry.worker.strong_count() > 0 || entry.load.strong_count() > 0);
    if let Some(entry) = hub.iter().find(|entry| key.as_ref() == Some(&entry.key)) {
        if let Some(worker) = entry.worker.upgrade().filter(|worker| !worker.is_lost()) {
            drop(hub);
            tell(&News::Open);
            return Ok(Load::new(Some(Ok(worker))).join(tell));
        }
        if let Some(load) = entry.load.upgrade() {
            return Ok(load.join(tell));
        }
    }
    let load = Load::new(None);
    let loading = load.join(tell);
    if let Some(key) = key {
        hub.retain(|entry| entry.key != key);
        hub.push(Entry { key, load: Arc::downgrade(&load), worker: Weak::new() });
    }
    drop(hub);
    let thread = std::thread::Builder::new().name("gradcam-load".into()).spawn(move || load.run(&source));
    thread.map_err(|e| Error::Inference { why: format!("the thread that opens the model cannot be started: {e}") })?;
    Ok(loading)
}

impl State {
    fn tells(&self) -> Vec<Tell> {
        self.waiting.iter().map(|(_, tell)| tell.clone()).collect()
    }
}

impl Load {
    fn new(outcome: Option<Outcome>) -> Arc<Load> {
        let state = Mutex::new(State { outcome, ..State::default() });
        Arc::new(Load { state, ready: Condvar::new(), interrupter: Interrupter::default() })
    }

    fn join(self: &Arc<Self>, tell: Tell) -> Loading {
        let mut state = lock(&self.state);
        let id = state.next;
        state.next += 1;
        state.waiting.push((id, tell));
        Loading { load: self.clone(), id }
    }

    fn tell(&self, news: &News) {
        let tells = lock(&self.state).tells();
        tells.iter().for_each(|tell| tell(news));
    }

    /// The opening itself, on a thread of its own.
    fn run(self: Arc<Self>, source: &Source) {
        let load = Arc::downgrade(&self);
        let tell = move |stage| {
            if let Some(load) = load.upgrade() {
                load.tell(&News::Stage(stage));
            }
        };
        let opening = Opening::new(tell, self.interrupter.clone());
        let outcome = guard(|| worker(source, &opening)).map(Arc::new).map_err(Arc::new);
        let news = match &outcome {
            Ok(_) => News::Open,
            Err(error) => News::Failed(error.clone()),
        };
        let mut hub = lock(&HUB);
        let mine = |entry: &Entry| std::ptr::eq(entry.load.as_ptr(), Arc::as_ptr(&self));
        match &outcome {
            Ok(worker) => hub.iter_mut().filter(|entry| mine(entry)).for_each(|entry| {
                (entry.worker, entry.load) = (Arc::downgrade(worker), Weak::new());
            }),
            // Whoever asks next tries anew.
            Err(_) => hub.retain(|entry| !mine(entry)),
        }
        let mut state = lock(&self.state);
        // Whoever takes the outcome is told none the less.
        let tells = state.tells();
        let dropped = if state.waiting.is_empty() { Some(outcome) } else { state.outcome.replace(outcome) };
        self.ready.notify_all();
        drop((state, hub));
        drop(dropped);
        tells.iter().for_each(|tell| tell(&news));
    }
}

#[cfg(not(feature = "fault-injection"))]
fn worker(source: &Source, opening: &Opening) -> Result<Worker> {
    Worker::spawn(Explainer::open_watched(&source.model, &source.options, opening)?)
}

#[cfg(feature = "fault-injection")]
fn worker(source: &Source, opening: &Opening) -> Result<Worker> {
    let faults: super::fault::Faults = source.fault.parse()?;
    faults.load(&opening.interrupter())?;
    let explainer = Explainer::open_watched(&source.model, &source.options, opening)?;
    let (traps, limit) = (faults.traps(), source.options.inference_timeout);
    let worker = Worker::with(explainer, |model, interrupter| faults.wrap(model, interrupter, limit))?;
    Ok(Worker { traps, ..worker })
}

impl Loading {
    /// The open model, or why there is none; [`Error::Interrupted`] as soon as `stopper` is used: then one may wait anew.
    pub fn wait(&self, stopper: &Stopper) -> Result<Arc<Worker>, Arc<Error>> {
        let load = self.load.clone();
        let _hook = stopper.hook(move || {
            let _state = lock(&load.state);
            load.ready.notify_all();
        });
        let mut state = lock(&self.load.state);
        loop {
            if stopper.is_cancelled() {
                return Err(Arc::new(Error::Interrupted));
            }
            if let Some(outcome) = &state.outcome {
                return outcome.clone();
            }
            state = self.load.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The same, if it is known already.
    pub fn poll(&self) -> Option<Result<Arc<Worker>, Arc<Error>>> {
        lock(&self.load.state).outcome.clone()
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        let mut hub = lock(&HUB);
        let mut state = lock(&self.load.state);
        state.waiting.retain(|(id, _)| *id != self.id);
        if !state.waiting.is_empty() {
            return;
        }
        let outcome = state.outcome.take();
        if outcome.is_none() {
            hub.retain(|entry| !std::ptr::eq(entry.load.as_ptr(), Arc::as_ptr(&self.load)));
            self.load.interrupter.bar(true);
        }
        drop((state, hub));
        drop(outcome); // joins the thread, where nobody has taken it
    }
}

impl fmt::Debug for Loading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").field("outcome", &self.poll()).finish_non_exhaustive()
    }
}
