//! What the documentation promises to hold: every message in docs/troubleshooting.md, and links that lead somewhere.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/troubleshooting.md";

/// Files that hold no messages but tables: docs/properties.md and docs/messages.md have them, and `evaluate`'s report.
const TABLES: [&str; 7] = [
    "element/enums.rs",
    "element/meta.rs",
    "element/mod.rs",
    "element/settings.rs",
    "element/stats.rs",
    "evaluate/metrics.rs",
    "evaluate/table.rs",
];

/// What stands before a text that users are not told: logs, what cannot fail, attributes, what gst-inspect says.
const UNTOLD: [&str; 7] =
    ["gst::debug!", "gst::info!", "loggable_error!", ".expect(", "DebugCategory", "ElementMetadata", "enum_value"];

/// The library's sentences about an open model come by these ways.
const REMARKS: [&str; 8] =
    ["warning", "remark", "Doubt::Warn", "fn not_", "fn unused", "fn rivals", "fn buried", "failed.push"];

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files of these endings below a folder.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![support::root().join(folder)]);
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => open.push(path),
                false if path.extension().is_some_and(|kind| kind == ending) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

/// What stands between quotes in a source file, and its statement and item up to there.
struct Text {
    text: String,
    statement: String,
    item: String,
}

/// Those of a file without its tests.
fn texts(source: &str) -> Vec<Text> {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let (mut found, mut statement, mut item, mut rest) = (Vec::new(), String::new(), String::new(), source);
    while let Some(mark) = rest.chars().next() {
        let length = match mark {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '\'' if rest[1..].starts_with('\\') => 2 + rest[2..].find('\'').unwrap() + 1,
            '\'' if rest.chars().nth(2) == Some('\'') => "' '".len() - 1 + rest.chars().nth(1).unwrap().len_utf8(),
            '"' => {
                let mut escaped = false;
                let is_end = |mark: char| {
                    let before = std::mem::replace(&mut escaped, false);
                    escaped = !before && mark == '\\';
                    mark == '"' && !before
                };
                let length = rest[1..].find(is_end).unwrap();
                found.push(Text { text: rest[1..=length].into(), statement: statement.clone(), item: item.clone() });
                length + 2
            }
            _ => {
                statement.push(mark);
                item.push(mark);
                if mark == ';' {
                    statement.clear();
                }
                if item.ends_with("\n\n") {
                    item.clear();
                }
                mark.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    found
}

/// The fixed pieces of a text, as the page has them: of three words at least.
fn pieces(text: &str) -> Vec<String> {
    let text = text.split("\\\n").map(str::trim_start).collect::<String>().replace("\\\"", "\"").replace("{{", "");
    let fixed = text.split('{').enumerate().map(|(at, part)| match at {
        0 => part,
        _ => part.split_once('}').map_or("", |(_, fixed)| fixed),
    });
    let words = |piece: &str| piece.split(|mark: char| !mark.is_alphabetic()).filter(|word| word.len() > 1).count();
    fixed.map(plain).filter(|piece| words(piece) >= 3 && piece.contains(' ')).collect()
}

/// Without backticks, on one line.
fn plain(text: &str) -> String {
    text.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn missing(page: &str, texts: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    texts.into_iter().flat_map(|text| pieces(&text)).filter(|piece| !page.contains(piece.as_str())).collect()
}

#[test]
fn every_error_has_its_row() {
    let (page, source) = (read(&support::root().join(PAGE)), read(&support::root().join("src/error.rs")));
    let variants: Vec<(&str, &str)> = source
        .split("#[error(")
        .skip(1)
        .map(|rest| rest.split_once(")]\n").unwrap())
        .map(|(text, rest)| (text, rest.trim_start().split(|mark: char| !mark.is_alphanumeric()).next().unwrap()))
        .collect();
    assert!(variants.len() >= 20, "{variants:?}");
    let page_text = plain(&page);
    for (text, variant) in variants {
        assert!(page.contains(&format!("| `{variant}` |")), "{PAGE} has no row for Error::{variant}");
        let lacks = missing(&page_text, texts(text).into_iter().map(|found| found.text).take(1));
        assert!(lacks.is_empty(), "{PAGE}, Error::{variant}: {lacks:?}");
    }
}

#[test]
fn everything_that_element_and_tool_say_is_explained() {
    let page = plain(&read(&support::root().join(PAGE)));
    let is = |path: &Path, part: &str| path.to_str().unwrap().contains(part);
    let mut lacks = Vec::new();
    let mut seen = 0;
    for path in files("src", "rs").iter().filter(|path| !is(path, "onnx/") && !is(path, "/tests")) {
        let said = |Text { text, statement, item }: &Text| match () {
            _ if UNTOLD.iter().any(|word| statement.contains(word)) => false,
            _ if TABLES.iter().any(|table| is(path, table)) => false,
            _ if is(path, "src/element/") || is(path, "explain/blank.rs") => true,
            _ if is(path, "bin/gradcam/") => {
                !text.contains('<')
                    && (text.contains("cannot ") || text.contains("; ") || text.contains(" is left out"))
            }
            _ => REMARKS.iter().any(|word| item.contains(word)),
        };
        let texts: Vec<String> =
            texts(&read(path)).into_iter().filter(|found| said(found)).map(|found| found.text).collect();
        seen += texts.len();
        lacks.extend(missing(&page, texts).into_iter().map(|text| format!("{}: {text}", path.display())));
    }
    assert!(seen > 100, "the scanner sees {seen} texts");
    assert!(lacks.is_empty(), "{PAGE} should hold, each with cause and cure:\n{}", lacks.join("\n"));
}

#[test]
fn the_scanner_reads_source_as_it_is_written() {
    let source = "let a = f('\"', '\\'', \"one {x} two \\\"three\\\" four\"); // \"no\"\nlet b = \"a \\\n    b\";";
    let found: Vec<String> = texts(source).into_iter().map(|found| found.text).collect();
    assert_eq!(found, ["one {x} two \\\"three\\\" four", "a \\\n    b"]);
    assert_eq!(pieces(&found[0]), ["two \"three\" four"]);
    assert_eq!(pieces("of the {} and these \\\n   few words, {n:?} too"), ["and these few words,"]);
}

/// The address of a heading, as the forge makes it.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |mark: char| mark.is_alphanumeric() || matches!(mark, '-' | '_' | ' ');
    headings
        .map(|head| head.to_lowercase().chars().filter(|mark| kept(*mark)).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = support::root();
    let mut pages: Vec<PathBuf> =
        ["README.md", "AGENTS.md", "CREDITS.md", "pipelines/README.md"].map(|name| root.join(name)).into();
    pages.extend(files("docs", "md"));
    let (mut dead, mut seen) = (Vec::new(), 0);
    for page in &pages {
        let text = read(page);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            seen += 1;
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let to = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let found = to.exists() && anchor.is_none_or(|anchor| anchors(&read(&to)).contains(anchor));
            if !found {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(seen > 20, "{seen} links");
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}
