//! The model's input as places with channels, whatever order they lie in.

use gstgradcam::prep::{Layout, Spec};

/// What an input looks like in memory.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub channels: usize,
    pub width: usize,
    pub height: usize,
    /// One channel after the other; else one place after the other.
    pub planar: bool,
}

impl Shape {
    pub fn of(spec: &Spec) -> Self {
        let planar = spec.layout == Layout::ChannelsFirst;
        Self { channels: spec.mean.len(), width: spec.width, height: spec.height, planar }
    }

    pub fn places(self) -> usize {
        self.width * self.height
    }

    pub fn size(self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// How many values an input has.
    pub fn len(self) -> usize {
        self.channels * self.places()
    }

    /// Where a channel of a place lies.
    pub fn at(self, channel: usize, place: usize) -> usize {
        if self.planar { channel * self.places() + place } else { place * self.channels + channel }
    }

    /// Writes every value, given its place and where it lies.
    pub fn write(self, out: &mut [f32], value: impl Fn(usize, usize) -> f32) {
        for channel in 0..self.channels {
            for place in 0..self.places() {
                let at = self.at(channel, place);
                out[at] = value(place, at);
            }
        }
    }

    /// The mean of each place's channels.
    pub fn brightness(self, input: &[f32]) -> Vec<f32> {
        let mean = |place| (0..self.channels).map(|c| input[self.at(c, place)]).sum::<f32>() / self.channels as f32;
        (0..self.places()).map(mean).collect()
    }
}
