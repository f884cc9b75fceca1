//! The row kernels: levels along a row, and their colours blended into the frame's bytes.

use fearless_simd::{Simd, i16x32, prelude::*, u8x64, u16x32};

use super::curve::{Curve, Entries, Pieces, Spot, TOP, WIDTH};
use super::weave::woven;

/// Cells of a step. Rows of cells are padded to [`padded`].
const CELLS: usize = 2 * WIDTH;

/// The length of a row's buffer: whole steps, and one more, since rows are written and read in whole steps from wherever they begin.
pub(super) fn padded(cells: usize) -> usize {
    cells.next_multiple_of(CELLS) + CELLS
}

/// A straight line of levels, `first + step * i` at cell `i` < `length`; what is written beyond them means nothing.
#[inline(always)]
pub(super) fn line<S: Simd>(simd: S, (first, step): (f32, f32), length: usize, levels: &mut [u16]) {
    // 16ths of a level from the middle of each vector of cells on, so that no error grows to half a level and a bit. What lies outside
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
            let near: i16x32<S> = i16x32::from_slice(simd, &IOTA) * lowest(step * 16.0) as i16;
            let far = near + lowest(step * 16.0 * WIDTH as f32) as i16;
            // with 16 bits more, below the 16ths
            let fixed = |level: f32| lowest(level * (16 << 16) as f32);
            let (mut middle, stride) = (fixed(first + step * 16.0 + 0.5), fixed(step * CELLS as f32));
            for levels in levels.chunks_exact_mut(CELLS).take(length.div_ceil(CELLS)) {
                let middle_of_near = (middle >> 16) as i16;
                let (near, far): (u16x32<S>, u16x32<S>) =
                    ((near + middle_of_near).bitcast(), (far + middle_of_near).bitcast());
                (near >> 4).store_slice(&mut levels[..WIDTH]);
                (far >> 4).store_slice(&mut levels[WIDTH..]);
                middle = middle.wrapping_add(stride);
            }
        },
    );
}

