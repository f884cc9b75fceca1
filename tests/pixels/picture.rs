//! Test pictures, with a second, hand-written word on where each format keeps its samples.

use gstgradcam::frame::{Color, Format, Frame, FrameMut, Matrix, Plane, Range};

pub const COLORS: [Color; 4] = [
    Color { matrix: Matrix::Bt601, range: Range::Limited },
    Color { matrix: Matrix::Bt709, range: Range::Limited },
    Color { matrix: Matrix::Bt601, range: Range::Full },
    Color { matrix: Matrix::Bt2020, range: Range::Full },
];

pub const SIZES: [(usize, usize); 5] = [(1, 1), (3, 3), (17, 13), (33, 20), (64, 48)];

/// What a format's components mean, in words of our own.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    Yuv,
    Rgb,
    Gray,
}

pub fn kind(format: Format) -> Kind {
    match format.name() {
        "GRAY8" => Kind::Gray,
        name if name.to_lowercase().contains("rgb") || name.to_lowercase().contains("bgr") => Kind::Rgb,
        _ => Kind::Yuv,
    }
}

pub fn is_yuv(format: Format) -> bool {
    kind(format) == Kind::Yuv
}

/// Components of a pixel.
pub fn components(format: Format) -> usize {
    if kind(format) == Kind::Gray { 1 } else { 3 }
}

/// Bits of a sample, and how many of its word lie below it.
pub fn bits(format: Format) -> (u32, u32) {
    match format {
        Format::P01010le => (10, 6),
        Format::I42010le | Format::I42210le | Format::Y44410le => (10, 0),
        _ => (8, 0),
    }
}

/// The largest sample.
pub fn top(format: Format) -> u16 {
    (1 << bits(format).0) - 1
}

/// Pixels of the frame to one chroma sample, across and down.
pub fn chroma(format: Format) -> (usize, usize) {
    match format {
        Format::I420 | Format::Yv12 | Format::Nv12 | Format::Nv21 | Format::I42010le | Format::P01010le => (2, 2),
        Format::Nv16 | Format::Y42b | Format::I42210le => (2, 1),
        Format::Yuy2 | Format::Uyvy | Format::Yvyu | Format::Vyuy => (2, 1),
        _ => (1, 1),
    }
}

/// Plane, row and first byte of a component (Y U V or R G B) of the pixel (x, y).
pub fn locate(format: Format, c: usize, x: usize, y: usize) -> (usize, usize, usize) {
    let (sx, sy) = chroma(format);
    match format {
        Format::Yuy2 => (0, y, [2 * x, x / 2 * 4 + 1, x / 2 * 4 + 3][c]),
        Format::Yvyu => (0, y, [2 * x, x / 2 * 4 + 3, x / 2 * 4 + 1][c]),
        Format::Uyvy => (0, y, [2 * x + 1, x / 2 * 4, x / 2 * 4 + 2][c]),
        Format::Vyuy => (0, y, [2 * x + 1, x / 2 * 4 + 2, x / 2 * 4][c]),
        Format::Rgb => (0, y, 3 * x + c),
        Format::Bgr => (0, y, 3 * x + 2 - c),
        Format::Rgbx | Format::Rgba => (0, y, 4 * x + c),
        Format::Bgrx | Format::Bgra => (0, y, 4 * x + 2 - c),
        Format::Xrgb | Format::Argb => (0, y, 4 * x + 1 + c),
        Format::Xbgr | Format::Abgr => (0, y, 4 * x + 3 - c),
        Format::I42010le | Format::P01010le | Format::I42210le | Format::Y44410le if c == 0 => (0, y, 2 * x),
        Format::P01010le => (1, y / 2, x / 2 * 4 + 2 * (c - 1)),
        Format::I42010le | Format::I42210le | Format::Y44410le => (c, y / sy, x / sx * 2),
        _ if c == 0 => (0, y, x),
        Format::Yv12 => (3 - c, y / 2, x / 2),
        Format::Nv12 | Format::Nv16 => (1, y / sy, x / 2 * 2 + c - 1),
        Format::Nv21 => (1, y / 2, x / 2 * 2 + 2 - c),
        Format::I420 | Format::Y42b | Format::Y444 => (c, y / sy, x / sx),
        _ => panic!("say here where {} keeps its samples", format.name()),
    }
}

