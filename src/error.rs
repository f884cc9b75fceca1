//! The one error type: every variant reads as a sentence that says what was wrong and what to do.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What went wrong, for whom it concerns, and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No model was named, and none is installed.
    #[error("no model to explain: set model=FILE.onnx, or run `make install`, which puts the demo model at {path:?}")]
    NoModel {
        /// Where the demo model would be.
        path: PathBuf,
    },
    /// The model file is not there.
    #[error("the model file {path:?} does not exist; check the path")]
    ModelNotFound {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The model file, or a file that it needs, cannot be read.
    #[error("cannot read {path:?}: {why}")]
    ModelUnreadable {
        /// The file.
        path: PathBuf,
        /// The reason, and what to do.
        why: String,
    },
    /// The bytes are not an ONNX model, or a damaged one.
    #[error("not a usable ONNX file: {why}; export or copy it again")]
    ModelDamaged {
        /// What was found, and where.
        why: String,
    },
    /// A sound ONNX file that cannot be explained as it is.
    #[error("the model cannot be explained: {why}")]
    ModelUnusable {
        /// What is missing or not supported, with names, and what to do.
        why: String,
    },
    /// Operators between the layer and the score have no gradient rule.
    #[error(
        "no gradient rule for {}; choose a deeper target-layer, behind these operators, method=recipro (or auto), which needs no \
         gradient, or method=cam if the network ends in global average pooling and one linear layer",
        list_ops(.ops)
    )]
    Unsupported {
        /// `(operator, node)` of each.
        ops: Vec<(String, String)>,
    },
    /// An operator between the layer and the score has a gradient rule, which does not cover the way it is used.
    #[error("the model cannot be explained: {op} node {node:?} has no gradient rule: {why}")]
    NoRule {
        /// The operator.
        op: String,
        /// The node.
        node: String,
        /// What the rule does not cover, and what to do.
        why: String,
    },
    /// The target layer is missing or cannot be explained.
    #[error("target-layer {asked:?} {why}; usable layers: {}", list(.usable))]
    Layer {
        /// What was asked for, `auto` if nothing was.
        asked: String,
        /// Why it cannot be.
        why: String,
        /// Tensors that would do, deepest first.
        usable: Vec<String>,
    },
    /// The class to explain does not exist.
    #[error("target-class {asked:?}: {why}")]
    Target {
        /// What was asked for.
        asked: String,
        /// Why it cannot be, with the range.
        why: String,
    },
    /// The file of class names cannot be used.
    #[error("labels file {path:?}: {why}")]
    Labels {
        /// The file.
        path: PathBuf,
        /// The reason, and what to do.
        why: String,
    },
    /// An option has a value that cannot be used.
    #[error("{name}={value}: {why}")]
    Setting {
        /// The option, spelt as the element's property.
        name: &'static str,
        /// What was given.
        value: String,
        /// Why it cannot be, and what can.
        why: String,
    },
    /// ONNX Runtime's library could not be loaded.
    #[error(
        "ONNX Runtime could not be loaded ({why}); run `make runtime` or `pip install onnxruntime`, \
         then name its libonnxruntime.so in the property runtime-library or in ORT_DYLIB_PATH"
    )]
    Runtime {
        /// Each path that was tried, with its reason.
        why: String,
    },
    /// The execution provider that was asked for cannot be used, or cannot run the model.
    #[error("execution-provider={name} cannot be used: {why}; {needs}")]
    Provider {
        /// The provider, spelt as the property's value.
        name: &'static str,
        /// Its own words, or the runtime's.
        why: String,
        /// What to do.
        needs: &'static str,
    },
    /// ONNX Runtime refused the model.
    #[error("ONNX Runtime refuses the model: {why}")]
    Session {
        /// The runtime's own words.
        why: String,
    },
    /// A run of the model failed.
    #[error("the model failed on this frame: {why}")]
    Inference {
        /// The runtime's own words, or what was wrong with what came back.
        why: String,
    },
    /// A run gave no numbers.
    #[error(
        "the model failed on this frame: its {what} is not a finite number (NaN or infinity); check the model's weights and preprocess, \
         mean and std"
    )]
    NotFinite {
        /// "map", "score".
        what: &'static str,
    },
    /// The run was stopped from outside (flush, stop).
    #[error("the run was interrupted")]
    Interrupted,
    /// A run took longer than it may.
    #[error(
        "the model was still running after {} s and was stopped; it may hold a loop that never ends, or be too slow for this \
         machine: then set inference-timeout to more seconds (0 = none)",
        limit.as_secs_f64()
    )]
    TimeLimit {
        /// The time that one run may take.
        limit: Duration,
    },
    /// The thread that runs the model died too often.
    #[error(
        "the model's thread died {restarts} times and is not started any more ({why}); set the pipeline to READY and start it again"
    )]
    WorkerLost {
        /// How often it was started anew.
        restarts: u64,
        /// The last reason.
        why: String,
    },
    /// The explained model failed its own check.
    #[error(
        "self-check failed: {why}; choose another target-layer or method, or set self-check to false to look at its maps all the same"
    )]
    SelfCheck {
        /// Figures and the place.
        why: String,
    },
    /// A recording of what was seen cannot be read.
    #[error("the recording {path:?} cannot be used: {why}")]
    Recording {
        /// The sidecar, or its maps.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// A recording cannot be written.
    #[error("cannot write {path:?}: {why}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// There is no room for more of it.
        full: bool,
        /// The reason.
        why: String,
    },
    /// A video frame whose planes do not fit its format and size.
    #[error("bad video frame: {why}")]
    Frame {
        /// What does not fit.
        why: String,
    },
}

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What the system says of a file that cannot be written.
    pub(crate) fn unwritable(path: &Path, error: std::io::Error) -> Error {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let full = matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge);
        Error::Unwritable { path: path.into(), full, why: error.to_string() }
    }

    /// For want of a gradient rule: for which operators.
    pub(crate) fn without_rule(&self) -> Option<String> {
        match self {
            Error::Unsupported { ops } => Some(list_ops(ops)),
            Error::NoRule { op, node, why } => Some(format!("{op} (node {node:?}: {why})")),
            _ => None,
        }
    }
}

