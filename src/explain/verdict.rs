//! What an inspection comes to, in plain words.

use std::fmt;

use super::check::{MapCheck, SelfCheck};
use super::equality::CamEquality;
use super::info::ModelInfo;
use crate::error::Error;

/// A gradient that is off by more than this is told of; see the limit of the check itself.
const GRADIENT: f64 = 0.05;
/// A cosine below this is no rounding.
const EQUAL: f64 = 0.9999;
/// A map that has fewer cells to a side shows next to nothing.
const CELLS: usize = 3;

/// What is to be said of a model; as text, a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is explained, and nothing speaks against its maps.
    Ready(String),
    /// It is explained, and there is something to know or to do.
    But(String),
    /// It is not explained: why, and what to do.
    Cannot(String),
}

impl Verdict {
    /// The verdict without its reason: "ready", "works, but", "cannot be explained".
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Ready(_) => "ready",
            Verdict::But(_) => "works, but",
            Verdict::Cannot(_) => "cannot be explained",
        }
    }

    /// Its reason.
    pub fn why(&self) -> &str {
        let (Verdict::Ready(why) | Verdict::But(why) | Verdict::Cannot(why)) = self;
        why
    }

    /// Of a model that was not opened.
    pub(super) fn refusal(error: &Error) -> Verdict {
        let text = error.to_string();
        // some errors begin with these very words
        Verdict::Cannot(text.strip_prefix("the model cannot be explained: ").unwrap_or(&text).into())
    }

    /// Of a model that was opened; `cells` are the map's height and width.
    pub(super) fn of(info: &ModelInfo, cells: (usize, usize), equality: Option<&CamEquality>) -> Vec<Verdict> {
        let mut buts = info.warnings.clone();
        if info.spec.assumed {
            buts.push(
                "nothing says what the model wants its pixels to be, and ImageNet's mean and deviation are assumed: set preprocess, \
                 or mean and std, if it was trained with others"
                    .into(),
            );
        }
        if info.labels.is_empty() {
            buts.push("no class names were found, and classes are called by their numbers: give labels-file".into());
        }
        if cells.0.min(cells.1) < CELLS {
            buts.push(format!(
                "a map of {}x{} cells shows next to nothing: name an earlier target-layer",
                cells.0, cells.1
            ));
        }
        buts.extend(check(info.self_check.as_ref(), info.method.uses_gradient()));
        if let Some(CamEquality { cosine, .. }) = equality.filter(|e| e.cosine < EQUAL) {
            buts.push(format!(
                "the maps of cam and gradcam, which are equal for such a head, have a cosine of {cosine:.4}: report it"
            ));
        }
        if buts.is_empty() {
            let (method, layers) = (info.method.name(), info.layers.join(", "));
            return vec![Verdict::Ready(format!(
                "{method} at {layers:?}, a map of {}x{} cells a frame",
                cells.0, cells.1
            ))];
        }
        buts.into_iter().map(Verdict::But).collect()
    }
}

/// What the self-check leaves open.
fn check(made: Option<&SelfCheck>, needed: bool) -> Vec<String> {
    let Some(made) = made else { return vec!["nothing was checked: leave self-check on".into()] };
    let mut open = Vec::new();
    if made.outputs > 1e-5 {
        open.push(format!("its own outputs change by {:.1e} of the largest value when it is explained", made.outputs));
    }
    match made.map {
        MapCheck::Gradient(error) if error > GRADIENT => open.push(format!(
            "the gradient is off by {:.0} % of what finite differences show, as happens at layers with many kinks behind them: \
             a deeper target-layer is surer",
            error * 100.0
        )),
        MapCheck::Nothing(why) if needed => open.push(why.into()),
        _ => {}
    }
    open
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if matches!(self, Verdict::But(_)) { "" } else { ":" };
        write!(f, "{}{colon} {}", self.name(), self.why())
    }
}
