//! A video frame without GStreamer: format, size, colour and planes with their strides.

use crate::error::Result;

pub mod color;
pub mod format;

pub use color::{Color, Matrix, Range};
pub use format::Format;

/// One plane of pixels: `stride` bytes from one row to the next; the last row may be short.
#[derive(Debug, Clone, Copy)]
pub struct Plane<D> {
    /// The bytes, first row first.
    pub data: D,
    /// Bytes from the start of a row to the start of the next.
    pub stride: usize,
}

/// A picture to read.
#[derive(Debug)]
pub struct Frame<'a> {
    pub(crate) format: Format,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) color: Color,
    pub(crate) planes: Vec<Plane<&'a [u8]>>,
}

/// A picture to paint on, in place.
#[derive(Debug)]
pub struct FrameMut<'a> {
    pub(crate) format: Format,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) color: Color,
    pub(crate) planes: Vec<Plane<&'a mut [u8]>>,
}

/// A rectangle in pixels of the frame; it may reach outside (letterbox).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl<'a> Frame<'a> {
    /// A frame over borrowed planes.
    pub fn new(
        format: Format,
        width: usize,
        height: usize,
        color: Color,
        planes: Vec<Plane<&'a [u8]>>,
    ) -> Result<Self> {
        let _ = (format, width, height, color, planes);
        todo!("checks plane count, stride and length (last row may be short)")
    }
}

impl<'a> FrameMut<'a> {
    /// A frame over mutably borrowed planes.
    pub fn new(
        format: Format,
        width: usize,
        height: usize,
        color: Color,
        planes: Vec<Plane<&'a mut [u8]>>,
    ) -> Result<Self> {
        let _ = (format, width, height, color, planes);
        todo!()
    }
    /// The same picture, to read.
    pub fn as_frame(&self) -> Frame<'_> {
        todo!()
    }
}
