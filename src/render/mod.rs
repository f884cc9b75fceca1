//! Map to pixels, in place, in the frame's own format: upsample, colour map, blend, words.

use std::ops::Range;

use fearless_simd::{Level, Simd};
use ndarray::ArrayView2;

use crate::error::Result;
use crate::frame::format::Grid;
use crate::frame::{Color, Format, FrameMut, Region};
use blend::{Ink, Scratch, Source, blend};
use curve::TOP;
use heat::Heat;
use outline::Outline;
use text::Label;

mod beside;
mod blend;
pub mod calm;
pub mod colormap;
mod curve;
mod heat;
mod kernel;
mod outline;
pub mod style;
mod text;
mod weave;
pub mod words;

pub use beside::beside;
pub use calm::{Calm, Normalization, Scaler, Seen};
pub use colormap::{Colormap, hue};
pub use style::{AlphaMode, OutputMode, Smooth, Style};
pub use text::Font;
pub use words::{Corner, Line, Words};

// The box behind the words: black.
const BOX_OPACITY: f32 = 150.0 / 256.0;

/// Paints maps and words; what depends only on format, size and style is kept between frames.
///
/// ```
/// use gstgradcam::frame::{Color, Format, FrameMut, Matrix, Plane, Range, Region};
/// use gstgradcam::render::{AlphaMode, Painter, Style};
///
/// # fn main() -> gstgradcam::Result<()> {
/// let mut grey = vec![128; 64 * 48 * 3];
/// let color = Color { matrix: Matrix::Bt601, range: Range::Full };
/// let plane = Plane { data: grey.as_mut_slice(), stride: 64 * 3 };
/// let mut frame = FrameMut::new(Format::Rgb, 64, 48, color, vec![plane])?;
///
/// // Two cells over the whole frame: nothing on the left, all on the right.
/// let map = ndarray::array![[0.0, 3.0]];
/// let whole = Region { x: 0.0, y: 0.0, width: 64.0, height: 48.0 };
/// let mut painter = Painter::new(Style { alpha_mode: AlphaMode::Heat, ..Style::DEFAULT });
/// assert!(painter.paint(&mut frame, map.view(), whole)?);
/// assert_eq!(grey[..3], [128, 128, 128], "as it was");
/// assert!(grey[189] > grey[191], "jet's hot end is red");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Painter {
    style: Style,
    level: Level,
    inks: Inks,
    text_ink: Option<(Format, Color, Ink)>,
    hues: Vec<Option<(Format, Color, Ink)>>,
    label: Label,
    scratch: Scratch,
}

/// The inks of one style: the colour map's, that under a map in the place of the picture, each class's, and the legend's.
#[derive(Debug, Default)]
struct Inks {
    map: Option<(Format, Color, Ink)>,
    ground: Option<(Format, Color, Ink)>,
    /// The outline of what speaks against.
    against: Option<(Format, Color, Ink)>,
    classes: Vec<Option<(Format, Color, Ink)>>,
    legend: Option<(Format, Color, Ink)>,
}

