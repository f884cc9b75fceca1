//! The row kernels: levels along a row, what becomes of them, and the blend into the frame's bytes.
//!
//! A look-up in memory costs more than all the rest of a pixel, so a colour map is 32 straight pieces, which lie in the CPU's
//! registers and are looked up by its shuffles. Where there are none (SSE2 alone), the same sums are done one by one.

use fearless_simd::{Level, Simd, i16x32, prelude::*, u8x64, u16x32};

use super::colormap::PIECES;

/// Cells that are computed at once. Rows of cells are padded to [`padded`].
const WIDTH: usize = 32;

/// The level of full heat; the lowest is 0.
pub(super) const TOP: u16 = 4094;

// Levels of a piece, as a power of two.
const PIECE: u32 = 7;
const _: () = assert!(PIECES << PIECE == TOP as usize + 2 && PIECES == WIDTH);

// Slopes are counted in halves.
const HALVES: u32 = 1;

/// The length of a row's buffer: whole steps, and one more, since rows are written and read in whole steps from wherever they begin.
pub(super) fn padded(cells: usize) -> usize {
    cells.next_multiple_of(2 * WIDTH) + 2 * WIDTH
}

/// A function of the level, 16 bits, in straight pieces: `middle + slope * (level - middle of the piece) / 2`.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    middle: [u16; PIECES],
    slope: [i16; PIECES],
}

impl Curve {
    /// Through the values that `f` has at the ends of the pieces, `t` being the level from 0 to 1. A piece may rise by 32704 at most.
    pub(super) fn new(f: impl Fn(f32) -> f32) -> Self {
        let value = |level: usize| f(level as f32 / f32::from(TOP));
        let mut curve = Curve { middle: [0; PIECES], slope: [0; PIECES] };
        for piece in 0..PIECES {
            let (start, end) = (piece << PIECE, ((piece + 1) << PIECE).min(usize::from(TOP)));
            let step = (value(end) - value(start)) / (end - start) as f32;
            curve.middle[piece] = (value(start) + step * 64.0).round() as u16;
            curve.slope[piece] = (step * 2.0).round().clamp(-511.0, 511.0) as i16;
        }
        curve
    }

    /// The value at a level, 0 to [`TOP`].
    pub(super) fn at(&self, level: u16) -> u16 {
        let piece = usize::from(level >> PIECE) % PIECES;
        let from_middle = (level & 127) as i16 - 64;
        self.middle[piece].wrapping_add((self.slope[piece].wrapping_mul(from_middle) >> HALVES) as u16)
    }
}

/// The curve at each level of a row, less its lowest `drop` bits; `levels` and `values` are of one [`padded`] length.
#[inline(always)]
pub(super) fn look_up<S: Simd>(simd: S, curve: &Curve, drop: u32, levels: &[u16], values: &mut [u16]) {
    if !has_shuffles(simd.level()) {
        levels.iter().zip(values).for_each(|(&level, value)| *value = curve.at(level) >> drop);
        return;
    }
    simd.vectorize(
        #[inline(always)]
        || {
            let pieces = Pieces::new(simd, curve);
            for (levels, values) in levels.chunks_exact(WIDTH).zip(values.chunks_exact_mut(WIDTH)) {
                (pieces.at(u16x32::from_slice(simd, levels)) >> drop).store_slice(values);
            }
        },
    );
}

/// A [`Curve`] in registers.
#[derive(Clone, Copy)]
struct Pieces<S: Simd> {
    middle: u8x64<S>,
    slope: u8x64<S>,
}

impl<S: Simd> Pieces<S> {
    #[inline(always)]
    fn new(simd: S, curve: &Curve) -> Self {
        let (middle, slope) = (u16x32::from_slice(simd, &curve.middle), i16x32::from_slice(simd, &curve.slope));
        Self { middle: middle.bitcast(), slope: slope.bitcast() }
    }

