//! The folder: its pictures, and what is said of them in a JSON file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Progress;
use crate::Result;

/// Names under which the annotations are looked for.
const NAMES: [&str; 2] = ["images.json", "annotations.json"];
const KINDS: [&str; 3] = ["png", "jpg", "jpeg"];

/// A picture, and the objects in it.
#[derive(Debug, Clone)]
pub struct Picture {
    /// As it was named: relative to the folder, or as the annotations have it.
    pub name: String,
    pub path: PathBuf,
    pub objects: Vec<Object>,
}

/// An object in a picture.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its class; where none is said, it is an object of whatever class is explained.
    pub class: Option<Class>,
    pub outline: Outline,
}

/// A class as it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Class {
    Index(usize),
    Name(String),
}

/// Where an object is, as it is written.
#[derive(Debug, Clone)]
pub enum Outline {
    /// Left, top, right, bottom, as fractions of width and height.
    Box([f64; 4]),
    /// A picture that is bright on the object.
    Mask(PathBuf),
}

/// The pictures that the annotations list, then all others that lie in the folder itself; masks are none.
pub fn gather(folder: &Path, annotations: Option<&Path>, progress: &mut Progress) -> Result<Vec<Picture>> {
    let beside = || NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    let entries = std::fs::read_dir(folder).map_err(|error| format!("cannot read the folder {folder:?}: {error}"))?;
    let mut pictures = match annotations.map(Path::to_path_buf) {
        Some(named) => read(&named, progress)?,
        // a file that nobody named may be about something else
        None => beside().map_or(Vec::new(), |path| {
            read(&path, progress).unwrap_or_else(|crate::Failure(why)| {
                progress.note(why);
                Vec::new()
            })
        }),
    };
    let masks = pictures.iter().flat_map(|picture| &picture.objects).filter_map(|object| match &object.outline {
        Outline::Mask(path) => Some(path),
        Outline::Box(_) => None,
    });
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let known: HashSet<PathBuf> = pictures.iter().map(|picture| &picture.path).chain(masks).map(|p| real(p)).collect();
    let mut others: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let is_picture = |path: &Path| {
        path.extension().is_some_and(|kind| KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known)))
            && path.is_file()
    };
    others.retain(|path| is_picture(path) && !known.contains(&real(path)));
    others.sort();
    pictures.extend(others.into_iter().map(|path| Picture {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        path,
        objects: Vec::new(),
    }));
    if pictures.is_empty() {
        return Err(format!(
            "there is no picture in {folder:?}: put PNG or JPEG files into the folder itself, or list them in {}",
            NAMES[0]
        )
        .into());
    }
    Ok(pictures)
}

/// The pictures of an annotation file; its paths are relative to itself.
fn read(path: &Path, progress: &mut Progress) -> Result<Vec<Picture>> {
    const FORM: &str = r#"[{"file": "a.png", "objects": [{"class": 281, "box": [0.1, 0.2, 0.9, 0.8]}]}]"#;
    let wrong =
        |why: &dyn std::fmt::Display| format!("cannot read the annotations {path:?}: {why}; they look so: {FORM}");
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let list = json.as_array().ok_or_else(|| wrong(&"a list of pictures is needed"))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut seen = HashSet::new();
    let mut pictures = Vec::new();
    for (at, entry) in list.iter().enumerate() {
        let Some(name) = entry["file"].as_str() else {
            progress.note(format!("entry {at} of {path:?} is left out: it has no \"file\""));
            continue;
        };
        if !seen.insert(name) {
            progress.note(format!("{name:?} stands in {path:?} twice: the second entry is left out"));
            continue;
        }
        let mut objects = Vec::new();
        for (at, value) in entry["objects"].as_array().into_iter().flatten().enumerate() {
            match object(value, folder) {
                Ok(object) => objects.push(object),
                Err(why) => progress.note(format!("object {at} of {name:?} is left out: {why}")),
            }
        }
        pictures.push(Picture { name: name.into(), path: folder.join(name), objects });
    }
    Ok(pictures)
}

fn object(value: &Value, folder: &Path) -> Result<Object, String> {
    let class = match &value["class"] {
        Value::Null => None,
        Value::String(name) => Some(Class::Name(name.clone())),
        number => {
            let index = number.as_u64().and_then(|index| usize::try_from(index).ok());
            Some(Class::Index(index.ok_or_else(|| format!("its class {number} is neither an index nor a name"))?))
        }
    };
    let outline = match (&value["box"], &value["mask"]) {
        (Value::Null, Value::String(mask)) => Outline::Mask(folder.join(mask)),
        (Value::Null, _) => return Err("it has neither a \"box\" nor a \"mask\"".into()),
        (corners, _) => {
            let numbers: Vec<f64> = corners.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
            let inside = numbers.iter().all(|number| (0.0..=1.0).contains(number));
            match numbers[..] {
                [left, top, right, bottom] if inside && left < right && top < bottom => {
                    Outline::Box([left, top, right, bottom])
                }
                _ => {
                    return Err(format!(
                        "its box {corners} is not [left, top, right, bottom] in fractions of width and height, 0 to 1"
                    ));
                }
            }
        }
    };
    Ok(Object { class, outline })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_have_a_class_and_a_box_or_a_mask() {
        let read = |value: Value| object(&value, Path::new("there"));
        let seen = read(json!({"class": 3, "box": [0, 0.5, 1, 1]})).expect("an object");
        assert_eq!(seen.class, Some(Class::Index(3)));
        assert!(matches!(seen.outline, Outline::Box([0.0, 0.5, 1.0, 1.0])));
        let seen = read(json!({"class": "tabby", "mask": "m.png"})).expect("an object");
        assert_eq!(seen.class, Some(Class::Name("tabby".into())));
        assert!(matches!(seen.outline, Outline::Mask(path) if path == Path::new("there/m.png")));
        assert_eq!(read(json!({"box": [0, 0, 1, 1]})).expect("an object").class, None);
        for wrong in [
            json!({"class": 3}),
            json!({"class": 3.5, "box": [0, 0, 1, 1]}),
            json!({"class": -1, "box": [0, 0, 1, 1]}),
            json!({"box": [0, 0, 1]}),
            json!({"box": [10, 10, 60, 80]}),
            json!({"box": [0.5, 0, 0.5, 1]}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
