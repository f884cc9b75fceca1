//! Words, rasterised: how much of each pixel of a box they cover, and where coloured marks stand in it.

use std::ops::Range;
use std::sync::LazyLock;

use ab_glyph::{Font as _, FontArc, GlyphId, OutlinedGlyph, PxScale, ScaleFont, point};

use super::curve::TOP;
use super::words::{Corner, Words};
use crate::error::{Error, Result};
use crate::frame::format::Grid;

/// What words are drawn with.
#[derive(Debug, Clone)]
pub struct Font(FontArc);

static DEFAULT: LazyLock<Font> = LazyLock::new(|| {
    let font = FontArc::try_from_slice(dejavu::sans::regular());
    Font(font.expect("DejaVu Sans is compiled in, and a sound font file"))
});

impl Font {
    /// The font in the bytes of a TrueType or OpenType file.
    ///
    /// # Errors
    /// [`Error::Setting`] of the property `font`, which names the `file`.
    pub fn new(bytes: Vec<u8>, file: &str) -> Result<Font> {
        FontArc::try_from_vec(bytes).map(Font).map_err(|error| Error::Setting {
            name: "font",
            value: file.into(),
            why: format!("the file is no font that can be read ({error}); give a TrueType or OpenType file"),
        })
    }
}

impl Default for Font {
    fn default() -> Self {
        DEFAULT.clone()
    }
}

// Pixels from baseline to baseline: one 24th of the frame's shorter side, but never too small to read.
const LINES_PER_FRAME: usize = 24;
const SMALLEST: usize = 12;
/// Of a bar, and of the legend's colours, in heights of a line.
const BAR_LENGTH: usize = 5;
/// How strongly a bar's empty part shows.
const TROUGH: u8 = 80;

/// A rectangle of the frame's pixels, across and down.
pub(super) type Area = (Range<usize>, Range<usize>);

/// Words in a box in a corner of a frame of one size.
#[derive(Debug, Default)]
pub(super) struct Label {
    words: Words,
    /// What is written at the legend's cold end.
    least: &'static str,
    font: Font,
    room: Area,
    origin: (usize, usize),
    size: (usize, usize),
    coverage: Vec<u8>,
    /// Squares in the classes' hues.
    pub(super) hues: Vec<(usize, Area)>,
    /// The colours of the map.
    pub(super) legend: Option<Area>,
}

/// What a line holds, in pixels from the box's corner.
#[derive(Default)]
struct Plan {
    glyphs: Vec<OutlinedGlyph>,
    /// With how much of each pixel they cover.
    bars: Vec<(Area, u8)>,
    hues: Vec<(usize, Area)>,
    legend: Option<Area>,
    right: f32,
    bottom: usize,
}

impl Label {
    /// Another font.
    pub(super) fn set_font(&mut self, font: Font) {
        *self = Label { font, ..Label::default() };
    }

    /// Rasterises anew if the words or the part of the frame that they may stand in are others than the last time.
    pub(super) fn update(&mut self, words: &Words, least: &'static str, room: Area) {
        if self.words == *words && self.least == least && self.room == room {
            return;
        }
        let font = std::mem::take(&mut self.font);
        *self = Self::rasterise(font, words, least, room);
    }

    fn rasterise(font: Font, words: &Words, least: &'static str, room: Area) -> Self {
        let (width, height) = (room.0.len(), room.1.len());
        let line = (width.min(height) / LINES_PER_FRAME).max(SMALLEST);
        // even, so that the box and the chroma cells begin together
        let margin = (line / 4).next_multiple_of(2);
        // What lies beyond the frame is not laid out at all, however long the text.
        let most = (width.saturating_sub(margin), height.saturating_sub(margin));
        let plan = plan(&font.0, (words, least), line, most);
        let is_empty = plan.glyphs.is_empty() && plan.legend.is_none() && plan.bars.is_empty();
        let size = if is_empty {
            (0, 0)
        } else {
            ((plan.right.ceil() as usize + line / 4).min(most.0), plan.bottom.min(most.1))
        };
        let far = |from: &Range<usize>, size: usize| (from.end.saturating_sub(margin + size).max(from.start)) / 2 * 2;
        let (left, top) = (room.0.start.next_multiple_of(2) + margin, room.1.start + margin);
        let (right, bottom) = (far(&room.0, size.0), far(&room.1, size.1));
        let origin = match words.corner {
            Corner::TopLeft => (left, top),
            Corner::TopRight => (right, top),
            Corner::BottomLeft => (left, bottom),
            Corner::BottomRight => (right, bottom),
        };
        // Where the room begins on an odd pixel, there is one less.
        let size = (size.0.min(room.0.end.saturating_sub(origin.0)), size.1.min(room.1.end.saturating_sub(origin.1)));
        let cut = |(x, y): Area| {
            let (x, y) = (x.start.min(size.0)..x.end.min(size.0), y.start.min(size.1)..y.end.min(size.1));
            (x.start + origin.0..x.end + origin.0, y.start + origin.1..y.end + origin.1)
        };
        let coverage = coverage(&plan, size);
        let hues = plan.hues.into_iter().map(|(class, area)| (class, cut(area))).collect();
        Self { words: words.clone(), least, font, room, origin, size, coverage, hues, legend: plan.legend.map(cut) }
    }

