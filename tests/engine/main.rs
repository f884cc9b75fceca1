//! The engine room: loading the library, running, stopping. No GStreamer in it.

mod demo_model;
mod loading;
mod running;

use std::path::{Path, PathBuf};

/// The library that the tests run on.
fn library() -> PathBuf {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return path.into();
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runtime");
    let files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_library = |path: &PathBuf| path.to_string_lossy().contains("libonnxruntime.so");
    files.into_iter().find(is_library).expect("these tests need ONNX Runtime: run `make runtime` first")
}
