//! How a frame is fitted into the model's input: which part is taken, and where it goes.

use super::ResizeMode;
use crate::error::{Error, Result};
use crate::frame::{Part, Region};

/// What the long side of [`full_frame`] is a multiple of: the cell of most networks' last grid, in pixels.
const CELL: f64 = 32.0;
/// Most that the long side may be of the short one.
const LONGEST: f64 = 8.0;

/// The input size that a whole frame gets in the mode `full-frame`, (width, height): the short side is the shorter of the model's own,
/// the long side has the frame's proportions, rounded to the nearest multiple of 32. A frame of 16:9 gets 384x224 where the
/// model's own size is 224x224. What rounding leaves over is grey, since the frame is not distorted.
///
/// # Errors
/// [`Error::Setting`] for a frame that is more than 8 times as long as it is wide, or empty.
pub fn full_frame(own: (usize, usize), frame: (usize, usize)) -> Result<(usize, usize)> {
    let short = own.0.min(own.1);
    let (narrow, long) = (frame.0.min(frame.1) as f64, frame.0.max(frame.1) as f64);
    if narrow < 1.0 || long / narrow > LONGEST {
        let why = format!(
            "a frame of {}x{} is more than {LONGEST} times as long as it is wide; use resize-mode=letterbox",
            frame.0, frame.1
        );
        return Err(Error::Setting { name: "resize-mode", value: ResizeMode::FullFrame.name().into(), why });
    }
    let rounded = (short as f64 * long / narrow / CELL).round() * CELL;
    let side = if long == narrow { short } else { short.max(rounded as usize) };
    Ok(if frame.0 >= frame.1 { (side, short) } else { (short, side) })
}

/// The geometry of one part of a frame and one input size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    /// The picture that is fitted: nothing outside of it is taken.
    pub(super) part: Part,
    /// What of it is taken: (start, length) across and down, in pixels of the frame.
    pub(super) source: ((f64, f64), (f64, f64)),
    /// Width and height that it gets in the model's input.
    pub(super) size: (usize, usize),
    /// Where in the input its upper left corner goes.
    pub(super) origin: (usize, usize),
    /// What of the frame the whole input covers.
    pub(super) region: Region,
}

impl Fit {
    /// `input` is (width, height); neither of its sides is 0, nor one of the part.
    pub(super) fn new(mode: ResizeMode, part: Part, input: (usize, usize)) -> Self {
        let (fw, fh) = (part.width as f64, part.height as f64);
        let (iw, ih) = (input.0 as f64, input.1 as f64);
        let (taken, size) = match mode {
            ResizeMode::Stretch => ((fw, fh), input),
            // The largest part with the input's proportions.
            ResizeMode::Crop => ((fw.min(fh * iw / ih), fh.min(fw * ih / iw)), input),
            // The largest picture with the frame's proportions, in whole pixels.
            ResizeMode::Letterbox | ResizeMode::FullFrame => {
                let scale = (iw / fw).min(ih / fh);
                let whole = |length: f64, most: usize| ((length * scale).round() as usize).clamp(1, most);
                ((fw, fh), (whole(fw, input.0), whole(fh, input.1)))
            }
        };
        let middle = |from: usize, all: f64, taken: f64| (from as f64 + (all - taken) / 2.0, taken);
        let source = (middle(part.x, fw, taken.0), middle(part.y, fh, taken.1));
        let origin = ((input.0 - size.0) / 2, (input.1 - size.1) / 2);
        // Pixels of the frame to one of the input.
        let (across, down) = (taken.0 / size.0 as f64, taken.1 / size.1 as f64);
        let region = Region {
            x: (source.0.0 - origin.0 as f64 * across) as f32,
            y: (source.1.0 - origin.1 as f64 * down) as f32,
            width: (iw * across) as f32,
            height: (ih * down) as f32,
        };
        Self { part, source, size, origin, region }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_frame_keeps_the_short_side_and_the_proportions() {
        for (own, frame, size) in [
            ((224, 224), (1920, 1080), (384, 224)),
            ((224, 224), (1080, 1920), (224, 384)),
            ((224, 224), (640, 480), (288, 224)),
            ((224, 224), (500, 500), (224, 224)),
            ((299, 299), (1920, 1080), (544, 299)),
            ((320, 240), (1280, 720), (416, 240)),
            ((8, 8), (64, 48), (8, 8)),
            ((8, 8), (128, 32), (32, 8)),
        ] {
            assert_eq!(full_frame(own, frame).unwrap(), size, "{own:?} {frame:?}");
        }
        for frame in [(4096, 500), (10, 0), (1, 9)] {
            assert!(full_frame((224, 224), frame).unwrap_err().to_string().contains("letterbox"), "{frame:?}");
        }
    }

    #[test]
    fn a_full_frame_is_whole_and_not_distorted() {
        let (frame, input) = ((1920, 1080), (384, 224));
        let fit = Fit::new(ResizeMode::FullFrame, Part::whole(frame), input);
        assert_eq!(fit.source, ((0.0, 1920.0), (0.0, 1080.0)));
        assert_eq!((fit.size, fit.origin), ((384, 216), (0, 4)));
    }
}
