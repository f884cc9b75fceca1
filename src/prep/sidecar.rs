//! `<model>.modelinfo`, the key file that GStreamer's inference elements keep beside a model.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What a sidecar says about the model's input.
#[derive(Debug)]
pub(super) struct Sidecar {
    /// The file.
    pub(super) path: PathBuf,
    /// Keys of the section `[modelinfo]` and of the first section with `dir=input`, which wins.
    pub(super) keys: BTreeMap<String, String>,
}

impl Sidecar {
    /// Reads `model.onnx.modelinfo`, else `model.modelinfo`; `None` if neither is there.
    pub(super) fn beside(model: &Path) -> Result<Option<Self>> {
        let mut appended = model.as_os_str().to_owned();
        appended.push(".modelinfo");
        for path in [PathBuf::from(appended), model.with_extension("modelinfo")] {
            match std::fs::read_to_string(&path) {
                Ok(text) => return Self::parse(path, &text).map(Some),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => {
                    let why = format!("{e}; make it a readable text file, or take it away");
                    return Err(Error::ModelUnreadable { path, why });
                }
            }
        }
        Ok(None)
    }

    fn parse(path: PathBuf, text: &str) -> Result<Self> {
        let mut sections = vec![("modelinfo", BTreeMap::new())];
        for (i, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
            } else if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                sections.push((title, BTreeMap::new()));
            } else if let (Some((key, value)), Some((_, keys))) = (line.split_once('='), sections.last_mut()) {
                keys.insert(key.trim().to_owned(), value.trim().to_owned());
            } else {
                let why = format!("line {} of {path:?} is neither [section] nor key=value; correct it", i + 1);
                return Err(Error::ModelUnusable { why });
            }
        }
        let is_input = |keys: &BTreeMap<String, String>| keys.get("dir").is_some_and(|dir| dir == "input");
        let mut merged = BTreeMap::new();
        for (_, keys) in sections.iter().filter(|(title, keys)| *title == "modelinfo" && !is_input(keys)) {
            merged.extend(keys.clone());
        }
        if let Some((_, keys)) = sections.iter().find(|(_, keys)| is_input(keys)) {
            merged.extend(keys.clone());
        }
        Ok(Self { path, keys: merged })
    }
}