/// Bytes of a row and number of rows of each plane.
pub fn extents(format: Format, w: usize, h: usize) -> Vec<(usize, usize)> {
    let (sx, sy) = chroma(format);
    let (cw, ch) = (w.div_ceil(sx), h.div_ceil(sy));
    match format {
        Format::Yuy2 | Format::Uyvy | Format::Yvyu | Format::Vyuy => vec![(4 * cw, h)],
        Format::Rgb | Format::Bgr => vec![(3 * w, h)],
        Format::Gray8 => vec![(w, h)],
        Format::Nv12 | Format::Nv21 | Format::Nv16 => vec![(w, h), (2 * cw, ch)],
        Format::P01010le => vec![(2 * w, h), (4 * cw, ch)],
        Format::I42010le | Format::I42210le | Format::Y44410le => vec![(2 * w, h), (2 * cw, ch), (2 * cw, ch)],
        _ if kind(format) == Kind::Rgb => vec![(4 * w, h)],
        _ => vec![(w, h), (cw, ch), (cw, ch)],
    }
}

/// A frame that owns its bytes. Every byte, padding too, has a value to be found again.
#[derive(Clone, PartialEq, Debug)]
pub struct Picture {
    pub format: Format,
    pub size: (usize, usize),
    pub color: Color,
    pub planes: Vec<(Vec<u8>, usize)>,
}

impl Picture {
    /// Noise, with `pad` bytes behind each row but the last, which is short.
    pub fn noise(format: Format, size: (usize, usize), color: Color, pad: usize) -> Self {
        let mut state = 0x2545_f491u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let planes = extents(format, size.0, size.1)
            .into_iter()
            .map(|(bytes, rows)| {
                let stride = bytes + pad;
                ((0..stride * (rows - 1) + bytes).map(|_| byte()).collect(), stride)
            })
            .collect();
        let mut picture = Self { format, size, color, planes };
        if bits(format) == (10, 0) {
            // The six bits above a sample are zero.
            for (c, x, y) in picture.samples() {
                picture.set(c, x, y, picture.get(c, x, y) & 1023);
            }
        }
        picture
    }

    /// A picture of a function that gives RGB (0..=255) at a place in pixels.
    pub fn of(
        format: Format,
        size: (usize, usize),
        color: Color,
        pad: usize,
        rgb: impl Fn(f64, f64) -> [f64; 3],
    ) -> Self {
        let mut picture = Self::noise(format, size, color, pad);
        if bits(format).1 > 0 {
            // What lies below the samples is part of a picture too.
            picture.planes.iter_mut().for_each(|plane| plane.0.fill(0));
        }
        for (x, y) in pixels(size) {
            let at = |(u, v): (f64, f64)| encode(rgb(u, v), format, color);
            let own = at((x as f64 + 0.5, y as f64 + 0.5));
            let chroma = if is_yuv(format) { at(chroma_centre(format, x, y)) } else { own };
            for (c, v) in [own[0], chroma[1], chroma[2]].into_iter().enumerate().take(components(format)) {
                picture.set(c, x, y, v.round().clamp(0.0, f64::from(top(format))) as u16);
            }
        }
        picture
    }

