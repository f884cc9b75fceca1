//! THE TABLE of what may be changed while a camera plays: properties of the element, as JSON and back.

use gst::glib;
use gst::prelude::*;
use serde_json::{Map, Value, json};

use crate::Result;

/// Properties, spelt as the element does. Of the first ones only a model or a frame shows whether they can be.
const SETTINGS: &[&str] =
    &["method", "target-layer", "target-class", "roi", "alpha", "colormap", "output-mode", "threshold"];
/// How many of them are so.
const TRIED: usize = 4;

/// A setting that was understood.
pub type Setting = (&'static str, glib::Value);

/// What is set now.
pub fn to_json(painter: &gst::Element) -> Value {
    SETTINGS.iter().map(|&name| (name.to_string(), value_to_json(&painter.property_value(name)))).collect()
}

/// The values that settings may have, where they are words of a list.
pub fn options(painter: &gst::Element) -> Value {
    let words = |name: &&str| {
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
    let name = *SETTINGS
        .iter()
        .find(|known| **known == name)
        .ok_or_else(|| format!("{name:?} is no setting; there are {}", SETTINGS.join(", ")))?;
    let pspec = painter.find_property(name).ok_or_else(|| format!("this element gradcam has no {name}"))?;
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => return Err(format!("{name}={other} is neither text nor a number")),
    };
    read(&pspec, &text).map(|value| (name, value)).ok_or_else(|| no_value(name, &text, &pspec))
}

/// A property's value as its text says, if it may be.
pub fn read(pspec: &glib::ParamSpec, text: &str) -> Option<glib::Value> {
    if pspec.value_type() == String::static_type() {
        return Some((!text.is_empty()).then_some(text).to_value());
    }
    glib::Value::deserialize_with_pspec(text, pspec).ok().filter(|value| is_within(pspec, value))
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
    } else {
        pspec.value_type().name().to_string()
    };
    format!("{name}={text} cannot be; it may be {can}")
}

/// Whether one of them must be tried before it is believed.
pub fn are_tried(settings: &[Setting]) -> bool {
    settings.iter().any(|(name, _)| SETTINGS[..TRIED].contains(name))
}

/// Whether a WARNING is an error in what was set: not a remark, which has no error inside, and not a run of the model that failed.
pub fn is_refusal(warning: &gst::message::Warning) -> bool {
    let has_error_inside = warning.debug().is_some_and(|debug| debug.contains('\n'));
    has_error_inside && !warning.error().is::<gst::StreamError>()
}

fn value_to_json(value: &glib::Value) -> Value {
    if let Ok(number) = value.get::<f64>() {
        json!(number)
    } else if let Ok(text) = value.get::<Option<String>>() {
        json!(text.unwrap_or_default())
    } else {
        json!(glib::EnumValue::from_value(value).map(|(_, word)| word.nick().to_string()))
    }
}
