//! THE TABLE of colour maps.

use std::str::FromStr;

use crate::error::Error;

/// Colour maps by their usual names.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Colormap {
    #[default]
    Jet,
    Turbo,
    Viridis,
    Inferno,
    Magma,
    Gray,
}

/// RGB at `t` in 0..=1.
type Gradient = fn(f32) -> [u8; 3];

#[rustfmt::skip]
static TABLE: &[(Colormap, &str, Gradient)] = &[
    (Colormap::Jet,     "jet",     jet),
    (Colormap::Turbo,   "turbo",   |t| rgb(colorous::TURBO, t)),
    (Colormap::Viridis, "viridis", |t| rgb(colorous::VIRIDIS, t)),
    (Colormap::Inferno, "inferno", |t| rgb(colorous::INFERNO, t)),
    (Colormap::Magma,   "magma",   |t| rgb(colorous::MAGMA, t)),
    (Colormap::Gray,    "gray",    |t| [level(t); 3]),
];

// Rows stand in the order of the enum, so that a map is its own index; held at compile time.
const _: () = {
    let mut i = 0;
    while i < TABLE.len() {
        assert!(TABLE[i].0 as usize == i, "rows of TABLE must stand in the order of Colormap");
        i += 1;
    }
    assert!(TABLE.len() == Colormap::Gray as usize + 1, "every Colormap needs a row");
};

impl Colormap {
    /// Every colour map.
    pub fn all() -> impl ExactSizeIterator<Item = Colormap> {
        TABLE.iter().map(|row| row.0)
    }

    /// Its name, as the option `colormap` spells it.
    pub fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// RGB at `t`, 0 = cold, 1 = hot; what lies outside is taken to the nearer end.
    pub fn at(self, t: f32) -> [u8; 3] {
        TABLE[self as usize].2(t.clamp(0.0, 1.0))
    }
}

impl FromStr for Colormap {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::all().find(|map| map.name() == name).ok_or_else(|| {
            let known: Vec<_> = Self::all().map(Self::name).collect();
            let why = format!("no such colour map; use one of {}", known.join(", "));
            Error::Setting { name: "colormap", value: name.into(), why }
        })
    }
}

/// Blue, cyan, yellow, red between dark ends: three trapezoids with slopes of 4, as MATLAB and OpenCV have it.
fn jet(t: f32) -> [u8; 3] {
    [0.75, 0.5, 0.25].map(|centre: f32| level(1.5 - 4.0 * (t - centre).abs()))
}

fn rgb(gradient: colorous::Gradient, t: f32) -> [u8; 3] {
    gradient.eval_continuous(t.into()).as_array()
}

fn level(v: f32) -> u8 {
    (v.clamp(0.0, 1.0) * 255.0).round() as u8
}