impl Painter {
    /// A painter with a style.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            level: Level::new(),
            inks: Inks::default(),
            text_ink: None,
            hues: Vec::new(),
            label: Label::default(),
            scratch: Scratch::default(),
        }
    }

    /// Another style from the next frame on.
    pub fn set_style(&mut self, style: Style) {
        if style != self.style {
            self.style = style;
            self.inks = Inks::default();
        }
    }

    /// The instruction sets that this CPU has a painter for, the widest first: for tests, which try each.
    #[doc(hidden)]
    pub fn levels() -> Vec<Level> {
        let best = Level::new();
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        return [
            best.as_avx512().map(Level::Avx512),
            best.as_avx2().map(Level::Avx2),
            best.as_sse4_2().map(Level::Sse4_2),
            best.as_sse2().map(Level::Sse2),
        ]
        .into_iter()
        .flatten()
        .collect();
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
        vec![best]
    }

    /// Paints with this instruction set.
    #[doc(hidden)]
    pub fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// Paints `map` (h x w values of any scale, scaled by its own largest) over the part of `region` inside the frame. Negative
    /// values count as none, unless the colour map is a signed one.
    ///
    /// Returns whether it painted: a map that is zero everywhere, one that is not finite, or a region beside the frame
    /// paints nothing.
    pub fn paint(&mut self, frame: &mut FrameMut, map: ArrayView2<f32>, region: Region) -> Result<bool> {
        let signed = self.style.colormap.is_signed();
        let peak = map.iter().copied().fold(0.0f32, |most, v| most.max(if signed { v.abs() } else { v }));
        self.paint_against(frame, map, peak, region)
    }

    /// The same for a map that is scaled already: 1 (and more) is full heat, -1 the opposite for signed colour maps.
    pub fn paint_scaled(&mut self, frame: &mut FrameMut, map: ArrayView2<f32>, region: Region) -> Result<bool> {
        self.paint_against(frame, map, 1.0, region)
    }

    fn paint_against(&mut self, frame: &mut FrameMut, map: ArrayView2<f32>, peak: f32, region: Region) -> Result<bool> {
        let style = self.style;
        let signed = style.colormap.is_signed();
        if style.output_mode == OutputMode::None || !map.iter().all(|v| v.is_finite()) || !peak.is_finite() {
            return Ok(false);
        }
        let empty = map.iter().all(|&v| v == 0.0 || v < 0.0 && !signed);
        let Self { inks, scratch, level, .. } = self;
        let tools = (*level, scratch);
        if style.output_mode == OutputMode::Heatmap && (empty || !covers(region, frame)) {
            let cold = if signed { TOP / 2 } else { 0 };
            let ink = kept(&mut inks.map, frame, |heat| style.shade(heat));
            let all = (0..frame.width, 0..frame.height);
            blend(frame, all, ink, (*level, &mut *tools.1), |_, columns| Flat { level: cold, columns: columns.len() });
        }
        let Some(area) = area(style, region, frame).filter(|_| !empty) else { return Ok(false) };
        let shown = |v: f32| match style.output_mode {
            OutputMode::Mask => (if signed { v.abs() } else { v }) / peak / style.threshold.max(f32::MIN_POSITIVE),
            _ if signed => (v / peak + 1.0) / 2.0,
            _ => v / peak,
        };
        let heat = Heat::new(map, style.smooth, shown);
        let ink = kept(&mut inks.map, frame, |heat| style.shade(heat));
        draw(frame, style, (&heat, style.line(style.threshold)), area.clone(), ink, (tools.0, &mut *tools.1));
        if style.output_mode == OutputMode::Contour && signed {
            let ink = kept(&mut inks.against, frame, |heat| style.shade_of_line(-style.threshold, heat));
            draw(frame, style, (&heat, style.line(-style.threshold)), area, ink, tools);
        }
        Ok(true)
    }

    /// Paints maps that are scaled already: one in the style's colours, several as [`paint_classes`](Self::paint_classes).
    pub fn paint_maps(&mut self, frame: &mut FrameMut, maps: &[ArrayView2<f32>], region: Region) -> Result<bool> {
        match maps {
            [map] => self.paint_scaled(frame, *map, region),
            maps => self.paint_classes(frame, maps, region),
        }
    }

    /// Paints several classes' maps, scaled already, one over the other, each in its own [`hue`] and the more opaque the hotter;
    /// a mask lets through what mattered to any of them. Negative values count as none. Returns whether it painted.
    pub fn paint_classes(&mut self, frame: &mut FrameMut, maps: &[ArrayView2<f32>], region: Region) -> Result<bool> {
        let style = self.style;
        if style.output_mode == OutputMode::None || !maps.iter().flatten().all(|v| v.is_finite()) {
            return Ok(false);
        }
        if let (OutputMode::Mask, Some(first)) = (style.output_mode, maps.first()) {
            let most = |at| maps.iter().filter_map(|map| map.get(at)).fold(0.0f32, |most, &v| most.max(v));
            let any = ndarray::Array2::from_shape_fn(first.dim(), most);
            return self.paint_scaled(frame, any.view(), region);
        }
        let Self { inks, scratch, level, .. } = self;
        if style.output_mode == OutputMode::Heatmap {
            let ink = kept(&mut inks.ground, frame, |_| ([0.0; 3], 1.0));
            let all = (0..frame.width, 0..frame.height);
            blend(frame, all, ink, (*level, scratch), |_, columns| Flat { level: 0, columns: columns.len() });
        }
        let Some(area) = area(style, region, frame) else { return Ok(false) };
        inks.classes.resize_with(inks.classes.len().max(maps.len()), || None);
        let mut painted = false;
        for (class, (map, slot)) in maps.iter().zip(&mut inks.classes).enumerate() {
            if map.iter().any(|&v| v > 0.0) {
                let heat = Heat::new(map.view(), style.smooth, |v| v);
                let ink = kept(slot, frame, |heat| style.shade_of_class(class, heat));
                draw(frame, style, (&heat, style.threshold), area.clone(), ink, (*level, scratch));
                painted = true;
            }
        }
        Ok(painted)
    }

    /// Another font for what is written.
    pub fn set_font(&mut self, font: Font) {
        self.label.set_font(font);
    }

    /// Writes words in a corner of the frame (of its right half, where that is the painted one), white on a dark translucent box, a
    /// line a 24th of the frame's shorter side. What does not fit is cut off.
    pub fn write(&mut self, frame: &mut FrameMut, words: &Words) -> Result<()> {
        let left = self.style.place(Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 }, frame).1;
        let least = if self.style.colormap.is_signed() { "-1" } else { "0" };
        self.label.update(words, least, (left..frame.width, 0..frame.height));
        let ink = kept(&mut self.text_ink, frame, |word| {
            let opacity = BOX_OPACITY + (1.0 - BOX_OPACITY) * word;
            // White over black, both translucent: the share of white in what covers.
            ([255.0 * word / opacity; 3], opacity)
        });
        let label = &self.label;
        blend(frame, label.area(), ink, (self.level, &mut self.scratch), |grid, columns| Lettering {
            label,
            grid,
            columns,
        });
        for (class, area) in &label.hues {
            self.hues.resize_with(self.hues.len().max(class + 1), || None);
            let ink = kept(&mut self.hues[*class], frame, |_| (hue(*class).map(f32::from), 1.0));
            let flat = |_: &_, columns: Range<usize>| Flat { level: TOP, columns: columns.len() };
            blend(frame, area.clone(), ink, (self.level, &mut self.scratch), flat);
        }
        if let Some(area) = &label.legend {
            let colormap = self.style.colormap;
            let ink = kept(&mut self.inks.legend, frame, |heat| (colormap.rgb(heat), 1.0));
            let scale = |_: &_, columns: Range<usize>| Scale { columns: columns.len() };
            blend(frame, area.clone(), ink, (self.level, &mut self.scratch), scale);
        }
        Ok(())
    }
}

