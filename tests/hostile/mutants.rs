//! Thousands of damaged whole models, through the reader and the surgery, as whole files and with weights beside them: never a
//! panic, and never more memory than a bound that follows from the file's size.

use std::alloc::System;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cap::Cap;
use gstgradcam::onnx::Model;
use tempfile::TempDir;

use super::*;
use crate::mutate::mutant;
use crate::random::Random;
use crate::raw::{Message, edit_weight, pair, tensor};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Mutants of each file of the corpus.
const EACH: usize = 400;
/// The reader: an empty message of two bytes becomes some hundred bytes of fields.
const READER: (usize, usize) = (1 << 20, 512);
/// The surgery: gradients and copies of the head, written out for every tensor that the file declares.
const SURGERY: (usize, usize) = (4 << 20, 1024);

/// What a call takes at most, beyond what was there before; exact where it is the most so far, as it is where bounds only grow.
fn peak<T>(call: impl FnOnce() -> T) -> (T, usize) {
    let before = MEMORY.allocated();
    let done = call();
    (done, MEMORY.max_allocated().saturating_sub(before))
}

/// Runs one file through a function; why it fails, if it does.
fn try_one(
    bytes: &[u8],
    (fixed, each): (usize, usize),
    call: fn(&[u8]) -> Result<(), gstgradcam::Error>,
) -> Result<bool, String> {
    let most = MEMORY.max_allocated();
    let (result, took) = peak(|| catch_unwind(AssertUnwindSafe(|| call(bytes))));
    let bound = fixed + each * bytes.len();
    if MEMORY.max_allocated() > most && took > bound {
        return Err(format!("took {took} bytes, more than {bound}"));
    }
    match result {
        Err(_) => Err("panicked".into()),
        Ok(Err(error)) if error.to_string().is_empty() || error.to_string().contains('\n') => {
            Err(format!("not a sentence: {error}"))
        }
        Ok(done) => Ok(done.is_ok()),
    }
}

#[test]
fn mutants_of_whole_models_come_back() {
    let _alone = ALONE.lock();
    let mut random = Random(0xDEAD_BEA7);
    let seeds: Vec<_> = corpus().into_iter().filter(|(name, _)| name.ends_with(".onnx")).collect();
    let all = seeds.iter().flat_map(|(name, sound)| (0..EACH).map(move |n| (format!("{name} {n}"), sound)));
    let mut mutants: Vec<(String, Vec<u8>)> = all.map(|(name, sound)| (name, mutant(sound, &mut random))).collect();
    mutants.sort_by_key(|(_, bytes)| bytes.len());
    let (mut read, mut explained, mut failures) = (0, 0, Vec::new());
    for (what, bound, call) in [
        ("reader", READER, targets::reader as fn(&[u8]) -> _),
        ("surgery", SURGERY, targets::surgery as fn(&[u8]) -> _),
    ] {
        for (name, bytes) in &mutants {
            match try_one(bytes, bound, call) {
                Ok(done) if what == "reader" => read += usize::from(done),
                Ok(done) => explained += usize::from(done),
                Err(why) => failures.push(format!("{what}, {name}: {why}")),
            }
        }
    }
    println!("{} mutants, {read} read, {explained} explained; at most {} bytes", mutants.len(), MEMORY.max_allocated());
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), mutants.len(), failures.join("\n"));
    assert!(mutants.len() >= 3000 && read > 500 && explained > 300 && explained < mutants.len());
}

/// conv2's weights lie in a file beside the model; the model is damaged, the file is as it was.
#[test]
fn mutants_with_external_data_come_back() {
    let _alone = ALONE.lock();
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.onnx");
    let data = net::weights(&[6, 4, 3, 3], 3);
    let data: Vec<u8> = data.as_f32().expect("floats").iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(folder.path().join("model.data"), &data).expect("written");
    let outside = |t: Message| {
        let bare = t.without(tensor::RAW).with(tensor::LOCATION, 1);
        let entries = [("location", "model.data"), ("offset", "0"), ("length", "864")];
        entries.iter().fold(bare, |t, (key, value)| t.with(tensor::EXTERNAL, pair(key, value)))
    };
    let sound = edit_weight(&net::little().to_bytes().expect("written"), "conv2.weight", outside);
    let mut random = Random(0xF11E);
    let (mut read, mut failures) = (0, Vec::new());
    for n in 0..1000 {
        std::fs::write(&path, mutant(&sound, &mut random)).expect("written");
        match catch_unwind(AssertUnwindSafe(|| Model::load(&path).and_then(|model| model.to_bytes()))) {
            Ok(Ok(bytes)) => {
                read += 1;
                if let Err(why) = try_one(&bytes, SURGERY, targets::surgery) {
                    failures.push(format!("mutant {n}: {why}"));
                }
            }
            Ok(Err(error)) if !error.to_string().contains('\n') => {}
            other => failures.push(format!("mutant {n}: {other:?}")),
        }
    }
    println!("{read} of 1000 read");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(read > 100 && read < 1000);
}
