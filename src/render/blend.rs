//! The way over a frame: plane by plane, row by row, levels become colours of the frame's own format and are blended in.

use std::ops::Range;

use fearless_simd::{Level, Simd, dispatch};

use super::kernel::{
    Coat, Curve, TOP, blend_bytes, blend_words, has_shuffles, look_up, padded, stain, stain_pairs, weave,
};
use crate::frame::format::{Format, Grid, Row};
use crate::frame::{Color, FrameMut, Plane};

// No cell of the format table has more samples, and no plane more grids.
const LANES: usize = 4;
const GRIDS: usize = 2;

/// Colour and opacity of each level, in the samples of one format.
#[derive(Debug)]
pub(super) struct Ink {
    /// What is added, for each component.
    add: [Curve; 3],
    /// How much of the picture is kept.
    keep: Curve,
    /// Opacity is the same at all levels: this much is kept.
    even: Option<u16>,
    /// The lowest level paints nothing.
    blank: bool,
}

/// What is kept is reckoned in 2^15ths, so that a curve of it is smooth.
const WHOLE: u16 = 1 << 15;

/// How many bits of that are dropped for a blend, and what a step of a sample counts there when it is added.
fn units(row: &Row) -> (u32, f32) {
    if row.depth == 8 { (7, 256.0) } else { (0, 64.0) }
}

impl Ink {
    /// `shade` gives RGB (0..=255) and opacity (0..=1) at each level from 0 to 1.
    pub(super) fn new(format: Format, color: Color, shade: impl Fn(f32) -> ([f32; 3], f32)) -> Self {
        let row = format.row();
        let (drop, step) = units(row);
        let encode = color.encode(row.space, row.depth);
        let most = ((1u32 << row.depth) - 1) as f32;
        let add = |component: usize| {
            Curve::new(|t| {
                let (rgb, opacity) = shade(t);
                (encode.apply(rgb)[component].clamp(0.0, most) * opacity + 0.5) * step
            })
        };
        // Half of what is dropped makes it round.
        let keep = Curve::new(|t| (1.0 - shade(t).1) * f32::from(WHOLE) + f32::from(1u16 << drop >> 1));
        let kept = |level: u16| keep.at(level) >> drop;
        let even = (0..=TOP).all(|level| kept(level) == kept(0)).then(|| kept(0));
        Self { add: [add(0), add(1), add(2)], keep, even, blank: shade(0.0).1 == 0.0 }
    }
}

impl Ink {
    /// What is done to the samples of a cell, by their components.
    #[inline(always)]
    fn coat<const N: usize>(&self, lanes: [Option<usize>; N]) -> Coat<'_, N> {
        Coat { add: lanes.map(|lane| lane.map(|component| &self.add[component])), keep: &self.keep, even: self.even }
    }
}

/// Where levels come from.
pub(super) trait Source {
    /// Writes the levels of the grid's row `y` for the columns that the source was made for, and what it likes behind them.
    /// Returns which of these columns may have a level above 0.
    fn fill<S: Simd>(&mut self, simd: S, y: usize, levels: &mut [u16]) -> Range<usize>;
}

/// Rows on their way, kept from frame to frame.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    grids: [Rows; GRIDS],
}

#[derive(Debug, Default)]
struct Rows {
    drop: u32,
    levels: Vec<u16>,
    /// What is added, one row for each sample of a cell, 0 where it is not a colour.
    add: [Vec<u16>; LANES],
    keep: Vec<u16>,
    untouched: Vec<u16>,
    woven_add: Vec<u16>,
    woven_keep: Vec<u16>,
}

impl Rows {
    fn prepare(&mut self, columns: usize, grid: &Grid, ink: &Ink, drop: u32) {
        let whole = WHOLE >> drop;
        self.drop = drop;
        let length = padded(columns);
        self.levels.resize(length, 0);
        for (lane, row) in grid.lanes.iter().zip(&mut self.add) {
            row.resize(length, 0);
            if lane.is_none() {
                row.fill(0);
            }
        }
        let step = grid.lanes.len();
        self.woven_add.resize(length * step, 0);
        self.woven_keep.clear();
        if let Some(kept) = ink.even {
            let cell = grid.lanes.iter().map(|lane| if lane.is_some() { kept } else { whole });
            self.woven_keep.extend(cell.cycle().take(length * step));
        } else {
            self.keep.resize(length, 0);
            self.untouched.clear();
            self.untouched.resize(length, whole);
            self.woven_keep.resize(length * step, whole);
        }
    }

    #[inline(always)]
    fn weave<S: Simd, const N: usize>(&mut self, simd: S, grid: &Grid, even: bool) {
        weave::<S, N>(simd, std::array::from_fn(|lane| &self.add[lane][..]), &mut self.woven_add);
        if !even {
            let keep = |lane: usize| if grid.lanes[lane].is_some() { &self.keep[..] } else { &self.untouched[..] };
            weave::<S, N>(simd, std::array::from_fn(keep), &mut self.woven_keep);
        }
    }

    /// Blends the cells from `start` on into bytes, by registers alone.
    #[inline(always)]
    fn stain<S: Simd>(&self, simd: S, grid: &Grid, ink: &Ink, start: usize, bytes: &mut [u8]) {
        let levels = &self.levels[start..];
        match *grid.lanes {
            [a] => stain(simd, &ink.coat([a]), levels, bytes),
            [a, b] => stain(simd, &ink.coat([a, b]), levels, bytes),
            [a, b, c, d] => stain(simd, &ink.coat([a, b, c, d]), levels, bytes),
            _ => {}
        }
    }

