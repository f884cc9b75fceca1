//! How a layer's axes lie over the picture.

use std::fmt;

use super::axes::{Axis, Kind, Run, count};
use crate::onnx::Val;

/// The layout of activations on a grid: which axis counts what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    picture: Option<usize>,
    channel: Option<usize>,
    cells: Cells,
    rank: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cells {
    /// Rows and columns have axes of their own.
    Axes { rows: usize, columns: usize },
    /// Rows, and columns within them, lie in one axis, from `first` on; class tokens before and behind them.
    Tokens { axis: usize, first: usize, rows: usize, columns: usize },
}

impl Grid {
    /// The layout of a tensor with those axes; `None` where they are no grid of at least two cells.
    pub(super) fn of(axes: &[Axis]) -> Option<Grid> {
        let one = |wanted: &dyn Fn(&Axis) -> bool| -> Result<Option<usize>, ()> {
            let mut found = (0..axes.len()).filter(|&i| wanted(&axes[i]));
            match (found.next(), found.next()) {
                (first, None) => Ok(first),
                _ => Err(()),
            }
        };
        let is = |kind: Kind| move |axis: &Axis| axis.is(kind);
        let (mut picture, mut channel) = (one(&is(Kind::Picture)).ok()?, one(&is(Kind::Channel)).ok()?);
        let tokens = one(&|axis: &Axis| axis.has_cells() && !axis.is(Kind::Row) && !axis.is(Kind::Column));
        let (rows, columns) = (one(&is(Kind::Row)).ok()?, one(&is(Kind::Column)).ok()?);
        let cells = match (tokens.ok()?, rows, columns) {
            (Some(axis), None, None) => {
                let Axis { runs, before, .. } = &axes[axis];
                let columns = runs.iter().position(|run| run.kind == Kind::Column).unwrap_or(runs.len());
                let (rows, columns) = runs.split_at(columns);
                let all = |runs: &[_], kind| runs.iter().all(|run: &Run| run.kind == kind);
                if !all(rows, Kind::Row) || !all(columns, Kind::Column) {
                    return None;
                }
                let length = |runs: &[Run]| if runs.is_empty() { Some(1) } else { count(runs) };
                Cells::Tokens { axis, first: *before, rows: length(rows)?, columns: length(columns)? }
            }
            (None, Some(rows), Some(columns)) => {
                count(&axes[rows].runs)?;
                count(&axes[columns].runs)?;
                Cells::Axes { rows, columns }
            }
            (None, rows, columns) => {
                // a grid of one row or one column: the axis of length 1 beside the other
                let some = rows.or(columns)?;
                count(&axes[some].runs)?;
                let unit = |at: usize| axes.get(at).is_some_and(|axis| axis.runs.is_empty() && axis.size() == 1);
                match (rows, columns) {
                    (Some(rows), None) if unit(rows + 1) => Cells::Axes { rows, columns: rows + 1 },
                    (None, Some(columns)) if columns > 0 && unit(columns - 1) => {
                        Cells::Axes { rows: columns - 1, columns }
                    }
                    _ => return None,
                }
            }
            _ => return None,
        };
        let taken = |axis: usize| match cells {
            Cells::Axes { rows, columns } => axis == rows || axis == columns,
            Cells::Tokens { axis: tokens, .. } => axis == tokens,
        };
        // of the axes of length 1, the first is the picture's, the next the channels'
        for axis in (0..axes.len()).filter(|&i| axes[i].size() == 1 && !taken(i)) {
            if picture.is_none() && channel != Some(axis) {
                picture = Some(axis);
            } else if channel.is_none() {
                channel = Some(axis);
            }
        }
        Some(Grid { picture, channel, cells, rank: axes.len() })
    }

