//! THE TABLE of pixel formats: one row each.

use std::str::FromStr;

use crate::error::Error;

/// Pixel formats, named as GStreamer names them.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    I420,
    Yv12,
    Nv12,
    Nv21,
    Nv16,
    Y42b,
    Y444,
    Yuy2,
    Uyvy,
    Yvyu,
    Vyuy,
    Rgb,
    Bgr,
    Rgbx,
    Xrgb,
    Bgrx,
    Xbgr,
    Rgba,
    Bgra,
    Argb,
    Abgr,
    Gray8,
    I42010le,
    P01010le,
    I42210le,
    Y44410le,
}

/// What the three components of a pixel mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    /// Luma, blue difference, red difference.
    Yuv,
    /// Red, green, blue.
    Rgb,
    /// Luma alone.
    Gray,
}

/// One sample of a grid cell: the component that it holds (0, 1, 2 = Y U V or R G B), `None` = not a colour
/// of this grid (alpha, unused, or a sample of another grid), never to be touched.
pub type Lane = Option<usize>;

/// A regular grid of cells in one plane; a format is the sum of its grids. Several may share a plane (YUY2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Which plane.
    pub plane: usize,
    /// Pixels of the frame to one cell, across.
    pub sub_x: usize,
    /// Pixels of the frame to one cell, down.
    pub sub_y: usize,
    /// The samples of a cell, in memory order.
    pub lanes: &'static [Lane],
}

impl Grid {
    /// Columns and rows of cells for a frame of this size; incomplete cells at the right and bottom count.
    pub fn cells(&self, width: usize, height: usize) -> (usize, usize) {
        (width.div_ceil(self.sub_x), height.div_ceil(self.sub_y))
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The format.
    pub format: Format,
    /// Its name in GStreamer's caps.
    pub name: &'static str,
    /// What the components mean.
    pub space: Space,
    /// Bits of a sample. One of more than 8 takes two bytes, the lower first.
    pub depth: u32,
    /// How many bits a sample lies above the lowest of its bytes (P010: 6); those below it are not touched.
    pub shift: u32,
    /// Where the samples lie; the first grid is the one that holds luma or RGB.
    pub grids: &'static [Grid],
}

impl Row {
    /// Number of planes.
    pub fn planes(&self) -> usize {
        self.grids.iter().map(|grid| grid.plane + 1).max().unwrap_or(0)
    }

    /// Bytes of a sample.
    pub fn sample(&self) -> usize {
        self.depth.div_ceil(8) as usize
    }

