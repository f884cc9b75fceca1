//! Poolings. The first maximum of a window takes all of its gradient, as in torch.

use super::back::Back;
use super::phase::{Phase, interleaved, placed, shifted};
use super::window::{self, Axis, column, pads, spread};
use crate::error::Result;
use crate::onnx::{Attr, Data, Tensor, Val};

/// Low enough to lose against every sample, and still a number in float32.
const LOWEST: f32 = -3e38;

fn read(b: &Back) -> Result<Vec<Axis>> {
    let kernel = b.node.ints("kernel_shape").ok_or_else(|| b.refuse("it has no kernel_shape"))?;
    let kernel: Vec<usize> = kernel.iter().map(|&k| k.max(0) as usize).collect();
    window::axes(b, &b.shape(0), &b.y_shape(0), &kernel)
}

/// 1.0 at the first maximum along an axis, else 0.0.
pub(super) fn first_max(x: Val<'_>, axis: usize) -> Val<'_> {
    let (emit, mut shape) = (x.emit(), x.shape());
    let n = std::mem::replace(&mut shape[axis], 1);
    let attrs = [("axis", Attr::Int(axis as i64)), ("keepdims", Attr::Int(1))];
    let place = emit.node("ArgMax", &[x], &attrs, &shape);
    let mut along = vec![1; shape.len() - axis];
    along[0] = n;
    place.same(emit.constant(&Tensor { shape: along, data: Data::I64((0..n as i64).collect()) }))
}

/// MaxPool.
pub(super) fn max_pool<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    let axes = read(b)?;
    Ok(vec![Some(max_windows(b, &axes))])
}

/// One axis after the other: the maximum of rows' maxima is the window's, and the first row that has it
/// and its first place in that row are the window's first.
fn max_windows<'g>(b: &Back<'g>, axes: &[Axis]) -> Val<'g> {
    let mut stages = vec![b.x(0)];
    for i in (1..axes.len()).rev() {
        stages.push(max_of_first(stages[stages.len() - 1], axes, i, axes[i].kernel));
    }
    let mut largest = b.y(0);
    let mut g = b.g_full();
    for i in 0..axes.len() {
        let x = stages.pop().expect("there is a stage for each axis");
        g = max_along(x, largest, g, axes, i);
        largest = x;
    }
    g
}

/// The maximum of the first `count` places of each window along one axis.
fn max_of_first<'g>(x: Val<'g>, axes: &[Axis], i: usize, count: usize) -> Val<'g> {
    let (a, axis) = (&axes[i], i + 2);
    let reach = (a.narrow - 1) * a.stride + (count - 1) * a.dilation + 1;
    if a.dilation > 1 {
        // TensorRT has no such pools
        let mut around = vec![(0, 0); x.shape().len()];
        around[axis] = (a.before, a.excess().0);
        let padded = x.pad(&around, LOWEST);
        let place = |p: usize| {
            let first = p * a.dilation;
            padded.slice(&[(axis, first, first + (a.narrow - 1) * a.stride + 1, a.stride)])
        };
        let places: Vec<Val> = (0..count).map(place).collect();
        return if let [only] = places[..] { only } else { x.emit().node("Max", &places, &[], &places[0].shape()) };
    }
    // what these places reach, without a stretch behind that would hold another window
    let read = reach.saturating_sub(a.before).clamp(1, a.wide);
    let cut = if a.wide - read < a.stride { x } else { x.slice(&[(axis, 0, read, 1)]) };
    let (mut before, after) = (a.before, reach.saturating_sub(a.before + a.wide));
    let mut from = cut;
    if before >= count {
        // a pool's padding is less than its window
        let mut around = vec![(0, 0); x.shape().len()];
        around[axis] = (std::mem::take(&mut before), 0);
        from = cut.pad(&around, LOWEST);
    }
    pooled(from, axes, i, count, (before, after), a.stride)
}

