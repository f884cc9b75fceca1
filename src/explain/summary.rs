//! A map in a few figures, in pixels of the frame: its peak, its centre, how spread it is, the box round what is hot.
//!
//! They are those of the map as it is painted: bilinear between the centres of its cells, level beyond the outermost, cut off at
//! the frame's edge. Such a surface is piecewise bilinear, so that all of it follows exactly from its values at a few points, at
//! a cost that does not grow with the frame.

mod segment;
mod surface;

use ndarray::ArrayView2;

use super::ClassMap;
use crate::frame::Region;
use surface::Surface;

/// What is hot has more than this share of the maximum (Selvaraju et al. 2017, section 4.1, weakly-supervised localisation).
const HOT: f64 = 0.15;

/// Where a map lies on its frame. Pixel (0, 0) reaches from 0.0 to 1.0; its middle is (0.5, 0.5).
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// x and y of the hottest place, in pixels: the middle of a cell, or where none lies in the frame a place at its edge. Of equal
    /// ones the first in reading order.
    pub peak: (f64, f64),
    /// x and y of the centre of the heat, in pixels.
    pub centroid: (f64, f64),
    /// The box round the largest connected segment of what has more than 15 % of the maximum, in pixels: the paper's way of locating
    /// an object.
    pub hot: Region,
    /// Share of the heat in the region of interest, 0..=1, if there is one.
    pub roi_share: Option<f64>,
    /// Shannon's entropy of the cells' shares of the heat, over that of as many equal shares, so that its base does not matter:
    /// 0 = all in one cell, 1 = the same everywhere. Of all cells, whether they lie in the frame or not.
    pub entropy: f64,
}

impl Summary {
    /// Of a map (h x w values; what is below zero counts as zero) that covers `region` of a frame of (width, height). `None` where
    /// there is no heat in the frame, or a value is not finite.
    pub fn new(map: ArrayView2<f32>, region: Region, frame: (usize, usize), roi: Option<Region>) -> Option<Summary> {
        let surface = Surface::new(map, region, frame, roi)?;
        let (place, top) = surface.peak();
        let heat = surface.heat();
        (top > 0.0 && heat.total > 0.0).then(|| Summary {
            peak: place,
            centroid: heat.centroid(),
            hot: segment::largest(&surface, HOT * top),
            roi_share: roi.map(|_| heat.in_roi / heat.total),
            entropy: entropy(map),
        })
    }
}

impl Summary {
    /// The same, so much further right and down.
    #[must_use]
    pub fn moved(self, by: (f32, f32)) -> Summary {
        let place = |(x, y): (f64, f64)| (x + f64::from(by.0), y + f64::from(by.1));
        Summary { peak: place(self.peak), centroid: place(self.centroid), hot: self.hot.moved(by), ..self }
    }
}

impl ClassMap {
    /// Where the map lies on a frame; see [`Summary::new`].
    pub fn summary(&self, region: Region, frame: (usize, usize), roi: Option<Region>) -> Option<Summary> {
        Summary::new(self.map.view(), region, frame, roi)
    }
}

