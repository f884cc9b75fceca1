//! Where one scene gives way to another: hard cuts, told by how much the model's input changes from picture to picture.

use crate::prep::{Layout, Spec};

/// A change that is no cut, however still it was before: photographs that have nothing in common differ by 0.18 and more.
const LEAST: f32 = 0.13;
/// A cut is so many times larger than what is usual, and than the change before it: motion rises and falls over some frames.
const TIMES: f32 = 3.0;
/// How fast what is usual follows.
const SHARE: f32 = 0.1;
/// One value in so many is looked at: of all channels, and of no column more than of others.
const EVERY: usize = 13;

/// Counts the scenes of a stream.
#[derive(Debug, Default)]
pub(super) struct Scenes {
    count: u64,
    last: Vec<f32>,
    /// The mean change within the scene, and the latest one.
    usual: f32,
    latest: f32,
}

impl Scenes {
    /// Takes in the next picture, as it is made ready for the model. Whether another scene begins with it.
    pub(super) fn cut(&mut self, spec: &Spec, input: &[f32]) -> bool {
        let seen: Vec<f32> = on_pixels_scale(spec, input).step_by(EVERY).collect();
        let last = std::mem::replace(&mut self.last, seen);
        // what was seen before it, if it was seen at all, is of another size
        if last.len() != self.last.len() {
            return false;
        }
        let change = difference(last.iter().copied(), self.last.iter().copied());
        let cut = change > LEAST && change > TIMES * self.usual.max(self.latest);
        if cut {
            self.count += 1;
        } else {
            self.usual += (change - self.usual) * SHARE;
            self.latest = change;
        }
        cut
    }

    /// How many cuts there were.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The next picture is not compared with the last one.
    pub(super) fn restart(&mut self) {
        *self = Scenes { count: self.count, ..Scenes::default() };
    }
}

/// Mean absolute difference of two inputs, as a share of white.
pub(super) fn change(spec: &Spec, one: &[f32], other: &[f32]) -> f32 {
    difference(on_pixels_scale(spec, one), on_pixels_scale(spec, other))
}

/// An input's values on the 0 to 1 scale of pixels, but for the mean that was taken off.
fn on_pixels_scale(spec: &Spec, input: &[f32]) -> impl Iterator<Item = f32> {
    let (channels, pixels) = (spec.std.len(), input.len() / spec.std.len().max(1));
    let std = move |i: usize| match spec.layout {
        Layout::ChannelsFirst => spec.std[(i / pixels).min(channels - 1)],
        Layout::ChannelsLast => spec.std[i % channels],
    };
    input.iter().enumerate().map(move |(i, value)| value * std(i))
}

fn difference(one: impl Iterator<Item = f32>, other: impl Iterator<Item = f32>) -> f32 {
    let (mut sum, mut count) = (0.0, 0u32);
    for (a, b) in one.zip(other) {
        sum += f64::from((a - b).abs());
        count += 1;
    }
    (sum / f64::from(count.max(1))) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        let overrides = crate::prep::Overrides { preprocess: crate::prep::Preprocess::ZeroOne, ..Default::default() };
        let (elements, metadata) = ((3, crate::prep::Element::Float), Default::default());
        Spec::resolve((8, 8), Layout::ChannelsFirst, elements, &metadata, None, &overrides).unwrap()
    }

    /// The places, from 1 on, at which a series of grey pictures is cut.
    fn cuts(greys: &[f32]) -> Vec<usize> {
        let (mut scenes, spec) = (Scenes::default(), spec());
        let found = greys.iter().enumerate().filter(|(_, grey)| scenes.cut(&spec, &[**grey; 192]));
        found.map(|(i, _)| i).collect()
    }

    #[test]
    fn what_leaps_is_a_cut_and_what_moves_is_none() {
        assert_eq!(cuts(&[0.1, 0.11, 0.1, 0.5, 0.51, 0.5, 0.1]), [3, 6]);
        assert!(cuts(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).is_empty(), "a fade, however fast");
        assert!(cuts(&[0.1, 0.15, 0.26, 0.42, 0.53, 0.6]).is_empty(), "a hand that sweeps by");
        assert!(cuts(&[0.1, 0.2]).is_empty(), "too little to be one");
        assert_eq!(cuts(&[0.1, 0.9, 0.1, 0.9]), [1, 2, 3], "one after the other");
    }

    #[test]
    fn what_is_not_comparable_is_not_compared() {
        let (mut scenes, spec) = (Scenes::default(), spec());
        assert!(!scenes.cut(&spec, &[1.0; 192]) && !scenes.cut(&spec, &[0.0; 48]), "another size");
        scenes.restart();
        assert!(!scenes.cut(&spec, &[1.0; 48]) && scenes.cut(&spec, &[0.0; 48]));
        assert_eq!(scenes.count(), 1);
    }

    #[test]
    fn a_difference_is_one_of_pixels() {
        let mut imagenet = spec();
        imagenet.std = vec![0.5, 0.25, 0.25];
        let grey = |v: f32| -> Vec<f32> { (0..192).map(|i| v / imagenet.std[i / 64]).collect() };
        assert!((change(&imagenet, &grey(0.5), &grey(0.25)) - 0.25).abs() < 1e-6);
    }
}