/// The gradient of the maximum along one axis, handed to the first place that has it and spread over the axis.
fn max_along<'g>(x: Val<'g>, largest: Val<'g>, g: Val<'g>, axes: &[Axis], i: usize) -> Val<'g> {
    let (a, axis) = (&axes[i], i + 2);
    if a.same_size() {
        return max_around(x, largest, g, axes, i);
    }
    let below = largest.scaled(-1.0);
    // how far the maximum of the first places falls short, negative
    let short = |count: usize| max_of_first(x, axes, i, count) + below;
    let later = |p: usize| g * short(p).below(0.0);
    let rest: Vec<Val> = std::iter::once(g).chain((1..a.kernel).map(later)).collect();
    let share = |p: usize| rest.get(p + 1).map_or(rest[p], |next| rest[p] - *next);
    let shares: Vec<Val> = (0..a.kernel).map(share).collect();
    let phase = |r: usize| {
        let Phase { taps, ahead } = a.phase(r);
        let moved = |(p, q): (usize, usize)| shifted(shares[p], axis, ahead as isize - q as isize, a.blocks());
        taps.into_iter().map(moved).reduce(|sum, share| sum + share)
    };
    let nothing = || shifted(g * 0.0, axis, 0, a.blocks());
    let phases: Vec<Val> = (0..a.stride).map(|r| phase(r).unwrap_or_else(nothing)).collect();
    interleaved(&phases, axis, a)
}

/// As [`max_along`] where each window lies around a sample of its own: that sample takes the gradient, but for what those before
/// it take, which have the maximum, and those behind, if neither they nor it have. All in operators that ONNX Runtime has for the
/// blocked layout of convolutions.
fn max_around<'g>(x: Val<'g>, largest: Val<'g>, g: Val<'g>, axes: &[Axis], i: usize) -> Val<'g> {
    let a = &axes[i];
    let below = largest.scaled(-1.0);
    let earlier = |p: usize| {
        // seen from the sample at place p, whose window is so much ahead
        let ahead = a.before - p;
        let mut pick = vec![0.0; ahead + 1];
        pick[ahead] = 1.0;
        let of_window = |v| weighted(v, axes, i, &pick, (0, ahead));
        let first = pooled(x, axes, i, p + 1, (p, 0), 1);
        let taken = of_window(g) * (first + of_window(below)).not_negative();
        weighted(taken, axes, i, &[-1.0, 1.0], (1, 0))
    };
    let later = |p: usize| {
        let first = pooled(x, axes, i, p, (a.before, p - 1 - a.before), 1);
        let left = g * (first + below).below(0.0);
        let mut moved = vec![0.0; p - a.before + 1];
        (moved[0], moved[1]) = (1.0, -1.0);
        weighted(left, axes, i, &moved, (p - a.before, 0))
    };
    let parts = (0..a.before).map(earlier).chain((a.before + 1..a.kernel).map(later));
    parts.fold(g, |sum, part| part + sum)
}

/// Sums of neighbours along one axis, each weighted.
fn weighted<'g>(v: Val<'g>, axes: &[Axis], i: usize, weights: &[f32], room: (usize, usize)) -> Val<'g> {
    let shape = v.shape();
    let channels = shape[1];
    let kernel = [&[channels, 1], along(axes, i, weights.len(), 1).as_slice()].concat();
    let kernel = v.emit().floats(&kernel, weights.repeat(channels));
    let attrs = [("group", Attr::Int(channels as i64)), ("pads", pads(&along(axes, i, room, (0, 0))))];
    v.emit().pictures("Conv", &[v, kernel], &attrs, &shape)
}

/// The maximum of `count` neighbours along one axis.
fn pooled<'g>(v: Val<'g>, axes: &[Axis], i: usize, count: usize, room: (usize, usize), stride: usize) -> Val<'g> {
    if (count, stride) == (1, 1) {
        return v;
    }
    let numbers = |this: usize| Attr::Ints(along(axes, i, this as i64, 1));
    let attrs =
        [("kernel_shape", numbers(count)), ("strides", numbers(stride)), ("pads", pads(&along(axes, i, room, (0, 0))))];
    let mut shape = v.shape();
    shape[i + 2] = (shape[i + 2] + room.0 + room.1 - count) / stride + 1;
    v.emit().pictures("MaxPool", &[v], &attrs, &shape)
}

/// `this` for one axis and `other` for the rest.
fn along<T: Copy>(axes: &[Axis], i: usize, this: T, other: T) -> Vec<T> {
    (0..axes.len()).map(|j| if j == i { this } else { other }).collect()
}

