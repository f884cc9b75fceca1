//! Making a session: its options, the provider that it runs on, what that has built before.

use std::path::Path;
use std::sync::Once;

use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::cache::{self, Kept};
use super::provider::{Log, Place, Placed, Provider};
use super::runtime::Loaded;
use super::{Config, Weight, exit, guarded};
use crate::error::{Error, Result};

/// What TensorRT's provider says where it takes the model in parts: it then wants the shapes of what goes between them, too. Without
/// any it measures them at the first run, and builds then.
const PROFILES: &str = "associated profiles";

/// A session, and what became of it.
pub struct Made {
    pub session: Session,
    pub placed: Placed,
    /// Its log was listened to while it was made, and is to be silenced for its runs.
    pub logged: bool,
}

/// # Errors
/// [`Error::Session`], and on other providers than the CPU [`Error::Provider`].
pub fn make(runtime: &Loaded, model: &[u8], weights: &[(String, Weight)], config: &Config) -> Result<Made> {
    let place = &config.place;
    let make = |cache: Option<&Path>| {
        let place = Place { cache: cache.map(Path::to_path_buf), ..place.clone() };
        commit(runtime, model, weights, config, &place).or_else(|why| match why.contains(PROFILES) {
            true => commit(runtime, model, weights, config, &Place { shapes: Vec::new(), ..place }),
            false => Err(why),
        })
    };
    if place.provider == Provider::Cpu {
        return make(None).map_err(|why| Error::Session { why });
    }
    let mut remarks = Vec::new();
    let root = place.cache.as_deref().filter(|_| place.provider.builds() && weights.is_empty());
    let mut kept = root.and_then(|root| open(root, &key(runtime, model, config), &mut remarks));
    let mut made = make(kept.as_ref().map(Kept::folder));
    if let Err(why) = &made
        && let Some(one) = kept.take_if(|one| one.hit() || one.has_room().is_err())
    {
        remarks.push(format!(
            "the engine cache {} did not serve ({why}): what it held is built anew",
            one.folder().display()
        ));
        one.discard();
        kept = root.and_then(|root| open(root, &key(runtime, model, config), &mut remarks));
        made = make(kept.as_ref().map(Kept::folder));
    }
    let mut made = made.map_err(|why| place.provider.failed(why))?;
    if let Some(kept) = kept {
        match kept.grew().and_then(|grew| Ok((grew, kept.keep()?))) {
            Ok((grew, any)) => made.placed.cache = any.then_some(!grew),
            Err(why) => remarks.push(format!("the engine is not kept for the next start: {why}")),
        }
    }
    made.placed.remarks = remarks;
    Ok(made)
}

fn open(root: &Path, key: &str, remarks: &mut Vec<String>) -> Option<Kept> {
    match Kept::open(root, key) {
        Ok((kept, remark)) => {
            remarks.extend(remark);
            Some(kept)
        }
        Err(why) => {
            remarks.push(format!(
                "no engine is kept for the next start: {why}; set engine-cache-dir to a folder that can be written, or to none"
            ));
            None
        }
    }
}

/// All that decides what a provider builds: the explained model (and with it the original, layer, method and how it was lowered), who builds it and
/// for what.
fn key(runtime: &Loaded, model: &[u8], config: &Config) -> String {
    let place = Place { cache: None, ..config.place.clone() };
    let stamp = |path: &Path| std::fs::metadata(path).map(|data| (data.len(), data.modified().ok()));
    let library = place.library.as_deref().map(stamp);
    let about = format!("{} {} {library:?} {place:?} {}", env!("CARGO_PKG_VERSION"), runtime.version, config.threads);
    cache::key(&[model, about.as_bytes()])
}

fn commit(
    runtime: &Loaded,
    model: &[u8],
    weights: &[(String, Weight)],
    config: &Config,
    place: &Place,
) -> Result<Made, String> {
    // its own words go where the user sends them
    let log = (place.provider != Provider::Cpu && std::env::var_os("ORT_LOG").is_none()).then(Log::default);
    let builder = guarded(|| options(runtime, config, log.as_ref()))?;
    let builder = place.provider.join(builder, runtime, place, config.threads)?;
    let add = |builder: SessionBuilder, (name, weight): &(String, Weight)| {
        Ok::<_, ort::Error>(builder.with_external_initializer(name, weight.0.clone())?)
    };
    static FIRST: Once = Once::new();
    let session = guarded(|| {
        let session = weights.iter().try_fold(builder, add)?.commit_from_memory(model)?;
        exit::wait_after(&FIRST);
        Ok(session)
    })?;
    let nodes = log.as_ref().map(Log::placed).unwrap_or_default();
    Ok(Made { session, placed: Placed { nodes, ..Placed::default() }, logged: log.is_some() })
}

fn options(runtime: &Loaded, config: &Config, log: Option<&Log>) -> ort::Result<SessionBuilder> {
    let level = if config.unoptimized { GraphOptimizationLevel::Disable } else { GraphOptimizationLevel::All };
    // Threads that spin while they wait eat the cores of the decoder, and cost a second session dearly.
    let builder = Session::builder(&runtime.environment)?
        .with_optimization_level(level)?
        .with_prepacking(!config.unoptimized)?
        .with_inter_threads(1)?
        .with_intra_threads(config.threads)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?;
    match log {
        Some(log) => Ok(builder.with_logger(log.listener())?.with_log_level(LogLevel::Verbose)?),
        None => Ok(builder),
    }
}
