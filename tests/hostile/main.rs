//! Files made to break the reader and the surgery: the fuzzer's corpus, replayed, and thousands of mutants of its whole models.
//! No runtime is needed: shapes are those that the files declare.

mod mutants;
mod seeds;

#[allow(dead_code)]
#[path = "../support/mutate.rs"]
mod mutate;
#[allow(dead_code)]
#[path = "../models/net.rs"]
mod net;
#[allow(dead_code)]
#[path = "../gradients/random.rs"]
mod random;
#[allow(dead_code)]
#[path = "../models/raw.rs"]
mod raw;
#[path = "../support/mod.rs"]
mod support;
#[path = "../fuzz/targets.rs"]
mod targets;

use std::path::PathBuf;
use std::sync::Mutex;

/// One test at a time: what they allocate is counted.
static ALONE: Mutex<()> = Mutex::new(());

fn folder() -> PathBuf {
    support::root().join("tests/fuzz/corpus")
}

/// Every file of the corpus, the shortest first.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(folder()).expect("the corpus is there").map(|entry| entry.expect("a file").path());
    let mut files: Vec<_> = files
        .map(|path| {
            (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), std::fs::read(&path).expect("read"))
        })
        .collect();
    files.sort_by_key(|(name, bytes)| (bytes.len(), name.clone()));
    files
}

/// What the fuzzer starts from and what it has found comes back, and the sound models of it are explained.
#[test]
fn the_corpus_is_replayed() {
    let _alone = ALONE.lock();
    let (mut explained, mut total) = (0, 0);
    for (name, bytes) in corpus() {
        total += bytes.len();
        let (read, done) = (targets::reader(&bytes), targets::surgery(&bytes));
        println!("{name}: {} bytes, {read:?}, {done:?}", bytes.len());
        explained += usize::from(done.is_ok() && name.ends_with(".onnx"));
    }
    assert!(explained >= seeds::all().len(), "only {explained} are explained");
    assert!(total < 200_000, "the corpus has {total} bytes");
}
