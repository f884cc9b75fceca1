//! The newest maps of a stream, of the whole frame or of each region marked on it, and how they are painted.

use std::time::Duration;

use ndarray::Array2;

use super::regions::Object;
use super::session::Stamp;
use super::wishes::Live;
use super::words::{Aside, words};
use crate::error::Result;
use crate::explain::{ClassMap, Explanation};
use crate::frame::{FrameMut, Region};
use crate::render::{Calm, OutputMode, Painter, Scaler, Seen, Style};

/// What was seen on one frame.
#[derive(Debug)]
pub(super) struct Shown {
    /// At least one.
    pub(super) pictures: Vec<Picture>,
    /// The frame that it was made from.
    pub(super) of: Stamp,
    /// The latest frame that hardly differs from that.
    pub(super) holds: Stamp,
}

/// The whole frame or one region, explained.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) object: Option<Object>,
    pub(super) seen: Explanation,
    /// Each class's, scaled.
    maps: Vec<Array2<f32>>,
}

/// Scales maps from frame to frame, each picture's by what was seen in it before.
#[derive(Debug, Default)]
pub(super) struct Scalers(Vec<(Option<Object>, Scaler)>);

/// A region goes on from one of the last frame if they have this share of what they cover together in common.
const SAME: f32 = 0.5;

impl Scalers {
    /// The pictures of a frame at a time.
    pub(super) fn scale(&mut self, seen: Vec<(Option<Object>, Explanation)>, calm: Calm, at: Duration) -> Vec<Picture> {
        let mut former = std::mem::take(&mut self.0);
        let picture = |(object, seen): (Option<Object>, Explanation)| {
            let common = |other: Option<Object>| match (object, other) {
                (Some(one), Some(other)) => one.part.overlap(other.part),
                (None, None) => 1.0,
                _ => 0.0,
            };
            let best = former.iter().enumerate().map(|(i, (other, _))| (i, common(*other)));
            let best = best.max_by(|one, other| one.1.total_cmp(&other.1)).filter(|(_, common)| *common >= SAME);
            let mut scaler = best.map_or_else(Scaler::default, |(i, _)| former.swap_remove(i).1);
            scaler.set(calm);
            let classes: Vec<Seen> = seen.maps.iter().map(as_seen).collect();
            let maps = scaler.scale(&classes, at);
            self.0.push((object, scaler));
            Picture { object, seen, maps }
        };
        seen.into_iter().map(picture).collect()
    }

    /// The next frame has nothing to do with the last one.
    pub(super) fn cut(&mut self) {
        self.0.retain(|(object, _)| object.is_none());
        self.0.iter_mut().for_each(|(_, scaler)| scaler.cut());
    }
}

fn as_seen(one: &ClassMap) -> Seen<'_> {
    Seen { class: one.class, score: one.score, map: one.map.view(), signed: one.signed }
}

fn is_likely(one: &ClassMap, live: &Live) -> bool {
    one.score >= live.confidence_threshold
}

impl Picture {
    /// Runs `f` on what the picture takes of the frame, and on where the map lies there; `None` where nothing is left of it.
    fn on<T>(
        &self,
        frame: &mut FrameMut,
        beside: bool,
        f: impl FnOnce(&mut FrameMut, Region) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some(Object { mut part, .. }) = self.object else { return f(frame, self.seen.region).map(Some) };
        let left = if beside { frame.width() / 2 } else { 0 };
        part.x += left;
        let Some((mut view, (x, y))) = frame.part(part) else { return Ok(None) };
        f(&mut view, self.seen.region.moved((left as f32 - x as f32, -(y as f32)))).map(Some)
    }

    /// Paints the maps and writes the words within the picture. Returns whether there was anything to paint.
    fn paint(
        &self,
        painter: &mut Painter,
        frame: &mut FrameMut,
        (style, live): (Style, &Live),
        (age, once, aside): (Duration, bool, &Aside),
    ) -> Result<bool> {
        // A region of the right half is a picture by itself.
        let beside = style.output_mode == OutputMode::SideBySide && self.object.is_some();
        painter.set_style(if beside { Style { output_mode: OutputMode::Overlay, ..style } } else { style });
        // A class that is left out keeps its place, and so the others their hues.
        let nothing = Array2::zeros(self.maps.first().map_or((0, 0), |map| map.dim()));
        let classes = self.maps.iter().zip(&self.seen.maps);
        let maps: Vec<_> =
            classes.map(|(map, one)| if is_likely(one, live) { map.view() } else { nothing.view() }).collect();
        let painted = self.on(frame, beside, |frame, region| {
            let painted = painter.paint_maps(frame, &maps, region)?;
            let words = words(&self.seen, (age, once), live, aside);
            if !words.is_empty() {
                painter.write(frame, &words)?;
            }
            Ok(painted)
        })?;
        Ok(painted == Some(true))
    }

