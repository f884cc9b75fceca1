//! How much memory a model may ask for: added up from the runtime's own shapes, and refused, before it computes anything.

use super::probe::Picture;
use crate::engine::Info;
use crate::error::{Error, Result};
use crate::onnx::{DType, Graph, Model};

/// Bytes that any model may ask for.
const FREE: u64 = 1 << 30;
/// All tensors of a network together, in pictures: large ones of the usual families stay below a thousand.
const PICTURES: u64 = 4096;
/// The same in weights, which some files keep in a short form and spread out at run time.
const WEIGHTS: u64 = 8;

/// Refuses a model whose tensors, as the runtime infers their shapes, together take more than a picture of this size and the
/// model's weights account for. Shapes that show only at run time are not counted.
///
/// # Errors
/// [`Error::ModelUnusable`] with the node of the largest tensor.
pub(super) fn enough(model: &Model, graph: &Graph, picture: &Picture, tensors: &[Info]) -> Result<()> {
    let weights = model.initializers().map(|(_, fact)| bytes(fact.dtype, fact.shape.iter().map(|&d| d as i64)));
    let weights = weights.fold(0, u64::saturating_add);
    let pixels = bytes(DType::F32, picture.shape.iter().map(|&d| d as i64));
    let most = FREE.saturating_add(pixels.saturating_mul(PICTURES)).saturating_add(weights.saturating_mul(WEIGHTS));
    let sizes = tensors.iter().map(|t| (bytes(DType::named(&t.kind), t.shape.iter().copied()), t));
    let total = sizes.clone().map(|(size, _)| size).fold(0, u64::saturating_add);
    if total <= most {
        return Ok(());
    }
    // the first of equals: who only passes it on comes behind
    let Some((size, largest)) = sizes.rev().max_by_key(|(size, _)| *size) else { return Ok(()) };
    let node = graph.maker_node(&largest.name).map_or_else(String::new, |n| format!("{} node {:?}", n.op(), n.name()));
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let (width, height) = picture.size;
    Err(Error::ModelUnusable {
        why: format!(
            "for one picture of {width}x{height} its tensors take {}, and {} are allowed; the largest, of shape {:?} and {}, is made \
             by the {node}; export it again without that, or for smaller pictures",
            gigabytes(total),
            gigabytes(most),
            largest.shape,
            gigabytes(size)
        ),
    })
}

/// What a tensor takes; none where its type or an axis is not known.
fn bytes(dtype: DType, mut shape: impl Iterator<Item = i64>) -> u64 {
    let size = dtype.size() as u64;
    shape.try_fold(size, |n, d| Some(n.saturating_mul(u64::try_from(d).ok()?))).unwrap_or(0)
}
