//! A video frame without GStreamer: format, size, colour and planes with their strides.

use crate::error::{Error, Result};

pub mod color;
pub mod format;
mod part;

pub use color::{Color, Matrix, Range, Siting};
pub use format::Format;
pub use part::Part;

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
    pub(crate) siting: Siting,
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

impl Region {
    /// The same, so much further right and down.
    #[must_use]
    pub fn moved(self, (right, down): (f32, f32)) -> Region {
        Region { x: self.x + right, y: self.y + down, ..self }
    }
}

impl<'a> Frame<'a> {
    /// A frame over borrowed planes, or [`Error::Frame`] if they do not fit format and size.
    pub fn new(
        format: Format,
        width: usize,
        height: usize,
        color: Color,
        mut planes: Vec<Plane<&'a [u8]>>,
    ) -> Result<Self> {
        check(format, width, height, &mut planes)?;
        Ok(Self { format, width, height, color, planes })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }
}

impl<'a> FrameMut<'a> {
    /// A frame over mutably borrowed planes, or [`Error::Frame`] if they do not fit format and size.
    pub fn new(
        format: Format,
        width: usize,
        height: usize,
        color: Color,
        mut planes: Vec<Plane<&'a mut [u8]>>,
    ) -> Result<Self> {
        check(format, width, height, &mut planes)?;
        Ok(Self { format, width, height, color, siting: Siting::MPEG2, planes })
    }

    /// The same with its chroma elsewhere than [`Siting::MPEG2`] has it.
    #[must_use]
    pub fn sited(self, siting: Siting) -> Self {
        Self { siting, ..self }
    }

    /// The same picture, to read.
    pub fn as_frame(&self) -> Frame<'_> {
        let planes = self.planes.iter().map(|plane| Plane { data: &*plane.data, stride: plane.stride }).collect();
        Frame { format: self.format, width: self.width, height: self.height, color: self.color, planes }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }
}

/// Holds what every reader and painter relies on: `stride >= bytes in use`, and every byte in use is there.
fn check<D: AsRef<[u8]>>(format: Format, width: usize, height: usize, planes: &mut [Plane<D>]) -> Result<()> {
    let row = format.row();
    let bad = |why: String| Error::Frame { why: format!("{} {width}x{height}: {why}", row.name) };
    let too_big = || bad("the size is beyond what can be addressed".into());
    if width == 0 || height == 0 {
        return Err(bad("there is no pixel in it".into()));
    }
    if u32::try_from(width).is_err() || u32::try_from(height).is_err() {
        return Err(too_big());
    }
    if planes.len() != row.planes() {
        return Err(bad(format!("{} planes where the format has {}", planes.len(), row.planes())));
    }
    for (i, plane) in planes.iter_mut().enumerate() {
        let (bytes, rows) = row.plane_size(i, width, height).ok_or_else(too_big)?;
        if rows == 1 {
            plane.stride = plane.stride.max(bytes); // there is no second row that it could lead to
        }
        if plane.stride < bytes {
            return Err(bad(format!("plane {i} has a stride of {}, a row needs {bytes} bytes", plane.stride)));
        }
        let need = plane.stride.checked_mul(rows - 1).and_then(|all| all.checked_add(bytes)).ok_or_else(too_big)?;
        let have = plane.data.as_ref().len();
        if have < need {
            return Err(bad(format!("plane {i} holds {have} bytes, its rows reach to {need}")));
        }
    }
    Ok(())
}
