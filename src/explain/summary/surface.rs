//! A map as it is painted on a frame: a surface that is bilinear between a few lines across and down.

use std::cmp::Ordering;

use ndarray::ArrayView2;

use crate::frame::Region;

/// A line across or down the surface.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// In pixels.
    at: f64,
    /// In cells of the map, from the centre of the first.
    cell: f64,
    /// Through the centres of cells; else an edge.
    centre: bool,
}

/// Its values where lines cross: at the centres of the cells and the edges of what is seen.
#[derive(Debug)]
pub(super) struct Surface {
    across: Vec<Line>,
    down: Vec<Line>,
    /// A row for each line down.
    values: Vec<f64>,
    roi: Option<Region>,
}

/// Between two lines across and two down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patch {
    /// Left, right.
    pub x: [f64; 2],
    /// Top, bottom.
    pub y: [f64; 2],
    /// Where its corners are in [`Surface::value`]: upper left, upper right, lower right, lower left.
    pub corners: [usize; 4],
}

/// What an integral over the surface gives.
#[derive(Debug, Default)]
pub(super) struct Heat {
    pub total: f64,
    pub in_roi: f64,
    moment: (f64, f64),
}

impl Heat {
    pub(super) fn centroid(&self) -> (f64, f64) {
        (self.moment.0 / self.total, self.moment.1 / self.total)
    }
}

impl Surface {
    /// `None` where the map does not reach into the frame, is empty, or holds what is not finite.
    pub(super) fn new(
        map: ArrayView2<f32>,
        region: Region,
        (width, height): (usize, usize),
        roi: Option<Region>,
    ) -> Option<Surface> {
        let (rows, columns) = map.dim();
        let across = lines((region.x, region.width), columns, width, roi.map(|roi| (roi.x, roi.width)))?;
        let down = lines((region.y, region.height), rows, height, roi.map(|roi| (roi.y, roi.height)))?;
        if map.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mut values = Vec::with_capacity(across.len() * down.len());
        for row in &down {
            let (top, bottom, below) = between(row.cell, rows);
            for column in &across {
                let (left, right, beyond) = between(column.cell, columns);
                let value = |row: usize, column: usize| f64::from(map[[row, column]].max(0.0));
                let mix = |row: usize| value(row, left) + (value(row, right) - value(row, left)) * beyond;
                values.push(mix(top) + (mix(bottom) - mix(top)) * below);
            }
        }
        Some(Surface { across, down, values, roi })
    }

    pub(super) fn value(&self, corner: usize) -> f64 {
        self.values[corner]
    }

    /// How many crossings there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn patches(&self) -> impl Iterator<Item = Patch> {
        let columns = self.across.len();
        (1..self.down.len()).flat_map(move |row| {
            (1..columns).map(move |column| {
                let here = row * columns + column;
                Patch {
                    x: [self.across[column - 1].at, self.across[column].at],
                    y: [self.down[row - 1].at, self.down[row].at],
                    corners: [here - columns - 1, here - columns, here, here - 1],
                }
            })
        })
    }

    /// x, y and height of the hottest place: a bilinear surface has its maximum at a corner. The centre of a cell comes before the
    /// edge that is level with it.
    pub(super) fn peak(&self) -> ((f64, f64), f64) {
        let mut best = ((0.0, 0.0), 0.0, false);
        for (row, values) in self.down.iter().zip(self.values.chunks(self.across.len())) {
            for (column, &value) in self.across.iter().zip(values) {
                let centre = row.centre && column.centre;
                if value > best.1 || value == best.1 && centre && !best.2 {
                    best = ((column.at, row.at), value, centre);
                }
            }
        }
        (best.0, best.1)
    }

    /// Integrals over the surface, exact for each patch.
    pub(super) fn heat(&self) -> Heat {
        let mut heat = Heat::default();
        for patch in self.patches() {
            let [a, b, d, c] = patch.corners.map(|corner| self.values[corner]);
            let (width, height) = (patch.x[1] - patch.x[0], patch.y[1] - patch.y[0]);
            let total = width * height * (a + b + c + d) / 4.0;
            heat.total += total;
            // of a straight line from p to q over a length: the integral of its height times the way
            let lean = |p: f64, q: f64, length: f64| length * length * (p + 2.0 * q) / 6.0;
            heat.moment.0 += patch.x[0] * total + height * lean((a + c) / 2.0, (b + d) / 2.0, width);
            heat.moment.1 += patch.y[0] * total + width * lean((a + b) / 2.0, (c + d) / 2.0, height);
            let middle = |[from, to]: [f64; 2]| (from + to) / 2.0;
            let within = |at: f64, origin: f32, extent: f32| {
                at > f64::from(origin) && at < f64::from(origin) + f64::from(extent)
            };
            if self.roi.is_some_and(|roi| {
                within(middle(patch.x), roi.x, roi.width) && within(middle(patch.y), roi.y, roi.height)
            }) {
                heat.in_roi += total;
            }
        }
        heat
    }
}

/// Along one axis: where what is seen begins and ends, the centres of cells in it, and the edges of the region of interest.
fn lines((origin, extent): (f32, f32), cells: usize, size: usize, roi: Option<(f32, f32)>) -> Option<Vec<Line>> {
    let (origin, extent) = (f64::from(origin), f64::from(extent));
    let (start, end) = (origin.max(0.0), (origin + extent).min(size as f64));
    // nor where one of them is no number
    if start.partial_cmp(&end) != Some(Ordering::Less) || cells == 0 {
        return None;
    }
    let pixels = extent / cells as f64;
    let centre = |cell: usize| Line { at: origin + (cell as f64 + 0.5) * pixels, cell: cell as f64, centre: true };
    let edge = |at: f64| {
        let cell = ((at - origin) / pixels - 0.5).clamp(0.0, (cells - 1) as f64);
        Line { at, cell, centre: false }
    };
    let roi = roi.into_iter().flat_map(|(from, length)| [f64::from(from), f64::from(from) + f64::from(length)]);
    let inside = |at: &f64| (start..end).contains(at);
    let mut lines: Vec<Line> = (0..cells).map(centre).filter(|line| inside(&line.at)).collect();
    lines.extend([start, end].into_iter().chain(roi.filter(inside)).map(edge));
    // centres first where an edge lies on them
    lines.sort_by(|a, b| a.at.total_cmp(&b.at).then(b.centre.cmp(&a.centre)));
    lines.dedup_by(|next, kept| next.at == kept.at);
    Some(lines)
}

/// The two cells next to a place, and how far it is from the first to the second.
fn between(place: f64, cells: usize) -> (usize, usize, f64) {
    let first = (place as usize).min(cells - 1);
    (first, (first + 1).min(cells - 1), place - first as f64)
}
