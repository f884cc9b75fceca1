//! Windows that move by more than one sample, undone phase by phase: samples `r`, `r + stride`, .. are reached through the same
//! places of a window, so that each phase is a convolution of stride 1. Faster than ConvTranspose on CPUs.

use std::ops::Range;

use super::window::{Axis, pads, places};
use crate::onnx::{Attr, Tensor, Val};

/// How the samples of one phase are reached along one axis.
pub(super) struct Phase {
    /// (place in a window, windows back): sample `c` of the phase is place `p` of window `c + ahead - q`.
    pub taps: Vec<(usize, usize)>,
    /// See `taps`.
    pub ahead: usize,
}

impl Axis {
    /// Samples of a phase.
    pub(super) fn blocks(&self) -> usize {
        self.wide.div_ceil(self.stride)
    }

    /// The phase of sample `r`.
    pub(super) fn phase(&self, r: usize) -> Phase {
        let (ahead, first) = ((r + self.before) / self.stride, (r + self.before) % self.stride);
        let reached = |&p: &usize| (p * self.dilation) % self.stride == first;
        let taps = (0..self.kernel).filter(reached).map(|p| (p, p * self.dilation / self.stride)).collect();
        Phase { taps, ahead }
    }

    /// How many phases are reached at all, if these come first.
    pub(super) fn phases(&self) -> Option<usize> {
        let reached = |r: usize| !self.phase(r).taps.is_empty();
        let first = (0..self.stride).take_while(|&r| reached(r)).count();
        (first > 0 && (first..self.stride).all(|r| !reached(r))).then_some(first)
    }
}

/// The elements `start..start + length` of an axis, zeros where there are none.
pub(super) fn shifted(v: Val<'_>, axis: usize, start: isize, length: usize) -> Val<'_> {
    let (have, end) = (v.shape()[axis] as isize, start + length as isize);
    let (from, to) = (start.clamp(0, have), end.clamp(0, have));
    if from >= to {
        return shifted(v.slice(&[(axis, 0, 1, 1)]) * 0.0, axis, 0, length);
    }
    let cut = if (from, to) == (0, have) { v } else { v.slice(&[(axis, from as usize, to as usize, 1)]) };
    let mut around = vec![(0, 0); v.shape().len()];
    around[axis] = ((from - start) as usize, (end - to) as usize);
    cut.pad(&around, 0.0)
}

/// The samples of all phases along one axis, in their order.
pub(super) fn interleaved<'g>(phases: &[Val<'g>], axis: usize, a: &Axis) -> Val<'g> {
    let shape = phases[0].shape();
    if let ([only], true) = (phases, a.stride > 1 && axis + 1 == shape.len()) {
        return placed(*only, a.wide, |i| i * a.stride..i * a.stride + 1);
    }
    let apart = [&shape[..=axis], &[1], &shape[axis + 1..]].concat();
    let apart: Vec<Val> = phases.iter().map(|p| p.reshape(&apart)).collect();
    let all = shifted(Val::concat(&apart, axis + 1), axis + 1, 0, a.stride);
    let mut together = shape;
    together[axis] *= a.stride;
    shifted(all.reshape(&together), axis, 0, a.wide)
}

/// Each element of the last axis at some of `length` places, zeros at the others: as a product with a matrix of ones and zeros, since
/// moving single elements costs more on CPUs.
pub(super) fn placed(v: Val<'_>, length: usize, places: impl Fn(usize) -> Range<usize>) -> Val<'_> {
    let have = v.shape().last().copied().unwrap_or(1);
    let mut ones = vec![0.0; have * length];
    for (i, row) in ones.chunks_exact_mut(length).enumerate() {
        let places = places(i);
        row[places.start.min(length)..places.end.min(length)].fill(1.0);
    }
    v.matmul(v.emit().floats(&[have, length], ones))
}

/// As [`super::window::spread`]; `None` where a phase that no window reaches stands between others.
pub(super) fn spread<'g>(g: Val<'g>, weight: &Tensor, axes: &[Axis], group: usize) -> Option<Val<'g>> {
    let reached: Vec<usize> = axes.iter().map(Axis::phases).collect::<Option<_>>()?;
    let data = weight.as_f32()?;
    let channels = weight.shape[1] * group;
    let mut parts: Vec<Val> = Vec::new();
    for rs in places(&reached) {
        let phases: Vec<Phase> = axes.iter().zip(&rs).map(|(a, &r)| a.phase(r)).collect();
        let (mut windows, mut room, mut lengths) = (g, Vec::new(), Vec::new());
        for (i, (a, phase)) in axes.iter().zip(&phases).enumerate() {
            let back = phase.taps.iter().map(|tap| tap.1 as isize);
            let (least, most) = (back.clone().min()?, back.max()?);
            // the first window that is read, and how many
            let first = phase.ahead as isize - most;
            let count = a.blocks() as isize + most - least;
            let (front, behind) = (-first, first + count - a.narrow as isize);
            if front < 0 || behind < 0 {
                windows = shifted(
                    windows,
                    i + 2,
                    first.max(0),
                    (a.narrow as isize - first.max(0) + behind.min(0)).max(1) as usize,
                );
            }
            room.push((front.max(0) as usize, behind.max(0) as usize));
            lengths.push((most - least + 1) as usize);
        }
        let kernel = kernel(data, &weight.shape, group, &phases, &lengths);
        let attrs = [
            ("group", Attr::Int(group as i64)),
            ("kernel_shape", Attr::Ints(lengths.iter().map(|&l| l as i64).collect())),
            ("pads", pads(&room)),
        ];
        let shape = [&[g.shape()[0], channels], axes.iter().map(Axis::blocks).collect::<Vec<_>>().as_slice()].concat();
        parts.push(g.emit().pictures("Conv", &[windows, g.emit().constant(&kernel)], &attrs, &shape));
    }
    for (i, a) in axes.iter().enumerate().rev() {
        parts = parts.chunks(reached[i]).map(|phases| interleaved(phases, i + 2, a)).collect();
    }
    parts.pop()
}

/// The weight of one phase, channels swapped and places reversed: [samples' channels, windows' channels / group, lengths..].
fn kernel(data: &[f32], shape: &[usize], group: usize, phases: &[Phase], lengths: &[usize]) -> Tensor {
    let (outs, ins, kernel) = (shape[0] / group, shape[1], &shape[2..]);
    let samples: usize = kernel.iter().product();
    // where each place of the phase's kernel is taken from; gaps between taps are zero
    let taken: Vec<Option<usize>> = places(lengths)
        .iter()
        .map(|at| {
            phases.iter().zip(at).zip(kernel).try_fold(0, |flat, ((phase, &j), &k)| {
                let most = phase.taps.iter().map(|tap| tap.1).max()?;
                let tap = phase.taps.iter().find(|tap| tap.1 + j == most)?;
                Some(flat * k + tap.0)
            })
        })
        .collect();
    let mut values = Vec::with_capacity(group * ins * outs * taken.len());
    for part in 0..group {
        for c in 0..ins {
            for m in 0..outs {
                let at = ((part * outs + m) * ins + c) * samples;
                values.extend(taken.iter().map(|place| place.map_or(0.0, |p| data[at + p])));
            }
        }
    }
    Tensor::f32(&[&[group * ins, outs], lengths].concat(), values)
}