/// AveragePool.
pub(super) fn average_pool<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    let (axes, x) = (read(b)?, b.shape(0));
    let samples = axes.iter().map(|a| a.kernel).product::<usize>() as f32;
    let exact = axes.iter().all(|a| a.tiles() && a.excess() == (0, 0));
    if exact {
        let g = b.g() * (1.0 / samples);
        if g.shape()[2..].iter().all(|&d| d == 1) {
            return Ok(vec![Some(g)]); // one value a channel, whatever the window
        }
        let g = g.expand(&[&g.shape()[..2], &b.y_shape(0)[2..]].concat());
        let (last, rows) = axes.split_last().expect("a pool has an axis");
        let side = |rows: Vec<usize>| [&g.shape()[..2], rows.as_slice(), &[last.narrow]].concat();
        let apart = g.reshape(&side(rows.iter().flat_map(|a| [a.narrow, 1]).collect()));
        let repeated = apart.expand(&side(rows.iter().flat_map(|a| [a.narrow, a.kernel]).collect()));
        let tall = repeated.reshape(&side(rows.iter().map(|a| a.wide).collect()));
        return Ok(vec![Some(placed(tall, last.wide, |i| i * last.kernel..(i + 1) * last.kernel))]);
    }
    let counts = counts(&axes, b.node.int("count_include_pad", 0) == 1);
    let even = counts.iter().all(|&c| c == counts[0]);
    let reversed: Option<Vec<_>> = axes.iter().map(|a| a.reversed_pads().filter(|_| a.dilation == 1)).collect();
    let spatial: Vec<usize> = axes.iter().map(|a| a.narrow).collect();
    let shares = |factor: f32| {
        if even {
            return b.emit().floats(&[], vec![factor / counts[0]]);
        }
        b.emit().floats(&[&[1, 1], spatial.as_slice()].concat(), counts.iter().map(|c| factor / c).collect())
    };
    let Some(reversed) = reversed else {
        let ones: Vec<usize> = [x[1], 1].into_iter().chain(axes.iter().map(|a| a.kernel)).collect();
        let ones = Tensor::f32(&ones, vec![1.0; x[1] * samples as usize]);
        return Ok(vec![Some(spread(b.g_full() * shares(1.0), &ones, &axes, x[1], &x))]);
    };
    let attrs =
        [("kernel_shape", column(&axes, |a| a.kernel)), ("pads", pads(&reversed)), ("count_include_pad", Attr::Int(1))];
    let g = if even && counts[0] == samples { b.g_full() } else { b.g_full() * shares(samples) };
    Ok(vec![Some(b.emit().pictures("AveragePool", &[g], &attrs, &x))])
}

/// What each window's sum is divided by, row-major.
fn counts(axes: &[Axis], padding_counts: bool) -> Vec<f32> {
    axes.iter().fold(vec![1.0], |counts, a| {
        let from = if padding_counts { 0 } else { a.before };
        let to = a.before + a.wide + if padding_counts { a.after } else { 0 };
        let samples = |window: usize| (0..a.kernel).map(move |k| window * a.stride + k * a.dilation);
        let along: Vec<_> =
            (0..a.narrow).map(|w| samples(w).filter(|s| (from..to).contains(s)).count() as f32).collect();
        counts.iter().flat_map(|c| along.iter().map(move |n| c * n)).collect()
    })
}

/// GlobalAveragePool: one value a channel.
pub(super) fn global_average<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    let samples: usize = b.shape(0).iter().skip(2).product();
    Ok(vec![Some(if samples == 1 { b.g() } else { b.g() * (1.0 / samples as f32) })])
}

/// GlobalMaxPool.
pub(super) fn global_max<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    let rank = b.shape(0).len();
    Ok(vec![Some(max_over(b.x(0), b.g(), 2..rank))])
}

/// The gradient of the maximum over neighbouring axes; `g` has them as 1.
pub(super) fn max_over<'g>(x: Val<'g>, g: Val<'g>, axes: std::ops::Range<usize>) -> Val<'g> {
    let shape = x.shape();
    if axes.end > shape.len() || g.shape().len() != shape.len() {
        x.emit().fail(format!("a maximum over axes {axes:?} of {shape:?}"));
        return g;
    }
    let samples: usize = shape[axes.clone()].iter().product();
    let flat = |shape: &[usize], n: usize| [&shape[..axes.start], &[n], &shape[axes.end..]].concat();
    let mask = first_max(x.reshape(&flat(&shape, samples)), axes.start);
    (g.reshape(&flat(&g.shape(), 1)) * mask).reshape(&shape)
}
