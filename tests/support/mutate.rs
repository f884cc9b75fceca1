//! Damages a file in one place, by its structure: a field dropped, doubled, exchanged or changed.

use crate::random::Random;
use crate::raw::{Message, Value};

/// Fields that hold messages, by the kind of message they stand in: (kind, field, kind of the inner message).
const INNER: &[(Kind, u64, Kind)] = &[
    (Kind::Model, 7, Kind::Graph),
    (Kind::Model, 8, Kind::Leaf),
    (Kind::Graph, 1, Kind::Node),
    (Kind::Graph, 5, Kind::Tensor),
    (Kind::Graph, 11, Kind::Leaf),
    (Kind::Graph, 12, Kind::Leaf),
    (Kind::Graph, 13, Kind::Leaf),
    (Kind::Node, 5, Kind::Attribute),
    (Kind::Attribute, 5, Kind::Tensor),
    (Kind::Attribute, 6, Kind::Graph),
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

/// A model's bytes with one thing changed, somewhere; now and then a bit anywhere, too.
pub fn mutant(sound: &[u8], random: &mut Random) -> Vec<u8> {
    let mut message = Message::parse(sound);
    mutate(&mut message, Kind::Model, random);
    let mut bytes = message.bytes();
    if random.below(8) == 0 && !bytes.is_empty() {
        let at = random.below(bytes.len());
        bytes[at] ^= 1 << random.below(8);
    }
    bytes
}

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
