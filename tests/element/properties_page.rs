//! `docs/properties.md` is what the element says of itself; `make docs` writes it anew.

use std::fmt::Write;

use gst::glib::{EnumClass, ParamFlags, ParamSpec, ParamSpecDouble, ParamSpecUInt, ParamSpecUInt64, Type};
use gst::prelude::*;

use crate::properties::own_properties;
use crate::support;

const PAGE: &str = "docs/properties.md";

const HEAD: &str = "# Properties of the element

Written by `make docs` from what `gst-inspect-1.0 gradcam` prints. The tool's options are spelt alike (`--target-class`, ...).

What changes at *any time* may be set while the stream plays; what is said of the model is then opened beside the one at work and takes
over between two frames. *Controllable* ones may also follow a GstController. What is set *before the start* and comes later counts from
the next start (state READY or NULL).
";

/// The chapters, and the property that each begins with, in the table's order.
const CHAPTERS: [(&str, &str); 7] = [
    ("The model", "model"),
    ("What is explained", "method"),
    ("From frame to input", "preprocess"),
    ("What is painted", "alpha"),
    ("What computes it", "runtime-library"),
    ("Frames and time", "mode"),
    ("What is told", "top-k"),
];

/// What may be in it: a type, and its range or values.
fn kind(property: &ParamSpec) -> String {
    let between = |least: &dyn std::fmt::Display, most: Option<&dyn std::fmt::Display>| match most {
        Some(most) => format!(", {least} to {most}"),
        None => format!(", {least} or more"),
    };
    let capped = |most: u64, end: u64| (most != end).then_some(most);
    if let Some(number) = property.downcast_ref::<ParamSpecDouble>() {
        format!("double{}", between(&number.minimum(), Some(&number.maximum())))
    } else if let Some(number) = property.downcast_ref::<ParamSpecUInt>() {
        let most = capped(number.maximum().into(), u32::MAX.into());
        format!("uint{}", between(&number.minimum(), most.as_ref().map(|most| most as _)))
    } else if let Some(number) = property.downcast_ref::<ParamSpecUInt64>() {
        let most = capped(number.maximum(), u64::MAX);
        format!("uint64{}", between(&number.minimum(), most.as_ref().map(|most| most as _)))
    } else if property.value_type().is_a(Type::ENUM) {
        format!("[values](#values-of-{})", property.name())
    } else {
        match property.value_type().name() {
            "gchararray" => "string".into(),
            "gboolean" => "boolean".into(),
            other => other.trim_start_matches("Gst").to_lowercase(),
        }
    }
}

fn default(property: &ParamSpec) -> String {
    let value = property.default_value();
    if !property.flags().contains(ParamFlags::WRITABLE) {
        return String::new();
    }
    if let Some((_, value)) = gst::glib::EnumValue::from_value(value) {
        return format!("`{}`", value.nick());
    }
    match (value.get::<Option<String>>(), value.get::<f64>()) {
        (Ok(text), _) => text.map_or("unset".into(), |text| format!("`{text}`")),
        (_, Ok(number)) => format!("{number}"),
        _ => value.serialize().unwrap().to_string().to_lowercase(),
    }
}

fn changes(property: &ParamSpec) -> &'static str {
    let has = |flag| property.flags().contains(flag);
    match (has(ParamFlags::WRITABLE), has(gst::PARAM_FLAG_MUTABLE_PLAYING), has(gst::PARAM_FLAG_CONTROLLABLE)) {
        (false, ..) => "read-only",
        (_, true, true) => "any time, controllable",
        (_, true, false) => "any time",
        _ => "before the start",
    }
}

fn page() -> String {
    let mut text = HEAD.to_string();
    let mut values = String::new();
    let mut chapters = CHAPTERS.iter().peekable();
    for property in own_properties().iter().filter(|property| property.name() != "fault") {
        let name = property.name();
        if let Some((title, _)) = chapters.next_if(|(_, first)| *first == name) {
            text += &std::mem::take(&mut values);
            write!(text, "\n## {title}\n\n").unwrap();
            text += "| property | type | default | changes | what it is |\n|---|---|---|---|---|\n";
        }
        let blurb = property.blurb().unwrap().replace('|', "\\|");
        let (kind, default, changes) = (kind(property), default(property), changes(property));
        writeln!(text, "| `{name}` | {kind} | {default} | {changes} | {blurb} |").unwrap();
        if let Some(class) = EnumClass::with_type(property.value_type()) {
            write!(values, "\n### Values of `{name}`\n\n| value | meaning |\n|---|---|\n").unwrap();
            for value in class.values() {
                writeln!(values, "| `{}` | {} |", value.nick(), value.name().replace('|', "\\|")).unwrap();
            }
        }
    }
    assert_eq!(chapters.next(), None, "no property begins this chapter");
    text + &values
}

#[test]
fn the_page_of_properties_is_what_the_element_says() {
    let (path, page) = (support::root().join(PAGE), page());
    if std::env::var_os("GRADCAM_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let old = written.lines().zip(page.lines()).find(|(have, want)| have != want);
    assert!(written == page, "{PAGE} is out of date: run `make docs`; the first line that differs: {old:?}");
}
