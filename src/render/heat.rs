//! The small map, upsampled: which level of heat each cell of a row of the frame has.

use std::ops::Range;

use fearless_simd::Simd;
use ndarray::ArrayView2;

use super::Smooth;
use super::blend::Source;
use super::curve::TOP;
use super::kernel::{cubic, line};
use crate::frame::format::Grid;
use crate::frame::{Region, Siting};

/// A map in levels.
pub(super) struct Heat {
    columns: usize,
    values: Vec<f32>,
    smooth: Smooth,
}

impl Heat {
    /// `shown` takes a value of the map, which is not empty, to 0..=1.
    pub(super) fn new(map: ArrayView2<f32>, smooth: Smooth, shown: impl Fn(f32) -> f32) -> Self {
        let level = |&v: &f32| shown(v).clamp(0.0, 1.0) * f32::from(TOP);
        Self { columns: map.ncols(), values: map.iter().map(level).collect(), smooth }
    }

    /// A reader of this map for the cells of one grid, for the columns `range` of it.
    pub(super) fn on(&self, grid: &Grid, siting: Siting, region: Region, range: Range<usize>) -> Sampler<'_> {
        let centre = |first: bool, sub: usize| if first { 0.5 } else { 0.5 * sub as f64 };
        let across = Axis::new(region.x, region.width, grid.sub_x, centre(siting.left, grid.sub_x), self.columns);
        let down = Axis::new(region.y, region.height, grid.sub_y, centre(siting.top, grid.sub_y), self.rows());
        let ramps = ramps(&across, range, self.smooth);
        Sampler { heat: self, down, ramps, pitch: (1.0 / across.step) as f32, row: vec![0.0; self.columns] }
    }

    /// Pixels from one value of the map to the next, in the narrower direction.
    pub(super) fn spacing(&self, region: Region) -> f32 {
        (region.width / self.columns as f32).min(region.height / self.rows() as f32)
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

/// Weights of the four values around a place `t` of the way from the second to the third, as polynomials of it.
const CATMULL_ROM: [[f32; 4]; 4] =
    [[0.0, -0.5, 1.0, -0.5], [1.0, 0.0, -2.5, 1.5], [0.0, 0.5, 2.0, -1.5], [0.0, 0.0, -0.5, 0.5]];

impl Axis {
    fn new(origin: f32, extent: f32, sub: usize, centre: f64, n: usize) -> Self {
        let scale = n as f64 / f64::from(extent);
        Self { start: (centre - f64::from(origin)) * scale - 0.5, step: sub as f64 * scale, last: n - 1 }
    }

    /// The value of the map before cell `i`, how far the cell is from it to the next, and by how much that grows with `i`.
    fn at(&self, i: f64, smooth: Smooth) -> (usize, f64, f64) {
        let u = self.start + self.step * i;
        let inside = u.clamp(0.0, self.last as f64);
        if smooth == Smooth::Nearest {
            return ((inside + 0.5) as usize, 0.0, 0.0);
        }
        let left = (inside as usize).min(self.last.saturating_sub(1));
        (left, inside - left as f64, if inside == u { self.step } else { 0.0 })
    }

    /// The four values around the one at `left`; the rim goes on beyond the map.
    fn around(&self, left: usize) -> [usize; 4] {
        [left.saturating_sub(1), left, (left + 1).min(self.last), (left + 2).min(self.last)]
    }
}

/// Neighbouring cells between the same two columns of the map: along them heat is one polynomial.
struct Ramp {
    length: usize,
    columns: [usize; 4],
    first: f32,
    step: f32,
}

fn ramps(axis: &Axis, range: Range<usize>, smooth: Smooth) -> Vec<Ramp> {
    let mut ramps: Vec<Ramp> = Vec::new();
    for i in range {
        let (left, weight, step) = axis.at(i as f64, smooth);
        let (first, step) = (weight as f32, step as f32);
        match ramps.last_mut() {
            Some(ramp) if ramp.columns[1] == left && ramp.step == step && (step > 0.0 || ramp.first == first) => {
                ramp.length += 1;
            }
            _ => ramps.push(Ramp { length: 1, columns: axis.around(left), first, step }),
        }
    }
    ramps
}

/// Reads rows of levels off a [`Heat`].
pub(super) struct Sampler<'a> {
    heat: &'a Heat,
    down: Axis,
    ramps: Vec<Ramp>,
    /// Cells from one value of the map to the next.
    pitch: f32,
    row: Vec<f32>,
}

