//! Maps that stay calm from frame to frame: scaled by what is known of a class, and smoothed in time.

use std::collections::HashMap;
use std::time::Duration;

use ndarray::{Array2, ArrayView2, Zip};

use crate::error::names;

/// What counts as full heat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Normalization {
    /// What the class's maps have reached lately, were the class certain: quiet and doubtful frames stay pale.
    #[default]
    Running,
    /// The map's own largest value: each frame has its full range of colours, whatever is in it.
    Frame,
    /// The map's own largest value, reached when the class is certain: heat goes with the score.
    Score,
    /// 1, whatever the model's maps reach.
    None,
}

names!(Normalization, "normalization": Running = "running", Frame = "frame", Score = "score", None = "none");

/// What the user chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calm {
    /// What counts as full heat.
    pub normalization: Normalization,
    /// After this long, 63 % of a change is to be seen, at any frame rate; zero: all at once.
    pub smoothing: Duration,
}

impl Calm {
    /// For video.
    pub const DEFAULT: Calm = Calm { normalization: Normalization::Running, smoothing: Duration::from_millis(200) };
}

impl Default for Calm {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A class's map of one frame, as the model gave it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The class that it explains.
    pub class: usize,
    /// How likely that class is, 0..=1.
    pub score: f32,
    /// h x w values of any scale.
    pub map: ArrayView2<'a, f32>,
    /// Whether what is below zero speaks against the class: then zero stays zero, and the range is as wide on either side of it.
    pub signed: bool,
}

/// Time constants with which the range of a class's maps follows: outwards, and back.
const WIDEN: Duration = Duration::from_millis(500);
const NARROW: Duration = Duration::from_secs(20);
/// With which what was guessed of a class gives way to what is known.
const SURE: Duration = Duration::from_millis(200);
/// How long one class's map takes to give way to another's: where two are as likely, noise makes them change places in a still scene.
const FADE: Duration = Duration::from_millis(400);
/// Below this, a score says little about how hot a map would be were it 1.
const DOUBTFUL: f32 = 0.05;

/// Scales maps from frame to frame; its maps are for [`Painter::paint_scaled`](super::Painter::paint_scaled).
#[derive(Debug, Default)]
pub struct Scaler {
    calm: Calm,
    ranges: HashMap<usize, Range>,
    slots: Vec<Slot>,
    last: Option<Duration>,
}

/// What a class's maps span: slow minimum and maximum.
#[derive(Debug, Clone, Copy)]
struct Range {
    low: f32,
    high: f32,
    /// How likely the class was when that was learnt.
    score: f32,
    seen: Duration,
}

/// What was shown last in one place of the list of classes.
#[derive(Debug)]
struct Slot {
    class: usize,
    /// Smoothed.
    map: Array2<f32>,
    /// The map before the class changed, and when it did.
    fading: Option<(Array2<f32>, Duration)>,
}

impl Scaler {
    /// A scaler that has seen nothing yet.
    pub fn new(calm: Calm) -> Self {
        Self { calm, ..Self::default() }
    }

    /// Other wishes from the next frame on.
    pub fn set(&mut self, calm: Calm) {
        self.calm = calm;
    }

    /// The next frame has nothing to do with the last one (a seek, a gap, a cut): it is not mixed with what was shown. How hot classes
    /// get is remembered.
    pub fn cut(&mut self) {
        self.slots.clear();
        self.last = None;
    }

    /// Forgets all: another stream, another model.
    pub fn forget(&mut self) {
        self.cut();
        self.ranges.clear();
    }

    /// The maps of a frame at stream time `at`, in their order, 1 being full heat. Time that goes backwards is a [`cut`](Self::cut).
    /// A map with a value that is not finite comes back as it is, and nothing is learnt from it.
    pub fn scale(&mut self, seen: &[Seen], at: Duration) -> Vec<Array2<f32>> {
        if self.last.is_some_and(|last| at < last) {
            self.cut();
        }
        let since = at.saturating_sub(self.last.unwrap_or(at));
        self.slots.truncate(seen.len());
        let maps = seen.iter().enumerate().map(|(place, seen)| {
            if !seen.map.iter().all(|v| v.is_finite()) {
                return seen.map.to_owned();
            }
            let (low, high) = self.span(seen, at);
            let scaled = seen.map.mapv(|v| if high > low { (v - low) / (high - low) } else { 0.0 });
            self.smooth(place, seen.class, scaled, at, since)
        });
        let maps = maps.collect();
        self.last = Some(at);
        maps
    }

