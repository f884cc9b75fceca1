//! Functions of the level of heat, and their look-up.
//!
//! A look-up in memory costs more than all the rest of a pixel, so a function is 32 straight pieces, which are looked up by the
//! CPU's shuffles. Where these reach over 16 bytes only, that is eight pieces: the levels of neighbouring cells are rarely
//! further apart.

use fearless_simd::{Level, Simd, i16x32, prelude::*, u8x16, u8x64, u16x32};

use super::colormap::PIECES;

/// Cells of a vector.
pub(super) const WIDTH: usize = 32;

/// The level of full heat; the lowest is 0.
pub(super) const TOP: u16 = 4094;

// Levels of a piece, as a power of two; the last of them and the one in the middle.
const PIECE: u32 = 7;
const LEVELS: u16 = (1 << PIECE) - 1;
const MIDDLE: u16 = 1 << (PIECE - 1);
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
            curve.middle[piece] = (value(start) + step * f32::from(MIDDLE)).round() as u16;
            curve.slope[piece] = (step * 2.0).round().clamp(-511.0, 511.0) as i16;
        }
        curve
    }

    /// The value at a level, 0 to [`TOP`].
    pub(super) fn at(&self, level: u16) -> u16 {
        let piece = usize::from(level >> PIECE) % PIECES;
        let from_middle = (level & LEVELS).wrapping_sub(MIDDLE) as i16;
        self.middle[piece].wrapping_add((self.slope[piece].wrapping_mul(from_middle) >> HALVES) as u16)
    }

    #[inline(always)]
    fn bytes(&self) -> (&[u8], &[u8]) {
        (bytemuck::cast_slice(&self.middle), bytemuck::cast_slice(&self.slope))
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

/// Which entries of a curve some cells need.
#[derive(Clone, Copy)]
pub(super) enum Entries {
    /// Any.
    All,
    /// [`WINDOW`] pieces from this one on.
    From(u16),
    /// The same for every eight cells.
    Apart([u16; BLOCKS]),
    /// They are looked up one by one.
    Single,
}

// Blocks of 16 bytes in the levels of two vectors.
const BLOCKS: usize = 2 * WIDTH / 8;

/// Where the levels of `V` vectors of cells, 1 or 2, lie on every curve.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a, S: Simd, const V: usize> {
    levels: &'a [u16],
    pub(super) entries: Entries,
    /// Both bytes of the entry: twice the piece, and that plus one.
    entry: [u16x32<S>; V],
    from_middle: [i16x32<S>; V],
}

impl<'a, S: Simd, const V: usize> Spot<'a, S, V> {
    /// Of the first levels.
    #[inline(always)]
    pub(super) fn new(simd: S, levels: &'a [u16]) -> Self {
        let levels = &levels[..V * WIDTH];
        let mut twice = [u16x32::splat(simd, 0); V];
        let mut from_middle = [i16x32::splat(simd, 0); V];
        for i in 0..V {
            let level = u16x32::from_slice(simd, &levels[i * WIDTH..][..WIDTH]);
            twice[i] = (level >> PIECE) * BOTH;
            from_middle[i] = ((level & LEVELS) - MIDDLE).bitcast();
        }
        let (entries, entry) = match reach(simd.level()) {
            Reach::Curve => (Entries::All, counted(twice, [u16x32::splat(simd, first(0)); V])),
            Reach::Nowhere => (Entries::Single, twice),
            Reach::Window => {
                let low = low(levels);
                let entry = counted(twice, [u16x32::splat(simd, first(low)); V]);
                if fit(entry) {
                    (Entries::From(low), entry)
                } else {
                    let (lows, firsts) = lows(simd, levels);
                    let entry = counted(twice, firsts);
                    (if fit(entry) { Entries::Apart(lows) } else { Entries::Single }, entry)
                }
            }
        };
        Self { levels, entries, entry, from_middle }
    }

    /// The same, told what it knows, so that the compiler does.
    #[inline(always)]
    pub(super) fn told(self, entries: Entries) -> Self {
        Self { entries, ..self }
    }
}

// A piece in both bytes, times two.
const BOTH: u16 = 0x0202;

/// The entry of piece 0, counted from the piece `low` on.
fn first(low: u16) -> u16 {
    0x0100u16.wrapping_sub(BOTH.wrapping_mul(low))
}

