//! What is written on a frame, and with which font.

use std::time::Duration;

use super::wishes::Live;
use crate::error::{Error, Result};
use crate::explain::{ClassMap, Explanation, Guess};
use crate::render::{Font, Line, Painter, Words};

/// A map that is younger is as good as the frame's own.
const STALE: Duration = Duration::from_millis(100);

/// What is written beside the classes explained.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// So many of the likeliest classes.
    pub(super) top_k: usize,
    /// What computes the model, and frames a second, where they are wished for.
    pub(super) figures: Option<(String, f64)>,
}

/// Classes with bars of their scores, others that are as likely, and in one picture of a frame how the element fares, and the map's
/// colours: what is wished for.
pub(super) fn words(seen: &Explanation, (age, once): (Duration, bool), live: &Live, aside: &Aside) -> Words {
    let several = seen.maps.len() > 1;
    let line = |guess: &Guess, hue| Line { text: guess.caption(), bar: Some(guess.score), hue };
    let mut lines = Vec::new();
    if live.draw_labels {
        let likely = |(_, one): &(usize, &ClassMap)| one.score >= live.confidence_threshold;
        let explained = seen.maps.iter().enumerate().filter(likely);
        lines.extend(explained.map(|(place, one)| line(&one.guess(), several.then_some(place))));
        if aside.top_k > 1 {
            let known = |guess: &Guess| seen.maps.iter().any(|one| one.class == guess.class);
            lines.extend(seen.best(aside.top_k).iter().filter(|guess| !known(guess)).map(|guess| line(guess, None)));
        }
    }
    if let Some((provider, fps)) = aside.figures.as_ref().filter(|_| once) {
        let mut text = format!("{provider}  {fps:.0} fps");
        if age >= STALE {
            text += &format!("  map {:.1} s old", age.as_secs_f64());
        }
        lines.push(Line { text, ..Line::default() });
    }
    Words { lines, legend: live.draw_legend && !several && once, corner: live.corner }
}

/// A painter for each picture of a frame, which keeps what it has written, and the font that they have.
#[derive(Debug, Default)]
pub(super) struct Pen {
    painters: Vec<Painter>,
    font: Font,
    /// What the user last asked for, readable or not: each wish is complained about once.
    asked: String,
}

impl Pen {
    /// # Errors
    /// [`Error::Setting`] for a font that cannot be read.
    pub(super) fn new(file: String) -> Result<Pen> {
        Ok(Pen { font: font(&file)?, asked: file, ..Pen::default() })
    }

    /// So many painters at least, with the font that is wished for; the former one stays where that cannot be read, of which the error
    /// tells.
    pub(super) fn painters(&mut self, live: &Live, count: usize) -> (&mut [Painter], Option<Error>) {
        let mut failed = None;
        if self.asked != live.font {
            self.asked.clone_from(&live.font);
            match font(&live.font) {
                Ok(font) => (self.font, self.painters) = (font, Vec::new()),
                Err(error) => failed = Some(error),
            }
        }
        while self.painters.len() < count {
            let mut painter = Painter::new(live.style);
            painter.set_font(self.font.clone());
            self.painters.push(painter);
        }
        (&mut self.painters, failed)
    }
}

/// The font of a file; "" = the one that is built in.
fn font(file: &str) -> Result<Font> {
    if file.is_empty() {
        return Ok(Font::default());
    }
    let bytes = std::fs::read(file).map_err(|error| Error::Setting {
        name: "font",
        value: file.into(),
        why: format!("the file cannot be read ({error}); give a TrueType or OpenType file"),
    })?;
    Font::new(bytes, file)
}