/// The lowest bits of the nearest whole number, which are those of a sum with 3 * 2^51: quicker than a cast, which asks for NaN too.
#[inline(always)]
fn lowest(v: f32) -> i32 {
    (f64::from(v) + 6_755_399_441_055_744.0).to_bits() as i32
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

/// The nearest level, as in [`lowest`].
#[inline(always)]
pub(super) fn to_level(v: f32) -> u16 {
    (v.max(0.0).min(f32::from(TOP)) + 8_388_608.0).to_bits() as u16
}

/// What a sample is in memory, and how it is blended.
pub(super) trait Sample: Copy {
    const BYTES: usize;
    /// What is kept is counted in parts of this.
    const ONE: f32;
    /// So many of them are kept where nothing is painted.
    const WHOLE: u16;
    /// How many of the lowest bits of a curve of what is kept are dropped.
    const DROP: u32;

    /// Blends [`CELLS`] samples.
    fn blend<S: Simd>(self, simd: S, samples: &mut [u8], keep: [u16x32<S>; 2], add: [u16x32<S>; 2]);
}

/// 8 bits: `sample = (sample * keep + add) / 256`, at most 255.
#[derive(Clone, Copy)]
pub(super) struct Byte;

impl Sample for Byte {
    const BYTES: usize = 1;
    const ONE: f32 = 256.0;
    const WHOLE: u16 = 256;
    const DROP: u32 = 7;

    #[inline(always)]
    fn blend<S: Simd>(self, simd: S, samples: &mut [u8], keep: [u16x32<S>; 2], add: [u16x32<S>; 2]) {
        let (low, high) = u8x64::from_slice(simd, samples).widen();
        // Not even rounding wraps.
        let (low, high) = ((low * keep[0]).saturating_add(add[0]) >> 8, (high * keep[1]).saturating_add(add[1]) >> 8);
        low.relaxed_narrow(high).store_slice(samples);
    }
}

/// 10 bits in two bytes, `shift` above the lowest: `sample = (sample * keep / 2^10 + add) / 2^6`, at most 1023.
#[derive(Clone, Copy)]
pub(super) struct Word {
    pub(super) shift: u32,
}

impl Sample for Word {
    const BYTES: usize = 2;
    const ONE: f32 = 65536.0;
    // Less what rounding makes up for, so that no curve of it overflows.
    const WHOLE: u16 = 65504;
    const DROP: u32 = 0;

    #[inline(always)]
    fn blend<S: Simd>(self, _: S, samples: &mut [u8], keep: [u16x32<S>; 2], add: [u16x32<S>; 2]) {
        let below = (1u16 << self.shift) - 1;
        for ((samples, keep), add) in samples.chunks_exact_mut(2 * WIDTH).zip(keep).zip(add) {
            let (mut kept, mut added) = ([0; WIDTH], [0; WIDTH]);
            keep.store_slice(&mut kept);
            add.store_slice(&mut added);
            for ((sample, keep), add) in samples.as_chunks_mut::<2>().0.iter_mut().zip(kept).zip(added) {
                let word = u16::from_le_bytes(*sample);
                // In 64ths; the upper half of a product is one instruction.
                let upper = word << (6 - self.shift) & 0xffc0;
                let sum = ((u32::from(upper) * u32::from(keep)) >> 16) as u16;
                let sum = sum.saturating_add(add);
                *sample = ((sum & 0xffc0) >> (6 - self.shift) | word & below).to_le_bytes();
            }
        }
    }
}

/// What is done to samples: a curve for each sample of a cell that is a colour, what is kept, and that once more if it is the same
/// at all levels.
pub(super) struct Coat<'a, const N: usize> {
    pub(super) add: [Option<&'a Curve>; N],
    pub(super) keep: &'a Curve,
    pub(super) even: Option<u16>,
}

/// The same at hand. The functions that take it are loops and no closures: those would not be inlined, which is ten times slower.
struct Tools<'a, S: Simd, const N: usize> {
    add: [Option<Pieces<'a, S>>; N],
    keep: Option<Pieces<'a, S>>,
    /// What is kept of each sample of a cell, where that is the same at all levels.
    even: u16x32<S>,
    drop: u32,
    whole: u16,
}

impl<'a, S: Simd, const N: usize> Tools<'a, S, N> {
    #[inline(always)]
    fn new<D: Sample>(simd: S, _: D, coat: &Coat<'a, N>) -> Self {
        let mut add = [None; N];
        let mut pattern = [D::WHOLE; WIDTH];
        for lane in 0..N {
            if let Some(curve) = coat.add[lane] {
                add[lane] = Some(Pieces::new(simd, curve));
                pattern[lane..].iter_mut().step_by(N).for_each(|kept| *kept = coat.even.unwrap_or(D::WHOLE));
            }
        }
        let keep = if coat.even.is_none() { Some(Pieces::new(simd, coat.keep)) } else { None };
        Self { add, keep, even: u16x32::from_slice(simd, &pattern), drop: D::DROP, whole: D::WHOLE }
    }

    /// What is kept of and added to the samples of [`WIDTH`] cells, those of vector `i` of a spot.
    #[inline(always)]
    fn cells<const V: usize>(&self, simd: S, spot: &Spot<S, V>, i: usize) -> ([u16x32<S>; N], [u16x32<S>; N]) {
        let mut add = [u16x32::splat(simd, 0); N];
        for (add, pieces) in add.iter_mut().zip(&self.add) {
            if let Some(pieces) = pieces {
                *add = pieces.at(simd, spot, i);
            }
        }
        let mut keep = [self.even; N];
        if let Some(pieces) = &self.keep {
            let kept = pieces.at(simd, spot, i) >> self.drop;
            for (keep, add) in keep.iter_mut().zip(&self.add) {
                *keep = if add.is_some() { kept } else { u16x32::splat(simd, self.whole) };
            }
            keep = woven(simd, keep);
        }
        (keep, woven(simd, add))
    }

    /// Blends the samples of [`CELLS`] cells; those of an odd number of samples in one go, since samples are blended two vectors
    /// at a time.
    #[inline(always)]
    fn step<D: Sample>(&self, simd: S, depth: D, levels: &[u16], bytes: &mut [u8]) {
        if N % 2 == 1 {
            self.spot(simd, depth, Spot::<S, 2>::new(simd, levels), bytes);
        } else {
            for (levels, bytes) in levels.chunks_exact(WIDTH).zip(bytes.chunks_exact_mut(N * WIDTH * D::BYTES)) {
                self.spot(simd, depth, Spot::<S, 1>::new(simd, levels), bytes);
            }
        }
    }

    #[inline(always)]
    fn spot<D: Sample, const V: usize>(&self, simd: S, depth: D, spot: Spot<S, V>, bytes: &mut [u8]) {
        // Each way by itself, since registers are few.
        match spot.entries {
            Entries::All => self.blend(simd, depth, &spot.told(Entries::All), bytes),
            Entries::From(low) => self.blend(simd, depth, &spot.told(Entries::From(low)), bytes),
            _ => self.blend(simd, depth, &spot, bytes),
        }
    }

    #[inline(always)]
    fn blend<D: Sample, const V: usize>(&self, simd: S, depth: D, spot: &Spot<S, V>, bytes: &mut [u8]) {
        let low = self.cells(simd, spot, 0);
        let high = if V == 2 { self.cells(simd, spot, 1) } else { low };
        let (keep, add) = ([low.0, high.0], [low.1, high.1]);
        for (i, bytes) in bytes.chunks_exact_mut(CELLS * D::BYTES).enumerate() {
            let [a, b] = [2 * i, 2 * i + 1];
            let kept = [keep[a / N][a % N], keep[b / N][b % N]];
            depth.blend(simd, bytes, kept, [add[a / N][a % N], add[b / N][b % N]]);
        }
    }
}

// The most bytes of a step.
const STEP: usize = 4 * CELLS;

/// Blends a row from levels to bytes in one go, `N` samples a cell: nothing but levels goes through memory.
#[inline(always)]
pub(super) fn stain<S: Simd, D: Sample, const N: usize>(
    simd: S,
    depth: D,
    coat: &Coat<N>,
    levels: &[u16],
    bytes: &mut [u8],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let tools = Tools::new(simd, depth, coat);
            let step = CELLS * N * D::BYTES;
            let whole = bytes.len() / step;
            let (steps, rest) = bytes.split_at_mut(whole * step);
            for (bytes, levels) in steps.chunks_exact_mut(step).zip(levels.chunks_exact(CELLS)) {
                tools.step(simd, depth, levels, bytes);
            }
            if !rest.is_empty() {
                let mut filled = [0; STEP];
                filled[..rest.len()].copy_from_slice(rest);
                tools.step(simd, depth, &levels[whole * CELLS..][..CELLS], &mut filled[..step]);
                rest.copy_from_slice(&filled[..rest.len()]);
            }
        },
    );
}

