//! The outline at one level of heat, as a line of even width.

use std::ops::Range;

use fearless_simd::Simd;

use super::blend::Source;
use super::heat::Sampler;
use super::kernel::{TOP, to_level};
use crate::frame::format::Grid;

/// Turns a map's levels into how much of each cell the line covers: its distance is how far the cell's heat is from the line's,
/// over how steeply heat goes there.
pub(super) struct Outline<'a> {
    sampler: Sampler<'a>,
    level: f32,
    /// Half of the line's width, in pixels.
    half: f32,
    /// Cells to either side over which the slope is taken, across and down.
    reach: (usize, f64),
    /// Pixels of a cell, across and down.
    cell: (f32, f32),
    above: Vec<u16>,
    here: Vec<u16>,
    below: Vec<u16>,
}

impl<'a> Outline<'a> {
    /// Where heat is `at` (0..=1), `width` pixels wide; `spacing` is how many pixels the map's values are apart.
    pub(super) fn new(sampler: Sampler<'a>, grid: &Grid, at: f32, width: f32, spacing: f32) -> Self {
        // Wide enough that whole levels tell the slope, but well within a cell of the map.
        let reach = |sub: usize| (spacing / 4.0 / sub as f32).clamp(1.0, 16.0).floor();
        Self {
            sampler,
            level: at.clamp(0.0, 1.0) * f32::from(TOP),
            half: width / 2.0,
            reach: (reach(grid.sub_x) as usize, f64::from(reach(grid.sub_y))),
            cell: (grid.sub_x as f32, grid.sub_y as f32),
            above: Vec::new(),
            here: Vec::new(),
            below: Vec::new(),
        }
    }
}

impl Source for Outline<'_> {
    #[inline(always)]
    fn fill<S: Simd>(&mut self, simd: S, y: usize, levels: &mut [u16]) -> Range<usize> {
        for buffer in [&mut self.above, &mut self.here, &mut self.below] {
            buffer.resize(levels.len(), 0);
        }
        let (across, down) = self.reach;
        self.sampler.fill_at(simd, y as f64 - down, &mut self.above);
        self.sampler.fill_at(simd, y as f64, &mut self.here);
        self.sampler.fill_at(simd, y as f64 + down, &mut self.below);
        let columns = self.sampler.columns();
        for (x, level) in levels.iter_mut().take(columns).enumerate() {
            let (left, right) = (x.saturating_sub(across), (x + across).min(columns - 1));
            let run = |a: u16, b: u16, cells: f32| (f32::from(b) - f32::from(a)) / cells.max(1.0);
            let slope = (
                run(self.here[left], self.here[right], (right - left) as f32 * self.cell.0),
                run(self.above[x], self.below[x], 2.0 * down as f32 * self.cell.1),
            );
            let steep = slope.0.hypot(slope.1).max(f32::MIN_POSITIVE);
            let distance = (f32::from(self.here[x]) - self.level).abs() / steep;
            *level = to_level((self.half + 0.5 - distance).clamp(0.0, 1.0) * f32::from(TOP));
        }
        0..columns
    }
}
