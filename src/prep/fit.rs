//! How a frame is fitted into the model's input: which part is taken, and where it goes.

use super::ResizeMode;
use crate::frame::Region;

/// The geometry of one frame size and one input size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    /// Part of the frame that is taken: (start, length) across and down, in pixels, inside the frame.
    pub(super) source: ((f64, f64), (f64, f64)),
    /// Width and height that it gets in the model's input.
    pub(super) size: (usize, usize),
    /// Where in the input its upper left corner goes.
    pub(super) origin: (usize, usize),
    /// What of the frame the whole input covers.
    pub(super) region: Region,
}

impl Fit {
    /// `frame` and `input` are (width, height), none of them 0.
    pub(super) fn new(mode: ResizeMode, frame: (usize, usize), input: (usize, usize)) -> Self {
        let (fw, fh) = (frame.0 as f64, frame.1 as f64);
        let (iw, ih) = (input.0 as f64, input.1 as f64);
        let (taken, size) = match mode {
            ResizeMode::Stretch => ((fw, fh), input),
            // The largest part with the input's proportions.
            ResizeMode::Crop => ((fw.min(fh * iw / ih), fh.min(fw * ih / iw)), input),
            // The largest picture with the frame's proportions, in whole pixels.
            ResizeMode::Letterbox => {
                let scale = (iw / fw).min(ih / fh);
                let whole = |length: f64, most: usize| ((length * scale).round() as usize).clamp(1, most);
                ((fw, fh), (whole(fw, input.0), whole(fh, input.1)))
            }
        };
        let source = (((fw - taken.0) / 2.0, taken.0), ((fh - taken.1) / 2.0, taken.1));
        let origin = ((input.0 - size.0) / 2, (input.1 - size.1) / 2);
        // Pixels of the frame to one of the input.
        let (across, down) = (taken.0 / size.0 as f64, taken.1 / size.1 as f64);
        let region = Region {
            x: (source.0.0 - origin.0 as f64 * across) as f32,
            y: (source.1.0 - origin.1 as f64 * down) as f32,
            width: (iw * across) as f32,
            height: (ih * down) as f32,
        };
        Self { source, size, origin, region }
    }
}
