//! What is written on a frame: what the user chooses.

use crate::error::names;

/// Where the words stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Corner {
    /// Upper left.
    #[default]
    TopLeft,
    /// Upper right.
    TopRight,
    /// Lower left.
    BottomLeft,
    /// Lower right.
    BottomRight,
}

names!(Corner, "label-position": TopLeft = "top-left", TopRight = "top-right", BottomLeft = "bottom-left",
    BottomRight = "bottom-right");

/// What is written, in a box.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Words {
    /// From top to bottom.
    pub lines: Vec<Line>,
    /// The colours of the map from no heat, or full heat of the other sign, to full heat, below the lines.
    pub legend: bool,
    /// Where the box stands.
    pub corner: Corner,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Line {
    /// What is read.
    pub text: String,
    /// A bar below it, filled by this share, 0..=1.
    pub bar: Option<f32>,
    /// A square in this class's [`hue`](super::hue) before it.
    pub hue: Option<usize>,
}

impl Words {
    /// Plain lines at the upper left.
    pub fn plain<T: Into<String>>(lines: impl IntoIterator<Item = T>) -> Words {
        let line = |text: T| Line { text: text.into(), ..Line::default() };
        Words { lines: lines.into_iter().map(line).collect(), ..Words::default() }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && !self.legend
    }
}
