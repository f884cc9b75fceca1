//! The one ONNX Runtime of the process: opens the library, keeps its Environment for ever.

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;

use super::{exit, find};
use crate::error::{Error, Result, panic_text};

/// A model of one Relu. Opening it makes the library set up what it keeps for all models, before the end of the process is told to wait.
const RELU: &[u8] = b"\x08\x07\x12\x00:3\n\x0c\n\x01x\x12\x01y\"\x04Relu\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\
    \x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r";

/// What the process runs on.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Needed for every session.
    pub environment: Environment,
    /// The library's file.
    pub path: PathBuf,
    /// As "1.32.0".
    pub version: String,
}

/// ONNX Runtime allows one Environment a process, not even a second one after the first was dropped: so it stays here.
static RUNTIME: Mutex<State> = Mutex::new(State { opened: None, loaded: None });

struct State {
    /// The library that was opened; from then on no other can be.
    opened: Option<PathBuf>,
    loaded: Option<Loaded>,
}

/// The runtime, loaded on the first call that succeeds. Where one is loaded already it stays, whatever `library` says:
/// callers see from [`Loaded::path`] which it is.
pub fn load(library: Option<&Path>) -> Result<Loaded> {
    let mut state = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = &state.loaded {
        return Ok(loaded.clone());
    }
    let search = find::search(library);
    let mut tried = Vec::new();
    for path in &search.files {
        let attempt = match find::objection(path) {
            Some(why) => Err(why),
            None => open(path, &mut state),
        };
        match attempt {
            Ok(loaded) => return Ok(state.loaded.insert(loaded).clone()),
            Err(why) => tried.push(format!("{} {why}", path.display())),
        }
    }
    if !search.empty.is_empty() {
        let folders: Vec<_> = search.empty.iter().map(|folder| folder.display().to_string()).collect();
        tried.push(format!("no libonnxruntime.so in {}", folders.join(", ")));
    }
    Err(Error::Runtime { why: tried.join("; ") })
}

/// Opens one file and makes the Environment; the error is the end of a sentence that starts with the path.
fn open(path: &Path, state: &mut State) -> Result<Loaded, String> {
    let builder = catch_unwind(AssertUnwindSafe(|| ort::init_from(path)))
        .map_err(|panic| format!("is not usable: {}", panic_text(&*panic)))?
        .map_err(|error| reason(&error))?;
    // Kept from the first success on: if making the Environment fails, a later call still runs on this very library.
    let path = state.opened.get_or_insert_with(|| path.to_path_buf()).clone();
    let inside = exit::enter();
    let started = catch_unwind(AssertUnwindSafe(|| {
        let environment = builder.with_name("gradcam").with_telemetry(false).build()?;
        // Whatever goes wrong comes back as an error too; on a terminal it would be a second, cryptic telling.
        if std::env::var_os("ORT_LOG").is_none() {
            environment.set_log_level(LogLevel::Fatal);
        }
        Session::builder(&environment)?.with_intra_threads(1)?.commit_from_memory(RELU)?;
        Ok::<_, ort::Error>(environment)
    }));
    let environment = started
        .map_err(|panic| format!("cannot start: {}", panic_text(&*panic)))?
        .map_err(|error| format!("cannot start: {error}"))?;
    static MADE: Once = Once::new();
    exit::wait_after(&MADE);
    drop(inside);
    let version = find::version(&path);
    Ok(Loaded { environment, path, version })
}

/// The reason in words: the loader's own text is only in the error's source.
fn reason(error: &LoadDynamicError) -> String {
    match error {
        LoadDynamicError::Dlopen { error, .. } => {
            let why = error.source().map_or_else(|| error.to_string(), |source| source.to_string());
            format!("cannot be opened: {why}")
        }
        LoadDynamicError::MissingApi { .. } => "is a library, but not ONNX Runtime's (it has no OrtGetApiBase)".into(),
        LoadDynamicError::BadVersion { version_str, .. } => {
            format!("is ONNX Runtime {version_str}, too old: 1.{} or later is needed", ort::MINOR_VERSION)
        }
        LoadDynamicError::InvalidVersionString => "does not tell its version".into(),
    }
}
