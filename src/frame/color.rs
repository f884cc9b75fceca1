//! Colour matrices and ranges: how YUV and RGB samples relate.

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

/// Studio (16..235) or full (0..255) sample range.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Range {
    Limited,
    Full,
}

/// The colorimetry of a frame, as far as it matters to convert samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Color {
    /// YUV matrix; not used by RGB formats.
    pub matrix: Matrix,
    /// Sample range (an RGB frame may be limited too).
    pub range: Range,
}