    #[inline(always)]
    fn at(&self, level: u16x32<S>) -> u16x32<S> {
        // Both bytes of the table's entry: twice the piece, and that plus one.
        let entry: u8x64<S> = ((level >> PIECE) * 0x0202u16 + 0x0100u16).bitcast();
        let from_middle: i16x32<S> = ((level & 127u16) - 64u16).bitcast();
        let slope: i16x32<S> = self.slope.swizzle_dyn(entry).bitcast();
        let middle: u16x32<S> = self.middle.swizzle_dyn(entry).bitcast();
        let rise: u16x32<S> = ((slope * from_middle) >> HALVES).bitcast();
        middle + rise
    }
}

/// Whether a level looks up in registers.
pub(super) fn has_shuffles(level: Level) -> bool {
    !level.is_fallback() && (cfg!(not(any(target_arch = "x86", target_arch = "x86_64"))) || level.as_sse4_2().is_some())
}

/// A straight line of levels, `first + step * i` at cell `i` < `length`; what is written beyond them means nothing.
#[inline(always)]
pub(super) fn line<S: Simd>(simd: S, (first, step): (f32, f32), length: usize, levels: &mut [u16]) {
    // 16ths of a level from the middle of each step of cells on, so that no error grows to half a level. What lies outside
    // 16 bits wraps, and comes back for the cells of the line.
    const IOTA: [i16; WIDTH] = {
        let mut iota = [0; WIDTH];
        let mut i = 0;
        while i < WIDTH {
            iota[i] = i as i16 - 16;
            i += 1;
        }
        iota
    };
    simd.vectorize(
        #[inline(always)]
        || {
            let wide: i16x32<S> = i16x32::from_slice(simd, &IOTA) * ((step * 16.0).round() as i32 as i16);
            // with 16 bits more, below the 16ths
            let fixed = |level: f32| (level * (16 << 16) as f32) as i64 as i32;
            let (mut middle, stride) = (fixed(first + step * 16.0 + 0.5), fixed(step * WIDTH as f32));
            for levels in levels.chunks_exact_mut(WIDTH).take(length.div_ceil(WIDTH)) {
                let sum: u16x32<S> = (wide + (middle >> 16) as i16).bitcast();
                (sum >> 4).store_slice(levels);
                middle = middle.wrapping_add(stride);
            }
        },
    );
}

/// Levels along a cubic, cut off at both ends of the scale: `c[0] + c[1] t + c[2] t^2 + c[3] t^3` with `t = first + step * i`.
#[inline(always)]
pub(super) fn cubic<S: Simd>(simd: S, c: [f32; 4], (first, step): (f32, f32), levels: &mut [u16]) {
    simd.vectorize(
        #[inline(always)]
        || {
            for (i, level) in (0i32..).zip(levels) {
                let t = first + step * i as f32;
                *level = to_level(((c[3] * t + c[2]) * t + c[1]) * t + c[0]);
            }
        },
    );
}

/// The nearest level. The lowest bits of a sum with 2^23 are its whole number: quicker than a cast, which asks for NaN too.
#[inline(always)]
pub(super) fn to_level(v: f32) -> u16 {
    (v.max(0.0).min(f32::from(TOP)) + 8_388_608.0).to_bits() as u16
}

/// The same for one step: 1, 2 or 4 vectors side by side.
#[inline(always)]
fn woven<S: Simd, const N: usize>(rows: [u16x32<S>; N]) -> [u16x32<S>; N] {
    let mut woven = rows;
    if N == 2 {
        (woven[0], woven[1]) = rows[0].interleave(rows[1]);
    } else if N == 4 {
        let (even_low, even_high) = rows[0].interleave(rows[2]);
        let (odd_low, odd_high) = rows[1].interleave(rows[3]);
        (woven[0], woven[1]) = even_low.interleave(odd_low);
        (woven[2], woven[3]) = even_high.interleave(odd_high);
    }
    woven
}

/// Puts rows side by side: sample `i` of cell `k` is `rows[i][k]`. All rows are of one [`padded`] length, `out` of `N` times that.
#[inline(always)]
pub(super) fn weave<S: Simd, const N: usize>(simd: S, rows: [&[u16]; N], out: &mut [u16]) {
    simd.vectorize(
        #[inline(always)]
        || {
            if N == 2 || N == 4 {
                for (k, out) in out.chunks_exact_mut(N * WIDTH).enumerate() {
                    let mut parts = [u16x32::splat(simd, 0); N];
                    for (part, row) in parts.iter_mut().zip(rows) {
                        *part = u16x32::from_slice(simd, &row[k * WIDTH..][..WIDTH]);
                    }
                    for (part, out) in woven(parts).into_iter().zip(out.chunks_exact_mut(WIDTH)) {
                        part.store_slice(out);
                    }
                }
            } else {
                for (k, cell) in out.chunks_exact_mut(N).enumerate() {
                    for (sample, row) in cell.iter_mut().zip(rows) {
                        *sample = row[k];
                    }
                }
            }
        },
    );
}

