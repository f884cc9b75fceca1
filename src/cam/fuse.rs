//! Maps of several layers made one, and maps brought to another size.

use super::head::Head;
use super::layer::Layer;
use crate::error::Result;
use crate::onnx::{Facts, Graph, Val};

/// The layers that a comma list names, or the one that a text names as it stands; the automatic one where nothing is asked.
///
/// # Errors
/// As [`Layer::find`], for the first name that is no layer.
pub(super) fn layers(
    graph: &Graph,
    facts: &Facts,
    head: &Head,
    asked: Option<&str>,
    usable: &[Layer],
) -> Result<Vec<Layer>> {
    let one = |asked| Layer::find(graph, facts, head, asked, usable);
    match (one(asked), asked) {
        (Ok(layer), _) => Ok(vec![layer]),
        (Err(_), Some(list)) if list.contains(',') => list.split(',').map(|name| one(Some(name.trim()))).collect(),
        (Err(error), _) => Err(error),
    }
}

/// Several maps [N, 1, h, w] as one on a grid of `size` (height, width): from each its least value is taken off, it is scaled to a
/// maximum of 1 and resized, and the mean is taken, as pytorch-grad-cam does (`scale_cam_image`, `aggregate_multi_layers`; it
/// resizes to the picture's size). Signed maps are scaled to a largest magnitude of 1, so that zero stays zero. One map stays as it is.
pub(super) fn fuse<'g>(maps: &[Val<'g>], size: (usize, usize), signed: bool) -> Option<Val<'g>> {
    let (first, rest) = maps.split_first()?;
    if rest.is_empty() {
        return Some(*first);
    }
    let scaled = |map: &Val<'g>| {
        let above = if signed { *map } else { *map + (-*map).max(&[2, 3]) };
        let most = if signed { map.unary("Abs") } else { above };
        resize(above / (most.max(&[2, 3]) + 1e-7), size)
    };
    let sum = rest.iter().fold(scaled(first), |sum, map| sum + scaled(map));
    Some(sum * (1.0 / maps.len() as f32))
}

/// A map [N, 1, h, w] at another size, (height, width): bilinear between cell centres, the outermost values going on to the edge,
/// as ONNX's Resize with half_pixel does. Written as two matrix products, which every runtime and opset has.
pub(super) fn resize(map: Val, size: (usize, usize)) -> Val {
    let [_, _, h, w] = map.shape()[..] else {
        map.emit().fail(format!("a map of shape {:?}", map.shape()));
        return map;
    };
    let emit = map.emit();
    let down = if size.0 == h { map } else { emit.floats(&[size.0, h], shares(h, size.0)).matmul(map) };
    if size.1 == w { down } else { down.matmul(emit.floats(&[size.1, w], shares(w, size.1)).transpose(&[1, 0])) }
}

/// [to, from]: what each of `to` places takes from each of `from`.
fn shares(from: usize, to: usize) -> Vec<f32> {
    let mut shares = vec![0.0; from * to];
    for (i, row) in shares.chunks_exact_mut(from).enumerate() {
        let at = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
        let (low, part) = (at.floor() as usize, at.fract() as f32);
        row[low] += 1.0 - part;
        row[(low + 1).min(from - 1)] += part;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn bilinear_shares_are_those_of_half_pixels() {
        // torch.nn.functional.interpolate(torch.eye(2)[None], size=4, mode="linear")
        assert_eq!(shares(2, 4), [1.0, 0.0, 0.75, 0.25, 0.25, 0.75, 0.0, 1.0]);
        assert_eq!(shares(1, 3), [1.0; 3]);
        assert_eq!(shares(4, 2), [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5]);
    }
}