impl Style {
    /// Steps of the opacity: what 8-bit frames are blended in.
    fn alpha(&self) -> f32 {
        // not clamp, which leaves NaN as it is
        if self.alpha > 0.0 { (self.alpha.min(1.0) * 256.0).round() / 256.0 } else { 0.0 }
    }

    /// RGB (0..=255) and opacity of a map's `heat` (0..=1; from -1 on for a signed colour map), as [`Heat`] scales it.
    fn shade(&self, heat: f32) -> ([f32; 3], f32) {
        let signed = self.colormap.is_signed();
        let strength = if signed { (2.0 * heat - 1.0).abs() } else { heat };
        match (self.output_mode, self.alpha_mode) {
            (OutputMode::Heatmap, _) => (self.colormap.rgb(heat), 1.0),
            (OutputMode::Mask, _) => ([0.0; 3], self.alpha() * (1.0 - heat)),
            (OutputMode::Contour, _) => self.shade_of_line(self.threshold, heat),
            (_, AlphaMode::Constant) => (self.colormap.rgb(heat), self.alpha()),
            (_, AlphaMode::Heat) => (self.colormap.rgb(heat), self.alpha() * strength),
        }
    }

    /// The same of an outline at a value of the map.
    fn shade_of_line(&self, value: f32, heat: f32) -> ([f32; 3], f32) {
        (self.colormap.rgb(self.line(value)), self.line_opacity() * heat)
    }

    /// The heat at which the outline of a value of the map runs.
    fn line(&self, value: f32) -> f32 {
        if self.colormap.is_signed() { (1.0 + value) / 2.0 } else { value }
    }

    /// The same where each class has a hue.
    fn shade_of_class(&self, class: usize, heat: f32) -> ([f32; 3], f32) {
        let opacity = match self.output_mode {
            OutputMode::Heatmap => 1.0,
            OutputMode::Contour => self.line_opacity(),
            _ => self.alpha(),
        };
        (hue(class).map(f32::from), opacity * heat)
    }

