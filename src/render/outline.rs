//! The outline at one level of heat, as a line of even width.

use std::ops::Range;

use fearless_simd::Simd;

use super::blend::Source;
use super::curve::TOP;
use super::heat::Sampler;
use super::kernel::to_level;
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
    /// Of the row above, this one, and the one below: the map's values, and the levels.
    rows: [Vec<f32>; 3],
    levels: [Vec<u16>; 3],
}

// Cells that are looked at together.
const CHUNK: usize = 32;

impl<'a> Outline<'a> {
    /// Where heat is `at` (0..=1), `width` pixels wide; `spacing` is how many pixels the map's values are apart.
    pub(super) fn new(sampler: Sampler<'a>, grid: &Grid, at: f32, width: f32, spacing: f32) -> Self {
        // Wide enough that whole levels tell the slope, but well within a cell of the map.
        let reach = |sub: usize| (spacing / 4.0 / sub as f32).clamp(1.0, 16.0).floor();
        let row = vec![0.0; sampler.values()];
        Self {
            sampler,
            level: at.clamp(0.0, 1.0) * f32::from(TOP),
            half: width / 2.0,
            reach: (reach(grid.sub_x) as usize, f64::from(reach(grid.sub_y))),
            cell: (grid.sub_x as f32, grid.sub_y as f32),
            rows: [row.clone(), row.clone(), row],
            levels: Default::default(),
        }
    }
}

impl Source for Outline<'_> {
    #[inline(always)]
    fn fill<S: Simd>(&mut self, simd: S, y: usize, levels: &mut [u16], warm: &mut Vec<Range<usize>>) {
        levels.fill(0);
        let down = self.reach.1;
        for (row, y) in self.rows.iter_mut().zip([y as f64 - down, y as f64, y as f64 + down]) {
            self.sampler.row(y, row);
        }
        let (from, to) = self.near();
        let (low, high) = self.rows[1].iter().fold((f32::MAX, 0.0f32), |(low, high), v| (low.min(*v), high.max(*v)));
        // Cubics go beyond their values by an eighth of what these are apart at most.
        let beyond = (high - low) / 8.0;
        if low - beyond > to || high + beyond < from {
            return;
        }
        self.levels.iter_mut().for_each(|row| row.resize(levels.len(), 0));
        self.sampler.spread(simd, &self.rows[1], 0..usize::MAX, &mut self.levels[1]);
        let own = warm.len();
        let columns = self.sampler.columns();
        chunks_within(simd, (from.max(0.0) as u16, to.ceil() as u16), &self.levels[1][..columns], warm);
        let warm = &warm[own..];
        let (Some(first), Some(last)) = (warm.first(), warm.last()) else { return };
        for i in [0, 2] {
            self.sampler.spread(simd, &self.rows[i], first.start..last.end, &mut self.levels[i]);
        }
        for part in warm {
            self.cover(simd, columns, part.clone(), levels);
        }
    }
}

/// Adds chunks to `found` in which a level lies from `from` to `to`.
#[inline(always)]
fn chunks_within<S: Simd>(simd: S, (from, to): (u16, u16), levels: &[u16], found: &mut Vec<Range<usize>>) {
    simd.vectorize(
        #[inline(always)]
        || {
            for (i, chunk) in levels.chunks(CHUNK).enumerate() {
                let mut within = false;
                for level in chunk {
                    within |= level.wrapping_sub(from) <= to - from;
                }
                if within {
                    let start = i * CHUNK;
                    match found.last_mut() {
                        Some(last) if last.end == start => last.end = start + chunk.len(),
                        _ => found.push(start..start + chunk.len()),
                    }
                }
            }
        },
    );
}

/// Levels to a pixel.
#[inline(always)]
fn run_of(from: u16, to: u16, pixels: f32) -> f32 {
    (f32::from(to) - f32::from(from)) / pixels
}

impl Outline<'_> {
    /// The heat that the line may reach: its own, give or take what lies over half its width where heat is steepest.
    fn near(&self) -> (f32, f32) {
        let [above, here, below] = &self.rows;
        let fall = above.iter().zip(below).map(|(above, below)| (above - below).abs()).fold(0.0, f32::max);
        // Cubics add a quarter of that at most, and whole levels up to a level a pixel.
        let slope = (self.sampler.steepest(here) / self.cell.0).hypot(1.25 * fall / self.pixels().1);
        let reach = (self.half + 0.5) * (slope + 1.5) + 1.0;
        (self.level - reach, self.level + reach)
    }

    /// Over how many pixels the slope is taken.
    fn pixels(&self) -> (f32, f32) {
        (2.0 * self.reach.0 as f32 * self.cell.0, 2.0 * self.reach.1 as f32 * self.cell.1)
    }

    /// How much of each cell of `part` the line covers.
    #[inline(always)]
    fn cover<S: Simd>(&self, simd: S, columns: usize, part: Range<usize>, levels: &mut [u16]) {
        let [above, here, below] = &self.levels;
        let (pixels, across) = (self.pixels(), self.reach.0);
        let inner = across.clamp(part.start, part.end)..columns.saturating_sub(across).clamp(part.start, part.end);
        let inner = inner.start..inner.end.max(inner.start);
        // At the rim the slope is taken over fewer cells.
        for x in (part.start..inner.start).chain(inner.end..part.end) {
            let (left, right) = (x.saturating_sub(across), (x + across).min(columns - 1));
            let run = ((right - left) as f32 * self.cell.0).max(1.0);
            let slope = (run_of(here[left], here[right], run), run_of(above[x], below[x], pixels.1));
            levels[x] = self.share(here[x], slope);
        }
        if inner.is_empty() {
            return;
        }
        let sides = here[inner.start - across..inner.end - across].iter().zip(&here[inner.start + across..]);
        let rows = above[inner.clone()].iter().zip(&below[inner.clone()]);
        let cells = levels[inner.clone()].iter_mut().zip(&here[inner]);
        simd.vectorize(
            #[inline(always)]
            || {
                for (((level, here), (left, right)), (above, below)) in cells.zip(sides).zip(rows) {
                    let slope = (run_of(*left, *right, pixels.0), run_of(*above, *below, pixels.1));
                    *level = self.share(*here, slope);
                }
            },
        );
    }

    /// How much of a cell the line covers, as a level.
    #[inline(always)]
    fn share(&self, here: u16, slope: (f32, f32)) -> u16 {
        let steep = (slope.0 * slope.0 + slope.1 * slope.1).sqrt();
        // Where heat goes nowhere no line runs, even if it is the line's own.
        let distance = ((f32::from(here) - self.level).abs() + if steep > 0.0 { 0.0 } else { 1.0 }) / steep.max(1e-6);
        to_level((self.half + 0.5 - distance).clamp(0.0, 1.0) * f32::from(TOP))
    }
}
