//! THE TABLE of what may be changed while a camera plays: properties of the element, as JSON and back.

use gst::glib;
use gst::prelude::*;
use serde_json::{Map, Value, json};

use crate::Result;

/// What tells whether a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judge {
    /// The value itself.
    Value,
    /// The next frame.
    Frame,
    /// The model, which is opened anew for it.
    Model,
}

/// Properties, spelt as the element does.
const SETTINGS: &[(&str, Judge)] = &[
    ("method", Judge::Model),
    ("target-layer", Judge::Model),
    ("target-class", Judge::Frame),
    ("alpha", Judge::Value),
    ("colormap", Judge::Value),
    ("output-mode", Judge::Value),
    ("threshold", Judge::Value),
    ("draw-labels", Judge::Value),
    ("roi", Judge::Frame),
];

/// A setting that was understood.
pub type Setting = (&'static str, glib::Value);

/// What is set now.
pub fn to_json(painter: &gst::Element) -> Value {
    SETTINGS.iter().map(|&(name, _)| (name.to_string(), value_to_json(&painter.property_value(name)))).collect()
}

/// The values that settings may have, where they are words of a list.
pub fn options(painter: &gst::Element) -> Value {
    let words = |(name, _): &(&str, Judge)| {
        let class = glib::EnumClass::with_type(painter.find_property(name)?.value_type())?;
        Some((name.to_string(), class.values().iter().map(|value| value.nick()).collect::<Value>()))
    };
    SETTINGS.iter().filter_map(words).collect()
}

/// Reads all that is wanted, or says what cannot be.
pub fn parse(painter: &gst::Element, wanted: &Map<String, Value>) -> Result<Vec<Setting>> {
    wanted.iter().map(|(name, value)| parse_one(painter, name, value)).collect()
}

fn parse_one(painter: &gst::Element, name: &str, value: &Value) -> Result<Setting> {
    let names = || SETTINGS.iter().map(|(name, _)| *name);
    let known = names().find(|known| *known == name);
    let name =
        known.ok_or_else(|| format!("{name:?} is no setting; there are {}", names().collect::<Vec<_>>().join(", ")))?;
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        other => return Err(format!("{name}={other} is neither text, number, true nor false")),
    };
    Ok((name, read(painter, name, &text)?))
}

/// A property's value as its text says, or a sentence why it cannot be.
pub fn read(painter: &gst::Element, name: &str, text: &str) -> Result<glib::Value> {
    let pspec = painter.find_property(name).filter(|pspec| pspec.flags().contains(glib::ParamFlags::WRITABLE));
    let pspec =
        pspec.ok_or_else(|| format!("{name}={text}: the element gradcam has no such property that can be set"))?;
    if pspec.value_type() == String::static_type() {
        return Ok((!text.is_empty()).then_some(text).to_value());
    }
    let value = glib::Value::deserialize_with_pspec(text, &pspec).ok().filter(|value| is_within(&pspec, value));
    value.ok_or_else(|| no_value(name, text, &pspec))
}

fn is_within(pspec: &glib::ParamSpec, value: &glib::Value) -> bool {
    macro_rules! ranges {
        ($($spec:ident of $number:ty),*) => {
            $(if let Some(range) = pspec.downcast_ref::<glib::$spec>() {
                return value.get::<$number>().is_ok_and(|it| (range.minimum()..=range.maximum()).contains(&it));
            })*
        };
    }
    ranges!(ParamSpecDouble of f64, ParamSpecInt of i32, ParamSpecUInt of u32, ParamSpecUInt64 of u64);
    true
}

fn no_value(name: &str, text: &str, pspec: &glib::ParamSpec) -> String {
    let can = if let Some(class) = glib::EnumClass::with_type(pspec.value_type()) {
        class.values().iter().map(|value| value.nick()).collect::<Vec<_>>().join(", ")
    } else if let Some(range) = pspec.downcast_ref::<glib::ParamSpecDouble>() {
        format!("{} to {}", range.minimum(), range.maximum())
    } else if pspec.value_type() == bool::static_type() {
        "true or false".to_string()
    } else {
        pspec.value_type().name().to_string()
    };
    format!("{name}={text} cannot be; it may be {can}")
}

/// Whatever tells last whether all of them may be.
pub fn judge(settings: &[Setting]) -> Judge {
    let judges = SETTINGS.iter().filter(|(name, _)| settings.iter().any(|(wanted, _)| wanted == name));
    judges.map(|(_, judge)| *judge).max().unwrap_or(Judge::Value)
}

fn value_to_json(value: &glib::Value) -> Value {
    if let Ok(number) = value.get::<f64>() {
        json!(number)
    } else if let Ok(text) = value.get::<Option<String>>() {
        json!(text.unwrap_or_default())
    } else if let Ok(flag) = value.get::<bool>() {
        json!(flag)
    } else {
        json!(glib::EnumValue::from_value(value).map(|(_, word)| word.nick().to_string()))
    }
}
