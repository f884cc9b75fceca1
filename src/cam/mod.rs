//! What is explained and how: the score, the target layer, the method; [`lower`] writes it all into the graph.

mod attention;
mod axes;
mod batch;
mod classifier;
mod fuse;
mod grid;
mod guided;
mod head;
mod layer;
mod lower;
mod method;
mod recipro;
mod survey;
mod trace;

pub use grid::Grid;
pub use head::{Activation, Head, ScoreKind};
pub use layer::Layer;
pub use lower::{Lowered, Names, Request, lower};
pub use method::Method;
pub use survey::{Survey, survey};

/// A class to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The n-th best of each frame, 0 = best.
    Rank(usize),
    /// A class by its index.
    Class(usize),
}

impl Target {
    /// Lowest rank that the explained model resolves by itself: `gradcam_target` = -1 ... -100.
    pub const MAX_RANKS: usize = 100;

    /// Whether a model of so many classes has it.
    pub fn exists(self, classes: usize) -> bool {
        match self {
            Target::Rank(rank) => rank < classes.min(Self::MAX_RANKS),
            Target::Class(class) => class < classes,
        }
    }

    /// The values that exist, in words.
    pub fn range(classes: usize) -> String {
        let (last, ranks) = (classes.saturating_sub(1), classes.min(Self::MAX_RANKS));
        format!("an index 0..={last} or a rank -1..=-{ranks} (-1 = best)")
    }

    /// The value of the input `gradcam_target`.
    pub fn code(self) -> i64 {
        match self {
            Target::Rank(rank) => i64::try_from(rank).map_or(i64::MIN, |rank| -1 - rank),
            Target::Class(class) => i64::try_from(class).unwrap_or(i64::MAX),
        }
    }
}
