//! How a layer's axes lie over the picture.

use crate::onnx::Val;

/// The layout of activations on a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grid {
    /// [N, C, h, w].
    ChannelsFirst,
}

impl Grid {
    /// [N, C, h, w] of a tensor of that layout and shape.
    pub fn shape(self, tensor: &[usize]) -> [usize; 4] {
        let dim = |axis: usize| tensor.get(axis).copied().unwrap_or(1);
        match self {
            Grid::ChannelsFirst => [dim(0), dim(1), dim(2), dim(3)],
        }
    }

    /// A value of that layout (activations, or a gradient that may be 1 along axes where it is constant) as [N, C, h, w].
    pub(super) fn pictures<'g>(self, value: Val<'g>) -> Val<'g> {
        match self {
            Grid::ChannelsFirst => value,
        }
    }

    /// Which cell of the grid, row by row, each element of a channel belongs to: the shape of a mask over a tensor of that layout
    /// and shape (1 along the channels), and a cell for each of its elements; `None` where an element belongs to no place.
    pub(super) fn cells(self, tensor: &[usize]) -> (Vec<usize>, Vec<Option<usize>>) {
        let [_, _, h, w] = self.shape(tensor);
        match self {
            Grid::ChannelsFirst => (vec![1, 1, h, w], (0..h * w).map(Some).collect()),
        }
    }
}