    pub fn frame(&self) -> Frame<'_> {
        let planes =
            self.planes.iter().map(|(data, stride)| Plane { data: data.as_slice(), stride: *stride }).collect();
        Frame::new(self.format, self.size.0, self.size.1, self.color, planes).unwrap()
    }

    pub fn frame_mut(&mut self) -> FrameMut<'_> {
        let planes =
            self.planes.iter_mut().map(|(data, stride)| Plane { data: data.as_mut_slice(), stride: *stride }).collect();
        FrameMut::new(self.format, self.size.0, self.size.1, self.color, planes).unwrap()
    }

    /// Leaves the bits of a word that are no part of the sample.
    pub fn set(&mut self, component: usize, x: usize, y: usize, sample: u16) {
        let ((depth, shift), (plane, row, byte)) = (bits(self.format), locate(self.format, component, x, y));
        let (data, stride) = &mut self.planes[plane];
        let at = row * *stride + byte;
        if depth == 8 {
            data[at] = sample as u8;
        } else {
            let word = u16::from_le_bytes([data[at], data[at + 1]]);
            let word = word & !(top(self.format) << shift) & !(if shift == 0 { 0xfc00 } else { 0 }) | sample << shift;
            data[at..at + 2].copy_from_slice(&word.to_le_bytes());
        }
    }

    pub fn get(&self, component: usize, x: usize, y: usize) -> u16 {
        let ((depth, shift), (plane, row, byte)) = (bits(self.format), locate(self.format, component, x, y));
        let (data, stride) = &self.planes[plane];
        let at = row * stride + byte;
        if depth == 8 { data[at].into() } else { u16::from_le_bytes([data[at], data[at + 1]]) >> shift }
    }

    /// The samples of every pixel that starts a cell, and what every other byte holds.
    pub fn samples(&self) -> Vec<(usize, usize, usize)> {
        let (sx, sy) = chroma(self.format);
        let all = pixels(self.size).flat_map(|(x, y)| (0..components(self.format)).map(move |c| (c, x, y)));
        let yuv = is_yuv(self.format);
        all.filter(|(c, x, y)| !yuv || *c == 0 || x % sx == 0 && y % sy == 0).collect()
    }

    /// RGB of a pixel, with the chroma of its cell.
    pub fn rgb(&self, x: usize, y: usize) -> [f64; 3] {
        let sample = |c| if c < components(self.format) { f64::from(self.get(c, x, y)) } else { 0.0 };
        decode([0, 1, 2].map(sample), self.format, self.color)
    }
}

/// The middle of a pixel's chroma cell, in pixels.
fn chroma_centre(format: Format, x: usize, y: usize) -> (f64, f64) {
    let (sx, sy) = chroma(format);
    let middle = |at: usize, sub: usize| (at / sub * sub) as f64 + sub as f64 / 2.0;
    (middle(x, sx), middle(y, sy))
}

pub fn pixels((w, h): (usize, usize)) -> impl Iterator<Item = (usize, usize)> {
    (0..h).flat_map(move |y| (0..w).map(move |x| (x, y)))
}

/// (Kr, Kb), black, luma span, chroma span, neutral: the figures of the ITU's recommendations, for so many bits.
fn figures(color: Color, depth: u32) -> ((f64, f64), f64, f64, f64, f64) {
    let weights = match color.matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
        Matrix::Bt2020 => (0.2627, 0.0593),
        Matrix::Smpte240m => (0.212, 0.087),
        Matrix::Fcc => (0.30, 0.11),
    };
    let step = f64::from(1 << (depth - 8));
    let top = 256.0 * step - 1.0;
    match color.range {
        Range::Limited => (weights, 16.0 * step, 219.0 * step, 224.0 * step, 128.0 * step),
        Range::Full => (weights, 0.0, top, top, 128.0 * step),
    }
}

/// RGB (0..=255) to samples.
pub fn encode([r, g, b]: [f64; 3], format: Format, color: Color) -> [f64; 3] {
    let ((kr, kb), black, luma, chroma, neutral) = figures(color, bits(format).0);
    let y = kr * r + (1.0 - kr - kb) * g + kb * b;
    let difference = |v: f64, k: f64| neutral + (v - y) / (2.0 * (1.0 - k)) * chroma / 255.0;
    match kind(format) {
        Kind::Rgb => [r, g, b].map(|v| black + v * luma / 255.0),
        Kind::Gray => [black + y * luma / 255.0, 0.0, 0.0],
        Kind::Yuv => [black + y * luma / 255.0, difference(b, kb), difference(r, kr)],
    }
}

/// Samples to RGB, cut to 0..=255.
pub fn decode([y, u, v]: [f64; 3], format: Format, color: Color) -> [f64; 3] {
    let ((kr, kb), black, luma, chroma, neutral) = figures(color, bits(format).0);
    let stretch = |v: f64| (v - black) * 255.0 / luma;
    let rgb = match kind(format) {
        Kind::Rgb => [y, u, v].map(stretch),
        Kind::Gray => [stretch(y); 3],
        Kind::Yuv => {
            let y = stretch(y);
            let r = y + 2.0 * (1.0 - kr) * (v - neutral) * 255.0 / chroma;
            let b = y + 2.0 * (1.0 - kb) * (u - neutral) * 255.0 / chroma;
            [r, (y - kr * r - kb * b) / (1.0 - kr - kb), b]
        }
    };
    rgb.map(|v| v.clamp(0.0, 255.0))
}