    /// The values that are no and full heat.
    fn span(&mut self, seen: &Seen, at: Duration) -> (f32, f32) {
        let least = seen.map.iter().copied().fold(f32::INFINITY, f32::min);
        let most = seen.map.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let least = if seen.signed || least < 0.0 { 0.0 } else { least.min(most) };
        let certain = |floor: f32| floor + (most - floor) / seen.score.clamp(DOUBTFUL, 1.0);
        match self.calm.normalization {
            Normalization::None => (0.0, 1.0),
            Normalization::Frame => (0.0, most),
            Normalization::Score if seen.score > 0.0 => (0.0, most / seen.score.min(1.0)),
            Normalization::Score => (0.0, f32::INFINITY),
            Normalization::Running if most == 0.0 => {
                self.ranges.get(&seen.class).map_or((0.0, 0.0), |r| (r.low, r.high))
            }
            Normalization::Running => {
                let first = Range { low: least, high: certain(least), score: seen.score, seen: at };
                let range = self.ranges.entry(seen.class).or_insert(first);
                let since = at.saturating_sub(range.seen);
                let toward = |outwards| if outwards { WIDEN } else { NARROW };
                range.low = followed(range.low, least, since, toward(least < range.low));
                // The likelier the class, the better is it known what it reaches: what is guessed in doubt does not outdo it, and gives way.
                let (surer, doubtful) = (seen.score > range.score, seen.score < range.score / 2.0);
                let guess = certain(range.low.min(most));
                let high = if doubtful { guess.min(range.high.max(most)) } else { guess };
                let learning = if surer { SURE } else { toward(high > range.high) };
                range.high = followed(range.high, high, since, learning);
                range.score = followed(range.score, seen.score, since, if surer { SURE } else { NARROW });
                range.seen = at;
                (range.low, range.high)
            }
        }
    }

    /// Mixes a map with what was shown before it in its place.
    fn smooth(
        &mut self,
        place: usize,
        class: usize,
        scaled: Array2<f32>,
        at: Duration,
        since: Duration,
    ) -> Array2<f32> {
        let share = share(since, self.calm.smoothing);
        match self.slots.get_mut(place) {
            Some(slot) if slot.map.dim() == scaled.dim() => {
                if slot.class == class {
                    Zip::from(&mut slot.map).and(&scaled).for_each(|shown, new| *shown += (new - *shown) * share);
                } else {
                    let before = slot.shown(at);
                    *slot =
                        Slot { class, map: scaled, fading: (!self.calm.smoothing.is_zero()).then_some((before, at)) };
                }
                slot.shown(at)
            }
            Some(slot) => {
                *slot = Slot { class, map: scaled.clone(), fading: None };
                scaled
            }
            None => {
                self.slots.push(Slot { class, map: scaled.clone(), fading: None });
                scaled
            }
        }
    }
}

impl Slot {
    /// The map, or what is seen of it while it takes the place of another class's.
    fn shown(&mut self, at: Duration) -> Array2<f32> {
        let Some((before, start)) = &self.fading else { return self.map.clone() };
        let progress = at.saturating_sub(*start).as_secs_f32() / FADE.as_secs_f32();
        if progress >= 1.0 {
            self.fading = None;
            return self.map.clone();
        }
        before * (1.0 - progress) + &self.map * progress
    }
}

/// How much of a step is made in a time.
fn share(time: Duration, constant: Duration) -> f32 {
    if constant.is_zero() { 1.0 } else { -(-time.as_secs_f64() / constant.as_secs_f64()).exp_m1() as f32 }
}

