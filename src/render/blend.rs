//! The way over a frame: grid by grid, row by row: levels become colours of the frame's own format and are blended in.

use std::ops::Range;

use fearless_simd::{Level, Simd, dispatch};

use super::curve::{Curve, TOP};
use super::kernel::{Byte, Coat, Sample, Word, padded, stain, stain_pairs};
use crate::frame::format::{Format, Grid, Lane};
use crate::frame::{Color, FrameMut, Plane};

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

impl Ink {
    /// `shade` gives RGB (0..=255) and opacity (0..=1) at each level from 0 to 1.
    pub(super) fn new(format: Format, color: Color, shade: impl Fn(f32) -> ([f32; 3], f32)) -> Self {
        let row = format.row();
        let encode = color.encode(row.space, row.depth);
        let most = ((1u32 << row.depth) - 1) as f32;
        // What a step of a sample counts where it is added.
        let step = f32::from(1u16 << (16 - row.depth));
        let add = |component: usize| {
            Curve::new(|t| {
                let (rgb, opacity) = shade(t);
                (encode.apply(rgb)[component].clamp(0.0, most) * opacity + 0.5) * step
            })
        };
        let (one, whole, drop) =
            if row.depth == 8 { (Byte::ONE, Byte::WHOLE, Byte::DROP) } else { (Word::ONE, Word::WHOLE, Word::DROP) };
        // Half of what is dropped makes it round.
        let (scale, half) = (f32::from(1u16 << drop), f32::from(1u16 << drop >> 1));
        let keep = Curve::new(|t| ((1.0 - shade(t).1) * one).min(f32::from(whole)) * scale + half);
        let kept = |level: u16| keep.at(level) >> drop;
        let even = (0..=TOP).all(|level| kept(level) == kept(0)).then(|| kept(0));
        Self { add: [add(0), add(1), add(2)], keep, even, blank: shade(0.0).1 == 0.0 }
    }

    /// What is done to the samples of a cell, by their components.
    #[inline(always)]
    fn coat<const N: usize>(&self, lanes: [Option<usize>; N]) -> Coat<'_, N> {
        Coat { add: lanes.map(|lane| lane.map(|component| &self.add[component])), keep: &self.keep, even: self.even }
    }
}

/// Where levels come from.
pub(super) trait Source {
    /// Writes the levels of the grid's row `y` for the columns that the source was made for, and what it likes behind them. Adds
    /// to `warm`, in order and apart, which of these columns may have a level above 0.
    fn fill<S: Simd>(&mut self, simd: S, y: usize, levels: &mut [u16], warm: &mut Vec<Range<usize>>);
}

/// Rows on their way, kept from frame to frame.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    levels: Vec<u16>,
    /// Of chroma, where luma lies between it.
    tints: Vec<u16>,
    warm: Vec<Range<usize>>,
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
    let grids = frame.format.row().grids;
    if let [luma, chroma] = grids
        && luma.plane == chroma.plane
    {
        let plane = &mut frame.planes[luma.plane];
        dispatch!(level, simd => blend_pairs(simd, plane, (across, down), ink, scratch, [luma, chroma], levels));
        return;
    }
    // Grids of one size have the same levels.
    for grids in grids.chunk_by(|a, b| (a.sub_x, a.sub_y) == (b.sub_x, b.sub_y)) {
        let Grid { sub_x, sub_y, .. } = grids[0];
        let columns = across.start.div_ceil(sub_x)..across.end.div_ceil(sub_x);
        let rows = down.start.div_ceil(sub_y)..down.end.div_ceil(sub_y);
        let source = levels(&grids[0], columns.clone());
        dispatch!(level, simd => blend_grids(simd, frame, grids, (columns, rows), ink, scratch, source));
    }
}