/// 8 bits: `sample = (sample * keep + add) / 256`, which is at most 255.
#[inline(always)]
pub(super) fn blend_bytes<S: Simd>(simd: S, samples: &mut [u8], keep: &[u16], add: &[u16]) {
    simd.vectorize(
        #[inline(always)]
        || {
            for ((sample, keep), add) in samples.iter_mut().zip(keep).zip(add) {
                *sample = (u16::from(*sample).wrapping_mul(*keep).wrapping_add(*add) >> 8) as u8;
            }
        },
    );
}

/// What is done to bytes: a curve for each sample of a cell that is a colour, what is kept, and that once more if it is the same
/// at all levels.
pub(super) struct Coat<'a, const N: usize> {
    pub(super) add: [Option<&'a Curve>; N],
    pub(super) keep: &'a Curve,
    pub(super) even: Option<u16>,
}

/// The same in registers. The functions that take it are loops and no closures: those would not be inlined, which is ten times slower.
struct Tools<S: Simd, const N: usize> {
    add: [Option<Pieces<S>>; N],
    keep: Option<Pieces<S>>,
    /// What is kept of each sample of a step, where that is the same at all levels.
    even: u16x32<S>,
}

impl<S: Simd, const N: usize> Tools<S, N> {
    #[inline(always)]
    fn new(simd: S, coat: &Coat<N>) -> Self {
        let mut add = [None; N];
        let mut pattern = [256; WIDTH];
        for lane in 0..N {
            if let Some(curve) = coat.add[lane] {
                add[lane] = Some(Pieces::new(simd, curve));
                pattern[lane..].iter_mut().step_by(N).for_each(|kept| *kept = coat.even.unwrap_or(256));
            }
        }
        let keep = if coat.even.is_none() { Some(Pieces::new(simd, coat.keep)) } else { None };
        Self { add, keep, even: u16x32::from_slice(simd, &pattern) }
    }

    /// What is added to and kept of the samples of 32 cells.
    #[inline(always)]
    fn cells(&self, simd: S, levels: &[u16]) -> ([u16x32<S>; N], [u16x32<S>; N]) {
        let level = u16x32::from_slice(simd, levels);
        let mut add = [u16x32::splat(simd, 0); N];
        for (add, pieces) in add.iter_mut().zip(&self.add) {
            if let Some(pieces) = pieces {
                *add = pieces.at(level);
            }
        }
        let mut keep = [self.even; N];
        if let Some(pieces) = &self.keep {
            let kept = pieces.at(level) >> 7;
            for (keep, add) in keep.iter_mut().zip(&self.add) {
                *keep = if add.is_some() { kept } else { u16x32::splat(simd, 256) };
            }
            keep = woven(keep);
        }
        (woven(add), keep)
    }

    /// Blends `N` bytes a cell: 64 cells for `N` = 1, else 32.
    #[inline(always)]
    fn step(&self, simd: S, levels: &[u16], bytes: &mut [u8]) {
        if N == 1 {
            let (a, b) = (self.cells(simd, &levels[..WIDTH]), self.cells(simd, &levels[WIDTH..2 * WIDTH]));
            blend_64(simd, bytes, [a.1[0], b.1[0]], [a.0[0], b.0[0]]);
            return;
        }
        let (add, keep) = self.cells(simd, &levels[..WIDTH]);
        for i in 0..N / 2 {
            let bytes = &mut bytes[2 * i * WIDTH..][..2 * WIDTH];
            blend_64(simd, bytes, [keep[2 * i], keep[2 * i + 1]], [add[2 * i], add[2 * i + 1]]);
        }
    }
}

// The most bytes of a step.
const STEP: usize = 4 * WIDTH;