/// Names of nodes that are written out of each operator; the error's own list has all.
const NODES: usize = 4;

/// `Conv (nodes "conv1", "conv2"), Einsum (node "attn")`: every operator, with its nodes.
fn list_ops(ops: &[(String, String)]) -> String {
    let mut nodes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    ops.iter().for_each(|(op, node)| nodes.entry(op).or_default().push(node));
    let words: Vec<_> = nodes
        .iter()
        .map(|(op, nodes)| {
            let named: Vec<_> = nodes.iter().take(NODES).map(|node| format!("{node:?}")).collect();
            let more = nodes.len().checked_sub(NODES).filter(|&more| more > 0);
            let more = more.map_or(String::new(), |more| format!(" and {more} more"));
            format!("{op} (node{} {}{more})", if nodes.len() == 1 { "" } else { "s" }, named.join(", "))
        })
        .collect();
    list(&words)
}

fn list(words: &[String]) -> String {
    if words.is_empty() { "none".into() } else { words.join(", ") }
}

/// What a caught panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

/// Gives an enum the names that the element's property, the command line and model metadata use.
macro_rules! names {
    ($type:ident, $option:literal: $($variant:ident = $name:literal),+) => {
        impl $type {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// How it is spelt.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::error::Error;

            fn from_str(name: &str) -> $crate::error::Result<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name).ok_or_else(|| $crate::error::Error::Setting {
                    name: $option,
                    value: name.into(),
                    why: format!("use one of {}", [$($name),+].join(", ")),
                })
            }
        }
    };
}

pub(crate) use names;
