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
        let (here, above, below) = (&self.here[..columns], &self.above[..columns], &self.below[..columns]);
        let levels = &mut levels[..columns];
        let pixels = (2.0 * across as f32 * self.cell.0, 2.0 * down as f32 * self.cell.1);
        // At the rim the slope is taken over fewer cells.
        for x in (0..across.min(columns)).chain(columns.saturating_sub(across).max(across)..columns) {
            let (left, right) = (x.saturating_sub(across), (x + across).min(columns - 1));
            let run = ((right - left) as f32 * self.cell.0).max(1.0);
            let slope = (run_of(here[left], here[right], run), run_of(above[x], below[x], pixels.1));
            levels[x] = self.cover(here[x], slope);
        }
        if columns > 2 * across {
            let inner = across..columns - across;
            let sides = here[..columns - 2 * across].iter().zip(&here[2 * across..]);
            let rows = above[inner.clone()].iter().zip(&below[inner.clone()]);
            let cells = levels[inner.clone()].iter_mut().zip(&here[inner]);
            simd.vectorize(
                #[inline(always)]
                || {
                    for (((level, here), (left, right)), (above, below)) in cells.zip(sides).zip(rows) {
                        let slope = (run_of(*left, *right, pixels.0), run_of(*above, *below, pixels.1));
                        *level = self.cover(*here, slope);
                    }
                },
            );
        }
        0..columns
    }
}

/// Levels to a pixel.
#[inline(always)]
fn run_of(from: u16, to: u16, pixels: f32) -> f32 {
    (f32::from(to) - f32::from(from)) / pixels
}

impl Outline<'_> {
    /// How much of a cell the line covers, as a level.
    #[inline(always)]
    fn cover(&self, here: u16, slope: (f32, f32)) -> u16 {
        let steep = (slope.0 * slope.0 + slope.1 * slope.1).sqrt();
        // Where heat goes nowhere no line runs, even if it is the line's own.
        let distance = ((f32::from(here) - self.level).abs() + if steep > 0.0 { 0.0 } else { 1.0 }) / steep.max(1e-6);
        to_level((self.half + 0.5 - distance).clamp(0.0, 1.0) * f32::from(TOP))
    }
}
