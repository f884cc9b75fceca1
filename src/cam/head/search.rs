//! Which output is explained, as what kind; and what a refusal says: each output, with what it could be.

use super::end::End;
use super::view::View;
use super::{Candidate, Doubt, Head, Not, READERS, ScoreKind};
use crate::error::{Error, Result};

/// What one output could be.
struct Output {
    name: String,
    candidates: Vec<Candidate>,
    /// Why it is of no kind asked for, a sentence's end.
    why: String,
}

/// The only candidate that nothing speaks against; else the only one that a warning can accompany; what is asked for needs no
/// proof.
pub(super) fn find(view: &View, asked: Option<&str>, kind: ScoreKind) -> Result<Head> {
    let all = view.model.outputs();
    if let Some(name) = asked.filter(|name| !all.iter().any(|o| o.name == *name)) {
        let list: Vec<String> = all.iter().map(|o| described(view, &o.name)).collect();
        let why = format!("the model has no such output; its outputs are {}", list.join(", "));
        return Err(Error::Setting { name: "score-output", value: name.into(), why });
    }
    let wanted = all.iter().map(|o| o.name.as_str()).filter(|name| asked.is_none_or(|asked| asked == *name));
    let mut outputs: Vec<Output> = wanted.map(|name| read(view, name, kind)).collect();
    let grades: [fn(&Doubt) -> bool; 3] =
        [|d| matches!(d, Doubt::None), |d| matches!(d, Doubt::Warn(_)), |d| matches!(d, Doubt::Open)];
    for (grade, fits) in grades.iter().enumerate() {
        // nothing shows what it is, and nobody has said so
        if grade == 2 && kind == ScoreKind::Auto {
            break;
        }
        let mut found: Vec<Candidate> = Vec::new();
        for output in &mut outputs {
            for candidate in output.candidates.extract_if(.., |candidate| fits(&candidate.doubt)) {
                // an ArgMax beside its scores, a softmax beside its logits
                let known = found.iter().any(|other| {
                    (&other.head.logits, other.head.kind()) == (&candidate.head.logits, candidate.head.kind())
                });
                if !known {
                    found.push(candidate);
                }
            }
        }
        if found.len() > 1 {
            return Err(several(view, &found, asked, kind));
        }
        if let Some(Candidate { mut head, doubt }) = found.pop() {
            if let (Doubt::Warn(warning), ScoreKind::Auto) = (doubt, kind) {
                head.warnings.push(warning);
            }
            head.warnings.extend(rivals(view, &outputs, &head, kind));
            return Ok(head);
        }
    }
    Err(none(view, &outputs, asked, kind))
}

fn read(view: &View, name: &str, kind: ScoreKind) -> Output {
    let end = match End::of(view, name) {
        Ok(end) => end,
        Err(why) => return Output { name: name.into(), candidates: Vec::new(), why },
    };
    let of = if end.scores == name { String::new() } else { format!("its scores {:?} of ", end.scores) };
    let why = format!("{of}shape {:?} can be none", end.shape);
    let mut output = Output { name: name.into(), candidates: Vec::new(), why };
    for (_, _, reader) in READERS.iter().filter(|(of, ..)| kind == ScoreKind::Auto || *of == kind) {
        match reader(view, &end) {
            Ok(candidate) => output.candidates.push(candidate),
            Err(Not::Broken(why)) => output.why = why,
            Err(Not::Shape) => {}
        }
    }
    output
}

/// `"logits" (float32 [1, 1000])`
fn described(view: &View, name: &str) -> String {
    let shape = view.facts.get(name).map_or("not a tensor".into(), |f| format!("{} {:?}", f.dtype.name(), f.shape));
    format!("{name:?} ({shape})")
}

/// Outputs that a warning speaks of, beside the one that was taken.
fn rivals(view: &View, outputs: &[Output], head: &Head, kind: ScoreKind) -> Option<String> {
    let open = |output: &&Output| {
        let warned = output.candidates.iter().any(|candidate| matches!(candidate.doubt, Doubt::Warn(_)));
        kind == ScoreKind::Auto && output.name != head.output && warned
    };
    let named: Vec<String> = outputs.iter().filter(open).map(|output| described(view, &output.name)).collect();
    (!named.is_empty()).then(|| {
        format!(
            "the output {:?} is explained as {}; {} could be too, by score-output",
            head.output,
            head.kind().name(),
            named.join(", ")
        )
    })
}

fn several(view: &View, found: &[Candidate], asked: Option<&str>, kind: ScoreKind) -> Error {
    let list: Vec<String> = (found.iter())
        .map(|Candidate { head, .. }| format!("{} as {}", described(view, &head.output), head.kind().name()))
        .collect();
    let outputs = found.iter().any(|candidate| candidate.head.output != found[0].head.output);
    let say = if outputs { "name one in score-output" } else { "say which in score-kind" };
    refusal(asked, kind, format!("several outputs look like class scores: {}; {say}", list.join(", ")))
}

fn none(view: &View, outputs: &[Output], asked: Option<&str>, kind: ScoreKind) -> Error {
    let open = outputs.iter().any(|output| !output.candidates.is_empty());
    let list: Vec<String> = (outputs.iter())
        .map(|output| {
            let kinds: Vec<&str> = output.candidates.iter().map(|candidate| candidate.head.kind().name()).collect();
            let why = if kinds.is_empty() { output.why.clone() } else { format!("could be {}", kinds.join(" or ")) };
            format!("{}: {why}", described(view, &output.name))
        })
        .collect();
    let wanted = match kind {
        ScoreKind::Auto => "class scores ([N, classes] in float32, or those of a segmentation or detection)".into(),
        kind => format!("{} scores", kind.name()),
    };
    let say =
        if open { "; say what it is in score-kind, and which in score-output where there are several" } else { "" };
    let which = if outputs.len() == 1 { "its output does not show" } else { "no output shows" };
    refusal(asked, kind, format!("{which} {wanted}: {}{say}", list.join("; ")))
}

/// The setting that was asked for and cannot be, or the model.
fn refusal(asked: Option<&str>, kind: ScoreKind, why: String) -> Error {
    match (asked, kind) {
        (Some(output), _) => Error::Setting { name: "score-output", value: output.into(), why },
        (None, ScoreKind::Auto) => Error::ModelUnusable { why },
        (None, kind) => Error::Setting { name: "score-kind", value: kind.name().into(), why },
    }
}