#[inline(always)]
fn blend_grids<S: Simd>(
    simd: S,
    frame: &mut FrameMut,
    grids: &[Grid],
    (columns, rows): (Range<usize>, Range<usize>),
    ink: &Ink,
    scratch: &mut Scratch,
    mut source: impl Source,
) {
    let format = frame.format.row();
    let Scratch { levels, warm, .. } = scratch;
    levels.resize(padded(columns.len()), 0);
    for y in rows {
        warm.clear();
        source.fill(simd, y, levels, warm);
        if !ink.blank {
            warm.clear();
            warm.push(0..columns.len());
        }
        for grid in grids {
            let plane = &mut frame.planes[grid.plane];
            let cell = grid.lanes.len() * format.sample();
            let bytes = &mut plane.data[y * plane.stride + columns.start * cell..];
            for part in warm.iter() {
                let (levels, bytes) = (&levels[part.start..], &mut bytes[part.start * cell..part.end * cell]);
                match format.depth {
                    8 => stain_lanes(simd, Byte, grid.lanes, ink, levels, bytes),
                    _ => stain_lanes(simd, Word { shift: format.shift }, grid.lanes, ink, levels, bytes),
                }
            }
        }
    }
}

#[inline(always)]
fn stain_lanes<S: Simd>(simd: S, depth: impl Sample, lanes: &[Lane], ink: &Ink, levels: &[u16], bytes: &mut [u8]) {
    match *lanes {
        [a] => stain(simd, depth, &ink.coat([a]), levels, bytes),
        [a, b] => stain(simd, depth, &ink.coat([a, b]), levels, bytes),
        [a, b, c] => stain(simd, depth, &ink.coat([a, b, c]), levels, bytes),
        [a, b, c, d] => stain(simd, depth, &ink.coat([a, b, c, d]), levels, bytes),
        _ => {}
    }
}

/// A plane of packed 4:2:2: both of its grids at once.
#[inline(always)]
fn blend_pairs<S: Simd, L: Source>(
    simd: S,
    plane: &mut Plane<&mut [u8]>,
    (across, down): (Range<usize>, Range<usize>),
    ink: &Ink,
    scratch: &mut Scratch,
    [luma, chroma]: [&'static Grid; 2],
    levels: impl Fn(&'static Grid, Range<usize>) -> L,
) {
    // Whole pairs; what is painted of the first and last one beyond the area is put back.
    let pairs = across.start / 2..across.end.div_ceil(2);
    let luma_first = luma.lanes[0].is_some();
    let mut colours = chroma.lanes.iter().flatten();
    let coats = (&ink.coat([Some(0)]), &ink.coat([colours.next().copied(), colours.next().copied()]));
    let (mut lights, mut tints) = (levels(luma, 2 * pairs.start..2 * pairs.end), levels(chroma, pairs.clone()));
    let Scratch { levels: light_row, tints: tint_row, warm } = scratch;
    light_row.resize(padded(2 * pairs.len()), 0);
    tint_row.resize(padded(pairs.len()), 0);
    let second_light = if luma_first { 2 } else { 3 };
    for y in down {
        let bytes = &mut plane.data[y * plane.stride..][4 * pairs.start..4 * pairs.end];
        let (first, last) = (bytes.first_chunk::<4>().copied(), bytes.last_chunk::<4>().copied());
        warm.clear();
        lights.fill(simd, y, light_row, warm);
        warm.iter_mut().for_each(|part| *part = part.start / 2..part.end.div_ceil(2));
        tints.fill(simd, y, tint_row, warm);
        if ink.blank {
            unite(warm);
        } else {
            warm.clear();
            warm.push(0..pairs.len());
        }
        for part in warm.iter() {
            let rows = (&light_row[2 * part.start..], &tint_row[part.start..]);
            stain_pairs(simd, coats, luma_first, rows, &mut bytes[4 * part.start..4 * part.end]);
        }
        if let (true, Some(first)) = (across.start % 2 == 1, first) {
            let light = bytes[second_light];
            bytes[..4].copy_from_slice(&first);
            bytes[second_light] = light;
        }
        if let (true, Some(last)) = (across.end % 2 == 1, last) {
            let at = bytes.len() - 4 + second_light;
            bytes[at] = last[second_light];
        }
    }
}

/// Makes ranges that may overlap ones that do not.
fn unite(ranges: &mut Vec<Range<usize>>) {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, kept| {
        let meet = next.start <= kept.end;
        if meet {
            kept.end = kept.end.max(next.end);
        }
        meet
    });
}
