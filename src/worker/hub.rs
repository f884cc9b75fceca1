//! Opens models beside the caller, and shares those that are open: streams that ask for the same get the same.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

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
    /// How long a picture waits for others, where [`Options::batch_size`] says that there are several in a run.
    pub batch_timeout: Duration,
    /// What is to go wrong, as [`Faults`](super::fault::Faults) reads it.
    #[cfg(feature = "fault-injection")]
    pub fault: String,
}

/// How far it has come.
#[derive(Debug, Clone)]
pub enum News {
    /// A stage has begun.
    Stage(Stage),
    /// It is open on the CPU, which may explain until its provider is ready.
    Interim,
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
    /// Somebody would take it on the CPU meanwhile.
    meanwhile: bool,
    /// It is open there.
    interim: Option<Arc<Worker>>,
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

/// Begins to open a model; `tell` is called from another thread. Where the same is open or being opened already, that is taken. Where its
/// provider may take its time, it is opened on the CPU first, for those who ask for that with `meanwhile`: see [`Loading::interim`].
///
/// # Errors
/// [`Error::ModelNotFound`], [`Error::ModelUnreadable`] and [`Error::Runtime`] at once; all others come from [`Loading::wait`] and
/// [`Loading::poll`].
pub fn open(source: Source, meanwhile: bool, tell: impl Fn(&News) + Send + Sync + 'static) -> Result<Loading> {
    Explainer::readable(&source.model)?;
    // Not beside the caller, who may end the process: nothing can wait for the runtime while it is being set up.
    crate::engine::runtime(source.options.runtime_library.as_deref())?;
    let tell: Tell = Arc::new(tell);
    let key = Key::of(&source);
    let mut hub = lock(&HUB);
    hub.retain(|entry| entry.worker.strong_count() > 0 || entry.load.strong_count() > 0);
    if let Some(entry) = hub.iter().find(|entry| key.as_ref() == Some(&entry.key)) {
        if let Some(worker) = entry.worker.upgrade().filter(|worker| worker.is_well()) {
            drop(hub);
            tell(&News::Open);
            return Ok(Load::new(Some(Ok(worker))).join(meanwhile, tell).0);
        }
        if let Some(load) = entry.load.upgrade() {
            let (loading, interim) = load.join(meanwhile, tell.clone());
            drop(hub);
            if interim {
                tell(&News::Interim);
            }
            return Ok(loading);
        }
    }
    let load = Load::new(None);
    let (loading, _) = load.join(meanwhile, tell);
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

    /// With it, whether the CPU explains already, of which one who comes now has not been told.
    fn join(self: &Arc<Self>, meanwhile: bool, tell: Tell) -> (Loading, bool) {
        let mut state = lock(&self.state);
        state.meanwhile |= meanwhile;
        let id = state.next;
        state.next += 1;
        state.waiting.push((id, tell));
        (Loading { load: self.clone(), id }, meanwhile && state.interim.is_some())
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
        let (load, asked) = (Arc::downgrade(&self), source.clone());
        let interim =
            move |opened: &Explainer| load.upgrade().map_or(Ok(()), |load| load.explain_meanwhile(&asked, opened));
        let opening = Opening::new(tell, self.interrupter.clone()).with_interim(interim);
        let outcome = guard(|| self.worker(source, &opening)).map(Arc::new).map_err(Arc::new);
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
        // Where there is nothing else, they keep it.
        let interim = if outcome.is_ok() { state.interim.take() } else { None };
        let dropped = if state.waiting.is_empty() { Some(outcome) } else { state.outcome.replace(outcome) };
        self.ready.notify_all();
        drop((state, hub));
        drop((dropped, interim));
        tells.iter().for_each(|tell| tell(&news));
    }

    /// What was opened is to move to its provider: the CPU explains until then.
    fn explain_meanwhile(&self, source: &Source, opened: &Explainer) -> Result<()> {
        if !lock(&self.state).meanwhile {
            return Ok(());
        }
        let worker = spawn(source, opened.on_cpu()?)?;
        lock(&self.state).interim = Some(Arc::new(worker));
        self.tell(&News::Interim);
        Ok(())
    }

    #[cfg(not(feature = "fault-injection"))]
    fn worker(&self, source: &Source, opening: &Opening) -> Result<Worker> {
        spawn(source, Explainer::open_watched(&source.model, &source.options, opening)?)
    }

    #[cfg(feature = "fault-injection")]
    fn worker(&self, source: &Source, opening: &Opening) -> Result<Worker> {
        super::fault::worker(source, opening, |opened| self.explain_meanwhile(source, opened))
    }
}

#[cfg(not(feature = "fault-injection"))]
fn spawn(source: &Source, explainer: Explainer) -> Result<Worker> {
    Worker::spawn(explainer, source.batch_timeout)
}

#[cfg(feature = "fault-injection")]
use super::fault::spawn;

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

    /// The model on the CPU, where its provider takes its time; until it is ready there, or for good where it fails.
    pub fn interim(&self) -> Option<Arc<Worker>> {
        lock(&self.load.state).interim.clone()
    }

    /// What [`Loading::wait`] gives, if it is known already.
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
        let (outcome, interim) = (state.outcome.take(), state.interim.take());
        if outcome.is_none() {
            hub.retain(|entry| !std::ptr::eq(entry.load.as_ptr(), Arc::as_ptr(&self.load)));
            self.load.interrupter.bar(true);
        }
        drop((state, hub));
        drop((outcome, interim)); // joins the threads, where nobody has taken them
    }
}

impl fmt::Debug for Loading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").field("outcome", &self.poll()).finish_non_exhaustive()
    }
}
