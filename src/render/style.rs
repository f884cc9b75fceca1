//! How the map is painted: what the user chooses.

use super::Colormap;
use crate::error::names;

/// What is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum OutputMode {
    /// The map over the picture.
    #[default]
    Overlay,
    /// The map alone, in the place of the picture.
    Heatmap,
    /// The picture on the left, the map over it on the right, in a frame of twice the width: see [`beside`](super::beside).
    SideBySide,
    /// The picture, darkened where it did not matter: fully where the map is zero, not at all from `threshold` on.
    Mask,
    /// The picture with the outline of what lies above `threshold`.
    Contour,
    /// The picture as it is.
    None,
}

names!(OutputMode, "output-mode": Overlay = "overlay", Heatmap = "heatmap", SideBySide = "side-by-side", Mask = "mask",
    Contour = "contour", None = "none");

/// How the opacity goes with the heat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum AlphaMode {
    /// `alpha` everywhere.
    #[default]
    Constant,
    /// From nothing where the map is zero to `alpha` where it is hottest, in a straight line.
    Heat,
}

names!(AlphaMode, "alpha-mode": Constant = "constant", Heat = "heat");

/// What lies between the values of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Smooth {
    /// Straight lines.
    #[default]
    Bilinear,
    /// Cubic splines through the values (Catmull and Rom 1974), cut off at zero and at full heat.
    Bicubic,
    /// Nothing: the map's cells are seen.
    Nearest,
}

names!(Smooth, "smooth": Bilinear = "bilinear", Bicubic = "bicubic", Nearest = "nearest");

/// How the map is painted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// Colours from cold to hot.
    pub colormap: Colormap,
    /// Opacity of the map, 0..=1, in steps of 1/256. Outlines are opaque from 0.5 on.
    pub alpha: f32,
    /// How the opacity goes with the heat.
    pub alpha_mode: AlphaMode,
    /// What lies between the values of the map.
    pub smooth: Smooth,
    /// What is painted.
    pub output_mode: OutputMode,
    /// The heat (0..=1) at which the outline runs, and from which on a mask lets the picture through.
    pub threshold: f32,
}

impl Style {
    /// What is painted where nothing is chosen.
    pub const DEFAULT: Style = Style {
        colormap: Colormap::Jet,
        alpha: 0.5,
        alpha_mode: AlphaMode::Constant,
        smooth: Smooth::Bilinear,
        output_mode: OutputMode::Overlay,
        threshold: 0.5,
    };
}

impl Default for Style {
    fn default() -> Self {
        Self::DEFAULT
    }
}
