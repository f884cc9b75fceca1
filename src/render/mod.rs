//! Map to pixels, in place, in the frame's own format: upsample, colour map, blend, words.

use std::ops::Range;

use ndarray::ArrayView2;

use crate::error::Result;
use crate::frame::{Color, Format, FrameMut, Region};
use blend::{Ink, LEVELS, OPAQUE, blend};
use heat::Heat;
use text::Label;

mod blend;
pub mod colormap;
mod heat;
mod text;

pub use colormap::Colormap;

/// How the map is painted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// Colours from cold to hot.
    pub colormap: Colormap,
    /// Opacity of the map, 0..=1, in steps of 1/256.
    pub alpha: f32,
}

// The box behind the words: black, in 256ths.
const BOX_OPACITY: f32 = 150.0;

/// Paints maps and words; what depends only on format, size and style is kept between frames.
#[derive(Debug)]
pub struct Painter {
    style: Style,
    map_ink: Option<(Format, Color, Ink)>,
    text_ink: Option<(Format, Color, Ink)>,
    label: Label,
    line: Vec<u16>,
}

impl Painter {
    /// A painter with a style.
    pub fn new(style: Style) -> Self {
        Self { style, map_ink: None, text_ink: None, label: Label::default(), line: Vec::new() }
    }

    /// Another style from the next frame on.
    pub fn set_style(&mut self, style: Style) {
        if style != self.style {
            self.style = style;
            self.map_ink = None;
        }
    }

    /// Blends `map` (h x w values >= 0 of any scale; scaled by its own maximum) over the part of `region` inside the frame,
    /// bilinearly between the centres of its cells. Returns whether it painted: a map without a value above zero, one that
    /// is not finite, or a region beside the frame paints nothing.
    pub fn paint(&mut self, frame: &mut FrameMut, map: ArrayView2<f32>, region: Region) -> Result<bool> {
        let across = covered(region.x, region.width, frame.width);
        let down = covered(region.y, region.height, frame.height);
        let Some(heat) = Heat::new(map).filter(|_| !across.is_empty() && !down.is_empty()) else {
            return Ok(false);
        };
        let Style { colormap, alpha } = self.style;
        let opacity = (alpha.clamp(0.0, 1.0) * f32::from(OPAQUE)).round() as u16;
        let ink = kept(&mut self.map_ink, frame, |level| {
            (colormap.at(level as f32 / (LEVELS - 1) as f32).map(f32::from), opacity)
        });
        blend(frame, (across, down), ink, &mut self.line, |grid, columns| {
            let mut sampler = heat.on(grid, region, columns);
            move |y, levels: &mut [u16]| sampler.fill(y, levels)
        });
        Ok(true)
    }

    /// Writes lines of text in the upper left corner, white on a dark translucent box, a line a 24th of the frame's
    /// height. What does not fit is cut off.
    pub fn write(&mut self, frame: &mut FrameMut, lines: &[String]) -> Result<()> {
        self.label.update(lines, (frame.width, frame.height));
        let ink = kept(&mut self.text_ink, frame, |level| {
            let word = level as f32 / (LEVELS - 1) as f32;
            let opacity = BOX_OPACITY + (f32::from(OPAQUE) - BOX_OPACITY) * word;
            // White over black, both translucent: the share of white in what covers.
            ([255.0 * f32::from(OPAQUE) * word / opacity; 3], opacity.round() as u16)
        });
        let label = &self.label;
        blend(frame, label.area(), ink, &mut self.line, |grid, columns| {
            move |y, levels: &mut [u16]| label.fill(grid, columns.clone(), y, levels)
        });
        Ok(())
    }
}

/// The ink that is at hand if it is for frames such as this one, else a new one.
fn kept<'a>(
    slot: &'a mut Option<(Format, Color, Ink)>,
    frame: &FrameMut,
    shade: impl Fn(usize) -> ([f32; 3], u16),
) -> &'a Ink {
    let (format, color) = (frame.format, frame.color);
    if slot.as_ref().is_some_and(|(f, c, _)| (*f, *c) != (format, color)) {
        *slot = None;
    }
    &slot.get_or_insert_with(|| (format, color, Ink::new(format, color, shade))).2
}

/// The pixels whose centres lie in `origin..origin + extent`, of `size` pixels.
fn covered(origin: f32, extent: f32, size: usize) -> Range<usize> {
    // Negative numbers and NaN come out as 0.
    let edge = |at: f32| ((f64::from(at) - 0.5).ceil() as usize).min(size);
    if extent > 0.0 { edge(origin)..edge(origin + extent) } else { 0..0 }
}