    fn line_opacity(&self) -> f32 {
        (2.0 * self.alpha()).min(1.0)
    }

    /// Where the map's region lies in a frame that is painted in this style.
    fn place(&self, region: Region, frame: &FrameMut) -> (Region, usize) {
        match self.output_mode {
            OutputMode::SideBySide => {
                let left = frame.width / 2;
                (Region { x: region.x + left as f32, ..region }, left)
            }
            _ => (region, 0),
        }
    }
}

type Area = (Region, Range<usize>, Range<usize>);

/// The region and the pixels of it that are painted; `None` if there are none.
fn area(style: Style, region: Region, frame: &FrameMut) -> Option<Area> {
    let (region, left) = style.place(region, frame);
    let across = covered(region.x, region.width, frame.width);
    let across = across.start.max(left)..across.end.max(left);
    let down = covered(region.y, region.height, frame.height);
    (!across.is_empty() && !down.is_empty()).then_some((region, across, down))
}

/// The heat, or its outline at a level of it.
fn draw(
    frame: &mut FrameMut,
    style: Style,
    (heat, at): (&Heat, f32),
    (region, across, down): Area,
    ink: &Ink,
    tools: (Level, &mut Scratch),
) {
    let siting = frame.siting;
    if style.output_mode == OutputMode::Contour {
        let width = (frame.height as f32 / 270.0).max(1.5);
        let spacing = heat.spacing(region);
        blend(frame, (across, down), ink, tools, |grid, columns| {
            Outline::new(heat.on(grid, siting, region, columns), grid, at, width, spacing)
        });
    } else {
        blend(frame, (across, down), ink, tools, |grid, columns| heat.on(grid, siting, region, columns));
    }
}

/// One level everywhere.
struct Flat {
    level: u16,
    columns: usize,
}

impl Source for Flat {
    fn fill<S: Simd>(&mut self, _: S, _: usize, levels: &mut [u16], warm: &mut Vec<Range<usize>>) {
        levels.fill(self.level);
        warm.push(0..self.columns);
    }
}

/// From the lowest level to the highest.
struct Scale {
    columns: usize,
}

impl Source for Scale {
    fn fill<S: Simd>(&mut self, _: S, _: usize, levels: &mut [u16], warm: &mut Vec<Range<usize>>) {
        let step = f32::from(TOP) / self.columns.max(1) as f32;
        for (column, level) in levels.iter_mut().take(self.columns).enumerate() {
            *level = ((column as f32 + 0.5) * step) as u16;
        }
        warm.push(0..self.columns);
    }
}

struct Lettering<'a> {
    label: &'a Label,
    grid: &'static Grid,
    columns: Range<usize>,
}

impl Source for Lettering<'_> {
    fn fill<S: Simd>(&mut self, _: S, y: usize, levels: &mut [u16], warm: &mut Vec<Range<usize>>) {
        self.label.fill(self.grid, self.columns.clone(), y, levels);
        warm.push(0..self.columns.len());
    }
}

/// The ink that is at hand if it is for frames such as this one, else a new one.
fn kept<'a>(
    slot: &'a mut Option<(Format, Color, Ink)>,
    frame: &FrameMut,
    shade: impl Fn(f32) -> ([f32; 3], f32),
) -> &'a Ink {
    let (format, color) = (frame.format, frame.color);
    if slot.as_ref().is_some_and(|(f, c, _)| (*f, *c) != (format, color)) {
        *slot = None;
    }
    &slot.get_or_insert_with(|| (format, color, Ink::new(format, color, shade))).2
}

fn covers(region: Region, frame: &FrameMut) -> bool {
    covered(region.x, region.width, frame.width) == (0..frame.width)
        && covered(region.y, region.height, frame.height) == (0..frame.height)
}

/// The pixels whose centres lie in `origin..origin + extent`, of `size` pixels.
fn covered(origin: f32, extent: f32, size: usize) -> Range<usize> {
    // Negative numbers and NaN come out as 0.
    let edge = |at: f32| ((f64::from(at) - 0.5).ceil() as usize).min(size);
    if extent > 0.0 { edge(origin)..edge(origin + extent) } else { 0..0 }
}
