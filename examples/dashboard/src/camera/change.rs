//! How settings are changed while a camera plays: set, watched, and set back where they are not taken.

use std::time::{Duration, Instant};

use gst::prelude::*;
use serde_json::{Map, Value};

use super::{Camera, Life, lock};
use crate::Result;
use crate::settings::{self, Judge};

/// A change of settings is believed in once so many frames have gone out with it.
const SETTLED: u64 = 3;
/// How long that is waited for, and for a model.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_MODEL: Duration = Duration::from_secs(120);

impl Camera {
    /// Changes settings, or says why they cannot be; then all is as it was. It blocks until the element has taken them up.
    pub fn change(&self, wanted: &Map<String, Value>) -> Result<()> {
        let _one_after_the_other = lock(&self.changing);
        let settings = settings::parse(&self.painter, wanted)?;
        let before: Vec<settings::Setting> =
            settings.iter().map(|(name, _)| (*name, self.painter.property_value(name))).collect();
        let judge = settings::judge(&settings);
        let set = |settings: &[settings::Setting]| {
            for (name, value) in settings {
                self.painter.set_property_from_value(name, value);
            }
        };
        let refusals = |life: &Life| life.refusals + if judge == Judge::Model { life.unopened } else { 0 };
        let earlier = refusals(&lock(&self.life));
        set(&settings);
        let settled = self.settle(judge);
        let refused = {
            let life = lock(&self.life);
            let untried = || "it is tried on pictures, and the camera gives none just now".to_string();
            let refused = (refusals(&life) > earlier).then(|| life.refusal.clone());
            refused.or_else(|| (!settled).then(untried))
        };
        refused.map_or(Ok(()), |sentence| {
            set(&before);
            // Until that has been seen, the same wish would not be heard again.
            self.settle(judge);
            Err(sentence)
        })
    }

    /// Waits until whatever tells whether what was set may be has told; not longer than that takes at most. Whether it has.
    fn settle(&self, judge: Judge) -> bool {
        let frames = || self.frames();
        let wait = |patience: Duration, done: &dyn Fn() -> bool| {
            let end = Instant::now() + patience;
            while !done() {
                if Instant::now() > end || !self.is_playing() {
                    return false;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            true
        };
        let seen = || {
            let before = frames();
            wait(PATIENCE, &|| frames() >= before + SETTLED)
        };
        let opened = || Some(lock(&self.life)).is_some_and(|life| life.ended >= life.begun);
        match judge {
            // It may be; it is waited for so that whoever asks sees it next.
            Judge::Value => {
                seen();
                true
            }
            Judge::Frame => seen(),
            Judge::Model => seen() && wait(PATIENCE_MODEL, &opened) && seen(),
        }
    }
}
