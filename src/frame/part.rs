//! A part of a frame in whole pixels, and the view of it to paint on.

use super::{FrameMut, Plane, Region};

/// Whole pixels of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// First column.
    pub x: usize,
    /// First row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Part {
    /// All of a frame of (width, height).
    pub fn whole((width, height): (usize, usize)) -> Part {
        Part { x: 0, y: 0, width, height }
    }

    /// What of it lies in a frame of (width, height); nothing of it may.
    pub fn inside(self, frame: (usize, usize)) -> Part {
        let span = |from: usize, length: usize, size: usize| {
            let start = from.min(size);
            (start, from.saturating_add(length).min(size) - start)
        };
        let ((x, width), (y, height)) = (span(self.x, self.width, frame.0), span(self.y, self.height, frame.1));
        Part { x, y, width, height }
    }

    /// How many pixels it has.
    pub fn area(self) -> usize {
        self.width.saturating_mul(self.height)
    }

    /// How much two parts have in common: their intersection over their union, 0..=1.
    pub fn overlap(self, other: Part) -> f32 {
        let shared = |from: usize, length: usize, other: usize, others: usize| {
            (from + length).min(other + others).saturating_sub(from.max(other))
        };
        let across = shared(self.x, self.width, other.x, other.width);
        let common = across * shared(self.y, self.height, other.y, other.height);
        let all = self.area() + other.area() - common;
        if all > 0 { common as f32 / all as f32 } else { 0.0 }
    }

    /// The same, as a rectangle.
    pub fn region(self) -> Region {
        let [x, y, width, height] = [self.x, self.y, self.width, self.height].map(|side| side as f32);
        Region { x, y, width, height }
    }
}

impl FrameMut<'_> {
    /// A view of a part of the frame, and where its upper left pixel lies. A cell of subsampled chroma is in it if all its pixels
    /// are, so that nothing beside the part is touched through it: at odd edges the view is a pixel smaller, and `None` where
    /// nothing is left.
    pub fn part(&mut self, part: Part) -> Option<(FrameMut<'_>, (usize, usize))> {
        let part = part.inside((self.width, self.height));
        let row = self.format.row();
        let cells = |from: usize, length: usize, sub: usize, size: usize| {
            let end = from + length;
            let end = if end == size { end } else { end - end % sub };
            let start = from.next_multiple_of(sub);
            (start < end).then(|| (start, end - start))
        };
        let sub_x = row.grids.iter().map(|grid| grid.sub_x).max()?;
        let sub_y = row.grids.iter().map(|grid| grid.sub_y).max()?;
        let (left, width) = cells(part.x, part.width, sub_x, self.width)?;
        let (top, height) = cells(part.y, part.height, sub_y, self.height)?;
        let mut planes = Vec::with_capacity(self.planes.len());
        for (i, plane) in self.planes.iter_mut().enumerate() {
            // It begins behind the whole cells beside and above it.
            let (bytes, rows) = row.plane_size(i, left, top)?;
            planes.push(Plane { data: plane.data.get_mut(rows * plane.stride + bytes..)?, stride: plane.stride });
        }
        let Self { format, color, siting, .. } = *self;
        Some((FrameMut { format, width, height, color, siting, planes }, (left, top)))
    }
}
