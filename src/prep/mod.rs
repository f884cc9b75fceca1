//! Frame to input tensor: view, resize, convert, normalise.

use std::ops::Range;

use fast_image_resize::images::{CroppedImage, Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use fearless_simd::{Level, Simd, dispatch};

use crate::error::{Error, Result};
use crate::frame::format::Grid;
use crate::frame::{Frame, Part, Plane, Region};
use fit::Fit;

mod fit;
mod sidecar;
pub mod spec;
mod text;

pub use fit::full_frame;
pub use spec::{ColorFormat, Element, Layout, Overrides, Preprocess, ResizeMode, Spec};
pub use text::{parse_numbers, parse_size};

/// Grey that letterboxing puts around the picture, on the 0..255 scale, before normalisation: as the detectors that
/// made letterboxing common were trained (114 of 255).
pub const LETTERBOX_GRAY: f32 = 114.0;

/// Turns frames into the model's input.
#[derive(Debug)]
pub struct Preparer {
    spec: Spec,
    resizer: Resizer,
    /// One small picture for each grid of the format.
    small: Vec<Image<'static>>,
    /// A plane without padding, where the resizer cannot take it as it is; of words, which it wants aligned.
    tight: Vec<u16>,
    /// One row of the small picture, a component each.
    row: [Vec<f32>; 3],
    level: Level,
}

/// One channel of the tensor: `clamp(weights * samples + add) * scale + bias`.
struct Channel {
    weights: [f32; 3],
    add: f32,
    scale: f32,
    bias: f32,
}

impl Preparer {
    /// For one specification; buffers are kept between frames.
    pub fn new(spec: Spec) -> Self {
        Self {
            spec,
            resizer: Resizer::new(),
            small: Vec::new(),
            tight: Vec::new(),
            row: Default::default(),
            level: Level::new(),
        }
    }

    /// What is done to a frame.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Writes `channels * height * width` floats in the spec's layout into `out`; returns which part of the frame
    /// the whole model input covers.
    ///
    /// # Errors
    /// [`Error::Frame`] for a tensor of another length.
    pub fn prepare(&mut self, frame: &Frame, out: &mut [f32]) -> Result<Region> {
        self.prepare_part(frame, Part::whole((frame.width, frame.height)), out)
    }

    /// The same of a part of the frame, as if it were a picture by itself: [`ResizeMode`] applies within it. Where it begins or ends
    /// amid a cell of subsampled chroma, that cell counts by its share.
    ///
    /// # Errors
    /// [`Error::Frame`] also for a part that is empty or reaches beyond the frame.
    pub fn prepare_part(&mut self, frame: &Frame, part: Part, out: &mut [f32]) -> Result<Region> {
        if part.area() == 0 || part.inside((frame.width, frame.height)) != part {
            let why = format!("{part:?} is no part of a frame of {}x{}", frame.width, frame.height);
            return Err(Error::Frame { why });
        }
        let channels = self.channels(frame);
        let need = channels.len() * self.spec.width * self.spec.height;
        if out.len() != need {
            let why = format!("the tensor to fill holds {} values, the model takes {need}", out.len());
            return Err(Error::Frame { why });
        }
        let fit = Fit::new(self.spec.resize_mode, part, (self.spec.width, self.spec.height));
        let grids = frame.format.row().grids;
        // Grey needs luma only; it lies in the first grid.
        let needed = if channels.iter().all(|c| c.weights[1] == 0.0 && c.weights[2] == 0.0) { 1 } else { grids.len() };
        for (i, grid) in grids[..needed].iter().enumerate() {
            self.resize(i, grid, frame, &fit)?;
        }
        self.surround(&channels, &fit, out);
        dispatch!(self.level, simd => self.write(simd, &grids[..needed], &channels, &fit, out));
        Ok(fit.region)
    }

    fn channels(&self, frame: &Frame) -> Vec<Channel> {
        let row = frame.format.row();
        // Samples are taken with the bits below them.
        let unit = 1.0 / f32::from(1u16 << row.shift);
        let rgb = frame.color.decode(row.space, row.depth);
        let sources = match self.spec.color_format {
            ColorFormat::Rgb => [0, 1, 2].map(|i| (rgb.rows[i], rgb.add[i])).to_vec(),
            ColorFormat::Bgr => [2, 1, 0].map(|i| (rgb.rows[i], rgb.add[i])).to_vec(),
            ColorFormat::Gray => vec![frame.color.luma(row.space, row.depth)],
        };
        let scaling = self.spec.mean.iter().zip(&self.spec.std);
        sources
            .into_iter()
            .zip(scaling)
            .map(|((weights, add), (mean, std))| Channel {
                weights: weights.map(|weight| weight * unit),
                add,
                scale: 1.0 / (255.0 * std),
                bias: -mean / std,
            })
            .collect()
    }

    /// Brings one grid of the frame to the size of the picture in the tensor. Chroma is taken to sit amid its cell; where
    /// it sits on the left pixel, that is off by half a pixel of the frame, which the reduction to the model's size hides.
    fn resize(&mut self, i: usize, grid: &Grid, frame: &Frame, fit: &Fit) -> Result<()> {
        let failed = |e: &dyn std::fmt::Display| Error::Frame {
            why: format!("{} {}x{}: {e}", frame.format.name(), frame.width, frame.height),
        };
        let sample = frame.format.row().sample();
        let kind = match (sample, grid.lanes.len()) {
            (1, 1) => PixelType::U8,
            (1, 2) => PixelType::U8x2,
            (1, 3) => PixelType::U8x3,
            (1, _) => PixelType::U8x4,
            (_, 1) => PixelType::U16,
            (_, 2) => PixelType::U16x2,
            (_, 3) => PixelType::U16x3,
            _ => PixelType::U16x4,
        };
        let (width, height) = fit.size;
        let fits =
            |image: &Image| (image.width(), image.height(), image.pixel_type()) == (width as u32, height as u32, kind);
        if !self.small.get(i).is_some_and(fits) {
            self.small.truncate(i);
            self.small.push(Image::new(width as u32, height as u32, kind));
        }
        let (columns, rows) = grid.cells(frame.width, frame.height);
        let step = grid.lanes.len() * sample;
        let plane = &frame.planes[grid.plane];
        let (data, stride) = whole_cells(plane, columns * step, rows, (step, sample), &mut self.tight);
        let padded = ImageRef::new((stride / step) as u32, rows as u32, data, kind).map_err(|e| failed(&e))?;
        // Not the resizer's own crop box: its filter would reach into what lies around, and into the padding.
        let (across, down) =
            (window(fit.part.x, fit.part.width, grid.sub_x), window(fit.part.y, fit.part.height, grid.sub_y));
        let [x, y, w, h] = [across.start, down.start, across.len(), down.len()].map(|cells| cells as u32);
        let cells = CroppedImage::new(&padded, x, y, w, h).map_err(|e| failed(&e))?;
        let (left, width) = within(fit.source.0, grid.sub_x, &across);
        let (top, height) = within(fit.source.1, grid.sub_y, &down);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .crop(left, top, width, height)
            .use_alpha(false);
        self.resizer.resize(&cells, &mut self.small[i], &options).map_err(|e| failed(&e))
    }

    /// Values from one channel, and from one pixel, to the next.
    fn steps(&self, channels: usize) -> (usize, usize) {
        match self.spec.layout {
            Layout::ChannelsFirst => (self.spec.width * self.spec.height, 1),
            Layout::ChannelsLast => (1, channels),
        }
    }

    /// Grey above, below, left and right of the picture, where it does not fill the input.
    fn surround(&self, channels: &[Channel], fit: &Fit, out: &mut [f32]) {
        let (width, height) = (self.spec.width, self.spec.height);
        let (channel_step, pixel_step) = self.steps(channels.len());
        let ((left, top), (right, bottom)) = (fit.origin, (fit.origin.0 + fit.size.0, fit.origin.1 + fit.size.1));
        for (c, channel) in channels.iter().enumerate() {
            let gray = LETTERBOX_GRAY * channel.scale + channel.bias;
            for y in 0..height {
                let (before, after) = if (top..bottom).contains(&y) { (left, right) } else { (width, width) };
                for span in [0..before, after..width] {
                    let first = c * channel_step + (y * width + span.start) * pixel_step;
                    let rest = out.iter_mut().skip(first);
                    rest.step_by(pixel_step).take(span.len()).for_each(|v| *v = gray);
                }
            }
        }
    }

    #[inline(always)]
    fn write<S: Simd>(&mut self, simd: S, grids: &[Grid], channels: &[Channel], fit: &Fit, out: &mut [f32]) {
        let (channel_step, pixel_step) = self.steps(channels.len());
        let ((left, top), (columns, rows)) = (fit.origin, fit.size);
        let width = self.spec.width;
        let Self { small, row, .. } = self;
        row.iter_mut().for_each(|row| row.resize(columns, 0.0));
        simd.vectorize(
            #[inline(always)]
            || {
                for y in 0..rows {
                    for (grid, image) in grids.iter().zip(&*small) {
                        let bytes = image.buffer().len() / rows;
                        let cells = &image.buffer()[y * bytes..][..bytes];
                        for (lane, component) in grid.lanes.iter().enumerate() {
                            if let Some(component) = component {
                                read(cells, image.pixel_type(), lane, &mut row[*component]);
                            }
                        }
                    }
                    let first = ((top + y) * width + left) * pixel_step;
                    for (c, channel) in channels.iter().enumerate() {
                        let out = &mut out[c * channel_step + first..];
                        if pixel_step == 1 {
                            channel.write(row, out[..columns].iter_mut());
                        } else {
                            channel.write(row, out.iter_mut().step_by(pixel_step));
                        }
                    }
                }
            },
        );
    }
}

/// One lane of a row of the small picture.
#[inline(always)]
fn read(row: &[u8], kind: PixelType, lane: usize, out: &mut [f32]) {
    match kind {
        PixelType::U8 => lane_of::<1, 1>(row, 0, out),
        PixelType::U8x2 => lane_of::<2, 1>(row, lane, out),
        PixelType::U8x3 => lane_of::<3, 1>(row, lane, out),
        PixelType::U8x4 => lane_of::<4, 1>(row, lane, out),
        PixelType::U16 => lane_of::<2, 2>(row, 0, out),
        _ => lane_of::<4, 2>(row, lane, out),
    }
}

/// The same of cells of `N` bytes, of samples of `B` bytes. Each lane is a loop by itself, which the compiler can then vectorise.
#[inline(always)]
fn lane_of<const N: usize, const B: usize>(row: &[u8], lane: usize, out: &mut [f32]) {
    match lane {
        0 => at_byte::<N, B>(row, 0, out),
        1 => at_byte::<N, B>(row, B, out),
        2 => at_byte::<N, B>(row, 2 * B, out),
        _ => at_byte::<N, B>(row, 3 * B, out),
    }
}

#[inline(always)]
fn at_byte<const N: usize, const B: usize>(row: &[u8], at: usize, out: &mut [f32]) {
    for (out, cell) in out.iter_mut().zip(row.as_chunks::<N>().0) {
        let (low, high) = (cell[at % N], cell[(at + 1) % N]);
        *out = if B == 1 { low.into() } else { u16::from_ne_bytes([low, high]).into() };
    }
}

impl Channel {
    /// The channel's values of a row of samples.
    #[inline(always)]
    fn write<'a>(&self, [a, b, c]: &[Vec<f32>; 3], out: impl Iterator<Item = &'a mut f32>) {
        for (((out, a), b), c) in out.zip(a).zip(b).zip(c) {
            let level = self.weights[0] * a + self.weights[1] * b + self.weights[2] * c + self.add;
            *out = level.clamp(0.0, 255.0) * self.scale + self.bias;
        }
    }
}