// The bytes of a step of pairs.
const PAIRS: usize = 4 * WIDTH;

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
            let tools = (Tools::new(simd, Byte, luma), Tools::new(simd, Byte, chroma));
            let mut filled = [0; PAIRS];
            for (k, bytes) in bytes.chunks_mut(PAIRS).enumerate() {
                let (lights, colours) = (&lights[2 * k * WIDTH..], &colours[k * WIDTH..]);
                if bytes.len() == PAIRS {
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
    let colour = Spot::<S, 1>::new(simd, colours);
    let (chroma_keep, chroma_add) = match colour.entries {
        Entries::All => chroma.cells(simd, &colour.told(Entries::All), 0),
        Entries::From(low) => chroma.cells(simd, &colour.told(Entries::From(low)), 0),
        _ => chroma.cells(simd, &colour, 0),
    };
    for (half, bytes) in bytes.chunks_exact_mut(CELLS).enumerate() {
        let light = Spot::<S, 1>::new(simd, &lights[half * WIDTH..]);
        let ([light_keep], [light_add]) = match light.entries {
            Entries::All => luma.cells(simd, &light.told(Entries::All), 0),
            Entries::From(low) => luma.cells(simd, &light.told(Entries::From(low)), 0),
            _ => luma.cells(simd, &light, 0),
        };
        let (mut keep, mut add) = ([light_keep, chroma_keep[half]], [light_add, chroma_add[half]]);
        if !luma_first {
            (keep, add) = ([keep[1], keep[0]], [add[1], add[0]]);
        }
        Byte.blend(simd, bytes, woven(simd, keep), woven(simd, add));
    }
}
