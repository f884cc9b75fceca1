//! Providers by device: those of a library of their own, which registers itself with the runtime, and the CPU.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::device::Device;
use ort::ep::{self, ExecutionProvider};
use ort::memory::DeviceType;
use ort::session::builder::SessionBuilder;

use super::Ask;
use super::options::{Precision, openvino_plugin};
use crate::engine::{find, guarded, runtime::Loaded};

/// Libraries that this process has registered, with the names of their providers; they stay until it ends.
static REGISTERED: Mutex<Vec<(PathBuf, Vec<String>)>> = Mutex::new(Vec::new());

/// Adds the device of the library that was asked for.
pub fn join(builder: SessionBuilder, runtime: &Loaded, ask: &Ask) -> Result<SessionBuilder, String> {
    let library = ask.place.library.as_deref().ok_or("provider-library is not set")?;
    let names = register(runtime, library)?;
    let of_library = |device: &Device| device.ep().is_ok_and(|name| names.iter().any(|one| one == name));
    let mut devices: Vec<Device> = devices(runtime).filter(of_library).collect();
    let device = devices.swap_remove(choose(&devices, ask.place.device.as_deref())?);
    let name = device.ep().map_err(|error| error.to_string())?.to_string();
    let mut told = Vec::new();
    if name.split('.').next() == Some(ep::OpenVINO::NAME) {
        told = openvino_plugin(ask.place, kind(&device), ask.threads);
        told.retain(|(key, _)| ask.options.iter().all(|(given, _)| given != key));
    } else if ask.place.precision != Precision::Fp32 {
        let precision = ask.place.precision.name();
        return Err(format!("how {name} is told precision={precision} is not known: tell it in provider-options"));
    }
    told.extend(ask.options.iter().cloned());
    // the binding hands on what begins with the provider's name
    let told: Vec<_> = told.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)).collect();
    guarded(|| Ok(builder.with_devices([device], Some(&told))?))
}

/// Adds the CPU by name: without one, the runtime would choose among all providers that any session of this process has registered.
pub fn join_cpu(builder: SessionBuilder, runtime: &Loaded) -> Result<SessionBuilder, String> {
    let cpu = devices(runtime).find(|device| device.ep().is_ok_and(|name| name == ep::CPU::NAME));
    guarded(|| Ok(builder.with_devices(cpu, None)?))
}

fn devices(runtime: &Loaded) -> impl Iterator<Item = Device<'_>> {
    runtime.environment.devices()
}

/// The names of a library's providers; the library is registered where it was not yet.
fn register(runtime: &Loaded, library: &Path) -> Result<Vec<String>, String> {
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    let path = std::path::absolute(library).unwrap_or_else(|_| library.to_path_buf());
    if let Some((_, names)) = registered.iter().find(|(known, _)| *known == path) {
        return Ok(names.clone());
    }
    if let Some(why) = find::objection(&path) {
        return Err(format!("provider-library {} {why}", path.display()));
    }
    let names = || devices(runtime).filter_map(|device| Some(device.ep().ok()?.to_string())).collect::<Vec<_>>();
    let before = names();
    let own = format!("gradcam-{}", registered.len());
    guarded(|| runtime.environment.register_ep_library(own, &path))
        .map_err(|why| format!("provider-library {} cannot be used: {why}", path.display()))?;
    let mut new = names();
    new.retain(|name| !before.contains(name));
    new.dedup();
    if new.is_empty() {
        return Err(format!("provider-library {} finds no device on this machine", path.display()));
    }
    registered.push((path, new.clone()));
    Ok(new)
}

/// Which of a library's devices a word means: "GPU", "GPU.1", the suffix of its name ("AUTO"); without a word a GPU, else a CPU, else
/// what there is.
fn choose(devices: &[Device], wanted: Option<&str>) -> Result<usize, String> {
    let mut words: Vec<String> = Vec::new();
    for device in devices {
        let kind = kind(device);
        let suffix = device.ep().ok().and_then(|name| name.split_once('.')).map(|(_, suffix)| suffix.to_string());
        let number = words.iter().filter(|word| word.starts_with(&format!("{kind}."))).count();
        words.push(suffix.unwrap_or_else(|| format!("{kind}.{number}")));
    }
    let find = |word: &str| {
        let first = format!("{word}.0");
        words.iter().position(|known| known.eq_ignore_ascii_case(word) || known.eq_ignore_ascii_case(&first))
    };
    let found = match wanted {
        Some(word) => find(word),
        None => ["GPU", "CPU"].iter().find_map(|word| find(word)).or((!words.is_empty()).then_some(0)),
    };
    let why =
        || format!("device={} is none of its devices, which are {}", wanted.unwrap_or_default(), words.join(", "));
    found.ok_or_else(why)
}

fn kind(device: &Device) -> &'static str {
    match device.hardware_device().ty() {
        DeviceType::GPU => "GPU",
        DeviceType::NPU => "NPU",
        _ => "CPU",
    }
}
