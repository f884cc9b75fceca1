//! A sidecar's first line: what was recorded, with which model and which settings.

use serde_json::{Map, Value};

/// The form of the lines that this version writes, and the highest that it reads.
const FORM: u64 = 1;

/// What a sidecar says before its frames.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Header {
    /// The version of gradcam that wrote it.
    pub version: String,
    /// The model's file.
    pub model: String,
    /// The SHA-256 sum of that file, hexadecimal; `None` where it could not be read.
    pub model_sha256: Option<String>,
    /// The method, as the property is spelt; "" where the model was not open yet.
    pub method: String,
    /// The tensor that is explained, or a comma list; "" where the model was not open yet.
    pub layer: String,
    /// Whether maps have either sign.
    pub signed: bool,
    /// How it was painted: the element's properties and their values.
    pub settings: Map<String, Value>,
    /// Size of the frames, (width, height).
    pub size: (usize, usize),
    /// The frames' caps, as GStreamer writes them.
    pub caps: String,
}

impl Header {
    /// As a JSON object.
    pub fn to_json(&self) -> Map<String, Value> {
        let fields: [(&str, Value); 11] = [
            ("sidecar", FORM.into()),
            ("version", self.version.as_str().into()),
            ("model", self.model.as_str().into()),
            ("model-sha256", self.model_sha256.as_deref().into()),
            ("method", self.method.as_str().into()),
            ("layer", self.layer.as_str().into()),
            ("signed", self.signed.into()),
            ("settings", self.settings.clone().into()),
            ("width", self.size.0.into()),
            ("height", self.size.1.into()),
            ("caps", self.caps.as_str().into()),
        ];
        fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }

    /// What is wrong with it, and what to do, where it is none.
    pub fn from_json(object: &Map<String, Value>) -> Result<Header, String> {
        let none = || "its first line is no header of a sidecar; name a file that was written by --sidecar".to_string();
        let text = |name: &str| object.get(name)?.as_str().map(String::from);
        let side = |name: &str| object.get(name)?.as_u64().and_then(|side| usize::try_from(side).ok());
        let form = object.get("sidecar").and_then(Value::as_u64).ok_or_else(none)?;
        if form > FORM {
            return Err(format!("it is of form {form}, and this gradcam reads up to {FORM}; use a newer one"));
        }
        let header = || {
            Some(Header {
                version: text("version")?,
                model: text("model")?,
                model_sha256: text("model-sha256"),
                method: text("method")?,
                layer: text("layer")?,
                signed: object.get("signed")?.as_bool()?,
                settings: object.get("settings")?.as_object()?.clone(),
                size: (side("width")?, side("height")?),
                caps: text("caps")?,
            })
        };
        header().ok_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_as_it_was_and_other_objects_are_none() {
        let settings = [("alpha".to_string(), 0.5.into()), ("colormap".into(), "jet".into())];
        let header = Header {
            version: "1.2.3".into(),
            model: "m.onnx".into(),
            model_sha256: Some("ab".into()),
            method: "gradcam".into(),
            layer: "relu".into(),
            signed: true,
            settings: settings.into_iter().collect(),
            size: (640, 480),
            caps: "video/x-raw".into(),
        };
        assert_eq!(Header::from_json(&header.to_json()), Ok(header.clone()));
        let unread = Header { model_sha256: None, ..header.clone() };
        assert_eq!(Header::from_json(&unread.to_json()), Ok(unread));
        assert!(Header::from_json(&Map::new()).unwrap_err().contains("no header"));
        let mut newer = header.to_json();
        newer.insert("sidecar".into(), 2.into());
        assert!(Header::from_json(&newer).unwrap_err().contains("form 2"));
        let mut without = header.to_json();
        without.remove("width");
        assert!(Header::from_json(&without).unwrap_err().contains("no header"));
    }
}
