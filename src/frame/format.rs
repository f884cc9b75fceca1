//! THE TABLE of pixel formats: one row each.

/// Pixel formats, named as GStreamer names them.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    I420,
    Nv12,
    Yuy2,
    Rgb,
    Bgr,
    Rgbx,
    Bgrx,
    Rgba,
    Bgra,
}
