//! Why a map is zero everywhere.

use super::ModelInfo;
use crate::cam::{Method, ScoreKind};

/// `peak` is the map's largest value before its ReLU; `label` names the class, `score` is its probability.
pub(super) fn reason(info: &ModelInfo, label: &str, score: f32, peak: f32) -> String {
    if info.score_kind == ScoreKind::Segmentation && score == 0.0 && info.method.uses_gradient() {
        return format!("{label} wins no place of the segmentation, so that its score is zero whatever the picture");
    }
    let layer = info.layers.join(", ");
    let (of, this) = if info.layers.len() > 1 { ("the layers", "these layers") } else { ("layer", "this layer") };
    if peak < 0.0 && !info.signed {
        let speaks = if info.method == Method::Counterfactual { "against" } else { "for" };
        return format!(
            "every value is negative before the ReLU: nothing in {this} ({layer:?}) speaks {speaks} {label}"
        );
    }
    let held = if info.versus { " (or it is held against itself)" } else { "" };
    match info.method {
        Method::EigenCam => format!("the activations of {of} {layer:?} are the same everywhere"),
        Method::Cam | Method::Recipro => {
            format!("the activations of {of} {layer:?} are zero where {label} has weight{held}")
        }
        _ => format!("the gradient of {label}, or what it weighs, is zero everywhere in {of} {layer:?}{held}"),
    }
}