#[inline(always)]
fn counted<S: Simd, const V: usize>(mut entry: [u16x32<S>; V], first: [u16x32<S>; V]) -> [u16x32<S>; V] {
    for (entry, first) in entry.iter_mut().zip(first) {
        *entry += first;
    }
    entry
}

/// Whether all entries lie in the window that they are counted from.
#[inline(always)]
fn fit<S: Simd, const V: usize>(entry: [u16x32<S>; V]) -> bool {
    const _: () = assert!(2 * WINDOW == 0x10);
    ((entry[0] | entry[V - 1]) & 0xf0f0u16).simd_eq(0u16).all_true()
}

/// Where to begin a window for levels that go from the first to the last: a piece lower, since a valley may lie between.
#[inline(always)]
fn low(levels: &[u16]) -> u16 {
    let end = levels[0].min(levels[levels.len() - 1]);
    (end >> PIECE).saturating_sub(1).min(PIECES as u16 - WINDOW)
}

/// The same for every eight levels, and the entry of piece 0 for each.
#[inline(always)]
fn lows<S: Simd, const V: usize>(simd: S, levels: &[u16]) -> ([u16; BLOCKS], [u16x32<S>; V]) {
    let (mut lows, mut each) = ([0; BLOCKS], [0; 2 * WIDTH]);
    for ((levels, each), own) in levels.as_chunks::<8>().0.iter().zip(each.as_chunks_mut::<8>().0).zip(&mut lows) {
        *own = low(levels);
        *each = [first(*own); 8];
    }
    let mut firsts = [u16x32::splat(simd, 0); V];
    for (firsts, each) in firsts.iter_mut().zip(each.chunks_exact(WIDTH)) {
        *firsts = u16x32::from_slice(simd, each);
    }
    (lows, firsts)
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

    /// The values at vector `i` of a spot.
    #[inline(always)]
    pub(super) fn at<const V: usize>(&self, simd: S, spot: &Spot<S, V>, i: usize) -> u16x32<S> {
        let entry: u8x64<S> = spot.entry[i].bitcast();
        let (middle, slope) = self.curve.bytes();
        let (middle, slope) = match spot.entries {
            Entries::All => (self.middle.swizzle_dyn(entry), self.slope.swizzle_dyn(entry)),
            Entries::From(low) => {
                let (middle, slope) = (block(simd, middle, low), block(simd, slope, low));
                (middle.swizzle_dyn_within_blocks(entry), slope.swizzle_dyn_within_blocks(entry))
            }
            Entries::Apart(lows) => {
                let lows = &lows[i * BLOCKS / 2..][..BLOCKS / 2];
                let (middle, slope) = (blocks(simd, middle, lows), blocks(simd, slope, lows));
                (middle.swizzle_dyn_within_blocks(entry), slope.swizzle_dyn_within_blocks(entry))
            }
            Entries::Single => {
                let mut values = [0; WIDTH];
                for (value, level) in values.iter_mut().zip(&spot.levels[i * WIDTH..]) {
                    *value = self.curve.at(*level);
                }
                return u16x32::from_slice(simd, &values);
            }
        };
        let slope: i16x32<S> = slope.bitcast();
        let rise: u16x32<S> = ((slope * spot.from_middle[i]) >> HALVES).bitcast();
        middle.bitcast::<u16x32<S>>() + rise
    }
}

/// The entries of a table from `low` on, in each 16 bytes.
#[inline(always)]
fn block<S: Simd>(simd: S, table: &[u8], low: u16) -> u8x64<S> {
    let entries = u8x16::from_slice(simd, &table[2 * usize::from(low)..][..16]);
    let two = entries.combine(entries);
    two.combine(two)
}

/// The same from each of `lows` on.
#[inline(always)]
fn blocks<S: Simd>(simd: S, table: &[u8], lows: &[u16]) -> u8x64<S> {
    let mut bytes = [0; 2 * WIDTH];
    for (bytes, low) in bytes.as_chunks_mut::<16>().0.iter_mut().zip(lows) {
        bytes.copy_from_slice(&table[2 * usize::from(*low)..][..16]);
    }
    u8x64::from_slice(simd, &bytes)
}
