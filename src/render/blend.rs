//! The row kernel: levels to colours of the frame's own format, blended into its bytes.

use std::ops::Range;

use crate::frame::format::{Format, Grid};
use crate::frame::{Color, FrameMut};

/// Levels of an ink: fine enough that the steepest colour map moves by one sample value from one to the next.
pub(super) const LEVELS: usize = 1024;

/// Opacities are counted in 256ths: 256 covers.
pub(super) const OPAQUE: u16 = 256;

// Cells that are looked up before they are blended: two straight loops over a tile are faster than one mixed one.
const TILE: usize = 256;

// No cell of the format table has more samples.
const LANES: usize = 4;

type Table = Box<[[u16; LANES]; LEVELS]>;

/// What each level does to the bytes of one grid's cell: `byte = (byte * keep + add) / 256`.
#[derive(Debug)]
struct Stain {
    keep: Table,
    add: Table,
}

/// Colour and opacity of each level, in the samples of one format.
#[derive(Debug)]
pub(super) struct Ink {
    grids: Vec<Stain>,
    even: bool,
}

impl Ink {
    /// `shade` gives RGB (0..=255) and opacity (0..=[`OPAQUE`]) of each level.
    pub(super) fn new(format: Format, color: Color, shade: impl Fn(usize) -> ([f32; 3], u16)) -> Self {
        let row = format.row();
        let encode = color.encode(row.space, row.depth);
        let shades: Vec<_> = (0..LEVELS).map(shade).map(|(rgb, o)| (encode.apply(rgb), o)).collect();
        let stain = |grid: &Grid| {
            let mut stain = Stain { keep: Box::new([[OPAQUE; LANES]; LEVELS]), add: Box::new([[0; LANES]; LEVELS]) };
            for (level, (samples, opacity)) in shades.iter().enumerate() {
                for (lane, component) in grid.lanes.iter().enumerate() {
                    if let Some(component) = component {
                        stain.keep[level][lane] = OPAQUE - opacity;
                        let rounded = samples[*component].clamp(0.0, 255.0) * f32::from(*opacity) + 128.0;
                        stain.add[level][lane] = rounded as u16;
                    }
                }
            }
            stain
        };
        let even = shades.iter().all(|shade| shade.1 == shades[0].1);
        Self { grids: row.grids.iter().map(stain).collect(), even }
    }
}

/// Blends `ink` over the pixels `across` x `down`. `levels` gives a filler for each grid and its columns, which is then
/// called for each row. A cell of several pixels is blended if its first pixel is.
pub(super) fn blend<F: FnMut(usize, &mut [u16])>(
    frame: &mut FrameMut,
    (across, down): (Range<usize>, Range<usize>),
    ink: &Ink,
    line: &mut Vec<u16>,
    levels: impl Fn(&'static Grid, Range<usize>) -> F,
) {
    for (grid, stain) in frame.format.row().grids.iter().zip(&ink.grids) {
        let columns = across.start.div_ceil(grid.sub_x)..across.end.div_ceil(grid.sub_x);
        let rows = down.start.div_ceil(grid.sub_y)..down.end.div_ceil(grid.sub_y);
        let plane = &mut frame.planes[grid.plane];
        let step = grid.lanes.len();
        let mut fill = levels(grid, columns.clone());
        line.resize(columns.len(), 0);
        for y in rows {
            fill(y, line);
            let bytes = &mut plane.data[y * plane.stride..][columns.start * step..columns.end * step];
            match step {
                1 => stain_row::<1>(bytes, line, stain, ink.even),
                2 => stain_row::<2>(bytes, line, stain, ink.even),
                3 => stain_row::<3>(bytes, line, stain, ink.even),
                _ => stain_row::<LANES>(bytes, line, stain, ink.even),
            }
        }
    }
}

fn stain_row<const N: usize>(bytes: &mut [u8], levels: &[u16], stain: &Stain, even: bool) {
    let mut keep = [[0u16; N]; TILE];
    let mut add = [[0u16; N]; TILE];
    if even {
        keep.fill(lanes(&stain.keep, 0));
    }
    for (bytes, levels) in bytes.chunks_mut(TILE * N).zip(levels.chunks(TILE)) {
        for (add, &level) in add.iter_mut().zip(levels) {
            *add = lanes(&stain.add, level);
        }
        if !even {
            for (keep, &level) in keep.iter_mut().zip(levels) {
                *keep = lanes(&stain.keep, level);
            }
        }
        for ((byte, keep), add) in bytes.iter_mut().zip(keep.as_flattened()).zip(add.as_flattened()) {
            // At most 255 * 256 + 128: nothing wraps, and unchecked the loop is vectorised in every profile.
            *byte = (u16::from(*byte).wrapping_mul(*keep).wrapping_add(*add) >> 8) as u8;
        }
    }
}

fn lanes<const N: usize>(table: &[[u16; LANES]; LEVELS], level: u16) -> [u16; N] {
    let entry = table[usize::from(level) % LEVELS]; // the remainder spares the bounds check; levels are below it
    std::array::from_fn(|lane| entry[lane])
}
