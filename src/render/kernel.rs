//! The row kernels: levels along a row, what becomes of them, and the blend into the frame's bytes.
//!
//! A look-up in memory costs more than all the rest of a pixel, so a colour map is 32 straight pieces, which lie in the CPU's
//! registers and are looked up by its shuffles. Where there are none (SSE2 alone), the same sums are done one by one.

use fearless_simd::{Level, Simd, i16x32, prelude::*, u8x64, u16x32};

use super::colormap::PIECES;

/// Cells that are computed at once. Rows of cells are padded to [`padded`].
pub(super) const WIDTH: usize = 32;

/// The level of full heat; the lowest is 0.
pub(super) const TOP: u16 = 4094;

// Levels of a piece, as a power of two.
const PIECE: u32 = 7;
const _: () = assert!(PIECES << PIECE == TOP as usize + 2 && PIECES == WIDTH);

// Slopes are counted in halves.
const HALVES: u32 = 1;

/// The length of a row's buffer: whole steps, and one more, since a ramp is written in whole steps from where it begins.
pub(super) fn padded(cells: usize) -> usize {
    cells.next_multiple_of(WIDTH) + WIDTH
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
            let middle: u8x64<S> = u16x32::from_slice(simd, &curve.middle).bitcast();
            let slope: u8x64<S> = i16x32::from_slice(simd, &curve.slope).bitcast();
            for (levels, values) in levels.chunks_exact(WIDTH).zip(values.chunks_exact_mut(WIDTH)) {
                let level = u16x32::from_slice(simd, levels);
                // Both bytes of the table's entry: twice the piece, and that plus one.
                let entry: u8x64<S> = ((level >> PIECE) * 0x0202u16 + 0x0100u16).bitcast();
                let from_middle: i16x32<S> = ((level & 127u16) - 64u16).bitcast();
                let slope: i16x32<S> = slope.swizzle_dyn(entry).bitcast();
                let middle: u16x32<S> = middle.swizzle_dyn(entry).bitcast();
                let rise: u16x32<S> = ((slope * from_middle) >> HALVES).bitcast();
                ((middle + rise) >> drop).store_slice(values);
            }
        },
    );
}

fn has_shuffles(level: Level) -> bool {
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
            for (i, levels) in levels.chunks_exact_mut(WIDTH).take(length.div_ceil(WIDTH)).enumerate() {
                let middle = ((first + step * (i * WIDTH + 16) as f32) * 16.0 + 8.0).floor() as i32 as i16;
                let sum: u16x32<S> = (wide + middle).bitcast();
                (sum >> 4).store_slice(levels);
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

/// Puts rows side by side: sample `i` of cell `k` is `rows[i][k]`. All rows are of one [`padded`] length, `out` of `N` times that.
#[inline(always)]
pub(super) fn weave<S: Simd, const N: usize>(simd: S, rows: [&[u16]; N], out: &mut [u16]) {
    simd.vectorize(
        #[inline(always)]
        || {
            if N == 2 {
                let pairs = rows[0].chunks_exact(WIDTH).zip(rows[1].chunks_exact(WIDTH));
                for ((a, b), out) in pairs.zip(out.chunks_exact_mut(2 * WIDTH)) {
                    let (low, high) = u16x32::from_slice(simd, a).interleave(u16x32::from_slice(simd, b));
                    low.store_slice(&mut out[..WIDTH]);
                    high.store_slice(&mut out[WIDTH..]);
                }
            } else if N == 4 {
                for (k, out) in out.chunks_exact_mut(4 * WIDTH).enumerate() {
                    let row = |i: usize| u16x32::from_slice(simd, &rows[i][k * WIDTH..][..WIDTH]);
                    let (even_low, even_high) = row(0).interleave(row(2));
                    let (odd_low, odd_high) = row(1).interleave(row(3));
                    let (first, second) = even_low.interleave(odd_low);
                    let (third, fourth) = even_high.interleave(odd_high);
                    for (quarter, out) in [first, second, third, fourth].into_iter().zip(out.chunks_exact_mut(WIDTH)) {
                        quarter.store_slice(out);
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
