//! What takes the place of pixels that are taken away.

use super::tensor::Shape;

/// What a place is filled with (option `--fill`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    Zero,
    Mean,
    Blur,
}

/// RISE's blur: 11 pixels wide, deviation 5.
const REACH: isize = 5;
const DEVIATION: f32 = 5.0;

impl Fill {
    pub const ALL: [Fill; 3] = [Fill::Zero, Fill::Mean, Fill::Blur];

    pub fn name(self) -> &'static str {
        match self {
            Fill::Zero => "zero",
            Fill::Mean => "mean",
            Fill::Blur => "blur",
        }
    }

    /// An input without its picture.
    pub fn of(self, input: &[f32], shape: Shape) -> Vec<f32> {
        match self {
            Fill::Zero => vec![0.0; input.len()],
            Fill::Mean => mean(input, shape),
            Fill::Blur => {
                let along = |(x, y): (usize, usize), by| (clamped(x, by, shape.width), y);
                let down = |(x, y): (usize, usize), by| (x, clamped(y, by, shape.height));
                pass(&pass(input, shape, along), shape, down)
            }
        }
    }
}

fn mean(input: &[f32], shape: Shape) -> Vec<f32> {
    let mut out = vec![0.0; input.len()];
    for channel in 0..shape.channels {
        let places = || (0..shape.places()).map(|place| shape.at(channel, place));
        let mean = places().map(|at| f64::from(input[at])).sum::<f64>() / shape.places() as f64;
        places().for_each(|at| out[at] = mean as f32);
    }
    out
}

fn clamped(at: usize, by: isize, length: usize) -> usize {
    at.saturating_add_signed(by).min(length - 1)
}

/// The Gaussian mean along one axis; at the border the last pixel goes on.
fn pass(input: &[f32], shape: Shape, to: impl Fn((usize, usize), isize) -> (usize, usize)) -> Vec<f32> {
    let weights: Vec<f32> = (-REACH..=REACH).map(|d| (-0.5 * (d as f32 / DEVIATION).powi(2)).exp()).collect();
    let total: f32 = weights.iter().sum();
    let mut out = vec![0.0; input.len()];
    for place in 0..shape.places() {
        for (by, weight) in (-REACH..=REACH).zip(&weights) {
            let (x, y) = to((place % shape.width, place / shape.width), by);
            for channel in 0..shape.channels {
                out[shape.at(channel, place)] += weight / total * input[shape.at(channel, y * shape.width + x)];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_are_zero_the_mean_and_a_blur() {
        let shape = Shape { channels: 2, width: 3, height: 1, planar: false };
        let input = [1.0, 10.0, 2.0, 20.0, 6.0, 60.0];
        assert_eq!(Fill::Zero.of(&input, shape), [0.0; 6]);
        assert_eq!(Fill::Mean.of(&input, shape), [3.0, 30.0, 3.0, 30.0, 3.0, 30.0]);
        let flat = Fill::Blur.of(&[5.0; 6], shape);
        assert!(flat.iter().all(|value| (value - 5.0).abs() < 1e-5), "{flat:?}");
        let blurred = Fill::Blur.of(&input, shape);
        assert!(blurred[0] < blurred[2] && blurred[2] < blurred[4] && blurred[0] > 1.0 && blurred[4] < 6.0);
    }
}
