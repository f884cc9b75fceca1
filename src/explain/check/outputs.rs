//! The model's own outputs: unchanged by what was written beside them, and of each picture what they are without others.

use ndarray::{ArrayD, Axis};

use crate::error::{Error, Result};
use crate::explain::{Explainer, ModelInfo};
use crate::onnx::DType;

/// Largest relative change of the model's own outputs. They are equal to the bit unless the backward pass keeps the runtime
/// from fusing the same operators; then they are rounded in other places.
const OUTPUTS: f32 = 1e-4;
/// The same of float16, whose numbers lie 1e-3 apart.
const HALF_OUTPUTS: f32 = 1e-2;
/// The same of quantised networks: a few steps of a score, of which there are some hundred.
const QUANTISED_OUTPUTS: f32 = 0.1;
/// A model's outputs, by name.
pub(super) type Outputs = Vec<(String, ArrayD<f32>)>;

/// The largest change of an output, and the explained model's outputs.
pub(super) fn unchanged(explainer: &mut Explainer, input: &ArrayD<f32>) -> Result<(f32, Outputs)> {
    let original = explainer.original_outputs(input.view())?;
    let explained = explainer.explained_outputs(input.view())?;
    let mut worst = 0.0f32;
    for ((name, a), (_, b)) in original.iter().zip(&explained) {
        let relative = change(a.iter(), b.iter());
        if relative > allowed(&explainer.info) || a.shape() != b.shape() {
            let why = format!("the output {name:?} changed by {relative:.1e} of its largest value");
            return Err(Error::SelfCheck { why });
        }
        worst = worst.max(relative);
    }
    Ok((worst, explained))
}

/// Each picture's part of the outputs `made` of a batch, against the original's outputs on the picture alone. They are equal to the
/// bit unless the runtime takes other kernels for several pictures, whose sums are rounded in another order.
pub(super) fn apart(explainer: &Explainer, input: &ArrayD<f32>, made: &Outputs) -> Result<f32> {
    let mut engine = explainer.sessions.open(explainer.single())?;
    let mut worst = 0.0f32;
    for (n, picture) in input.axis_iter(Axis(0)).enumerate() {
        let alone = explainer.plain_outputs(&mut engine, picture.insert_axis(Axis(0)))?;
        for ((name, own), (_, all)) in alone.iter().zip(made) {
            // what is not there once a picture is no picture's
            if all.len() != own.len() * explainer.batch_size() {
                continue;
            }
            let off = change(own.iter(), all.iter().skip(n * own.len()));
            if off > allowed(&explainer.info) {
                let why = format!(
                    "the output {name:?} of a picture changes by {off:.1e} of its largest value when others are with it: an operator \
                     mixes pictures, and batch-size={} cannot be used",
                    explainer.batch_size()
                );
                return Err(Error::SelfCheck { why });
            }
            worst = worst.max(off);
        }
    }
    Ok(worst)
}

/// How far an output may be off, as a part of its largest value.
fn allowed(info: &ModelInfo) -> f32 {
    match (info.format.quantised, info.format.computed) {
        (Some(_), _) => QUANTISED_OUTPUTS,
        (None, DType::F32) => OUTPUTS,
        _ => HALF_OUTPUTS,
    }
}

/// The largest difference between values, as a part of the largest. A NaN on both sides is the model's own affair and is met again,
/// by name, when frames are explained.
fn change<'a>(a: impl Iterator<Item = &'a f32> + Clone, b: impl Iterator<Item = &'a f32>) -> f32 {
    let scale = a.clone().fold(0.0f32, |m, x| m.max(x.abs()));
    let differ = a.zip(b).filter(|(x, y)| x.to_bits() != y.to_bits());
    let change = differ.fold(0.0f32, |m, (x, y)| m.max((x - y).abs()));
    if change > 0.0 { change / scale.max(f32::MIN_POSITIVE) } else { 0.0 }
}
