//! ONNX Runtime: finds the library, holds the one Environment, makes and runs sessions; sees bytes and arrays, never graphs.

mod cache;
mod exit;
mod find;
mod provider;
mod runtime;
mod session;
mod value;
mod watch;
mod weight;

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use ndarray::{ArrayD, ArrayViewD};
use ort::logging::LogLevel;
use ort::session::{RunOptions, Session};

use crate::error::{Error, Result, panic_text};
pub use cache::{default_folder as cache_folder, sum as checksum};
pub use find::own_folders;
pub use provider::{Place, Placed, Precision, Provider, Range, parse_options};
use value::Buffer;
use watch::Watch;
pub use weight::Weight;

/// More threads than this is a slip of the hand; the runtime would try to start them.
const MAX_THREADS: usize = 1024;

/// How a session is made.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// ONNX Runtime's shared library; `None` = look in the usual places.
    pub library: Option<PathBuf>,
    /// Threads within an operator; 0 = the runtime's choice.
    pub threads: usize,
    /// Leave the graph as it is (no optimisation), for probing.
    pub unoptimized: bool,
    /// The longest that one run may take; a longer one ends with [`Error::TimeLimit`]. `None` = as long as it takes.
    pub time_limit: Option<Duration>,
    /// Where it runs: on the CPU, if nothing else is said.
    pub place: Place,
    /// What stops the runs of every session made with this, one at a time; `None` = each has its own.
    pub interrupter: Option<Interrupter>,
}

/// A tensor that goes in; its memory must be contiguous, it is not copied.
#[derive(Debug)]
pub enum Input<'a> {
    /// float32; for a model's input of float16, bfloat16, float64, uint8 or int8 it is brought to that type, integers to the
    /// nearest value that they have
    F32(ArrayViewD<'a, f32>),
    /// int64
    I64(ArrayViewD<'a, i64>),
    /// uint8
    U8(ArrayViewD<'a, u8>),
}

/// A tensor that comes out. Other types are reported by name and shape, without values.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Output {
    /// float32; float16 and bfloat16, widened, and float64, rounded
    F32(ArrayD<f32>),
    /// int64
    I64(ArrayD<i64>),
    /// int32; integers of 8 and 16 bits, widened
    I32(ArrayD<i32>),
    /// bool
    Bool(ArrayD<bool>),
    /// Any other type: its ONNX name ("int4", "sequence", ...) and shape.
    Other(String, Vec<usize>),
}

/// What the model declares of one of its inputs or outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The tensor's name.
    pub name: String,
    /// Its type: "float32", "uint8", "sequence", ...
    pub kind: String,
    /// Its shape; -1 = only known at run time. Empty for a scalar, and for what is no tensor.
    pub shape: Vec<i64>,
}

/// A loaded model.
#[derive(Debug)]
pub struct Engine {
    session: Session,
    inputs: Vec<Info>,
    /// Of inputs that float32 is converted for.
    converted: HashMap<String, Buffer>,
    outputs: Vec<Info>,
    library: PathBuf,
    placed: Placed,
    logged: bool,
    current: Interrupter,
    _watch: Option<Watch>,
}

/// Stops the engine's current run from another thread; `Clone + Send + Sync`.
#[derive(Debug, Clone, Default)]
pub struct Interrupter(Arc<Mutex<Slot>>);

#[derive(Debug, Default)]
struct Slot {
    run: Option<Run>,
    /// No run begins.
    barred: bool,
}

struct Run {
    options: Arc<RunOptions>,
    since: Instant,
    stopped: Option<Stop>,
}

/// Why a run was ended.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stop {
    Asked,
    Late(Duration),
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("stopped", &self.stopped).finish_non_exhaustive()
    }
}

impl Interrupter {
    /// Ends the run in progress (its caller gets [`crate::Error::Interrupted`]); no effect when none runs.
    pub fn interrupt(&self) {
        self.end(|_| Some(Stop::Asked));
    }

    /// As [`Interrupter::interrupt`], and every later run ends before it begins, until this is called with `false`.
    pub fn bar(&self, barred: bool) {
        self.slot().barred = barred;
        if barred {
            self.interrupt();
        }
    }

    /// Between `bar(true)` and `bar(false)`.
    pub fn is_barred(&self) -> bool {
        self.slot().barred
    }

