//! The check of methods that run copies of the head: that each copy is computed by itself.

use ndarray::{Array1, ArrayD};

use super::Explainer;
use super::check::exact;
use crate::cam::{self, Request};
use crate::engine::{Input, Output};
use crate::error::{Error, Result};
use crate::onnx::Facts;

/// Largest difference, as a part of the largest logit: other sums of the same numbers, batched.
const NEAR: f32 = 1e-3;

/// Among all copies there is one of the layer as it is: its logits must be the model's own.
///
/// # Errors
/// [`Error::SelfCheck`] with the figure.
pub(super) fn check(explainer: &Explainer, facts: &Facts, request: &Request, input: &ArrayD<f32>) -> Result<f32> {
    let info = &explainer.info;
    let with_copy = Request { with_gradient: true, target_layer: Some(&info.layer), ..*request };
    let lowered = cam::lower(&explainer.original, facts, &info.input, &with_copy)?;
    let mut model = lowered.model;
    let names = [lowered.names.gradient.as_str(), &info.score];
    model.keep_outputs(&names);
    exact(&mut model, facts, info)?;
    let best = Array1::from_elem(1, -1i64);
    let inputs = [
        (info.input.as_str(), Input::F32(input.view())),
        (lowered.names.target.as_str(), Input::I64(best.view().into_dyn())),
    ];
    let outputs = explainer.sessions.open(&model)?.run(&inputs, &names)?;
    let [Output::F32(copy), Output::F32(own)] = &outputs[..] else {
        return Err(Error::SelfCheck { why: "the check's own outputs have unexpected types".into() });
    };
    let largest = own.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let off = copy.iter().zip(own).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / largest.max(f32::MIN_POSITIVE);
    if off > NEAR {
        let why = format!(
            "one of several copies of {:?} gives a score that is off by {off:.1e} of the largest: an operator behind the layer \
             mixes pictures, and method={} cannot be used",
            info.layer,
            info.method.name()
        );
        return Err(Error::SelfCheck { why });
    }
    Ok(off)
}
