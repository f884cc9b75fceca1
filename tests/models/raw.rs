//! Protobuf by hand: takes messages apart and puts them together without the schema, for files that no tool would write.

/// The value of one field, by wire type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Int(u64),
    Fixed64([u8; 8]),
    Bytes(Vec<u8>),
    Fixed32([u8; 4]),
}

impl From<i64> for Value {
    fn from(x: i64) -> Value {
        Value::Int(x as u64)
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Bytes(text.into())
    }
}
impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::Bytes(bytes.into())
    }
}
impl From<Message> for Value {
    fn from(message: Message) -> Value {
        Value::Bytes(message.bytes())
    }
}

/// Fields in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Message(pub Vec<(u64, Value)>);

impl Message {
    pub fn parse(mut from: &[u8]) -> Message {
        let mut fields = Vec::new();
        while !from.is_empty() {
            let key = varint(&mut from);
            let value = match key & 7 {
                0 => Value::Int(varint(&mut from)),
                1 => Value::Fixed64(take(&mut from, 8).try_into().expect("8 bytes")),
                2 => {
                    let length = varint(&mut from) as usize;
                    Value::Bytes(take(&mut from, length).into())
                }
                5 => Value::Fixed32(take(&mut from, 4).try_into().expect("4 bytes")),
                other => panic!("wire type {other}"),
            };
            fields.push((key >> 3, value));
        }
        Message(fields)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, value) in &self.0 {
            let wire = match value {
                Value::Int(_) => 0,
                Value::Fixed64(_) => 1,
                Value::Bytes(_) => 2,
                Value::Fixed32(_) => 5,
            };
            put_varint(&mut out, number << 3 | wire);
            match value {
                Value::Int(x) => put_varint(&mut out, *x),
                Value::Fixed64(bytes) => out.extend(bytes),
                Value::Bytes(bytes) => {
                    put_varint(&mut out, bytes.len() as u64);
                    out.extend(bytes);
                }
                Value::Fixed32(bytes) => out.extend(bytes),
            }
        }
        out
    }

    /// With one field more.
    pub fn with(mut self, number: u64, value: impl Into<Value>) -> Message {
        self.0.push((number, value.into()));
        self
    }

    /// Without a field, however often it stands there.
    pub fn without(mut self, number: u64) -> Message {
        self.0.retain(|(n, _)| *n != number);
        self
    }

    /// With this value and no other.
    pub fn set(self, number: u64, value: impl Into<Value>) -> Message {
        self.without(number).with(number, value)
    }

    /// Changes the inner messages of one number.
    pub fn each(mut self, number: u64, change: impl Fn(Message) -> Message) -> Message {
        for (_, value) in self.0.iter_mut().filter(|(n, _)| *n == number) {
            let Value::Bytes(bytes) = value else { panic!("field {number} is no message") };
            *bytes = change(Message::parse(bytes)).bytes();
        }
        self
    }

    /// The inner messages of one number.
    pub fn inner(&self, number: u64) -> Vec<Message> {
        let bytes = self.0.iter().filter(|(n, _)| *n == number).map(|(_, value)| match value {
            Value::Bytes(bytes) => Message::parse(bytes),
            other => panic!("{other:?} is no message"),
        });
        bytes.collect()
    }

    pub fn text(&self, number: u64) -> Option<String> {
        self.0.iter().find(|(n, _)| *n == number).and_then(|(_, value)| match value {
            Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
            _ => None,
        })
    }
}

fn take<'a>(from: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (head, tail) = from.split_at(n);
    *from = tail;
    head
}

fn varint(from: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(from, 1)[0];
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            break;
        }
    }
    value
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 128 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Field numbers of onnx.proto.
pub mod model {
    pub const IR: u64 = 1;
    pub const GRAPH: u64 = 7;
    pub const OPSET: u64 = 8;
    pub const FUNCTIONS: u64 = 25;
}
pub mod graph {
    pub const NODE: u64 = 1;
    pub const INITIALIZER: u64 = 5;
    pub const INPUT: u64 = 11;
    pub const OUTPUT: u64 = 12;
}
pub mod node {
    pub const INPUT: u64 = 1;
    pub const OUTPUT: u64 = 2;
    pub const NAME: u64 = 3;
    pub const OP: u64 = 4;
    pub const ATTRIBUTE: u64 = 5;
    pub const DOMAIN: u64 = 7;
    pub const METADATA: u64 = 9;
}
pub mod attribute {
    pub const NAME: u64 = 1;
    pub const TENSOR: u64 = 5;
    pub const GRAPH: u64 = 6;
    pub const TYPE: u64 = 20;
}
pub mod tensor {
    pub const DIMS: u64 = 1;
    pub const TYPE: u64 = 2;
    pub const NAME: u64 = 8;
    pub const RAW: u64 = 9;
    pub const EXTERNAL: u64 = 13;
    pub const LOCATION: u64 = 14;
}
pub mod value {
    pub const NAME: u64 = 1;
    pub const TYPE: u64 = 2;
}

/// A model's bytes with its graph changed.
pub fn edit(bytes: &[u8], change: impl Fn(Message) -> Message) -> Vec<u8> {
    Message::parse(bytes).each(model::GRAPH, change).bytes()
}

/// A model's bytes with one initializer changed.
pub fn edit_weight(bytes: &[u8], name: &str, change: impl Fn(Message) -> Message) -> Vec<u8> {
    edit(bytes, |graph| {
        let ours = |tensor: &Message| tensor.text(tensor::NAME).as_deref() == Some(name);
        graph.each(graph::INITIALIZER, |tensor| if ours(&tensor) { change(tensor) } else { tensor })
    })
}

/// A model's bytes with one node changed.
pub fn edit_node(bytes: &[u8], name: &str, change: impl Fn(Message) -> Message) -> Vec<u8> {
    edit(bytes, |graph| {
        let ours = |node: &Message| node.text(node::NAME).as_deref() == Some(name);
        graph.each(graph::NODE, |node| if ours(&node) { change(node) } else { node })
    })
}

pub fn pair(key: &str, value: &str) -> Message {
    Message::default().with(1, key).with(2, value)
}