    /// Ends the run in progress if there is a reason, which is told the time that it has taken.
    fn end(&self, reason: impl Fn(Duration) -> Option<Stop>) {
        if let Some(run) = self.slot().run.as_mut()
            && let Some(stop) = reason(run.since.elapsed())
        {
            run.stopped.get_or_insert(stop);
            // Setting a flag; the runtime has no way to refuse it.
            let _ = run.options.terminate();
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// A session from the bytes of a self-contained model.
    ///
    /// # Errors
    /// [`Error::Runtime`] where no library can be loaded, [`Error::Session`] where the runtime refuses the model,
    /// [`Error::Provider`] where the provider does, or cannot be used; [`Error::Setting`] for an absurd number of threads.
    pub fn new(model: &[u8], config: &Config) -> Result<Engine> {
        Self::with_weights(model, &[], config)
    }

    /// As [`Engine::new`], for a model that leaves weights outside: initializers of those names whose data location is external.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn with_weights(model: &[u8], weights: &[(String, Weight)], config: &Config) -> Result<Engine> {
        if config.threads > MAX_THREADS {
            let why = format!("more than {MAX_THREADS}; 0 leaves the number to ONNX Runtime");
            return Err(Error::Setting { name: "threads", value: config.threads.to_string(), why });
        }
        let runtime = runtime::load(config.library.as_deref())?;
        let session::Made { session, placed, logged } = session::make(&runtime, model, weights, config)?;
        let inputs: Vec<Info> = session.inputs().iter().map(value::info).collect();
        let outputs = session.outputs().iter().map(value::info).collect();
        let converted = inputs.iter().filter_map(|info| Some((info.name.clone(), Buffer::of(&info.kind)?))).collect();
        let current = config.interrupter.clone().unwrap_or_default();
        let _watch = config.time_limit.map(|limit| Watch::start(current.clone(), limit)).transpose()?;
        Ok(Engine { session, inputs, converted, outputs, library: runtime.path, placed, logged, current, _watch })
    }

    /// The inputs that must be given.
    pub fn inputs(&self) -> &[Info] {
        &self.inputs
    }

    /// The outputs that can be asked for.
    pub fn outputs(&self) -> &[Info] {
        &self.outputs
    }

    /// The library that this engine runs on: not the one of [`Config::library`] where another was loaded before it.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// What became of the model on its provider.
    pub fn placed(&self) -> &Placed {
        &self.placed
    }

    /// Runs; returns the outputs asked for, in that order.
    ///
    /// # Errors
    /// [`Error::Inference`] for names, types and shapes that the model does not take and for what the runtime reports;
    /// [`Error::Interrupted`] after [`Interrupter::interrupt`]; [`Error::TimeLimit`] after [`Config::time_limit`].
    pub fn run(&mut self, inputs: &[(&str, Input)], outputs: &[&str]) -> Result<Vec<Output>> {
        self.run_for(inputs, outputs, |_| true)
    }

    /// As [`Engine::run`]; of the outputs for which `valued` is false only type and shape come back, as [`Output::Other`].
    pub(crate) fn run_for(
        &mut self,
        inputs: &[(&str, Input)],
        outputs: &[&str],
        valued: impl Fn(&str) -> bool,
    ) -> Result<Vec<Output>> {
        let failed = |why| Error::Inference { why };
        self.check(inputs, outputs).map_err(failed)?;
        for (name, input) in inputs {
            if let (Input::F32(array), Some(buffer)) = (input, self.converted.get_mut(*name)) {
                buffer.fill(array.as_slice().ok_or_else(|| failed(format!("the input {name:?} is not contiguous")))?);
            }
        }
        let converted = &self.converted;
        let mut options = guarded(RunOptions::new).map_err(failed)?;
        if self.logged {
            guarded(|| options.set_log_level(LogLevel::Fatal)).map_err(failed)?;
        }
        let options = Arc::new(options);
        exit::ends_with(&options);
        let run = Run { options: Arc::clone(&options), since: Instant::now(), stopped: None };
        match &mut *self.current.slot() {
            Slot { barred: true, .. } => return Err(Error::Interrupted),
            slot => slot.run = Some(run),
        }
        static FIRST: Once = Once::new();
        let session = &mut self.session;
        let result = guarded(|| {
            let values = inputs.iter().map(|(name, input)| Ok((*name, value::feed(input, converted.get(*name))?)));
            let values = values.collect::<ort::Result<Vec<_>>>()?;
            let made = session.run_with_options(values, &options)?;
            exit::wait_after(&FIRST);
            let fetch =
                |name: &&str| if valued(name) { value::fetch(&made[*name]) } else { Ok(value::outline(&made[*name])) };
            outputs.iter().map(fetch).collect::<ort::Result<Vec<_>>>()
        });
        match self.current.slot().run.take() {
            Some(Run { stopped: Some(Stop::Asked), .. }) => Err(Error::Interrupted),
            Some(Run { stopped: Some(Stop::Late(limit)), .. }) => Err(Error::TimeLimit { limit }),
            _ => result.map_err(failed),
        }
    }

    /// For stopping a run.
    pub fn interrupter(&self) -> Interrupter {
        self.current.clone()
    }

    /// Names, types and shapes, told plainer than the runtime would.
    fn check(&self, inputs: &[(&str, Input)], outputs: &[&str]) -> Result<(), String> {
        for info in &self.inputs {
            let Some((_, input)) = inputs.iter().find(|(name, _)| *name == info.name) else {
                return Err(format!("the input {:?} was not given", info.name));
            };
            let (kind, shape) = value::given(input);
            let fits = |(&want, &got): (&i64, &usize)| want < 0 || usize::try_from(want) == Ok(got);
            let fitting = shape.len() == info.shape.len() && info.shape.iter().zip(shape).all(fits);
            let taken = kind == info.kind || (kind == "float32" && self.converted.contains_key(&info.name));
            if !taken || !fitting {
                let (name, want, shown) = (&info.name, &info.kind, &info.shape);
                return Err(format!("the input {name:?} is {want} {shown:?}, but {kind} {shape:?} was given"));
            }
        }
        match outputs.iter().find(|name| !self.outputs.iter().any(|info| info.name == **name)) {
            Some(name) => Err(format!("the model has no output {name:?}")),
            None => Ok(()),
        }
    }
}

/// The version string of the loaded runtime, and the file it came from; loads it if need be.
///
/// A process runs on one library: where one is loaded already, that is the one told, whatever `library` names.
pub fn runtime(library: Option<&Path>) -> Result<(String, PathBuf)> {
    runtime::load(library).map(|loaded| (loaded.version, loaded.path))
}

/// Calls into the runtime; an error and a panic both come back as one line of text.
fn guarded<T>(call: impl FnOnce() -> ort::Result<T>) -> Result<T, String> {
    let _inside = exit::enter();
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")),
        Err(panic) => Err(format!("ONNX Runtime's binding panicked: {}", panic_text(&*panic))),
    }
}
