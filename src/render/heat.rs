//! The small map, upsampled: which level of heat each cell of a row of the frame has.

use std::ops::Range;

use ndarray::ArrayView2;

use super::blend::LEVELS;
use crate::frame::Region;
use crate::frame::format::Grid;

// Levels are interpolated as fixed-point numbers: 10 bits of level, 20 of fraction.
const FRACTION: u32 = 20;
const ONE: f64 = ((LEVELS - 1) << FRACTION) as f64;
const HALF: i32 = 1 << (FRACTION - 1);

/// A map scaled to 0..=1 by its own maximum.
pub(super) struct Heat {
    columns: usize,
    values: Vec<f64>,
}

impl Heat {
    /// `None` if there is nothing to show: no value above zero, or one that is not finite.
    pub(super) fn new(map: ArrayView2<f32>) -> Option<Self> {
        let max = map.iter().copied().fold(0.0f32, f32::max);
        if max <= 0.0 || !map.iter().all(|v| v.is_finite()) {
            return None;
        }
        let values = map.iter().map(|&v| f64::from(v.max(0.0)) / f64::from(max)).collect();
        Some(Self { columns: map.ncols(), values })
    }

    /// A reader of this map for the cells of one grid, for the columns `range` of it.
    pub(super) fn on(&self, grid: &Grid, region: Region, range: Range<usize>) -> Sampler<'_> {
        let across = Axis::new(region.x, region.width, grid.sub_x, 0.5, self.columns);
        // Chroma sits on the left pixel of its cell and between its rows, as MPEG-2 and all its heirs have it.
        let down = Axis::new(region.y, region.height, grid.sub_y, 0.5 * grid.sub_y as f64, self.rows());
        Sampler { heat: self, down, ramps: ramps(&across, range), line: vec![0.0; self.columns] }
    }

    fn rows(&self) -> usize {
        self.values.len() / self.columns
    }
}

/// Where the cells of a grid lie on the map, along one axis: cell `i` at `start + step * i`, in map cells from the
/// centre of the first.
struct Axis {
    start: f64,
    step: f64,
    last: usize,
}

impl Axis {
    fn new(origin: f32, extent: f32, sub: usize, centre: f64, n: usize) -> Self {
        let scale = n as f64 / f64::from(extent);
        Self { start: (centre - f64::from(origin)) * scale - 0.5, step: sub as f64 * scale, last: n - 1 }
    }

    /// The two neighbours of cell `i` on the map, and how far it is from the first to the second.
    fn at(&self, i: usize) -> (usize, usize, f64) {
        let u = (self.start + self.step * i as f64).clamp(0.0, self.last as f64);
        let left = (u as usize).min(self.last.saturating_sub(1));
        (left, (left + 1).min(self.last), u - left as f64)
    }

    fn is_outside(&self, i: usize) -> bool {
        let u = self.start + self.step * i as f64;
        u < 0.0 || u > self.last as f64
    }
}

/// Neighbouring cells between the same two columns of the map: along them heat is a straight line.
struct Ramp {
    length: usize,
    left: usize,
    right: usize,
    weight: f64,
    step: f64,
}

fn ramps(axis: &Axis, range: Range<usize>) -> Vec<Ramp> {
    let mut ramps: Vec<Ramp> = Vec::new();
    for i in range {
        let (left, right, weight) = axis.at(i);
        let step = if axis.is_outside(i) { 0.0 } else { axis.step };
        match ramps.last_mut() {
            Some(ramp) if ramp.left == left && ramp.step == step && (step > 0.0 || ramp.weight == weight) => {
                ramp.length += 1;
            }
            _ => ramps.push(Ramp { length: 1, left, right, weight, step }),
        }
    }
    ramps
}

/// Reads rows of levels off a [`Heat`].
pub(super) struct Sampler<'a> {
    heat: &'a Heat,
    down: Axis,
    ramps: Vec<Ramp>,
    line: Vec<f64>,
}

impl Sampler<'_> {
    /// The levels, `0..LEVELS`, of the grid's row `y`.
    pub(super) fn fill(&mut self, y: usize, levels: &mut [u16]) {
        let (top, bottom, weight) = self.down.at(y);
        let row = |i: usize| &self.heat.values[i * self.heat.columns..][..self.heat.columns];
        for ((v, a), b) in self.line.iter_mut().zip(row(top)).zip(row(bottom)) {
            *v = (a + (b - a) * weight) * ONE;
        }
        let mut rest = levels;
        for ramp in &self.ramps {
            let (part, next) = rest.split_at_mut(ramp.length);
            let (a, b) = (self.line[ramp.left], self.line[ramp.right]);
            let first = (a + (b - a) * ramp.weight) as i32 + HALF;
            // A ramp of one cell may be steeper than an i32; its step is then not used.
            let step = ((b - a) * ramp.step) as i32;
            for (k, level) in (0i32..).zip(part) {
                *level = (first.wrapping_add(step.wrapping_mul(k)) >> FRACTION) as u16;
            }
            rest = next;
        }
    }
}