/// The plane's bytes such that every row, the last one too, is `stride` bytes of whole cells, and lies where a cell may: as they
/// are, else copied.
fn whole_cells<'a>(
    plane: &Plane<&'a [u8]>,
    bytes: usize,
    rows: usize,
    (step, sample): (usize, usize),
    tight: &'a mut Vec<u16>,
) -> (&'a [u8], usize) {
    let whole = plane.stride.is_multiple_of(step) && plane.data.len() / plane.stride >= rows;
    if whole && plane.data.as_ptr().addr().is_multiple_of(sample) {
        return (plane.data, plane.stride);
    }
    tight.resize((bytes * rows).div_ceil(2), 0);
    let copy = bytemuck::cast_slice_mut::<u16, u8>(tight);
    for (to, from) in copy.chunks_exact_mut(bytes).zip(plane.data.chunks(plane.stride)) {
        to.copy_from_slice(&from[..bytes]);
    }
    (copy, bytes)
}

/// The cells of a grid that hold pixels of a span of the frame.
fn window(from: usize, length: usize, sub: usize) -> Range<usize> {
    from / sub..(from + length).div_ceil(sub)
}

/// A span of the frame in cells of a grid, from the first of its window on and kept inside it against rounding.
fn within((start, length): (f64, f64), sub: usize, window: &Range<usize>) -> (f64, f64) {
    let (start, length) = (start / sub as f64 - window.start as f64, length / sub as f64);
    (start, length.min(window.len() as f64 - start))
}
