//! A map on the pixels of the model's input: enlarged, ranked, its peak.

use ndarray::Array2;

/// A map between the centres of its cells, as it is painted: bilinear, summed in torch's order, so that what is equally hot there
/// is so here, but for torch's fused products.
pub fn enlarge(map: &Array2<f32>, (width, height): (usize, usize)) -> Vec<f32> {
    let (rows, columns) = map.dim();
    let across: Vec<_> = (0..width).map(|x| neighbours(x, width, columns)).collect();
    let mut values = Vec::with_capacity(width * height);
    for y in 0..height {
        let (top, bottom, down) = neighbours(y, height, rows);
        let (below, above) = (down, 1.0 - down);
        for &(left, right, along) in &across {
            let (after, before) = (along, 1.0 - along);
            values.push(
                (above * before) * map[[top, left]]
                    + (above * after) * map[[top, right]]
                    + (below * before) * map[[bottom, left]]
                    + (below * after) * map[[bottom, right]],
            );
        }
    }
    values
}

/// The two cells on whose way a pixel lies, and how far it is from the first to the second.
fn neighbours(pixel: usize, pixels: usize, cells: usize) -> (usize, usize, f32) {
    let scale = cells as f32 / pixels as f32;
    let at = (scale * (pixel as f32 + 0.5) - 0.5).max(0.0);
    let first = (at as usize).min(cells - 1);
    (first, (first + 1).min(cells - 1), (at - first as f32).min(1.0))
}

/// A map scaled to 0..=1 from its coldest to its hottest cell, then enlarged. `None` where all cells are the same: it says nothing.
pub fn scaled(map: &Array2<f32>, size: (usize, usize)) -> Option<Vec<f32>> {
    let coldest = map.iter().copied().fold(f32::INFINITY, f32::min);
    let range = map.iter().map(|value| value - coldest).fold(0.0, f32::max);
    (range > 0.0).then(|| enlarge(&map.mapv(|value| (value - coldest) / range), size))
}

/// For each place how many are hotter, 0 = the hottest; of equal ones the first in reading order counts as hotter.
pub fn ranks(heat: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..heat.len()).collect();
    order.sort_by(|&a, &b| heat[b].total_cmp(&heat[a]));
    let mut ranks = vec![0; heat.len()];
    for (rank, place) in order.into_iter().enumerate() {
        ranks[place] = rank;
    }
    ranks
}

/// The hottest place, the first of several.
pub fn peak(heat: &[f32]) -> usize {
    (0..heat.len()).rev().max_by(|&a, &b| heat[a].total_cmp(&heat[b])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn cells_are_enlarged_between_their_centres() {
        let heat = enlarge(&array![[0.0, 4.0]], (4, 1));
        assert_eq!(heat, [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(enlarge(&array![[1.0, 2.0], [3.0, 4.0]], (2, 2)), [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn a_map_is_scaled_from_coldest_to_hottest_and_a_flat_one_says_nothing() {
        assert_eq!(scaled(&array![[2.0, 4.0, 3.0]], (3, 1)), Some(vec![0.0, 1.0, 0.5]));
        assert_eq!(scaled(&array![[2.0, 2.0]], (2, 1)), None);
    }

    #[test]
    fn the_hottest_comes_first_and_of_equals_the_first() {
        assert_eq!(ranks(&[0.5, 1.0, 0.5, 0.0]), [1, 0, 2, 3]);
        assert_eq!(peak(&[0.0, 2.0, 2.0]), 1);
    }
}
