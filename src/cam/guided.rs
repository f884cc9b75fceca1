//! Guided backpropagation to the model's input, as one value a pixel.

use crate::autodiff::{self, Flow};
use crate::error::{Error, Result};
use crate::onnx::{Emit, Graph, Val};

/// max over colour channels of |R|, [N, 1, H, W], where R is the guided gradient of `score` with respect to `input` (the largest
/// magnitude stands for a pixel, as in Simonyan et al. 2014, section 3).
///
/// # Errors
/// As [`autodiff::gradients`]; [`Error::ModelUnusable`] where the input is no picture of 1 or 3 channels.
pub(super) fn saliency<'g>(
    emit: &'g Emit<'g>,
    graph: &Graph<'g>,
    score: &str,
    seed: Val<'g>,
    input: &str,
) -> Result<Val<'g>> {
    let shape = emit.facts().shape(input).unwrap_or_default().to_vec();
    let axis = match shape[..] {
        [_, 1 | 3, _, _] => 1,
        [_, _, _, 1 | 3] => 3,
        _ => {
            let why = format!("its input {input:?} of shape {shape:?} is no picture; guided-gradcam needs one");
            return Err(Error::ModelUnusable { why });
        }
    };
    let g = autodiff::gradients(emit, graph, score, seed, &[input], Flow::Guided)?[0].expand(&shape).unary("Abs");
    let g = if axis == 3 { g.transpose(&[0, 3, 1, 2]) } else { g };
    let channels: Vec<Val> = (0..shape[axis]).map(|c| g.slice(&[(1, c, c + 1, 1)])).collect();
    Ok(if channels.len() == 1 { g } else { emit.node("Max", &channels, &[], &channels[0].shape()) })
}
