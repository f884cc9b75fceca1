//! The rules of the house: who may import whom, which room may name which library, how large a file may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const LONGEST: usize = 450;

/// What each room of the library may import of ours; every room may import `error`.
#[rustfmt::skip]
const ARROWS: &[(&str, &[&str])] = &[
    ("autodiff", &["onnx"]),
    ("cam",      &["autodiff", "onnx"]),
    ("element",  &["cam", "engine", "explain", "frame", "labels", "prep", "record", "render", "worker"]),
    ("engine",   &[]),
    ("error",    &[]),
    ("explain",  &["autodiff", "cam", "engine", "frame", "labels", "onnx", "prep"]),
    ("frame",    &[]),
    ("labels",   &["cam"]),
    ("onnx",     &[]),
    ("prep",     &["frame"]),
    ("record",   &["explain", "frame"]),
    ("render",   &["frame"]),
    ("worker",   &["cam", "engine", "explain", "frame"]),
];

/// The one room of the library that may name a crate (by its first letters).
const OWNERS: &[(&str, &str)] = &[("gst", "element"), ("ort", "engine"), ("protobuf", "onnx")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, `target` and what git ignores left out.
fn files(folder: &str, kinds: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|kind| kinds.iter().any(|wanted| kind == *wanted)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The library's files with their rooms: `src/<room>.rs`, `src/<room>/...`; not the binary, not lib.rs.
fn rooms() -> Vec<(String, PathBuf)> {
    let library = files("src", &["rs"]).into_iter().filter_map(|path| {
        let inside = path.strip_prefix(root().join("src")).expect("it was found there").to_path_buf();
        let first = inside.components().next()?.as_os_str().to_string_lossy().into_owned();
        let room = first.trim_end_matches(".rs").to_string();
        (room != "bin" && room != "lib").then_some((room, path))
    });
    library.collect()
}

fn generated(text: &str) -> bool {
    text.lines().take(5).any(|line| line.contains("@generated"))
}

/// A file without its comments and texts, so that prose may name anything.
fn code(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        for (part, piece) in line.split('"').enumerate() {
            // Every second piece lies between quotes; a quote within a text only shifts which words are seen.
            if part % 2 == 0 {
                code.push_str(piece);
            }
        }
        code.push('\n');
    }
    code
}

/// The words of code: what lies between characters that no name has.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|mark: char| !mark.is_alphanumeric() && mark != '_').filter(|word| !word.is_empty())
}

/// The rooms that code names through `crate::`, braces included: `use crate::{cam, prep::Spec}`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (at, mark) in list.char_indices() {
                match mark {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    _ if start && !mark.is_whitespace() => {
                        found.extend(words(&list[at..]).next().map(str::to_string));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            found.extend(words(rest).next().map(str::to_string));
        }
    }
    // What lib.rs hands on at the root counts as the room that it comes from.
    found.iter().map(|name| root_name(name)).collect()
}

fn root_name(name: &str) -> String {
    match name {
        "Error" | "Result" => "error",
        "Method" | "Target" => "cam",
        "ClassMap" | "Explainer" | "Explanation" | "Inspection" | "ModelInfo" | "Options" => "explain",
        other => other,
    }
    .to_string()
}

#[test]
fn the_scanner_sees_every_way_of_importing() {
    let code = code(
        "use crate::{cam::{A, B}, prep, frame as f};\nlet x = crate::Error::X; // crate::element\n\"crate::worker\"",
    );
    let want: BTreeSet<String> = ["cam", "prep", "frame", "error"].map(String::from).into();
    assert_eq!(imports(&code), want);
}

#[test]
fn imports_follow_the_arrows() {
    let mut wrong = Vec::new();
    for (room, path) in rooms() {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{}: the room {room:?} has no row in ARROWS", shown(&path)));
            continue;
        };
        for import in imports(&code(&text(&path))) {
            if import != room && import != "error" && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{}: {room} may not import {import}", shown(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_foreign_library_has_one_room() {
    let mut wrong = Vec::new();
    for (room, path) in rooms() {
        let code = code(&text(&path));
        for (library, owner) in OWNERS.iter().filter(|(_, owner)| *owner != room) {
            // gst, gst_base, gst_video; but ort alone, since "sort" and "ort_..." are names of ours.
            let named = words(&code).any(|word| word == *library || (*library == "gst" && word.starts_with("gst_")));
            if named {
                wrong.push(format!("{}: only {owner} says {library}", shown(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        for path in files(folder, &["rs"]) {
            let text = text(&path);
            if generated(&text) {
                continue;
            }
            let lines = text.lines().count();
            if lines > LONGEST {
                wrong.push(format!("{}: {lines} lines, more than {LONGEST}", shown(&path)));
            }
            if !text.starts_with("//! ") {
                wrong.push(format!("{}: its first line does not say what it is for (`//! ...`)", shown(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_forbidden() {
    assert!(text(&root().join("src/lib.rs")).contains("#![forbid(unsafe_code)]"));
}

#[test]
fn nothing_names_a_place_on_one_machine() {
    // Spelt in pieces, so that this file does not name them.
    let places: Vec<String> = ["work", "root", "home", "tmp", "Users"].map(|place| format!("/{place}/")).into();
    let kinds = ["rs", "toml", "md", "py", "sh", "txt", "yml", "yaml", "json"];
    let mut paths: Vec<PathBuf> = fs::read_dir(root()).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.retain(|path| path.is_file() && path.file_name().is_some_and(|name| name != ".git"));
    for folder in ["src", "tests", "examples", "benches", "docs", "pipelines", "tools", ".ci"] {
        paths.extend(files(folder, &kinds));
    }
    let mut wrong = Vec::new();
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            for place in places.iter().filter(|place| begins_a_path(line, place)) {
                wrong.push(format!("{}:{}: names {place}", shown(&path), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a place stands at the start of a path ("../work/" and "a/tmp/" are others).
fn begins_a_path(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|mark| !mark.is_alphanumeric() && !"./_-~}".contains(mark))
    })
}
