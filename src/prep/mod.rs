//! Frame to input tensor: view, resize, convert, normalise.

pub mod spec;

pub use spec::{ColorFormat, Layout, Overrides, Preprocess, ResizeMode, Spec};

use crate::error::Result;
use crate::frame::{Frame, Region};

/// Turns frames into the model's input.
#[derive(Debug)]
pub struct Preparer {
    spec: Spec,
}

impl Preparer {
    /// For one specification; buffers are kept between frames.
    pub fn new(spec: Spec) -> Self {
        Self { spec }
    }
    /// What is done to a frame.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }
    /// Writes `channels * height * width` floats in the spec's layout into `out`; returns which part of the frame
    /// the whole model input covers.
    pub fn prepare(&mut self, frame: &Frame, out: &mut [f32]) -> Result<Region> {
        let _ = (frame, out);
        todo!()
    }
}
