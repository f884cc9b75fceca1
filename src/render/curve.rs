//! Functions of the level of heat, and their look-up.
//!
//! A look-up in memory costs more than all the rest of a pixel, so a function is 32 straight pieces, which are looked up by the
//! CPU's shuffles. Where these reach over 16 bytes only, that is eight pieces: the levels of neighbouring cells are rarely
//! further apart.

use fearless_simd::{Level, Simd, i16x32, prelude::*, u8x16, u8x64, u16x32};

use super::colormap::PIECES;

/// Cells that are computed at once.
pub(super) const WIDTH: usize = 32;

/// The level of full heat; the lowest is 0.
pub(super) const TOP: u16 = 4094;

// Levels of a piece, as a power of two.
const PIECE: u32 = 7;
const _: () = assert!(PIECES << PIECE == TOP as usize + 2 && PIECES == WIDTH);

// Slopes are counted in halves.
const HALVES: u32 = 1;

// Pieces that lie in 16 bytes.
const WINDOW: u16 = 8;

/// A function of the level, 16 bits, in straight pieces: `middle + slope * (level - middle of the piece) / 2`.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    middle: [u16; PIECES],
    slope: [i16; PIECES],
}

impl Curve {
    /// Through the values that `f` has at the ends of the pieces, `t` being the level from 0 to 1. A piece may rise by 32704 at
    /// most; values may come out higher or lower by 17.
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

/// How far the shuffles of an instruction set reach.
#[derive(PartialEq)]
pub(super) enum Reach {
    /// There are none.
    Nowhere,
    /// 16 bytes.
    Window,
    /// All pieces.
    Curve,
}

pub(super) fn reach(level: Level) -> Reach {
    if level.is_fallback() {
        return Reach::Nowhere;
    }
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return match level {
        _ if level.as_avx512().is_some() => Reach::Curve,
        _ if level.as_sse4_2().is_some() => Reach::Window,
        _ => Reach::Nowhere,
    };
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    return if cfg!(target_arch = "aarch64") { Reach::Curve } else { Reach::Window };
}

/// Where the levels of some cells lie on every curve.
pub(super) struct Spot<'a, S: Simd> {
    levels: &'a [u16],
    /// Both bytes of the table's entry: twice the piece, and that plus one.
    entry: u8x64<S>,
    from_middle: i16x32<S>,
    /// All of them lie on the [`WINDOW`] pieces from this one on, from which entries are counted.
    window: Option<usize>,
}

impl<'a, S: Simd> Spot<'a, S> {
    /// Of the first [`WIDTH`] levels.
    #[inline(always)]
    pub(super) fn new(simd: S, levels: &'a [u16]) -> Self {
        let level = u16x32::from_slice(simd, &levels[..WIDTH]);
        let (mut piece, mut window) = (level >> PIECE, None);
        if reach(simd.level()) == Reach::Window {
            // The lower end, and a piece more, since a valley may lie between.
            let low = (levels[0].min(levels[WIDTH - 1]) >> PIECE).saturating_sub(1).min(PIECES as u16 - WINDOW);
            let from_low = piece - low;
            let beyond = from_low.bitcast::<i16x32<S>>().simd_gt(WINDOW as i16 - 1);
            let below = from_low.bitcast::<i16x32<S>>().simd_lt(0);
            if !(beyond | below).any_true() {
                (piece, window) = (from_low, Some(usize::from(low)));
            }
        }
        let entry = (piece * 0x0202u16 + 0x0100u16).bitcast();
        Self { levels, entry, from_middle: ((level & 127u16) - 64u16).bitcast(), window }
    }
}

/// A [`Curve`], if need be in registers.
#[derive(Clone, Copy)]
pub(super) struct Pieces<'a, S: Simd> {
    curve: &'a Curve,
    middle: u8x64<S>,
    slope: u8x64<S>,
}

impl<'a, S: Simd> Pieces<'a, S> {
    #[inline(always)]
    pub(super) fn new(simd: S, curve: &'a Curve) -> Self {
        let (middle, slope) = (u16x32::from_slice(simd, &curve.middle), i16x32::from_slice(simd, &curve.slope));
        Self { curve, middle: middle.bitcast(), slope: slope.bitcast() }
    }

    #[inline(always)]
    pub(super) fn at(&self, simd: S, spot: &Spot<S>) -> u16x32<S> {
        if reach(simd.level()) == Reach::Nowhere {
            let mut values = [0; WIDTH];
            for (value, level) in values.iter_mut().zip(spot.levels) {
                *value = self.curve.at(*level);
            }
            return u16x32::from_slice(simd, &values);
        }
        let (middle, slope) = match spot.window {
            Some(low) => (
                windowed(simd, bytemuck::cast_slice(&self.curve.middle), low).swizzle_dyn_within_blocks(spot.entry),
                windowed(simd, bytemuck::cast_slice(&self.curve.slope), low).swizzle_dyn_within_blocks(spot.entry),
            ),
            None => (self.middle.swizzle_dyn(spot.entry), self.slope.swizzle_dyn(spot.entry)),
        };
        let slope: i16x32<S> = slope.bitcast();
        let rise: u16x32<S> = ((slope * spot.from_middle) >> HALVES).bitcast();
        middle.bitcast::<u16x32<S>>() + rise
    }
}

/// The entries of a table from `low` on, in each 16 bytes.
#[inline(always)]
fn windowed<S: Simd>(simd: S, table: &[u8], low: usize) -> u8x64<S> {
    let entries = u8x16::from_slice(simd, &table[2 * low..][..16]);
    let two = entries.combine(entries);
    two.combine(two)
}
