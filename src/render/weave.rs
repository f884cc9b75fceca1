//! Rows of samples put side by side, in registers.

use fearless_simd::{Simd, prelude::*, u8x16, u8x32, u8x64, u16x16, u16x32};

use super::curve::{Reach, WIDTH, reach};

/// Sample `i` of cell `k` is lane `k` of vector `i`: in the order of memory, `N` samples a cell, 1 to 4.
#[inline(always)]
pub(super) fn woven<S: Simd, const N: usize>(simd: S, rows: [u16x32<S>; N]) -> [u16x32<S>; N] {
    let mut woven = rows;
    if N == 2 {
        (woven[0], woven[1]) = rows[0].interleave(rows[1]);
    } else if N == 3 {
        let three = [rows[0], rows[1], rows[2]];
        let three = match reach(simd.level()) {
            Reach::Curve => by_rows(simd, three),
            Reach::Window => by_blocks(simd, three),
            Reach::Nowhere => one_by_one(simd, three),
        };
        (woven[0], woven[1], woven[2]) = (three[0], three[1], three[2]);
    } else if N == 4 {
        let (even_low, even_high) = rows[0].interleave(rows[2]);
        let (odd_low, odd_high) = rows[1].interleave(rows[3]);
        (woven[0], woven[1]) = even_low.interleave(odd_low);
        (woven[2], woven[3]) = even_high.interleave(odd_high);
    }
    woven
}

/// For each vector of three, which byte of a row goes into each byte of it, and of which row.
const ROWS: [[[u8; 2 * WIDTH]; 2]; 3] = {
    let mut table = [[[0; 2 * WIDTH]; 2]; 3];
    let mut i = 0;
    while i < 3 * 2 * WIDTH {
        let (vector, byte) = (i / (2 * WIDTH), i % (2 * WIDTH));
        table[vector][0][byte] = (2 * (i / 6) + i % 2) as u8;
        table[vector][1][byte] = (i / 2 % 3) as u8;
        i += 1;
    }
    table
};

/// Each row is shuffled and merged by itself: where there are masks both are one instruction, which two rows at once are not.
#[inline(always)]
fn by_rows<S: Simd>(simd: S, rows: [u16x32<S>; 3]) -> [u16x32<S>; 3] {
    let [a, b, c] = rows.map(|row| row.bitcast::<u8x64<S>>());
    let mut out = rows;
    for (out, [from, lane]) in out.iter_mut().zip(&ROWS) {
        let (from, lane) = (u8x64::from_slice(simd, from), u8x64::from_slice(simd, lane));
        let two = lane.simd_eq(1u8).select(b.swizzle_dyn(from), a.swizzle_dyn(from));
        *out = lane.simd_eq(2u8).select(c.swizzle_dyn(from), two).bitcast();
    }
    out
}

/// For each block of three, which bytes of a row's block go into it; the others become 0.
const SPREAD: [[[u8; 16]; 3]; 3] = {
    let mut table = [[[0x80; 16]; 3]; 3];
    let mut i = 0;
    while i < 48 {
        table[i / 16][i / 2 % 3][i % 16] = (2 * (i / 6) + i % 2) as u8;
        i += 1;
    }
    table
};

/// The same by shuffles within 16 bytes: eight cells become three blocks.
#[inline(always)]
fn by_blocks<S: Simd>(simd: S, rows: [u16x32<S>; 3]) -> [u16x32<S>; 3] {
    let [(a, d), (b, e), (c, f)] = [rows[0].split(), rows[1].split(), rows[2].split()];
    let (low, high) = (of_sixteen(simd, [a, b, c]), of_sixteen(simd, [d, e, f]));
    [low[0].combine(low[1]), low[2].combine(high[0]), high[1].combine(high[2])]
}

#[inline(always)]
fn of_sixteen<S: Simd>(simd: S, rows: [u16x16<S>; 3]) -> [u16x16<S>; 3] {
    let mut blocks = [rows[0]; 3];
    for (block, spread) in blocks.iter_mut().zip(&SPREAD) {
        let mut parts = rows;
        for (part, bytes) in parts.iter_mut().zip(spread) {
            let bytes = u8x16::from_slice(simd, bytes);
            let indices: u8x32<S> = bytes.combine(bytes);
            *part = part.swizzle_dyn_within_blocks(indices);
        }
        *block = parts[0] | parts[1] | parts[2];
    }
    let [(a, d), (b, e), (c, f)] = [blocks[0].split(), blocks[1].split(), blocks[2].split()];
    [a.combine(b), c.combine(d), e.combine(f)]
}

#[inline(always)]
fn one_by_one<S: Simd>(simd: S, rows: [u16x32<S>; 3]) -> [u16x32<S>; 3] {
    let mut out = [0; 3 * WIDTH];
    for (lane, row) in rows.iter().enumerate() {
        for (out, sample) in out[lane..].iter_mut().step_by(3).zip(row.as_slice()) {
            *out = *sample;
        }
    }
    let mut woven = rows;
    for (woven, out) in woven.iter_mut().zip(out.chunks_exact(WIDTH)) {
        *woven = u16x32::from_slice(simd, out);
    }
    woven
}
