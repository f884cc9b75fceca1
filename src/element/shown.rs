//! The newest maps of a stream, of the whole frame or of each region marked on it, and how they are painted.

use std::time::Duration;

use ndarray::Array2;

use super::regions::Object;
use super::session::Stamp;
use crate::error::Result;
use crate::explain::{ClassMap, Explanation};
use crate::frame::FrameMut;
use crate::render::{Painter, Style};

/// What was seen on one frame.
#[derive(Debug)]
pub(super) struct Shown {
    /// At least one.
    pub(super) pictures: Vec<Picture>,
    /// The frame that it was made from.
    of: Stamp,
    /// The latest frame that hardly differs from that.
    pub(super) holds: Stamp,
}

/// The whole frame or one region, explained.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) object: Option<Object>,
    pub(super) seen: Explanation,
    heat: Array2<f32>,
}

impl Picture {
    pub(super) fn new(object: Option<Object>, seen: Explanation) -> Picture {
        Picture { object, heat: seen.heat(), seen }
    }

    /// Paints the map, and if asked to the classes, within the picture. Returns whether there was anything to paint.
    fn paint(&self, painter: &mut Painter, frame: &mut FrameMut, words: bool) -> Result<bool> {
        let mut paint = |frame: &mut FrameMut, region| {
            let painted = painter.paint(frame, self.heat.view(), region)?;
            if words {
                painter.write(frame, &self.seen.maps.iter().map(ClassMap::caption).collect::<Vec<_>>())?;
            }
            Ok(painted)
        };
        let Some(object) = self.object else { return paint(frame, self.seen.region) };
        let Some((mut view, (x, y))) = frame.part(object.part) else { return Ok(false) };
        paint(&mut view, self.seen.region.moved((-(x as f32), -(y as f32))))
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

    /// Paints each map within its picture, the largest picture first; each has a painter, which keeps what it needs from frame to
    /// frame. Returns whether there was anything to paint.
    pub(super) fn paint(
        &self,
        painters: &mut Vec<Painter>,
        frame: &mut FrameMut,
        (style, words): (Style, bool),
    ) -> Result<bool> {
        let count = painters.len().max(self.pictures.len());
        painters.resize_with(count, || Painter::new(style));
        let mut any = false;
        for (picture, painter) in self.pictures.iter().zip(painters) {
            painter.set_style(style);
            any |= picture.paint(painter, frame, words)?;
        }
        Ok(any)
    }

    /// Why nothing is painted: the reasons of the maps, if all have one.
    pub(super) fn blank(&self) -> Vec<&str> {
        let maps = || self.pictures.iter().flat_map(|picture| &picture.seen.maps);
        let reasons: Vec<&str> = maps().filter_map(|one| one.reason.as_deref()).collect();
        if reasons.len() == maps().count() { reasons } else { Vec::new() }
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
