//! Words, rasterised: how much of each pixel of a box they cover.

use std::ops::Range;
use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, GlyphId, PxScale, ScaleFont, point};

use super::kernel::TOP;
use crate::frame::format::Grid;

static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(dejavu::sans::regular()).expect("DejaVu Sans is compiled in, and a sound font file")
});

// Pixels from baseline to baseline: one 24th of the frame, but never too small to read.
const LINES_PER_FRAME: usize = 24;
const SMALLEST: usize = 12;

/// Lines of text in a box at the upper left of a frame of one size.
#[derive(Debug, Default)]
pub(super) struct Label {
    lines: Vec<String>,
    frame: (usize, usize),
    origin: (usize, usize),
    size: (usize, usize),
    coverage: Vec<u8>,
}

impl Label {
    /// Rasterises anew if the text or the frame's size is another than the last time.
    pub(super) fn update(&mut self, lines: &[String], frame: (usize, usize)) {
        if self.lines == lines && self.frame == frame {
            return;
        }
        *self = Self::rasterise(lines, frame);
    }

    fn rasterise(lines: &[String], frame: (usize, usize)) -> Self {
        let height = (frame.1 / LINES_PER_FRAME).max(SMALLEST);
        let font = FONT.as_scaled(PxScale::from(height as f32));
        let margin = (height / 4).next_multiple_of(2); // even, so that the box and the chroma cells begin together
        let pad = height / 4;
        // What lies beyond the frame is not laid out at all, however long the text.
        let room = (frame.0.saturating_sub(margin), frame.1.saturating_sub(margin));
        let fits = (room.1.saturating_sub(pad)).div_ceil(height);
        let mut glyphs = Vec::new();
        let mut right = 0.0f32;
        for (i, line) in lines.iter().take(fits).enumerate() {
            let baseline = (pad + i * height) as f32 + font.ascent();
            let mut x = pad as f32;
            let mut last: Option<GlyphId> = None;
            for id in line.chars().map(glyph_id) {
                if x > room.0 as f32 {
                    break;
                }
                x += last.map_or(0.0, |last| font.kern(last, id));
                glyphs.push(id.with_scale_and_position(font.scale(), point(x, baseline)));
                x += font.h_advance(id);
                last = Some(id);
            }
            right = right.max(x);
        }
        let size = if glyphs.is_empty() {
            (0, 0)
        } else {
            let full = (right.ceil() as usize + pad, lines.len().saturating_mul(height).saturating_add(2 * pad));
            (full.0.min(room.0), full.1.min(room.1))
        };
        let mut coverage = vec![0u8; size.0 * size.1];
        for outline in glyphs.into_iter().filter_map(|glyph| FONT.outline_glyph(glyph)) {
            let bounds = outline.px_bounds();
            outline.draw(|x, y, covered| {
                let (x, y) = (x as i64 + bounds.min.x as i64, y as i64 + bounds.min.y as i64);
                if (0..size.0 as i64).contains(&x) && (0..size.1 as i64).contains(&y) {
                    let pixel = &mut coverage[y as usize * size.0 + x as usize];
                    *pixel = pixel.saturating_add((covered.clamp(0.0, 1.0) * 255.0).round() as u8);
                }
            });
        }
        Self { lines: lines.to_vec(), frame, origin: (margin, margin), size, coverage }
    }

    /// The pixels of the frame that the box takes, across and down; they lie inside the frame.
    pub(super) fn area(&self) -> (Range<usize>, Range<usize>) {
        let ((x, y), (width, height)) = (self.origin, self.size);
        (x..x + width, y..y + height)
    }

    /// Levels of the grid's row `y` for its columns `range`: how much of each cell's pixels the words cover.
    pub(super) fn fill(&self, grid: &Grid, range: Range<usize>, y: usize, levels: &mut [u16]) {
        let top = (y * grid.sub_y).saturating_sub(self.origin.1);
        let rows = top..(top + grid.sub_y).min(self.size.1);
        for (column, level) in range.zip(levels) {
            let left = (column * grid.sub_x).saturating_sub(self.origin.0);
            let columns = left..(left + grid.sub_x).min(self.size.0);
            let sum: usize = rows
                .clone()
                .flat_map(|row| &self.coverage[row * self.size.0..][columns.clone()])
                .map(|&pixel| usize::from(pixel))
                .sum();
            *level = (sum * usize::from(TOP) / (255 * rows.len() * columns.len()).max(1)) as u16;
        }
    }
}

/// A character's glyph: white space for what moves the pen, U+FFFD for what the font does not have.
fn glyph_id(c: char) -> GlyphId {
    let id = FONT.glyph_id(if c.is_control() { ' ' } else { c });
    if id == GlyphId(0) { FONT.glyph_id(char::REPLACEMENT_CHARACTER) } else { id }
}
