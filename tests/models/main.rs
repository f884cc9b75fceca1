//! Models: damaged ones, hostile ones, odd ones and good ones, opened as a user would. The ids (B01, ...) are those of the
//! project's list of bad input; every refusal is printed, so that `cargo test --test models -- --nocapture` shows what users read.

mod batches;
mod best;
mod blocks;
mod bombs;
mod contract;
mod diagnosis;
mod external;
mod files;
mod formats;
mod heads;
mod heads_binary;
mod heads_boxes;
mod heads_places;
mod heads_written;
mod inputs;
mod layers;
mod net;
mod patterns;
mod raw;
mod resized;
mod roundtrip;
mod scale;
mod structure;
mod subgraphs;
#[path = "../support/mod.rs"]
mod support;
mod tensors;
mod values;
mod variants;

use std::path::{Path, PathBuf};

use gstgradcam::frame::Region;
use gstgradcam::onnx::Model;
use gstgradcam::{ClassMap, Error, Explainer, Options, Target};
use ndarray::ArrayD;
use tempfile::TempDir;

fn options() -> Options {
    Options { runtime_library: support::runtime(), threads: 1, ..Options::default() }
}

/// A file `model.onnx` in a folder of its own.
fn save(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, bytes).expect("the file is written");
    (folder, path)
}

fn bytes(model: &Model) -> Vec<u8> {
    model.to_bytes().expect("a model of our own is written")
}

/// Opens a sound model.
fn open(model: &Model) -> Explainer {
    open_with(model, &options())
}

fn open_with(model: &Model, options: &Options) -> Explainer {
    open_bytes(&bytes(model), options)
}

fn open_bytes(bytes: &[u8], options: &Options) -> Explainer {
    let (_folder, path) = save(bytes);
    Explainer::open(&path, options).unwrap_or_else(|error| panic!("the model should open: {error}"))
}

/// Opens a bad model; the refusal, printed.
fn refusal(id: &str, bytes: &[u8], words: &[&str]) -> Error {
    refusal_with(id, bytes, &options(), words)
}

fn refusal_with(id: &str, bytes: &[u8], options: &Options, words: &[&str]) -> Error {
    let (_folder, path) = save(bytes);
    refused(id, &path, options, words)
}

fn refused(id: &str, path: &Path, options: &Options, words: &[&str]) -> Error {
    match Explainer::open(path, options) {
        Ok(explainer) => panic!("{id}: the model was opened: {:?}", explainer.info()),
        Err(error) => says(id, error, words),
    }
}

/// Prints a sentence, and sees that it is one, with these words in it.
fn says(id: &str, error: Error, words: &[&str]) -> Error {
    let text = error.to_string();
    println!("{id}: {text}");
    assert!(!text.contains(['\n', '\0']), "{id}: not one line: {text:?}");
    assert!(text.chars().count() < 900, "{id}: too long to read: {text}");
    for word in words {
        assert!(text.contains(word), "{id}: {word:?} is missing in: {text}");
    }
    error
}

/// A picture of any shape, the same each time.
fn picture(shape: &[usize]) -> ArrayD<f32> {
    net::noise(shape, 77)
}

fn maps(explainer: &mut Explainer, targets: &[Target]) -> Vec<ClassMap> {
    let input = picture(explainer.input_shape());
    run(explainer, &input, targets).unwrap_or_else(|error| panic!("the model should run: {error}"))
}

fn run(explainer: &mut Explainer, input: &ArrayD<f32>, targets: &[Target]) -> Result<Vec<ClassMap>, Error> {
    let everywhere = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
    explainer.explain_tensor(input.view(), targets, everywhere).map(|explanation| explanation.maps)
}

/// Largest difference, as a part of the largest value.
fn off<'a>(a: impl IntoIterator<Item = &'a f32>, b: impl IntoIterator<Item = &'a f32>) -> f32 {
    let (a, b): (Vec<_>, Vec<_>) = (a.into_iter().copied().collect(), b.into_iter().copied().collect());
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    a.iter().zip(&b).fold(0.0f32, |m, (x, y)| m.max((x - y).abs())) / largest.max(f32::MIN_POSITIVE)
}
