//! Colour matrices and ranges: how YUV and RGB samples relate.

use super::format::Space;

/// Which luma weights (Kr, Kb) a YUV picture uses.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matrix {
    Bt601,
    Bt709,
    Bt2020,
    Smpte240m,
    Fcc,
}

impl Matrix {
    /// Luma weights of red and blue.
    pub fn kr_kb(self) -> (f32, f32) {
        match self {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
            Matrix::Smpte240m => (0.212, 0.087),
            Matrix::Fcc => (0.30, 0.11),
        }
    }

    /// Luma weights of red, green and blue.
    pub fn weights(self) -> [f32; 3] {
        let (kr, kb) = self.kr_kb();
        [kr, 1.0 - kr - kb, kb]
    }
}

/// Studio (16..235) or full (0..255) sample range.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Range {
    Limited,
    Full,
}

/// Where a sample of subsampled chroma lies among the pixels that share it: on the first of them, or amid them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Siting {
    /// On the left one.
    pub left: bool,
    /// On the upper one.
    pub top: bool,
}

impl Siting {
    /// Left and between the rows, as MPEG-2 and all its heirs have it.
    pub const MPEG2: Siting = Siting { left: true, top: false };
}

/// The colorimetry of a frame, as far as it matters to convert samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Color {
    /// YUV matrix; not used by RGB formats.
    pub matrix: Matrix,
    /// Sample range (an RGB frame may be limited too).
    pub range: Range,
}

/// `out = rows * v + add`, over the three components of a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// One row of weights for each component that comes out.
    pub rows: [[f32; 3]; 3],
    /// What is added to each.
    pub add: [f32; 3],
}

impl Affine {
    /// The map, applied to one pixel.
    pub fn apply(&self, v: [f32; 3]) -> [f32; 3] {
        std::array::from_fn(|i| dot(self.rows[i], v) + self.add[i])
    }
}

impl Color {
    /// From samples of `depth` bits to RGB on a scale of 0..255; what the samples cannot mean falls outside it.
    pub fn decode(self, space: Space, depth: u32) -> Affine {
        let scale = self.scale(depth);
        let (black, unit) = (scale.black, 255.0 / scale.luma);
        match space {
            Space::Rgb => {
                Affine { rows: [[unit, 0.0, 0.0], [0.0, unit, 0.0], [0.0, 0.0, unit]], add: [-black * unit; 3] }
            }
            Space::Gray => Affine { rows: [[unit, 0.0, 0.0]; 3], add: [-black * unit; 3] },
            Space::Yuv => {
                let [kr, kg, kb] = self.matrix.weights();
                let chroma = 255.0 / scale.chroma;
                let (red, blue) = (2.0 * (1.0 - kr) * chroma, 2.0 * (1.0 - kb) * chroma);
                let rows = [[unit, 0.0, red], [unit, -blue * kb / kg, -red * kr / kg], [unit, blue, 0.0]];
                Affine { rows, add: rows.map(|row| -dot(row, [black, scale.neutral, scale.neutral])) }
            }
        }
    }

    /// From RGB on a scale of 0..255 to samples of `depth` bits.
    pub fn encode(self, space: Space, depth: u32) -> Affine {
        let scale = self.scale(depth);
        let (black, unit) = (scale.black, scale.luma / 255.0);
        match space {
            Space::Rgb => Affine { rows: [[unit, 0.0, 0.0], [0.0, unit, 0.0], [0.0, 0.0, unit]], add: [black; 3] },
            Space::Gray => Affine { rows: [self.matrix.weights().map(|weight| weight * unit); 3], add: [black; 3] },
            Space::Yuv => {
                let [kr, kg, kb] = self.matrix.weights();
                let chroma = scale.chroma / 255.0;
                let (blue, red) = (0.5 * chroma / (1.0 - kb), 0.5 * chroma / (1.0 - kr));
                let rows = [
                    [kr * unit, kg * unit, kb * unit],
                    [-kr * blue, -kg * blue, (1.0 - kb) * blue],
                    [(1.0 - kr) * red, -kg * red, -kb * red],
                ];
                Affine { rows, add: [black, scale.neutral, scale.neutral] }
            }
        }
    }

    /// From samples of `depth` bits to grey on a scale of 0..255: a YUV picture's own luma, else that of BT.601,
    /// as imaging libraries have it. Returns the weight of each component and what is added.
    pub fn luma(self, space: Space, depth: u32) -> ([f32; 3], f32) {
        let scale = self.scale(depth);
        let unit = 255.0 / scale.luma;
        let weights = match space {
            Space::Yuv | Space::Gray => [1.0, 0.0, 0.0],
            Space::Rgb => Matrix::Bt601.weights(),
        };
        (weights.map(|weight| weight * unit), -scale.black * unit)
    }

    fn scale(self, depth: u32) -> Scale {
        let step = f32::from(1u16 << (depth - 8));
        let neutral = 128.0 * step;
        match self.range {
            Range::Limited => Scale { black: 16.0 * step, luma: 219.0 * step, chroma: 224.0 * step, neutral },
            Range::Full => {
                let top = 256.0 * step - 1.0;
                Scale { black: 0.0, luma: top, chroma: top, neutral }
            }
        }
    }
}

/// Sample values of black, the span to white, the span of a colour difference and its zero (ITU-T H.273).
struct Scale {
    black: f32,
    luma: f32,
    chroma: f32,
    neutral: f32,
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
