//! Test pictures, with a second, hand-written word on where each format keeps its samples.

use gstgradcam::frame::{Color, Format, Frame, FrameMut, Matrix, Plane, Range};

pub const COLORS: [Color; 4] = [
    Color { matrix: Matrix::Bt601, range: Range::Limited },
    Color { matrix: Matrix::Bt709, range: Range::Limited },
    Color { matrix: Matrix::Bt601, range: Range::Full },
    Color { matrix: Matrix::Bt2020, range: Range::Full },
];

pub const SIZES: [(usize, usize); 5] = [(1, 1), (3, 3), (17, 13), (33, 20), (64, 48)];

pub fn is_yuv(format: Format) -> bool {
    matches!(format, Format::I420 | Format::Nv12 | Format::Yuy2)
}

/// Plane, row and byte of a component (Y U V or R G B) of the pixel (x, y).
pub fn locate(format: Format, component: usize, x: usize, y: usize) -> (usize, usize, usize) {
    let c = component;
    match format {
        Format::I420 | Format::Nv12 if c == 0 => (0, y, x),
        Format::I420 => (c, y / 2, x / 2),
        Format::Nv12 => (1, y / 2, x / 2 * 2 + c - 1),
        Format::Yuy2 => (0, y, [2 * x, x / 2 * 4 + 1, x / 2 * 4 + 3][c]),
        Format::Rgb => (0, y, 3 * x + c),
        Format::Bgr => (0, y, 3 * x + 2 - c),
        Format::Rgbx | Format::Rgba => (0, y, 4 * x + c),
        Format::Bgrx | Format::Bgra => (0, y, 4 * x + 2 - c),
        _ => panic!("say here where {} keeps its samples", format.name()),
    }
}

/// Bytes of a row and number of rows of each plane.
pub fn extents(format: Format, w: usize, h: usize) -> Vec<(usize, usize)> {
    let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
    match format {
        Format::I420 => vec![(w, h), (cw, ch), (cw, ch)],
        Format::Nv12 => vec![(w, h), (2 * cw, ch)],
        Format::Yuy2 => vec![(4 * cw, h)],
        Format::Rgb | Format::Bgr => vec![(3 * w, h)],
        _ => vec![(4 * w, h)],
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
        Self { format, size, color, planes }
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
        let yuv = is_yuv(format);
        for (x, y) in pixels(size) {
            let at = |(u, v): (f64, f64)| encode(rgb(u, v), yuv, color);
            let own = at((x as f64 + 0.5, y as f64 + 0.5));
            let chroma = if yuv { at(chroma_centre(format, x, y)) } else { own };
            for (c, v) in [own[0], chroma[1], chroma[2]].into_iter().enumerate() {
                *picture.byte(c, x, y) = v.round().clamp(0.0, 255.0) as u8;
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

    pub fn byte(&mut self, component: usize, x: usize, y: usize) -> &mut u8 {
        let (plane, row, byte) = locate(self.format, component, x, y);
        let (data, stride) = &mut self.planes[plane];
        &mut data[row * *stride + byte]
    }

    pub fn get(&self, component: usize, x: usize, y: usize) -> u8 {
        let (plane, row, byte) = locate(self.format, component, x, y);
        self.planes[plane].0[row * self.planes[plane].1 + byte]
    }

    /// RGB of a pixel, with the chroma of its cell.
    pub fn rgb(&self, x: usize, y: usize) -> [f64; 3] {
        decode([0, 1, 2].map(|c| f64::from(self.get(c, x, y))), is_yuv(self.format), self.color)
    }
}

/// The middle of a pixel's chroma cell, in pixels.
fn chroma_centre(format: Format, x: usize, y: usize) -> (f64, f64) {
    let tall = format != Format::Yuy2;
    ((x / 2 * 2 + 1) as f64, if tall { (y / 2 * 2 + 1) as f64 } else { y as f64 + 0.5 })
}

pub fn pixels((w, h): (usize, usize)) -> impl Iterator<Item = (usize, usize)> {
    (0..h).flat_map(move |y| (0..w).map(move |x| (x, y)))
}

/// (Kr, Kb), black, luma span, chroma span: the figures of the ITU's recommendations.
fn figures(color: Color) -> (f64, f64, f64, f64, f64) {
    let (kr, kb) = match color.matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
        Matrix::Bt2020 => (0.2627, 0.0593),
        Matrix::Smpte240m => (0.212, 0.087),
        Matrix::Fcc => (0.30, 0.11),
    };
    match color.range {
        Range::Limited => (kr, kb, 16.0, 219.0, 224.0),
        Range::Full => (kr, kb, 0.0, 255.0, 255.0),
    }
}

/// RGB (0..=255) to samples.
pub fn encode([r, g, b]: [f64; 3], yuv: bool, color: Color) -> [f64; 3] {
    let (kr, kb, black, luma, chroma) = figures(color);
    if !yuv {
        return [r, g, b].map(|v| black + v * luma / 255.0);
    }
    let y = kr * r + (1.0 - kr - kb) * g + kb * b;
    let difference = |v: f64, k: f64| 128.0 + (v - y) / (2.0 * (1.0 - k)) * chroma / 255.0;
    [black + y * luma / 255.0, difference(b, kb), difference(r, kr)]
}

/// Samples to RGB, cut to 0..=255.
pub fn decode([y, u, v]: [f64; 3], yuv: bool, color: Color) -> [f64; 3] {
    let (kr, kb, black, luma, chroma) = figures(color);
    let stretch = |v: f64| (v - black) * 255.0 / luma;
    let rgb = if yuv {
        let y = stretch(y);
        let r = y + 2.0 * (1.0 - kr) * (v - 128.0) * 255.0 / chroma;
        let b = y + 2.0 * (1.0 - kb) * (u - 128.0) * 255.0 / chroma;
        [r, (y - kr * r - kb * b) / (1.0 - kr - kb), b]
    } else {
        [y, u, v].map(stretch)
    };
    rgb.map(|v| v.clamp(0.0, 255.0))
}
