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
    BlueRed,
    PurpleOrange,
}

/// Straight pieces of a colour map: what painting looks up. Jet's corners lie on their ends; between them no other map is off by
/// more than four of 255 (turbo, at its dark end).
pub(super) const PIECES: usize = 32;

/// RGB (0..=255) at `t` in 0..=1.
type Gradient = fn(f32) -> [f32; 3];

#[rustfmt::skip]
static TABLE: &[(Colormap, &str, Gradient)] = &[
    (Colormap::Jet,          "jet",           jet),
    (Colormap::Turbo,        "turbo",         |t| stops(colorous::TURBO, t)),
    (Colormap::Viridis,      "viridis",       |t| stops(colorous::VIRIDIS, t)),
    (Colormap::Inferno,      "inferno",       |t| stops(colorous::INFERNO, t)),
    (Colormap::Magma,        "magma",         |t| stops(colorous::MAGMA, t)),
    (Colormap::Gray,         "gray",          |t| [255.0 * t; 3]),
    // ColorBrewer's, told apart by the colour-blind too.
    (Colormap::BlueRed,      "blue-red",      |t| stops(colorous::RED_BLUE, 1.0 - t)),
    (Colormap::PurpleOrange, "purple-orange", |t| stops(colorous::PURPLE_ORANGE, t)),
];

// Rows stand in the order of the enum, so that a map is its own index; held at compile time.
const _: () = {
    let mut i = 0;
    while i < TABLE.len() {
        assert!(TABLE[i].0 as usize == i, "rows of TABLE must stand in the order of Colormap");
        i += 1;
    }
    assert!(TABLE.len() == Colormap::PurpleOrange as usize + 1, "every Colormap needs a row");
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

    /// RGB (0..=255) at `t`, 0 = cold, 1 = hot; what lies outside is taken to the nearer end. It is made of 32 straight pieces.
    pub fn rgb(self, t: f32) -> [f32; 3] {
        TABLE[self as usize].2(t.clamp(0.0, 1.0))
    }

    /// The same in whole numbers.
    pub fn at(self, t: f32) -> [u8; 3] {
        self.rgb(t).map(|v| v.round() as u8)
    }

    /// The one for maps that have either sign, or none, where nobody chose one.
    pub fn usual(signed: bool) -> Colormap {
        if signed { Colormap::BlueRed } else { Colormap::Jet }
    }

    /// What is to be said of painting maps with it that have either sign, or none.
    pub fn remark(self, signed: bool) -> Option<String> {
        let name = self.name();
        match (self.is_signed(), signed) {
            (true, false) => Some(format!(
                "colormap={name} has a colour for what speaks against the class, which these maps leave out; set signed=true, or \
                 another colormap"
            )),
            (false, true) => Some(format!(
                "signed=true keeps what speaks against the class, for which colormap={name} has no colour; set {} or {}",
                Colormap::BlueRed.name(),
                Colormap::PurpleOrange.name()
            )),
            _ => None,
        }
    }

    /// Whether it has two colours with nothing amid them, for maps of either sign: what speaks against a class is painted in
    /// the first, what speaks for it in the second.
    pub fn is_signed(self) -> bool {
        matches!(self, Colormap::BlueRed | Colormap::PurpleOrange)
    }
}

/// The colour of one class among several: those of Okabe and Ito (2008), which the colour-blind tell apart, over and over.
pub fn hue(class: usize) -> [u8; 3] {
    const HUES: [[u8; 3]; 7] =
        [[230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [0, 114, 178], [213, 94, 0], [204, 121, 167]];
    HUES[class % HUES.len()]
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
fn jet(t: f32) -> [f32; 3] {
    [0.75, 0.5, 0.25].map(|centre: f32| 255.0 * (1.5 - 4.0 * (t - centre).abs()).clamp(0.0, 1.0))
}

/// Straight lines between the stops at every 32nd.
fn stops(gradient: colorous::Gradient, t: f32) -> [f32; 3] {
    let at = t * PIECES as f32;
    let stop = |i: f32| gradient.eval_continuous((i / PIECES as f32).into()).as_array().map(f32::from);
    let (low, high) = (stop(at.floor()), stop(at.ceil()));
    std::array::from_fn(|c| low[c] + (high[c] - low[c]) * at.fract())
}