    /// [N, C, h, w] of a tensor of that layout and shape.
    pub fn shape(self, tensor: &[usize]) -> [usize; 4] {
        let dim = |axis: Option<usize>| axis.and_then(|axis| tensor.get(axis)).copied().unwrap_or(1);
        let (n, c) = (dim(self.picture), dim(self.channel));
        match self.cells {
            Cells::Axes { rows, columns } => [n, c, dim(Some(rows)), dim(Some(columns))],
            Cells::Tokens { rows, columns, .. } => [n, c, rows, columns],
        }
    }

    /// Tokens without a place in the picture (class and register tokens), of a tensor of that shape.
    pub fn tokens_beside(self, tensor: &[usize]) -> usize {
        match self.cells {
            Cells::Axes { .. } => 0,
            Cells::Tokens { axis, rows, columns, .. } => {
                tensor.get(axis).map_or(0, |&all| all.saturating_sub(rows * columns))
            }
        }
    }

    /// A value of that layout (activations, or a gradient that may be 1 along axes where it is constant) as [N, C, h, w].
    pub(super) fn pictures<'g>(self, value: Val<'g>) -> Val<'g> {
        let mut value = value;
        if let Cells::Tokens { axis, first, rows, columns } = self.cells {
            let length = value.shape()[axis];
            if length > rows * columns {
                value = value.slice(&[(axis, first, first + rows * columns, 1)]);
            }
        }
        let wanted = match self.cells {
            Cells::Axes { rows, columns } => vec![self.picture, self.channel, Some(rows), Some(columns)],
            Cells::Tokens { axis, .. } => vec![self.picture, self.channel, Some(axis)],
        };
        let mut order: Vec<usize> = wanted.into_iter().flatten().collect();
        // axes of length 1 that say nothing go in front
        let idle: Vec<usize> = (0..self.rank).filter(|axis| !order.contains(axis)).collect();
        order.splice(0..0, idle);
        let turned = value.transpose(&order);
        let now = value.shape();
        let dim = |axis: Option<usize>| axis.map_or(1, |axis| now[axis]);
        let (rows, columns) = match self.cells {
            Cells::Axes { rows, columns } => (now[rows], now[columns]),
            Cells::Tokens { axis, .. } if now[axis] == 1 => (1, 1),
            Cells::Tokens { rows, columns, .. } => (rows, columns),
        };
        turned.reshape(&[dim(self.picture), dim(self.channel), rows, columns])
    }

    /// Which cell of the grid, row by row, each element of a channel belongs to: the shape of a mask over a tensor of that layout
    /// and shape (1 along the channels), and a cell for each of its elements; `None` where an element belongs to no place.
    pub(super) fn cells(self, tensor: &[usize]) -> (Vec<usize>, Vec<Option<usize>>) {
        let [_, _, h, w] = self.shape(tensor);
        let mut mask = vec![1; tensor.len()];
        match self.cells {
            Cells::Axes { rows, columns } => {
                (mask[rows], mask[columns]) = (h, w);
                let turned = |i: usize| if rows < columns { i } else { i % h * w + i / h };
                (mask, (0..h * w).map(|i| Some(turned(i))).collect())
            }
            Cells::Tokens { axis, first, .. } => {
                mask[axis] = tensor[axis];
                let place = |i: usize| i.checked_sub(first).filter(|&i| i < h * w);
                (mask, (0..tensor[axis]).map(place).collect())
            }
        }
    }

    /// In words, for a tensor of that shape: "7x7 (height x width), channels first".
    pub fn describe(self, tensor: &[usize]) -> String {
        let [_, _, h, w] = self.shape(tensor);
        format!(
            "{h}x{w} (height x width), {self}{}",
            match self.tokens_beside(tensor) {
                0 => String::new(),
                1 => " beside 1 class token".into(),
                n => format!(" beside {n} class or register tokens"),
            }
        )
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channel = self.channel.unwrap_or(0);
        f.write_str(match self.cells {
            Cells::Axes { rows, .. } if channel > rows => "channels last",
            Cells::Axes { .. } => "channels first",
            Cells::Tokens { axis, .. } if channel < axis => "channels first, rows in one line",
            Cells::Tokens { .. } => "tokens",
        })
    }
}
