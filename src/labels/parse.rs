//! Class names out of text: one a line, a JSON list or mapping, or the Python literal that some exporters write.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};

/// Larger files are no list of class names.
const MAX_BYTES: u64 = 16 << 20;
/// Larger indices are no classes.
const MAX_CLASSES: u64 = 1 << 20;

/// Names from a file that the user named. Index = line, so an inner empty line stays; trailing ones go.
pub fn from_file(path: &Path) -> Result<Vec<String>> {
    let fail = |why: String| Error::Labels { path: path.into(), why };
    let broken = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => fail("does not exist; check the path".into()),
        _ => fail(format!("cannot be read ({error})")),
    };
    let folder = || fail("is not a file; name a text file with one class name a line, or JSON".into());
    // Asked before opening: a pipe would wait for a writer for ever.
    if !std::fs::metadata(path).map_err(broken)?.is_file() {
        return Err(folder());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(broken)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fail("is larger than 16 MiB; it should hold one class name a line, or JSON".into()));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        fail(format!("is not UTF-8 text (byte {at}); save it as UTF-8, one class name a line"))
    })?;
    let labels = from_text(&text).map_err(fail)?;
    if labels.is_empty() {
        return Err(fail("holds no class names; write one a line".into()));
    }
    Ok(labels)
}

/// Names from text of any of the known forms; the error is the end of a sentence.
pub fn from_text(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim_start_matches('\u{feff}');
    match structured(text) {
        Some(labels) => labels,
        None => {
            let mut labels: Vec<String> = text.lines().map(|line| line.trim().to_string()).collect();
            while labels.last().is_some_and(String::is_empty) {
                labels.pop();
            }
            Ok(labels)
        }
    }
}

/// `None` where the text is neither JSON nor a Python literal but plain lines ("[MASK]" may be a name).
fn structured(text: &str) -> Option<Result<Vec<String>, String>> {
    let start = text.trim_start();
    let inner = start.strip_prefix('[').map(str::trim_start);
    if !start.starts_with('{') && !inner?.starts_with(['"', '\'', ']', '{', '[']) {
        return None;
    }
    Some(match serde_json::from_str::<Value>(start) {
        Ok(json) => from_json(&json),
        Err(error) => from_python(start).ok_or_else(|| {
            format!("starts like JSON but is not ({error}); write one class name a line, or mend the JSON")
        }),
    })
}

fn from_json(json: &Value) -> Result<Vec<String>, String> {
    match json {
        Value::Array(items) => items.iter().map(|item| name_of(item).ok_or_else(|| unreadable(item))).collect(),
        Value::Object(map) => {
            // A Hugging Face config.json holds much else beside the names.
            if let Some(inner @ Value::Object(_)) = map.get("id2label") {
                return from_json(inner);
            }
            let pairs: Option<Vec<(u64, String)>> = map
                .iter()
                .map(|(key, value)| match (key.parse(), value.as_u64()) {
                    (Ok(index), _) => Some((index, name_of(value)?)),
                    (Err(_), index) => Some((index?, key.clone())), // {"name": 0}
                })
                .collect();
            by_index(pairs.ok_or("is JSON without class names; write a list, {\"0\": \"name\"}, or id2label")?)
        }
        _ => Err(unreadable(json)),
    }
}

/// A name, or the last of ["n01440764", "tench"] (Keras writes the WordNet number first).
fn name_of(item: &Value) -> Option<String> {
    match item {
        Value::String(name) => Some(name.trim().into()),
        Value::Array(words) => words.last()?.as_str().map(|name| name.trim().into()),
        _ => None,
    }
}

fn unreadable(item: &Value) -> String {
    let shown: String = item.to_string().chars().take(40).collect();
    format!("is JSON, but {shown} is no class name; write a list of names, {{\"0\": \"name\"}}, or id2label")
}

fn by_index(pairs: Vec<(u64, String)>) -> Result<Vec<String>, String> {
    let map: BTreeMap<u64, &String> = pairs.iter().map(|(index, name)| (*index, name)).collect();
    let count = map.last_key_value().map_or(0, |(index, _)| index.saturating_add(1));
    if count > MAX_CLASSES {
        return Err(format!("names class {}, which no model has; number the classes from 0", count - 1));
    }
    if map.len() < pairs.len() {
        return Err("gives one class two names; number each class once".into());
    }
    // What the mapping leaves out keeps its place.
    Ok((0..count).map(|index| map.get(&index).map_or_else(String::new, |name| name.to_string())).collect())
}

/// `{0: 'person', 1: "jack-o'-lantern"}` or `['a', 'b']`, as `str()` of a Python dict or list writes it.
fn from_python(text: &str) -> Option<Vec<String>> {
    let mut rest = Literal(text.trim());
    let mapping = rest.eat('{');
    if !mapping && !rest.eat('[') {
        return None;
    }
    let close = if mapping { '}' } else { ']' };
    let mut pairs = Vec::new();
    while !rest.eat(close) {
        let index = if mapping { rest.index()? } else { pairs.len() as u64 };
        pairs.push((index, rest.string()?));
        if !rest.eat(',') && !rest.0.starts_with(close) {
            return None;
        }
    }
    if rest.0.is_empty() { by_index(pairs).ok() } else { None }
}

/// What is left of a Python literal.
struct Literal<'a>(&'a str);

impl Literal<'_> {
    /// Takes a character and the space around it, if it comes next.
    fn eat(&mut self, mark: char) -> bool {
        match self.0.trim_start().strip_prefix(mark) {
            Some(rest) => {
                self.0 = rest.trim_start();
                true
            }
            None => false,
        }
    }

    /// A number and its colon.
    fn index(&mut self) -> Option<u64> {
        let quoted = self.0.starts_with(['\'', '"']);
        let number = if quoted {
            self.string()?
        } else {
            let end = self.0.find(|mark: char| !mark.is_ascii_digit())?;
            let (digits, rest) = self.0.split_at(end);
            self.0 = rest;
            digits.into()
        };
        if self.eat(':') { number.parse().ok() } else { None }
    }

    /// A string in either quote, its escapes undone.
    fn string(&mut self) -> Option<String> {
        let quote = self.0.chars().next().filter(|mark| ['\'', '"'].contains(mark))?;
        let mut name = String::new();
        let mut marks = self.0.char_indices().skip(1);
        while let Some((at, mark)) = marks.next() {
            match mark {
                '\\' => name.push(match marks.next()?.1 {
                    'n' | 't' | 'r' => ' ',
                    'x' | 'u' | 'U' => return None, // rather refused than read wrong
                    other => other,
                }),
                _ if mark == quote => {
                    self.0 = self.0[at + 1..].trim_start();
                    return Some(name.trim().into());
                }
                _ => name.push(mark),
            }
        }
        None
    }
}
