//! The newest maps of a stream: kept with what scales them from frame to frame, and painted until they are too old.

use std::time::{Duration, Instant};

use super::frame::Video;
use super::regions::Object;
use super::session::Stamp;
use super::shown::{Scalers, Shown};
use super::wishes::Live;
use super::words::Aside;
use crate::error::Result;
use crate::explain::Explanation;
use crate::render::{Calm, Colormap, OutputMode, Painter, Style};
use crate::worker::guard;

/// What was seen, of the whole frame (`None`) or of regions.
pub(super) type Seen = Vec<(Option<Object>, Explanation)>;

/// The newest maps, wherever they come from.
#[derive(Debug)]
pub(super) struct Newest {
    scalers: Scalers,
    /// For frames without a time.
    begun: Instant,
    shown: Option<Shown>,
}

impl Default for Newest {
    fn default() -> Self {
        Newest { scalers: Scalers::default(), begun: Instant::now(), shown: None }
    }
}

impl Newest {
    /// What was seen on a frame takes the place of what is shown, scaled by the time of that frame.
    pub(super) fn keep(&mut self, seen: Seen, of: Stamp, calm: Calm) {
        if self.shown.as_ref().is_some_and(|shown| shown.of.scene != of.scene) {
            self.scalers.cut();
        }
        let at = of.time.map_or_else(|| of.at.saturating_duration_since(self.begun), Duration::from);
        self.shown = Some(Shown::new(self.scalers.scale(seen, calm, at), of));
    }

    /// The maps are this frame's too.
    pub(super) fn holds(&mut self, stamp: Stamp) {
        if let Some(shown) = &mut self.shown {
            shown.holds = stamp;
        }
    }

    /// What was seen so far is of another scene.
    pub(super) fn forget(&mut self) {
        self.scalers.cut();
        self.shown = None;
    }

    /// The maps.
    pub(super) fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    /// Paints them, unless they are too old, or of another scene, of which they explain nothing: then `None`, else their age, and the reason if there was nothing to paint. On an error the
    /// picture is as it was, unless painting itself failed. `about_to` is called before anything is painted.
    pub(super) fn paint(
        &self,
        painters: &mut [Painter],
        (video, buffer): (&Video, &mut gst::BufferRef),
        (stamp, live, aside): (Stamp, &Live, &Aside),
        about_to: impl FnOnce(),
    ) -> Result<Option<(Duration, Option<String>)>> {
        let Some(shown) = self.shown.as_ref().filter(|shown| shown.of.scene == stamp.scene) else { return Ok(None) };
        let opacity = shown.opacity(stamp, live.expire_overlay);
        if opacity == 0.0 {
            return Ok(None);
        }
        let age = shown.age(stamp);
        if let Some(why) = shown.doubt(live) {
            return Ok(Some((age, Some(why))));
        }
        if live.style.output_mode == OutputMode::None {
            return Ok(Some((age, shown.is_cold().then(|| shown.reason()))));
        }
        let colormap = live.colormap.unwrap_or(Colormap::usual(shown.is_signed()));
        let style = Style { colormap, alpha: live.style.alpha * opacity, ..live.style };
        let painted = video.with_frame(buffer, |frame| {
            guard(|| {
                about_to();
                shown.paint(painters, frame, (style, live), (age, aside))
            })
        })?;
        Ok(Some((age, (!painted).then(|| shown.reason()))))
    }

    /// Why nothing of them is painted: their reasons, if all have one.
    pub(super) fn blank(&self) -> Vec<&str> {
        self.shown.as_ref().map_or(Vec::new(), Shown::blank)
    }
}
