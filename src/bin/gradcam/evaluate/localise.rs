//! Whether the heat lies on the object: the pointing game, and the share of heat in the box or mask.

use gstgradcam::frame::Region;
use image::GrayImage;
use ndarray::Array2;

use super::heat;

/// Where an object is.
#[derive(Debug, Clone)]
pub enum Place {
    /// Left, top, right, bottom, as fractions of the picture's width and height.
    Box([f64; 4]),
    /// A picture of the same proportions, bright on the object.
    Mask(GrayImage),
}

impl Place {
    /// Whether it covers a point of the picture.
    fn covers(&self, x: f64, y: f64) -> bool {
        match self {
            Place::Box([left, top, right, bottom]) => (*left..=*right).contains(&x) && (*top..=*bottom).contains(&y),
            Place::Mask(mask) => {
                let pixel = |at: f64, size: u32| ((at * f64::from(size)) as u32).min(size - 1);
                mask.get_pixel(pixel(x, mask.width()), pixel(y, mask.height())).0[0] >= 128
            }
        }
    }
}

/// The objects of a class on the pixels of the model's input, which covers `region` of a picture.
pub fn covered(
    places: &[Place],
    region: Region,
    picture: (usize, usize),
    (width, height): (usize, usize),
) -> Vec<bool> {
    let along = |origin: f32, extent: f32, at: usize, pixels: usize, whole: usize| {
        (f64::from(origin) + f64::from(extent) * (at as f64 + 0.5) / pixels as f64) / whole as f64
    };
    let mut covered = Vec::with_capacity(width * height);
    for row in 0..height {
        let y = along(region.y, region.height, row, height, picture.1);
        for column in 0..width {
            let x = along(region.x, region.width, column, width, picture.0);
            let inside = (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y);
            covered.push(inside && places.iter().any(|place| place.covers(x, y)));
        }
    }
    covered
}

/// How a map lies on objects.
#[derive(Debug, Clone, Copy)]
pub struct Located {
    /// The peak is on one of them, or nearer than the tolerance.
    pub hit: bool,
    /// Share of the heat on them.
    pub energy: f64,
    /// Where the peak is, as fractions of the model's input.
    pub peak: (f64, f64),
}

/// `None` for a map without heat.
pub fn locate(map: &Array2<f32>, covered: &[bool], size: (usize, usize), tolerance: f64) -> Option<Located> {
    let hottest = map.iter().copied().fold(0.0, f32::max);
    if hottest <= 0.0 {
        return None;
    }
    let heat = heat::enlarge(&map.mapv(|value| value.max(0.0) / hottest), size);
    let (width, height) = size;
    let peak = heat::peak(&heat);
    let (x, y) = (peak % width, peak / width);
    let near =
        |place: usize| ((place % width).abs_diff(x) as f64).hypot((place / width).abs_diff(y) as f64) <= tolerance;
    let hit = (0..covered.len()).any(|place| covered[place] && near(place));
    let sum = |of: &dyn Fn(usize) -> bool| -> f64 {
        heat.iter().enumerate().filter(|(place, _)| of(*place)).map(|(_, value)| f64::from(*value)).sum()
    };
    let energy = sum(&|place| covered[place]) / sum(&|_| true);
    let peak = ((x as f64 + 0.5) / width as f64, (y as f64 + 0.5) / height as f64);
    Some(Located { hit, energy, peak })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    const WHOLE: Region = Region { x: 0.0, y: 0.0, width: 4.0, height: 4.0 };

    #[test]
    fn boxes_and_masks_are_laid_on_the_input() {
        let left = covered(&[Place::Box([0.0, 0.0, 0.5, 1.0])], WHOLE, (4, 4), (2, 1));
        assert_eq!(left, [true, false]);
        // the model sees the middle of a picture that is twice as wide
        let middle = Region { x: 2.0, y: 0.0, width: 4.0, height: 4.0 };
        assert_eq!(covered(&[Place::Box([0.0, 0.0, 0.5, 1.0])], middle, (8, 4), (4, 1)), [true, true, false, false]);
        let mask = GrayImage::from_vec(2, 1, vec![0, 255]).expect("a mask");
        assert_eq!(covered(&[Place::Mask(mask)], WHOLE, (4, 4), (4, 1)), [false, false, true, true]);
        // grey beside a letterboxed picture belongs to no object
        let wider = Region { x: -2.0, y: 0.0, width: 8.0, height: 4.0 };
        let all = covered(&[Place::Box([0.0, 0.0, 1.0, 1.0])], wider, (4, 4), (4, 1));
        assert_eq!(all, [false, true, true, false]);
    }

    #[test]
    fn heat_and_peak_are_found_on_the_object() {
        let map = array![[0.0, 1.0], [0.0, 3.0]];
        let lower = [false, false, true, true];
        let seen = locate(&map, &lower, (2, 2), 0.0).expect("heat");
        assert_eq!((seen.hit, seen.peak), (true, (0.75, 0.75)));
        assert!((seen.energy - 0.75).abs() < 1e-6, "{}", seen.energy);
        let far = [true, false, false, false];
        assert!(!locate(&map, &far, (2, 2), 1.0).expect("heat").hit);
        assert!(locate(&map, &far, (2, 2), 1.5).expect("heat").hit, "the corner is 1.41 away");
        assert!(locate(&array![[0.0]], &lower, (2, 2), 0.0).is_none());
    }
}
