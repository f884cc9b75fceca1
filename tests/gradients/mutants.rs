//! Thousands of damaged files: every case's model with one thing changed, through the reader and the surgery. Whatever comes
//! back, it comes back: no panic, and no more memory than the file and its shapes account for.

use std::alloc::System;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cap::Cap;

use crate::cases;
use crate::check::Bench;
use crate::random::Random;
use crate::raw::{Message, Value};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Mutants of each case.
const EACH: usize = 40;
/// What one mutant may take: the largest case's own surgery takes some hundred kilobytes.
const MOST: usize = 64 << 20;

/// Fields that hold messages, by the kind of message they stand in: (kind, field, kind of the inner message).
const INNER: &[(Kind, u64, Kind)] = &[
    (Kind::Model, 7, Kind::Graph),
    (Kind::Model, 8, Kind::Leaf),
    (Kind::Graph, 1, Kind::Node),
    (Kind::Graph, 5, Kind::Tensor),
    (Kind::Graph, 11, Kind::Leaf),
    (Kind::Graph, 12, Kind::Leaf),
    (Kind::Node, 5, Kind::Attribute),
    (Kind::Attribute, 5, Kind::Tensor),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Leaf,
}

/// One thing changed, somewhere.
fn mutate(message: &mut Message, kind: Kind, random: &mut Random) {
    if message.0.is_empty() {
        return;
    }
    let at = random.below(message.0.len());
    let inner = INNER.iter().find(|(outer, field, _)| *outer == kind && *field == message.0[at].0).map(|row| row.2);
    if let (Some(inner), Value::Bytes(bytes), true) = (inner, &mut message.0[at].1, random.below(8) > 0) {
        let mut part = Message::parse(bytes);
        mutate(&mut part, inner, random);
        *bytes = part.bytes();
        return;
    }
    match random.below(5) {
        0 => drop(message.0.remove(at)),
        1 => {
            let copy = message.0[at].clone();
            message.0.push(copy);
        }
        2 => {
            let other = random.below(message.0.len());
            let (a, b) = (message.0[at].1.clone(), message.0[other].1.clone());
            (message.0[at].1, message.0[other].1) = (b, a);
        }
        _ => change(&mut message.0[at].1, random),
    }
}

fn change(value: &mut Value, random: &mut Random) {
    const NUMBERS: [i64; 14] = [0, 1, -1, 2, 3, 5, 7, 100, -100, 1 << 20, 1 << 31, 1 << 40, i64::MAX, i64::MIN];
    match value {
        Value::Int(x) => *x = NUMBERS[random.below(NUMBERS.len())] as u64,
        Value::Fixed32(bytes) => {
            let numbers = [0.0, -1.0, 1e30, f32::NAN, f32::INFINITY, 0.5];
            *bytes = numbers[random.below(numbers.len())].to_le_bytes();
        }
        Value::Fixed64(bytes) => bytes[random.below(8)] ^= 1 << random.below(8),
        Value::Bytes(bytes) => match random.below(4) {
            0 => bytes.clear(),
            1 => bytes.truncate(bytes.len() / 2),
            2 => bytes.extend_from_within(..),
            _ if bytes.is_empty() => bytes.push(0xff),
            _ => {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
        },
    }
}

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
            let mut message = Message::parse(&sound);
            mutate(&mut message, Kind::Model, &mut random);
            let mut bytes = message.bytes();
            if n % 8 == 7 {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
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
