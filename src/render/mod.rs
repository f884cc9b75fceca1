//! Map to pixels, in place, in the frame's own format: upsample, colour map, blend, words.

use ndarray::ArrayView2;

use crate::error::Result;
use crate::frame::{FrameMut, Region};

pub mod colormap;

pub use colormap::Colormap;

/// How the map is painted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// Colours from cold to hot.
    pub colormap: Colormap,
    /// Opacity of the map, 0..=1.
    pub alpha: f32,
}

/// Paints maps and words; what depends only on format and style is kept between frames.
#[derive(Debug)]
pub struct Painter {
    style: Style,
}

impl Painter {
    /// A painter with a style.
    pub fn new(style: Style) -> Self {
        Self { style }
    }
    /// Another style from the next frame on.
    pub fn set_style(&mut self, style: Style) {
        self.style = style;
    }
    /// Blends `map` (h x w values >= 0 of any scale; scaled by its own maximum) over the part of `region` inside the frame.
    /// An all-zero map paints nothing.
    pub fn paint(&mut self, frame: &mut FrameMut, map: ArrayView2<f32>, region: Region) -> Result<()> {
        let _ = (frame, map, region);
        todo!()
    }
    /// Writes lines of text in the upper left corner on a dark box.
    pub fn write(&mut self, frame: &mut FrameMut, lines: &[String]) -> Result<()> {
        let _ = (frame, lines);
        todo!()
    }
}
