//! Recipro-CAM: what score each place of a layer gives by itself, by running the head on copies of its activations.

use super::batch;
use super::head::Head;
use super::layer::Layer;
use crate::error::{Error, Result};
use crate::onnx::{DType, Emit, Graph, Val};

/// Elements of all copies together; more is a slip, or asks for a deeper layer.
const LARGEST: usize = 1 << 27;

/// The map's cells, and the proof that the copies do not mix.
pub(super) struct Seen<'g> {
    /// [N, 1, h, w] before its ReLU.
    pub map: Val<'g>,
    /// The logits of the activations as they are, from the batch: the model's own, if each copy is by itself.
    pub whole: Val<'g>,
}

/// y(A in cell i, j alone) - y(0): the class's score where every other place of the layer is zero, less the score where all of
/// them are (after Byun and Lee 2022, "Recipro-CAM", section 3, whose map is the score itself, scaled between its extremes).
/// What belongs to no place (class tokens) stays. Behind global average pooling and a linear layer this is Grad-CAM.
///
/// `seed` is the gradient of the score with respect to the logits, for each class to explain; it weighs the logits of every copy.
///
/// # Errors
/// [`Error::ModelUnusable`] where the head takes one picture only, or the copies are too large.
pub(super) fn recipro<'g>(
    emit: &'g Emit<'g>,
    graph: &Graph<'g>,
    head: &Head,
    layer: &Layer,
    seed: Val<'g>,
) -> Result<Seen<'g>> {
    let refuse = |why: String| Error::ModelUnusable {
        why: format!("method=recipro at target-layer {:?}: {why}; use another method or layer", layer.tensor),
    };
    let [n, _, h, w] = layer.grid.shape(&layer.shape);
    if head.pictures != 1 {
        let why = "method=recipro explains one picture at a time, since it runs the head on copies of it; leave batch-size at 1, or use \
                   another method";
        return Err(Error::Setting { name: "batch-size", value: head.pictures.to_string(), why: why.into() });
    }
    if n != 1 || layer.shape.first() != Some(&1) {
        return Err(refuse(format!("its shape {:?} has no axis 0 for copies", layer.shape)));
    }
    if head.shape.first() != Some(&1) {
        return Err(refuse(format!("its scores of shape {:?} have no axis 0 for copies", head.shape)));
    }
    // nothing, each cell, everything
    let copies = h * w + 2;
    let scores = head.shape.iter().product::<usize>();
    for (size, shape) in [(layer.shape.iter().product::<usize>(), &layer.shape), (scores, &head.shape)] {
        if size.saturating_mul(copies) > LARGEST {
            return Err(refuse(format!("{copies} copies of {shape:?} are too much to run at once")));
        }
    }
    let (mask, cells) = layer.grid.cells(&layer.shape);
    let shape = [&[copies], &mask[1..]].concat();
    let kept = |copy: usize, cell: &Option<usize>| copy == copies - 1 || cell.is_none_or(|cell| cell + 1 == copy);
    let masks = (0..copies).flat_map(|copy| cells.iter().map(move |cell| f32::from(u8::from(kept(copy, cell)))));
    let masks = emit.floats(&shape, masks.collect());
    let masked = emit.tensor(&layer.tensor) * masks;
    let own = emit.facts().get(&layer.tensor).map_or(DType::F32, |fact| fact.dtype);
    let masked = if own == DType::F32 { masked } else { masked.cast(own.0) };
    let logits = batch::copies(emit, graph, &layer.tensor, masked, &head.logits).map_err(refuse)?;
    let made = emit.facts().get(&head.logits).map_or(DType::F32, |fact| fact.dtype);
    let logits = if made == DType::F32 { logits } else { logits.cast(DType::F32.0) };
    let logits = logits.reshape(&[copies, scores]);
    let each = seed.reshape(&[1, scores]).matmul(logits.transpose(&[1, 0]));
    let nothing = each.slice(&[(1, 0, 1, 1)]);
    let map = (each.slice(&[(1, 1, copies - 1, 1)]) - nothing).reshape(&[1, 1, h, w]);
    Ok(Seen { map, whole: logits.slice(&[(0, copies - 1, copies, 1)]) })
}