    /// The maps as they are painted, in one, 0..=1: the hottest class at each place; of maps of either sign the one that says most,
    /// 0.5 being nothing.
    fn heat(&self, live: &Live) -> Array2<f32> {
        let mut heat = Array2::zeros(self.maps.first().map_or((0, 0), |map| map.dim()));
        let signed = self.is_signed();
        for (map, _) in self.maps.iter().zip(&self.seen.maps).filter(|(_, one)| is_likely(one, live)) {
            heat.zip_mut_with(map, |heat: &mut f32, &value| {
                if value > *heat || signed && value.abs() > heat.abs() {
                    *heat = value;
                }
            });
        }
        if signed { heat.mapv_into(|value| (value.clamp(-1.0, 1.0) + 1.0) / 2.0) } else { heat }
    }

    /// Whether its maps have either sign.
    fn is_signed(&self) -> bool {
        self.seen.maps.iter().any(|one| one.signed)
    }
}

impl Shown {
    pub(super) fn new(pictures: Vec<Picture>, of: Stamp) -> Shown {
        Shown { pictures, of, holds: of }
    }

    /// How much later a frame is than the one that the maps were made of.
    pub(super) fn age(&self, stamp: Stamp) -> Duration {
        stamp.since(&self.of)
    }

    /// How much of the maps is still to be seen on a frame: 0 when their time is over.
    pub(super) fn opacity(&self, stamp: Stamp, limit: Option<Duration>) -> f32 {
        limit.map_or(1.0, |limit| opacity(stamp.since(&self.holds), limit))
    }

    /// Why nothing is to be painted, if no class is likely enough.
    pub(super) fn doubt(&self, live: &Live) -> Option<String> {
        let mut maps = self.maps();
        if maps.any(|one| is_likely(one, live)) {
            return None;
        }
        let captions: Vec<String> = self.maps().map(ClassMap::caption).collect();
        Some(format!("{} is below confidence-threshold={}", captions.join(", "), live.confidence_threshold))
    }

    /// Whether maps have either sign.
    pub(super) fn is_signed(&self) -> bool {
        self.pictures.iter().any(Picture::is_signed)
    }

    /// Whether there is no heat anywhere.
    pub(super) fn is_cold(&self) -> bool {
        let cold = |picture: &Picture, value: f32| if picture.is_signed() { value == 0.0 } else { value <= 0.0 };
        self.pictures.iter().all(|picture| picture.maps.iter().flatten().all(|value| cold(picture, *value)))
    }

    /// Paints each picture with a class that is likely enough, the largest first, with a painter of its own. Returns whether there was anything to paint.
    pub(super) fn paint(
        &self,
        painters: &mut [Painter],
        frame: &mut FrameMut,
        (style, live): (Style, &Live),
        (age, aside): (Duration, &Aside),
    ) -> Result<bool> {
        let likely = |picture: &&Picture| picture.seen.maps.iter().any(|one| is_likely(one, live));
        let mut any = false;
        for (nth, (picture, painter)) in self.pictures.iter().filter(likely).zip(painters).enumerate() {
            any |= picture.paint(painter, frame, (style, live), (age, nth == 0, aside))?;
        }
        Ok(any)
    }

    /// Paints the heat alone, in the painter's own style.
    pub(super) fn paint_heat(&self, painter: &mut Painter, frame: &mut FrameMut, live: &Live) -> Result<()> {
        for picture in &self.pictures {
            let heat = picture.heat(live);
            picture.on(frame, false, |frame, region| painter.paint_scaled(frame, heat.view(), region))?;
        }
        Ok(())
    }

    /// Why nothing is painted, where no class is doubtful.
    pub(super) fn reason(&self) -> String {
        match self.blank().join("; ") {
            none if none.is_empty() => "no place is hot".to_string(),
            reasons => reasons,
        }
    }

    /// The reasons of the maps, if all have one.
    pub(super) fn blank(&self) -> Vec<&str> {
        let reasons: Vec<&str> = self.maps().filter_map(|one| one.reason.as_deref()).collect();
        if reasons.len() == self.maps().count() { reasons } else { Vec::new() }
    }

    fn maps(&self) -> impl Iterator<Item = &ClassMap> {
        self.pictures.iter().flat_map(|picture| &picture.seen.maps)
    }
}

/// 1 while a map is young, 0 when its time is over; between half of it and the end it fades.
fn opacity(age: Duration, limit: Duration) -> f32 {
    let left = 1.0 - age.as_secs_f32() / limit.as_secs_f32();
    (2.0 * left).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_fades_over_the_second_half_of_its_time() {
        let at = |ms| opacity(Duration::from_millis(ms), Duration::from_secs(1));
        assert_eq!([0, 500, 750, 1000, 5000].map(at), [1.0, 1.0, 0.5, 0.0, 0.0]);
    }
}
