//! Class names: where they come from, what they are fitted to, and how `target-class` is read with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cam::Target;
use crate::error::{Error, Result};

mod parse;

pub use parse::from_file;

/// Metadata keys that exporters put class names under, ours first.
const KEYS: [&str; 7] = ["gradcam.labels", "id2label", "names", "labels", "classes", "class_names", "label_names"];

/// Class names and what the user should know of them, a sentence each: the file the user named, else the model's
/// metadata, else a file beside the model. No names at all is no error: the list is then empty. [`fit`] makes them as many as
/// there are classes.
pub fn resolve(
    file: Option<&Path>,
    metadata: &BTreeMap<String, String>,
    model: Option<&Path>,
) -> Result<(Vec<String>, Vec<String>)> {
    let mut warnings = Vec::new();
    let found = match file {
        Some(path) => from_file(path)?,
        None => match from_metadata(metadata) {
            Some(labels) => labels,
            // A file that nobody named must not keep the model from loading.
            None => match model.and_then(beside).map(|path| from_file(&path)) {
                Some(Ok(labels)) => labels,
                Some(Err(error)) => {
                    warnings.push(error.to_string());
                    Vec::new()
                }
                None => Vec::new(),
            },
        },
    };
    Ok((found, warnings))
}

/// Names from a model's metadata: `gradcam.labels` (one a line), Hugging Face's `id2label`, Ultralytics' `names`, ...
pub fn from_metadata(metadata: &BTreeMap<String, String>) -> Option<Vec<String>> {
    KEYS.iter().filter_map(|key| metadata.get(*key)).find_map(|text| {
        let labels = parse::from_text(text).ok()?;
        // One word alone ("labels: imagenet") names a data set, not classes.
        (labels.len() > 1 || text.trim_start().starts_with(['{', '['])).then_some(labels)
    })
}

/// The file of class names that lies beside a model, if one does.
pub fn beside(model: &Path) -> Option<PathBuf> {
    let stem = model.file_stem()?.to_string_lossy();
    [format!("{stem}.labels.txt"), format!("{stem}.txt"), "labels.txt".into()]
        .into_iter()
        .map(|name| model.with_file_name(name))
        .find(|path| path.is_file())
}

/// The name shown for a class that has none.
fn nameless(class: usize) -> String {
    format!("class {class}")
}

/// Names for a model of one score for two classes: a name alone is that of the score, so of class 1.
pub fn fit_binary(labels: Vec<String>) -> (Vec<String>, Option<String>) {
    let [name] = &labels[..] else { return fit(labels, 2) };
    let warning = format!("there is one class name, {name:?}, for the two classes of one score: it is class 1's");
    (vec![format!("not {name}"), name.clone()], Some(warning))
}

/// Exactly `classes` names, or none where there are none: what is missing reads "class 17". The second value is a sentence for the
/// log where the numbers differ. Names move by one only where "background" or ImageNet's first class settles it, and are said to;
/// where one more or less is not explained by that, no name is shown, for every one of them might be off by one.
pub fn fit(mut labels: Vec<String>, classes: usize) -> (Vec<String>, Option<String>) {
    let given = labels.len();
    if given == 0 {
        return (labels, None);
    }
    let first = labels.first().map(|name| name.to_lowercase()).unwrap_or_default();
    let warning = if given == classes {
        None
    } else if given == classes + 1 && first == "background" {
        labels.remove(0);
        Some(format!(
            "there are {given} class names, the first of them \"background\", for a model of {classes} classes: \
             \"background\" was left out and every other name moved down by one"
        ))
    } else if given + 1 == classes && given == 1000 && (first.starts_with("tench") || first.starts_with("n01440764")) {
        labels.insert(0, "background".into());
        Some(format!(
            "there are {given} class names (ImageNet's) for a model of {classes} classes: class 0 was taken for \
             \"background\" and every name moved up by one"
        ))
    } else if given.abs_diff(classes) == 1 {
        labels.clear();
        Some(format!(
            "there are {given} class names for a model of {classes} classes: if one of the two counts a \"background\" class \
             first, every name is off by one, so none is shown; give a labels-file of {classes} names"
        ))
    } else if given < classes {
        Some(format!(
            "there are only {given} class names for a model of {classes} classes; the others are shown as \"{}\" and so on",
            nameless(given)
        ))
    } else {
        Some(format!(
            "there are {given} class names for a model of only {classes} classes; they may belong to another model, give a \
             labels-file of {classes} names"
        ))
    };
    labels.resize(classes, String::new());
    for (class, name) in labels.iter_mut().enumerate().filter(|(_, name)| name.is_empty()) {
        *name = nameless(class);
    }
    (labels, warning)
}