/// An end of a range, on its way to where the last map has it.
fn followed(end: f32, target: f32, time: Duration, constant: Duration) -> f32 {
    end + (target - end) * share(time, constant)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn seen(class: usize, score: f32, map: &Array2<f32>) -> Seen<'_> {
        Seen { class, score, map: map.view(), signed: false }
    }

    fn calm(normalization: Normalization, ms: u64) -> Scaler {
        Scaler::new(Calm { normalization, smoothing: Duration::from_millis(ms) })
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn one(scaler: &mut Scaler, class: usize, score: f32, map: &Array2<f32>, ms: u64) -> Array2<f32> {
        scaler.scale(&[seen(class, score, map)], at(ms)).remove(0)
    }

    /// How much the mean of a series changes from one to the next at most, as a share of itself.
    fn jumps(means: &[f32]) -> f32 {
        means.windows(2).map(|pair| (pair[1] - pair[0]).abs() / pair[0]).fold(0.0, f32::max)
    }

    #[test]
    fn a_static_scene_stays_as_opaque_as_it_is_and_an_empty_one_pale() {
        let means = |normalization, strength: fn(u64) -> f32, score: f32| {
            let mut scaler = calm(normalization, 0);
            let frame = |i| {
                let map = array![[0.0, 0.2, 1.0], [0.1, 0.3 + 0.2 * (i % 2) as f32, 0.5]] * strength(i);
                one(&mut scaler, 7, score, &map, i * 33).mean().unwrap()
            };
            (0..90).map(frame).collect::<Vec<f32>>()
        };
        // Noise of a few percent in the model's values, as a static scene has it: it is not blown up.
        let noise = |i: u64| 3.0 + 0.06 * ((i * 7919 % 100) as f32 / 100.0);
        let still = means(Normalization::Running, noise, 0.9);
        assert!(jumps(&still[1..]) < 0.12 && still.iter().all(|mean| *mean > 0.2));
        // The scene goes quiet: scaled by its own maximum, each frame is as hot as before.
        let dark = |i: u64| if i < 30 { 3.0 } else { 0.06 };
        let quiet = means(Normalization::Running, dark, 0.9);
        assert!(quiet[20] > 0.25 && quiet[40] < 0.1 * quiet[20], "{quiet:?}");
        assert!(means(Normalization::Frame, dark, 0.9)[40] > 0.3);
        // An empty scene of which the model is not sure is pale from the first frame on.
        assert!(means(Normalization::Running, noise, 0.1).iter().all(|mean| *mean < 0.1));
    }

    #[test]
    fn each_scale_is_what_it_says() {
        let map = array![[0.0, 2.0], [4.0, 1.0]];
        assert_eq!(one(&mut calm(Normalization::Frame, 0), 0, 0.5, &map, 0), &map / 4.0);
        assert_eq!(one(&mut calm(Normalization::Score, 0), 0, 0.5, &map, 0), &map / 8.0);
        assert_eq!(one(&mut calm(Normalization::Score, 0), 0, 0.0, &map, 0), &map * 0.0);
        assert_eq!(one(&mut calm(Normalization::None, 0), 0, 0.5, &map, 0), map);
        assert_eq!(one(&mut calm(Normalization::Running, 0), 0, 0.5, &map, 0), &map / 8.0);
        let floor = array![[3.0, 4.0]];
        assert_eq!(one(&mut calm(Normalization::Running, 0), 0, 1.0, &floor, 0), array![[0.0, 1.0]]);
        for normalization in Normalization::ALL {
            let nothing = Array2::zeros((2, 2));
            assert_eq!(one(&mut calm(*normalization, 50), 0, 0.5, &nothing, 0), nothing, "{normalization:?}");
        }
    }

    #[test]
    fn zero_stays_zero_in_maps_of_either_sign_and_both_sides_are_as_wide() {
        for normalization in Normalization::ALL.iter().filter(|&&n| n != Normalization::None) {
            let mut scaler = calm(*normalization, 0);
            let mut scaled = |map: Array2<f32>, ms: u64| {
                scaler.scale(&[Seen { signed: true, ..seen(0, 1.0, &map) }], at(ms)).remove(0)
            };
            assert_eq!(scaled(array![[-4.0, 2.0, 0.0]], 0), array![[-1.0, 0.5, 0.0]], "{normalization:?}");
            // where all speaks for the class, or all against it, the colours mean what they did
            assert_eq!(scaled(array![[4.0, 2.0, 1.0]], 0), array![[1.0, 0.5, 0.25]], "{normalization:?}");
            assert_eq!(scaled(array![[-4.0, -2.0, -1.0]], 0), array![[-1.0, -0.5, -0.25]], "{normalization:?}");
        }
    }

    #[test]
    fn smoothing_takes_its_time_at_any_frame_rate() {
        let (dark, light) = (Array2::from_elem((2, 2), 0.1), Array2::from_elem((2, 2), 0.9));
        for step in [5, 10, 20, 100] {
            let mut scaler = calm(Normalization::None, 200);
            one(&mut scaler, 0, 1.0, &dark, 0);
            let mut last = Array2::zeros((2, 2));
            for ms in (step..=200).step_by(step as usize) {
                last = one(&mut scaler, 0, 1.0, &light, ms);
            }
            let want = 0.1 + 0.8 * (1.0 - (-1.0f32).exp());
            assert!((last[(0, 0)] - want).abs() < 1e-5, "every {step} ms: {last}, not {want}");
        }
    }

    #[test]
    fn a_range_follows_at_any_frame_rate() {
        let high = |step: u64| {
            let mut scaler = calm(Normalization::Running, 0);
            one(&mut scaler, 0, 1.0, &array![[0.0, 1.0]], 0);
            let mut last = Array2::zeros((1, 2));
            for ms in (step..=1000).step_by(step as usize) {
                last = one(&mut scaler, 0, 1.0, &array![[0.0, 4.0]], ms);
            }
            last[(0, 1)]
        };
        let want = 4.0 / (1.0 + 3.0 * (1.0 - (-2.0f32).exp()));
        assert!([10, 50, 200].iter().all(|step| (high(*step) - want).abs() < 1e-4));
    }

    #[test]
    fn what_is_guessed_in_doubt_gives_way_to_what_is_known() {
        let (map, mut scaler) = (array![[0.0, 1.0]], calm(Normalization::Running, 0));
        let mut hottest = |score: f32, times: std::ops::Range<u64>| {
            times.step_by(40).map(|ms| one(&mut scaler, 0, score, &map, ms)[(0, 1)]).last().unwrap()
        };
        assert!(hottest(0.08, 0..400) < 0.1, "it is in doubt");
        assert!(hottest(0.95, 400..1400) > 0.8, "it is certain, and was not for a moment before");
        assert!(hottest(0.08, 1400..2400) > 0.8, "a class that is known to get no hotter");
        assert!(hottest(0.95, 2400..2480) > 0.8, "and doubt has not changed that");
    }

    #[test]
    fn another_class_fades_in_and_a_cut_does_not() {
        let (cat, dog) = (array![[1.0, 0.0]], array![[0.0, 1.0]]);
        let mut scaler = calm(Normalization::None, 100);
        one(&mut scaler, 1, 1.0, &cat, 0);
        assert_eq!(one(&mut scaler, 2, 1.0, &dog, 40), cat);
        let half = one(&mut scaler, 2, 1.0, &dog, 240);
        assert!((half[(0, 0)] - 0.5).abs() < 1e-6 && (half[(0, 1)] - 0.5).abs() < 1e-6);
        assert_eq!(one(&mut scaler, 2, 1.0, &dog, 440), dog);
        one(&mut scaler, 1, 1.0, &cat, 480);
        scaler.cut();
        assert_eq!(one(&mut scaler, 1, 1.0, &cat, 500), cat);
        // Backwards in time is a cut too, and so is a map of another size.
        assert_eq!(one(&mut scaler, 1, 1.0, &dog, 100), dog);
        assert_eq!(one(&mut scaler, 1, 1.0, &array![[1.0, 1.0, 0.0]], 120), array![[1.0, 1.0, 0.0]]);
    }

    #[test]
    fn what_is_not_finite_teaches_nothing() {
        let mut scaler = calm(Normalization::Running, 100);
        let map = array![[0.0, 2.0]];
        one(&mut scaler, 0, 1.0, &map, 0);
        assert!(one(&mut scaler, 0, 1.0, &array![[f32::NAN, 1.0]], 40)[(0, 0)].is_nan());
        assert!(one(&mut scaler, 0, 1.0, &array![[f32::INFINITY, 1.0]], 80)[(0, 0)].is_infinite());
        assert_eq!(one(&mut scaler, 0, 1.0, &map, 120), array![[0.0, 1.0]]);
    }

    #[test]
    fn places_come_and_go_with_the_list_of_classes() {
        let mut scaler = calm(Normalization::Frame, 100);
        let (a, b) = (array![[1.0, 0.0]], array![[0.0, 1.0]]);
        assert_eq!(scaler.scale(&[seen(1, 0.5, &a), seen(2, 0.5, &b)], at(0)), [a.clone(), b.clone()]);
        assert_eq!(scaler.scale(&[seen(1, 0.5, &a)], at(40)), std::slice::from_ref(&a));
        assert!(scaler.scale(&[], at(80)).is_empty());
        assert_eq!(scaler.scale(&[seen(3, 0.5, &b)], at(120)), [b]);
        // What a class reached is kept through a cut, and lost when all is forgotten.
        let mut scaler = calm(Normalization::Running, 0);
        let weak = &a / 10.0;
        one(&mut scaler, 5, 1.0, &a, 0);
        scaler.cut();
        assert!(one(&mut scaler, 5, 1.0, &weak, 40)[(0, 0)] < 0.11);
        scaler.forget();
        assert_eq!(one(&mut scaler, 5, 1.0, &weak, 80)[(0, 0)], 1.0);
    }
}