/// The same from levels to bytes in one go, for `N` samples a cell, 1, 2 or 4: nothing but levels goes through memory.
#[inline(always)]
pub(super) fn stain<S: Simd, const N: usize>(simd: S, coat: &Coat<N>, levels: &[u16], bytes: &mut [u8]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let tools = Tools::new(simd, coat);
            let cells = if N == 1 { 2 * WIDTH } else { WIDTH };
            let whole = bytes.len() / (cells * N) * cells;
            let (steps, rest) = bytes.split_at_mut(whole * N);
            for (bytes, levels) in steps.chunks_exact_mut(cells * N).zip(levels.chunks_exact(cells)) {
                tools.step(simd, levels, bytes);
            }
            if !rest.is_empty() {
                let mut filled = [0; STEP];
                filled[..rest.len()].copy_from_slice(rest);
                tools.step(simd, &levels[whole..], &mut filled[..cells * N]);
                rest.copy_from_slice(&filled[..rest.len()]);
            }
        },
    );
}

/// The same for packed 4:2:2, where cells of two pixels hold luma and chroma in turn.
#[inline(always)]
pub(super) fn stain_pairs<S: Simd>(
    simd: S,
    (luma, chroma): (&Coat<1>, &Coat<2>),
    luma_first: bool,
    (lights, colours): (&[u16], &[u16]),
    bytes: &mut [u8],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let tools = (Tools::new(simd, luma), Tools::new(simd, chroma));
            let mut filled = [0; STEP];
            for (k, bytes) in bytes.chunks_mut(STEP).enumerate() {
                let (lights, colours) = (&lights[2 * k * WIDTH..], &colours[k * WIDTH..]);
                if bytes.len() == STEP {
                    step_of_pairs(simd, &tools, luma_first, (lights, colours), bytes);
                } else {
                    filled[..bytes.len()].copy_from_slice(bytes);
                    step_of_pairs(simd, &tools, luma_first, (lights, colours), &mut filled);
                    bytes.copy_from_slice(&filled[..bytes.len()]);
                }
            }
        },
    );
}

#[inline(always)]
fn step_of_pairs<S: Simd>(
    simd: S,
    (luma, chroma): &(Tools<S, 1>, Tools<S, 2>),
    luma_first: bool,
    (lights, colours): (&[u16], &[u16]),
    bytes: &mut [u8],
) {
    let colour = chroma.cells(simd, &colours[..WIDTH]);
    for half in 0..2 {
        let light = luma.cells(simd, &lights[half * WIDTH..][..WIDTH]);
        let (mut add, mut keep) = ([light.0[0], colour.0[half]], [light.1[0], colour.1[half]]);
        if !luma_first {
            (add, keep) = ([add[1], add[0]], [keep[1], keep[0]]);
        }
        blend_64(simd, &mut bytes[2 * half * WIDTH..][..2 * WIDTH], woven(keep), woven(add));
    }
}

#[inline(always)]
fn blend_64<S: Simd>(simd: S, bytes: &mut [u8], keep: [u16x32<S>; 2], add: [u16x32<S>; 2]) {
    let (low, high) = u8x64::from_slice(simd, bytes).widen();
    let (low, high) = ((low * keep[0] + add[0]) >> 8, (high * keep[1] + add[1]) >> 8);
    low.narrow(high).store_slice(bytes);
}

/// 10 bits in two bytes, `shift` above the lowest: `sample = (sample * keep / 2^15 + add / 2^6)`, which is at most 1023.
#[inline(always)]
pub(super) fn blend_words<S: Simd>(simd: S, shift: u32, samples: &mut [u8], keep: &[u16], add: &[u16]) {
    let below = (1u16 << shift) - 1;
    simd.vectorize(
        #[inline(always)]
        || {
            for ((sample, keep), add) in samples.as_chunks_mut::<2>().0.iter_mut().zip(keep).zip(add) {
                let word = u16::from_le_bytes(*sample);
                let sum = u32::from(word >> shift) * u32::from(*keep) + (u32::from(*add) << 9);
                *sample = (((sum >> 15) as u16) << shift | word & below).to_le_bytes();
            }
        },
    );
}
