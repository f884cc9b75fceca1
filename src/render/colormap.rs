//! THE TABLE of colour maps.

/// Colour maps by their usual names.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colormap {
    #[default]
    Jet,
    Turbo,
    Viridis,
    Inferno,
    Magma,
    Gray,
}
