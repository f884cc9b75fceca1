//! Maps that know nothing of the class, which a method has to beat: the centre, chance, the picture's edges.

use ndarray::Array2;

use super::random::Random;
use super::tensor::Shape;

/// A map made without the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// A Gaussian in the middle; its deviation is a quarter of each side.
    Centre,
    /// Noise, of its own for each picture.
    Random,
    /// Sobel's magnitude of the brightness, averaged over each cell.
    Edges,
}

impl Baseline {
    pub const ALL: [Baseline; 3] = [Baseline::Centre, Baseline::Random, Baseline::Edges];

    pub fn name(self) -> &'static str {
        match self {
            Baseline::Centre => "centre",
            Baseline::Random => "random",
            Baseline::Edges => "edges",
        }
    }

    /// Its map of so many rows and columns for an input.
    pub fn map(self, grid: (usize, usize), input: &[f32], shape: Shape, random: &mut Random) -> Array2<f32> {
        match self {
            Baseline::Centre => {
                // the same on both sides, to the bit
                let off = |i: usize, n: usize| (2 * i + 1).abs_diff(n) as f32 / (2 * n) as f32 / 0.25;
                Array2::from_shape_fn(grid, |(y, x)| (-0.5 * (off(y, grid.0).powi(2) + off(x, grid.1).powi(2))).exp())
            }
            Baseline::Random => Array2::from_shape_simple_fn(grid, || random.uniform()),
            Baseline::Edges => edges(grid, &shape.brightness(input), shape),
        }
    }
}

fn edges((rows, columns): (usize, usize), brightness: &[f32], shape: Shape) -> Array2<f32> {
    let (width, height) = (shape.width, shape.height);
    let at = |x: usize, y: usize| brightness[y * width + x];
    let mut sums = Array2::<f32>::zeros((rows, columns));
    let mut counts = Array2::<f32>::zeros((rows, columns));
    for y in 0..height {
        let (above, below) = (y.saturating_sub(1), (y + 1).min(height - 1));
        for x in 0..width {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
            let column = |x: usize| at(x, above) + 2.0 * at(x, y) + at(x, below);
            let row = |y: usize| at(left, y) + 2.0 * at(x, y) + at(right, y);
            let cell = [y * rows / height, x * columns / width];
            sums[cell] += (column(right) - column(left)).hypot(row(below) - row(above));
            counts[cell] += 1.0;
        }
    }
    // a grid finer than the input leaves cells without a pixel
    sums.zip_mut_with(&counts, |sum, &count| *sum /= count.max(1.0));
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { channels: 1, width: 8, height: 8, planar: true };

    #[test]
    fn the_centre_is_hottest_in_the_middle_and_the_same_all_around() {
        let map = Baseline::Centre.map((3, 5), &[], SHAPE, &mut Random::new(0, 0));
        assert_eq!(map[[1, 2]], 1.0);
        assert_eq!((map[[0, 0]], map[[0, 2]]), (map[[2, 4]], map[[2, 2]]));
        assert!((map[[1, 0]] - (-0.5 * 1.6_f32.powi(2)).exp()).abs() < 1e-6);
    }

    #[test]
    fn edges_lie_where_the_brightness_changes() {
        // dark left of column 4, bright from there on: the two columns beside the step have the slope 4
        let input: Vec<f32> = (0..64).map(|i| if i % 8 >= 4 { 1.0 } else { 0.0 }).collect();
        let map = Baseline::Edges.map((1, 4), &input, SHAPE, &mut Random::new(0, 0));
        assert_eq!(map.as_slice().expect("one piece"), [0.0, 2.0, 2.0, 0.0]);
    }
}