impl Source for Sampler<'_> {
    #[inline(always)]
    fn fill<S: Simd>(&mut self, simd: S, y: usize, levels: &mut [u16], warm: &mut Vec<Range<usize>>) {
        let mut row = std::mem::take(&mut self.row);
        self.row(y as f64, &mut row);
        self.spread(simd, &row, 0..usize::MAX, levels);
        let mut at = 0;
        for ramp in &self.ramps {
            let start = at;
            at += ramp.length;
            let touched = if self.heat.smooth == Smooth::Bicubic { 0..4 } else { 1..3 };
            if ramp.columns[touched].iter().any(|&column| row[column] > 0.0) {
                match warm.last_mut() {
                    Some(last) if last.end == start => last.end = at,
                    _ => warm.push(start..at),
                }
            }
        }
        self.row = row;
    }
}

impl Sampler<'_> {
    /// Cells of a row.
    pub(super) fn columns(&self) -> usize {
        self.ramps.iter().map(|ramp| ramp.length).sum()
    }

    /// Values of a row.
    pub(super) fn values(&self) -> usize {
        self.heat.columns
    }

    /// The most levels that heat rises or falls by from one cell to the next along a row.
    #[inline(always)]
    pub(super) fn steepest(&self, row: &[f32]) -> f32 {
        let steps = row.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        match self.heat.smooth {
            Smooth::Bilinear => steps / self.pitch,
            // Half more amid a lone step: 3/2 of it, less what its neighbours fall.
            Smooth::Bicubic => 1.5 * steps / self.pitch,
            Smooth::Nearest => row.iter().fold(0.0, |most, v| v.max(most)),
        }
    }

    /// The map's row at a place between rows, or beyond them, not yet upsampled across.
    #[inline(always)]
    pub(super) fn row(&self, y: f64, row: &mut [f32]) {
        let Heat { columns, values, smooth } = self.heat;
        let (top, t, _) = self.down.at(y, *smooth);
        let t = t as f32;
        if *smooth != Smooth::Bicubic {
            let [_, above, below, _] = self.down.around(top).map(|line| &values[line * columns..][..*columns]);
            for ((v, above), below) in row.iter_mut().zip(above).zip(below) {
                *v = above + (below - above) * t;
            }
            return;
        }
        row.fill(0.0);
        for (line, [a, b, c, d]) in self.down.around(top).into_iter().zip(CATMULL_ROM) {
            let weight = ((d * t + c) * t + b) * t + a;
            if weight != 0.0 {
                for (v, value) in row.iter_mut().zip(&values[line * columns..][..*columns]) {
                    *v += weight * value;
                }
            }
        }
    }

    /// A row of the map, upsampled for at least the cells of `range`.
    #[inline(always)]
    pub(super) fn spread<S: Simd>(&self, simd: S, row: &[f32], range: Range<usize>, levels: &mut [u16]) {
        let bicubic = self.heat.smooth == Smooth::Bicubic;
        let mut at = 0;
        for ramp in &self.ramps {
            let start = at;
            at += ramp.length;
            if at <= range.start || start >= range.end {
                continue;
            }
            let values = ramp.columns.map(|column| row[column]);
            let [_, a, b, _] = values;
            if bicubic {
                let c = std::array::from_fn(|k| (0..4).map(|i| CATMULL_ROM[i][k] * values[i]).sum());
                cubic(simd, c, (ramp.first, ramp.step), &mut levels[start..at]);
            } else {
                line(simd, (a + (b - a) * ramp.first, (b - a) * ramp.step), ramp.length, &mut levels[start..]);
            }
        }
    }
}