fn entropy(map: ArrayView2<f32>) -> f64 {
    let positive = || map.iter().map(|&value| f64::from(value.max(0.0)));
    let total: f64 = positive().sum();
    let shares = positive().map(|value| value / total).filter(|&share| share > 0.0);
    let even = (map.len() as f64).ln();
    if even > 0.0 { shares.map(|share| -share * share.ln()).sum::<f64>() / even } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    fn whole(width: f32, height: f32) -> Region {
        Region { x: 0.0, y: 0.0, width, height }
    }

    fn near(a: f64, b: f64, within: f64) {
        assert!((a - b).abs() <= within, "{a} is not {b}");
    }

    #[test]
    fn a_map_of_two_cells_by_hand() {
        // Centres at 1 and 3 of 4 pixels: 0 up to 1, a ramp to 1 at 3, then 1. Heat along x: 0 + 1 + 1 = 2.
        let map = array![[0.0, 8.0]];
        let seen = Summary::new(map.view(), whole(4.0, 2.0), (4, 2), Some(whole(2.0, 2.0))).unwrap();
        assert_eq!(seen.peak, (3.0, 1.0));
        // ramp: ∫ x (x - 1)/2 over 1..3 = 7/3; level: 3.5; together 35/6 of 2
        near(seen.centroid.0, 35.0 / 12.0, 1e-12);
        near(seen.centroid.1, 1.0, 1e-12);
        // over 1..2 the ramp holds 1/4
        near(seen.roi_share.unwrap(), 0.125, 1e-12);
        // 15 % of the way from 1 to 3
        assert_eq!(seen.hot, Region { x: 1.3, y: 0.0, width: 2.7, height: 2.0 });
        assert_eq!(seen.entropy, 0.0);
    }

    #[test]
    fn entropy_is_one_of_an_even_map_and_half_of_two_cells_in_four() {
        let of = |map: Array2<f32>| Summary::new(map.view(), whole(8.0, 8.0), (8, 8), None).unwrap().entropy;
        near(of(array![[3.0, 3.0], [3.0, 3.0]]), 1.0, 1e-12);
        near(of(array![[0.0, 2.0], [2.0, -1.0]]), 0.5, 1e-12);
        assert_eq!(of(array![[1.0]]), 0.0);
    }

    #[test]
    fn where_there_is_no_heat_there_is_nothing_to_say() {
        let of = |map: Array2<f32>, region| Summary::new(map.view(), region, (8, 8), None);
        assert_eq!(of(array![[0.0, -1.0]], whole(8.0, 8.0)), None);
        assert_eq!(of(array![[f32::NAN, 1.0]], whole(8.0, 8.0)), None);
        assert_eq!(of(array![[1.0, 1.0]], Region { x: 8.0, ..whole(8.0, 8.0) }), None, "beside the frame");
        let left = Region { x: -4.0, ..whole(8.0, 8.0) };
        assert_eq!(of(array![[1.0, 0.0, 0.0, 0.0]], left), None, "the heat lies outside");
    }

    #[test]
    fn of_a_map_that_reaches_beyond_the_frame_only_what_is_seen_counts() {
        // centres at -4, 0, 4, 8, 12 of a frame of 8: the peak is cut off at the edge
        let map = array![[1.0, 0.5, 0.0, 0.0, 0.25]];
        let seen =
            Summary::new(map.view(), Region { x: -6.0, y: 0.0, width: 20.0, height: 4.0 }, (8, 4), None).unwrap();
        assert_eq!(seen.peak, (0.0, 2.0));
        near(f64::from(seen.hot.x), 0.0, 1e-6);
        // the ramp from 0.5 falls to 0.075 at 3.4
        near(f64::from(seen.hot.width), 3.4, 1e-6);
    }

    #[test]
    fn the_first_of_equal_peaks_is_the_middle_of_its_cell() {
        let seen = Summary::new(array![[2.0, 2.0], [1.0, 2.0]].view(), whole(8.0, 8.0), (8, 8), None).unwrap();
        assert_eq!(seen.peak, (2.0, 2.0));
    }

    #[test]
    fn the_larger_of_two_segments_is_boxed() {
        let mut map = Array2::zeros((8, 8));
        map[[1, 1]] = 1.0;
        for (row, column) in [(5, 4), (5, 5), (6, 5)] {
            map[[row, column]] = 0.6;
        }
        let seen = Summary::new(map.view(), whole(8.0, 8.0), (8, 8), None).unwrap();
        assert_eq!(seen.peak, (1.5, 1.5));
        // from 0 at 3.5 to 0.6 at 4.5: 0.15 at 3.75; down from 0.6 at 5.5: at 6.25
        assert_eq!(seen.hot, Region { x: 3.75, y: 4.75, width: 2.5, height: 2.5 });
    }

    #[test]
    fn corner_to_corner_is_one_segment_only_where_the_saddle_is_hot() {
        let of = |diagonal: [f32; 4]| {
            let map = Array2::from_diag(&ndarray::arr1(&diagonal));
            Summary::new(map.view(), whole(4.0, 4.0), (4, 4), None).unwrap().hot
        };
        // the saddle between 1 and 1 is 0.5: hot
        assert_eq!(of([0.0, 1.0, 1.0, 0.0]), Region { x: 0.65, y: 0.65, width: 2.7, height: 2.7 });
        // between 1 and 0.2 it is 1/6, between 0.2 and 0.2 only 0.1: two segments, and the larger one holds the corner
        let hot = of([1.0, 0.2, 0.2, 0.0]);
        assert_eq!((hot.x, hot.y), (0.0, 0.0));
        near(f64::from(hot.width), 1.75, 1e-6);
    }

    /// The plain loop: every pixel of a fine picture, by the formula of the painter.
    fn painted(map: &Array2<f32>, region: Region, (x, y): (f64, f64)) -> f64 {
        let at = |v: f64, origin: f32, extent: f32, n: usize| {
            let u = ((v - f64::from(origin)) * n as f64 / f64::from(extent) - 0.5).clamp(0.0, (n - 1) as f64);
            let first = (u as usize).min(n.saturating_sub(2));
            (first, (first + 1).min(n - 1), u - first as f64)
        };
        let (left, right, along) = at(x, region.x, region.width, map.ncols());
        let (top, bottom, down) = at(y, region.y, region.height, map.nrows());
        let value = |row: usize, column: usize| f64::from(map[[row, column]].max(0.0));
        let row = |row: usize| value(row, left) * (1.0 - along) + value(row, right) * along;
        row(top) * (1.0 - down) + row(bottom) * down
    }

    #[test]
    fn it_agrees_with_every_pixel_counted_one_by_one() {
        let mut seed = 7u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 24) as f32
        };
        let (frame, roi) = ((80, 60), Region { x: 13.0, y: 7.6, width: 30.0, height: 22.0 });
        for region in [
            whole(80.0, 60.0),
            Region { x: 10.0, y: 0.0, width: 60.0, height: 60.0 },
            Region { x: 0.0, y: -10.0, width: 80.0, height: 80.0 },
        ] {
            for _ in 0..6 {
                let map = Array2::from_shape_fn((7, 5), |_| (noise() - 0.6).max(-0.1) + noise().powi(8));
                let seen = Summary::new(map.view(), region, frame, Some(roi)).unwrap();
                // five points a pixel, each way
                let step = 0.2;
                let (columns, rows) = (frame.0 * 5, frame.1 * 5);
                let place =
                    |i: usize| ((i % columns) as f64 * step + step / 2.0, (i / columns) as f64 * step + step / 2.0);
                let inside = |(x, y): (f64, f64), r: Region| {
                    let (x, y) = (x as f32, y as f32);
                    x >= r.x && x < r.x + r.width && y >= r.y && y < r.y + r.height
                };
                let heat: Vec<f64> = (0..columns * rows)
                    .map(|i| if inside(place(i), region) { painted(&map, region, place(i)) } else { 0.0 })
                    .collect();
                let total: f64 = heat.iter().sum();
                let mean =
                    |f: &dyn Fn(usize) -> f64| heat.iter().enumerate().map(|(i, v)| v * f(i)).sum::<f64>() / total;
                near(seen.centroid.0, mean(&|i| place(i).0), 0.02);
                near(seen.centroid.1, mean(&|i| place(i).1), 0.02);
                near(seen.roi_share.unwrap(), mean(&|i| f64::from(u8::from(inside(place(i), roi)))), 0.002);
                let top = heat.iter().copied().fold(0.0, f64::max);
                near(painted(&map, region, seen.peak), top, 0.02 * top);
                let (hot, size) = flooded(&heat, columns, 0.15 * top);
                let boxed = [seen.hot.x, seen.hot.y, seen.hot.x + seen.hot.width, seen.hot.y + seen.hot.height];
                let runner_up = size.1 as f64 / size.0 as f64;
                if runner_up < 0.95 {
                    for (have, want) in boxed.iter().zip(hot) {
                        near(f64::from(*have), want as f64 * step, 0.5);
                    }
                }
            }
        }
    }

    /// Left, top, right, bottom of the largest connected part above a limit; its size and the next one's.
    fn flooded(heat: &[f64], columns: usize, limit: f64) -> ([usize; 4], (usize, usize)) {
        let (rows, mut seen) = (heat.len() / columns, vec![false; heat.len()]);
        let (mut best, mut sizes) = ([0; 4], (0, 0));
        for start in 0..heat.len() {
            let (mut open, mut size, mut bounds) = (vec![start], 0, [usize::MAX, usize::MAX, 0, 0]);
            while let Some(i) = open.pop() {
                if seen[i] || heat[i] <= limit {
                    continue;
                }
                seen[i] = true;
                size += 1;
                let (x, y) = (i % columns, i / columns);
                bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x + 1), bounds[3].max(y + 1)];
                open.extend((x > 0).then(|| i - 1));
                open.extend((x + 1 < columns).then_some(i + 1));
                open.extend((y > 0).then(|| i - columns));
                open.extend((y + 1 < rows).then_some(i + columns));
            }
            if size > sizes.0 {
                (best, sizes) = (bounds, (size, sizes.0));
            } else {
                sizes.1 = sizes.1.max(size);
            }
        }
        (best, sizes)
    }
}