/// The class of a name: as it is written, else in any case, else the first of its comma-separated synonyms, else any of
/// them. `None` when no class has it; an error that lists the classes when several have.
pub fn find(name: &str, labels: &[String]) -> Result<Option<usize>> {
    let lower = name.to_lowercase();
    let first = |label: &str| label.split(',').next().is_some_and(|word| word.trim().to_lowercase() == lower);
    let any = |label: &str| label.split(',').any(|word| word.trim().to_lowercase() == lower);
    let exact = |label: &str| label == name;
    let cased = |label: &str| label.to_lowercase() == lower;
    let steps: [&dyn Fn(&str) -> bool; 4] = [&exact, &cased, &first, &any];
    for step in steps {
        let hits: Vec<usize> = (0..labels.len()).filter(|&class| step(&labels[class])).collect();
        match hits[..] {
            [] => {}
            [class] => return Ok(Some(class)),
            _ => {
                let list: Vec<String> = hits.iter().map(usize::to_string).collect();
                let why = format!("several classes have this name; give one of the indices {}", list.join(", "));
                return Err(Error::Target { asked: name.into(), why });
            }
        }
    }
    Ok(None)
}

/// Reads the property `target-class`: empty = the best class, else a comma list of indices, names, and ranks
/// (-1 = best, -2 = second best, ...). A name may itself hold commas: the longest run of entries that is a name is one.
pub fn parse_targets(text: &str, labels: &[String], classes: usize) -> Result<Vec<Target>> {
    if text.trim().is_empty() {
        return Ok(vec![Target::Rank(0)]);
    }
    let parts: Vec<&str> = text.split(',').collect();
    let mut targets = Vec::new();
    let mut start = 0;
    while start < parts.len() {
        let run = (start + 2..=parts.len()).rev().find_map(|end| {
            let class = find(parts[start..end].join(",").trim(), labels).transpose()?;
            Some(class.map(|class| (Target::Class(class), end)))
        });
        let (target, end) = match run {
            Some(run) => run?,
            None => (parse_target(parts[start].trim(), labels, classes)?, start + 1),
        };
        targets.push(target);
        start = end;
    }
    Ok(targets)
}

fn parse_target(word: &str, labels: &[String], classes: usize) -> Result<Target> {
    let fail = |why: String| Err(Error::Target { asked: word.into(), why });
    let range = Target::range(classes);
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if word.is_empty() {
        return fail(format!("an entry between commas is empty; give {range}, or a class name"));
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let code = word.parse::<i64>().ok();
        let target = code.map(|code| match usize::try_from(code) {
            Ok(class) => Target::Class(class),
            Err(_) => Target::Rank(usize::try_from(-1 - code).unwrap_or(usize::MAX)),
        });
        return match target.filter(|target| target.exists(classes)) {
            Some(target) => Ok(target),
            None => fail(format!("out of range: the model has {classes} classes; give {range}")),
        };
    }
    if let Some(class) = find(word, labels)? {
        return Ok(Target::Class(class));
    }
    if labels.is_empty() {
        return fail(format!("no class names are known; give a labels-file, {range}"));
    }
    let lower = word.to_lowercase();
    let near: Vec<String> = (0..labels.len())
        .filter(|&class| labels[class].to_lowercase().contains(&lower))
        .take(5)
        .map(|class| format!("{:?} ({class})", labels[class]))
        .collect();
    let hint = if near.is_empty() { String::new() } else { format!("; near it: {}", near.join(", ")) };
    fail(format!("no class has this name; give a name from the labels, {range}{hint}"))
}

/// The name of a class: its label, or "class 17" where none is known.
pub fn name(labels: &[String], class: usize) -> String {
    labels.get(class).cloned().unwrap_or_else(|| format!("class {class}"))
}

#[cfg(test)]
mod tests;