    /// From levels to what is blended into each sample of the row.
    #[inline(always)]
    fn colour<S: Simd>(&mut self, simd: S, grid: &Grid, ink: &Ink) {
        for (lane, row) in grid.lanes.iter().zip(&mut self.add) {
            if let Some(component) = lane {
                look_up(simd, &ink.add[*component], 0, &self.levels, row);
            }
        }
        if ink.even.is_none() {
            look_up(simd, &ink.keep, self.drop, &self.levels, &mut self.keep);
        }
        match grid.lanes.len() {
            1 => {
                std::mem::swap(&mut self.woven_add, &mut self.add[0]);
                if ink.even.is_none() {
                    std::mem::swap(&mut self.woven_keep, &mut self.keep);
                }
            }
            2 => self.weave::<S, 2>(simd, grid, ink.even.is_some()),
            3 => self.weave::<S, 3>(simd, grid, ink.even.is_some()),
            _ => self.weave::<S, LANES>(simd, grid, ink.even.is_some()),
        }
    }
}

/// Blends `ink` over the pixels `across` x `down`. `levels` gives a source for each grid and its columns.
/// A cell of several pixels is blended if its first pixel is.
pub(super) fn blend<L: Source>(
    frame: &mut FrameMut,
    (across, down): (Range<usize>, Range<usize>),
    ink: &Ink,
    (level, scratch): (Level, &mut Scratch),
    levels: impl Fn(&'static Grid, Range<usize>) -> L,
) {
    // An empty box may lie beyond a frame that has no room for its margin.
    if across.is_empty() || down.is_empty() {
        return;
    }
    let format = frame.format.row();
    let (drop, sample) = (units(format).0, format.sample());
    for (index, plane) in frame.planes.iter_mut().enumerate() {
        let grids = format.grids.iter().filter(|grid| grid.plane == index);
        if let (true, [luma, chroma]) = (has_shuffles(level), format.grids)
            && luma.plane == chroma.plane
        {
            blend_pairs(plane, (across.clone(), down.clone()), ink, (level, scratch), [luma, chroma], &levels);
            continue;
        }
        let mut jobs: Vec<_> = grids
            .zip(&mut scratch.grids)
            .map(|(grid, rows)| {
                let columns = across.start.div_ceil(grid.sub_x)..across.end.div_ceil(grid.sub_x);
                rows.prepare(columns.len(), grid, ink, drop);
                (grid, levels(grid, columns.clone()), columns, rows)
            })
            .collect();
        // Grids of one plane have the same rows.
        let Some(sub) = jobs.first().map(|job| job.0.sub_y) else { continue };
        for y in down.start.div_ceil(sub)..down.end.div_ceil(sub) {
            let bytes = &mut plane.data[y * plane.stride..];
            for (grid, source, columns, rows) in &mut jobs {
                let step = grid.lanes.len();
                dispatch!(level, simd => {
                    let warm = source.fill(simd, y, &mut rows.levels);
                    let part = if ink.blank { warm } else { 0..columns.len() };
                    let samples = part.start * step..part.end * step;
                    let first = (columns.start * step + samples.start) * sample;
                    let bytes = &mut bytes[first..][..samples.len() * sample];
                    if part.is_empty() {
                    } else if sample == 1 && step != 3 && has_shuffles(level) {
                        rows.stain(simd, grid, ink, part.start, bytes);
                    } else {
                        rows.colour(simd, grid, ink);
                        let (keep, add) = (&rows.woven_keep[samples.clone()], &rows.woven_add[samples]);
                        match sample {
                            1 => blend_bytes(simd, bytes, keep, add),
                            _ => blend_words(simd, format.shift, bytes, keep, add),
                        }
                    }
                });
            }
        }
    }
}

/// A plane of packed 4:2:2: both of its grids at once.
fn blend_pairs<L: Source>(
    plane: &mut Plane<&mut [u8]>,
    (across, down): (Range<usize>, Range<usize>),
    ink: &Ink,
    (level, scratch): (Level, &mut Scratch),
    [luma, chroma]: [&'static Grid; 2],
    levels: impl Fn(&'static Grid, Range<usize>) -> L,
) {
    // Whole pairs; what is painted of the first and last one beyond the area is put back.
    let pairs = across.start / 2..across.end.div_ceil(2);
    let luma_first = luma.lanes[0].is_some();
    let mut colours = chroma.lanes.iter().flatten();
    let coats = (&ink.coat([Some(0)]), &ink.coat([colours.next().copied(), colours.next().copied()]));
    let (mut lights, mut tints) = (levels(luma, 2 * pairs.start..2 * pairs.end), levels(chroma, pairs.clone()));
    let [light_row, tint_row] = &mut scratch.grids;
    light_row.levels.resize(padded(2 * pairs.len()), 0);
    tint_row.levels.resize(padded(pairs.len()), 0);
    let light_at = if luma_first { [0, 2] } else { [1, 3] };
    for y in down {
        let bytes = &mut plane.data[y * plane.stride..][4 * pairs.start..4 * pairs.end];
        let (first, last) = (bytes.first_chunk::<4>().copied(), bytes.last_chunk::<4>().copied());
        dispatch!(level, simd => {
            let warm = [lights.fill(simd, y, &mut light_row.levels), tints.fill(simd, y, &mut tint_row.levels)];
            if !(ink.blank && warm.iter().all(|part| part.is_empty())) {
                stain_pairs(simd, coats, luma_first, (&light_row.levels, &tint_row.levels), bytes);
            }
        });
        if let (true, Some(first)) = (across.start % 2 == 1, first) {
            let light = bytes[light_at[1]];
            bytes[..4].copy_from_slice(&first);
            bytes[light_at[1]] = light;
        }
        if let (true, Some(last)) = (across.end % 2 == 1, last) {
            let at = bytes.len() - 4 + light_at[1];
            bytes[at] = last[light_at[1]];
        }
    }
}
