//! Thousands of damaged files: every case's model with one thing changed, through the reader and the surgery. Whatever comes
//! back, it comes back: no panic, and no more memory than the file and its shapes account for.

use std::alloc::System;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cap::Cap;

use crate::cases;
use crate::check::Bench;
use crate::mutate::mutant;
use crate::random::Random;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Mutants of each case.
const EACH: usize = 40;
/// What one mutant may take: the largest case's own surgery takes some hundred kilobytes.
const MOST: usize = 64 << 20;

#[test]
fn damaged_files_come_back_with_a_sentence() {
    let mut random = Random(0x0BAD_F11E);
    let (mut tried, mut lowered) = (0, 0);
    let mut failures = Vec::new();
    for case in cases::all() {
        let bench = Bench::new(&case, &mut random.clone()).unwrap_or_else(|e| panic!("{}: {e}", case.title()));
        let mut sound = bench.model.clone();
        sound.keep_outputs(&["y"]);
        let sound = sound.to_bytes().expect("a model of our own is written");
        for n in 0..EACH {
            let bytes = mutant(&sound, &mut random);
            tried += 1;
            let before = MEMORY.allocated();
            let peak = MEMORY.max_allocated();
            match catch_unwind(AssertUnwindSafe(|| bench.survive(&bytes))) {
                Ok(Ok(())) => lowered += 1,
                Ok(Err(error)) => {
                    let text = error.to_string();
                    if text.is_empty() || text.contains('\n') {
                        failures.push(format!("{} mutant {n}: not a sentence: {text:?}", case.title()));
                    }
                }
                Err(_) => failures.push(format!("{} mutant {n}: panicked", case.title())),
            }
            let took = MEMORY.max_allocated().saturating_sub(before);
            if MEMORY.max_allocated() > peak && took > MOST {
                failures.push(format!("{} mutant {n} of {} bytes took {took} bytes", case.title(), bytes.len()));
            }
        }
    }
    println!("{tried} damaged files, {lowered} of them still good enough to be explained");
    assert!(failures.is_empty(), "{} of {tried}:\n{}", failures.len(), failures.join("\n"));
    assert!(tried > 5000 && lowered > 100 && lowered < tried);
}
