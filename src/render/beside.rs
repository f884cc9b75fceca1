//! A picture twice, side by side.

use crate::error::{Error, Result};
use crate::frame::{Frame, FrameMut};

/// Copies `picture` into both halves of `target`, a frame of the same format and height and twice the width. Where the width is
/// odd, chroma of the right half lies half a pixel to the right.
///
/// # Errors
/// [`Error::Frame`] if the two do not fit.
pub fn beside(picture: &Frame, target: &mut FrameMut) -> Result<()> {
    if (target.format, target.width, target.height) != (picture.format, 2 * picture.width, picture.height) {
        let why = format!(
            "{} {}x{} cannot hold {} {}x{} side by side",
            target.format.name(),
            target.width,
            target.height,
            picture.format.name(),
            picture.width,
            picture.height
        );
        return Err(Error::Frame { why });
    }
    let row = picture.format.row();
    for (index, (from, to)) in picture.planes.iter().zip(&mut target.planes).enumerate() {
        // Whole cells of the plane's widest grid, so that packed pairs of pixels stay pairs.
        let widest = row.grids.iter().filter(|grid| grid.plane == index).max_by_key(|grid| grid.sub_x);
        let Some(grid) = widest else { continue };
        let cell = grid.lanes.len() * row.sample();
        let ((own, rows), (all, _)) =
            (grid.cells(picture.width, picture.height), grid.cells(target.width, target.height));
        let (left, right) = (own * cell, (all - own) * cell);
        for y in 0..rows {
            let from = &from.data[y * from.stride..][..left];
            let to = &mut to.data[y * to.stride..][..left + right];
            to[..left].copy_from_slice(from);
            to[left..].copy_from_slice(&from[..right]);
        }
    }
    Ok(())
}