    /// The pixels of the frame that the box takes, across and down; they lie inside the frame.
    pub(super) fn area(&self) -> Area {
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

/// Where everything stands, for lines of a height, in a box of so many pixels at most.
fn plan(font: &FontArc, (words, least): (&Words, &str), height: usize, most: (usize, usize)) -> Plan {
    let scaled = font.as_scaled(PxScale::from(height as f32));
    let pad = height / 4;
    let (thick, length) = ((height / 8).max(2), BAR_LENGTH * height);
    let mut plan = Plan { bottom: pad, ..Plan::default() };
    let text = |plan: &mut Plan, text: &str, left: usize| {
        let baseline = plan.bottom as f32 + scaled.ascent();
        let mut x = left as f32;
        let mut last: Option<GlyphId> = None;
        for id in text.chars().map(|c| glyph_id(font, c)) {
            if x > most.0 as f32 {
                break;
            }
            x += last.map_or(0.0, |last| scaled.kern(last, id));
            let glyph = id.with_scale_and_position(scaled.scale(), point(x, baseline));
            plan.glyphs.extend(font.outline_glyph(glyph));
            x += scaled.h_advance(id);
            last = Some(id);
        }
        plan.right = plan.right.max(x);
        x
    };
    for line in &words.lines {
        if plan.bottom >= most.1 {
            break;
        }
        let mut left = pad;
        if let Some(class) = line.hue {
            let side = (height * 5 / 8).next_multiple_of(2);
            let at = (left.next_multiple_of(2), (plan.bottom + (height - side) / 2).next_multiple_of(2));
            plan.hues.push((class, (at.0..at.0 + side, at.1..at.1 + side)));
            left = at.0 + side + pad;
        }
        text(&mut plan, &line.text, left);
        plan.bottom += height;
        if let Some(share) = line.bar {
            let full = (left..left + length, plan.bottom..plan.bottom + thick);
            let end = left + (share.clamp(0.0, 1.0) * length as f32).round() as usize;
            plan.bars.extend([((left..end, full.1.clone()), 255), ((end..full.0.end, full.1), TROUGH)]);
            plan.right = plan.right.max((left + length) as f32);
            plan.bottom += thick + pad / 2;
        }
    }
    if words.legend && plan.bottom < most.1 {
        let left = (text(&mut plan, least, pad).ceil() as usize + pad).next_multiple_of(2);
        let (top, side) = (plan.bottom.next_multiple_of(2) + height / 8 * 2, (height * 5 / 8).next_multiple_of(2));
        plan.legend = Some((left..left + length, top..top + side));
        text(&mut plan, "1", left + length + pad);
        plan.bottom += height;
    }
    plan.bottom += pad;
    plan
}

fn coverage(plan: &Plan, size: (usize, usize)) -> Vec<u8> {
    let mut coverage = vec![0u8; size.0 * size.1];
    for ((x, y), much) in &plan.bars {
        for row in y.start.min(size.1)..y.end.min(size.1) {
            coverage[row * size.0..][x.start.min(size.0)..x.end.min(size.0)].fill(*much);
        }
    }
    for outline in &plan.glyphs {
        let bounds = outline.px_bounds();
        outline.draw(|x, y, covered| {
            let (x, y) = (i64::from(x) + bounds.min.x as i64, i64::from(y) + bounds.min.y as i64);
            if (0..size.0 as i64).contains(&x) && (0..size.1 as i64).contains(&y) {
                let pixel = &mut coverage[y as usize * size.0 + x as usize];
                *pixel = pixel.saturating_add((covered.clamp(0.0, 1.0) * 255.0).round() as u8);
            }
        });
    }
    coverage
}

/// A character's glyph: white space for what moves the pen, U+FFFD, or a question mark, for what the font does not have.
fn glyph_id(font: &FontArc, c: char) -> GlyphId {
    let wanted = if c.is_control() { ' ' } else { c };
    let found = [wanted, char::REPLACEMENT_CHARACTER, '?'].map(|c| font.glyph_id(c));
    found.into_iter().find(|id| *id != GlyphId(0)).unwrap_or_default()
}