    /// Bytes in use of a row of a plane and number of its rows, for a frame of this size; `None` if they overflow.
    pub fn plane_size(&self, plane: usize, width: usize, height: usize) -> Option<(usize, usize)> {
        let sample = self.sample();
        self.grids.iter().filter(|grid| grid.plane == plane).try_fold((0, 0), |(bytes, rows), grid| {
            let (across, down) = grid.cells(width, height);
            Some((bytes.max(across.checked_mul(grid.lanes.len() * sample)?), rows.max(down)))
        })
    }
}

const fn grid(plane: usize, (sub_x, sub_y): (usize, usize), lanes: &'static [Lane]) -> Grid {
    Grid { plane, sub_x, sub_y, lanes }
}

const fn yuv(format: Format, name: &'static str, depth: u32, grids: &'static [Grid]) -> Row {
    Row { format, name, space: Space::Yuv, depth, shift: 0, grids }
}

const fn rgb(format: Format, name: &'static str, lanes: &'static [Grid]) -> Row {
    Row { format, name, space: Space::Rgb, depth: 8, shift: 0, grids: lanes }
}

// The lanes: first, second and third component, and what is none of them.
const A: Lane = Some(0);
const B: Lane = Some(1);
const C: Lane = Some(2);
const X: Lane = None;

#[rustfmt::skip]
static TABLE: &[Row] = &[
    yuv(Format::I420, "I420", 8, &[grid(0, (1, 1), &[A]), grid(1, (2, 2), &[B]), grid(2, (2, 2), &[C])]),
    yuv(Format::Yv12, "YV12", 8, &[grid(0, (1, 1), &[A]), grid(2, (2, 2), &[B]), grid(1, (2, 2), &[C])]),
    yuv(Format::Nv12, "NV12", 8, &[grid(0, (1, 1), &[A]), grid(1, (2, 2), &[B, C])]),
    yuv(Format::Nv21, "NV21", 8, &[grid(0, (1, 1), &[A]), grid(1, (2, 2), &[C, B])]),
    yuv(Format::Nv16, "NV16", 8, &[grid(0, (1, 1), &[A]), grid(1, (2, 1), &[B, C])]),
    yuv(Format::Y42b, "Y42B", 8, &[grid(0, (1, 1), &[A]), grid(1, (2, 1), &[B]), grid(2, (2, 1), &[C])]),
    yuv(Format::Y444, "Y444", 8, &[grid(0, (1, 1), &[A]), grid(1, (1, 1), &[B]), grid(2, (1, 1), &[C])]),
    yuv(Format::Yuy2, "YUY2", 8, &[grid(0, (1, 1), &[A, X]), grid(0, (2, 1), &[X, B, X, C])]),
    yuv(Format::Uyvy, "UYVY", 8, &[grid(0, (1, 1), &[X, A]), grid(0, (2, 1), &[B, X, C, X])]),
    yuv(Format::Yvyu, "YVYU", 8, &[grid(0, (1, 1), &[A, X]), grid(0, (2, 1), &[X, C, X, B])]),
    yuv(Format::Vyuy, "VYUY", 8, &[grid(0, (1, 1), &[X, A]), grid(0, (2, 1), &[C, X, B, X])]),
    rgb(Format::Rgb,  "RGB",  &[grid(0, (1, 1), &[A, B, C])]),
    rgb(Format::Bgr,  "BGR",  &[grid(0, (1, 1), &[C, B, A])]),
    rgb(Format::Rgbx, "RGBx", &[grid(0, (1, 1), &[A, B, C, X])]),
    rgb(Format::Xrgb, "xRGB", &[grid(0, (1, 1), &[X, A, B, C])]),
    rgb(Format::Bgrx, "BGRx", &[grid(0, (1, 1), &[C, B, A, X])]),
    rgb(Format::Xbgr, "xBGR", &[grid(0, (1, 1), &[X, C, B, A])]),
    rgb(Format::Rgba, "RGBA", &[grid(0, (1, 1), &[A, B, C, X])]),
    rgb(Format::Bgra, "BGRA", &[grid(0, (1, 1), &[C, B, A, X])]),
    rgb(Format::Argb, "ARGB", &[grid(0, (1, 1), &[X, A, B, C])]),
    rgb(Format::Abgr, "ABGR", &[grid(0, (1, 1), &[X, C, B, A])]),
    Row { space: Space::Gray, ..yuv(Format::Gray8, "GRAY8", 8, &[grid(0, (1, 1), &[A])]) },
    yuv(Format::I42010le, "I420_10LE", 10, &[grid(0, (1, 1), &[A]), grid(1, (2, 2), &[B]), grid(2, (2, 2), &[C])]),
    Row { shift: 6, ..yuv(Format::P01010le, "P010_10LE", 10, &[grid(0, (1, 1), &[A]), grid(1, (2, 2), &[B, C])]) },
    yuv(Format::I42210le, "I422_10LE", 10, &[grid(0, (1, 1), &[A]), grid(1, (2, 1), &[B]), grid(2, (2, 1), &[C])]),
    yuv(Format::Y44410le, "Y444_10LE", 10, &[grid(0, (1, 1), &[A]), grid(1, (1, 1), &[B]), grid(2, (1, 1), &[C])]),
];

// Rows stand in the order of the enum, so that a format is its own index; held at compile time.
const _: () = {
    let mut i = 0;
    while i < TABLE.len() {
        assert!(TABLE[i].format as usize == i, "rows of TABLE must stand in the order of Format");
        i += 1;
    }
    assert!(TABLE.len() == Format::Y44410le as usize + 1, "every Format needs a row");
};

impl Format {
    /// Every format that is known.
    pub fn all() -> impl ExactSizeIterator<Item = Format> {
        TABLE.iter().map(|row| row.format)
    }

    /// This format's row of the table.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Its name in GStreamer's caps.
    pub fn name(self) -> &'static str {
        self.row().name
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::all().find(|format| format.name() == name).ok_or_else(|| {
            let known: Vec<_> = Self::all().map(Self::name).collect();
            Error::Frame { why: format!("pixel format {name:?} is not known; use one of {}", known.join(", ")) }
        })
    }
}
