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
    let grad = if axes.iter().all(Axis::tiles) { max_tiles(b, &axes) } else { max_overlapping(b, &axes) };
    Ok(vec![Some(grad)])
}

/// Windows side by side: the picture is cut into them by a reshape.
fn max_tiles<'g>(b: &Back<'g>, axes: &[Axis]) -> Val<'g> {
    let (x, n) = (b.x(0), axes.len());
    let left: Vec<usize> = axes.iter().map(|a| a.excess().1).collect();
    let cuts: Vec<_> = (0..n).filter(|&i| left[i] > 0).map(|i| (i + 2, 0, axes[i].wide - left[i], 1)).collect();
    let covered = if cuts.is_empty() { x } else { x.slice(&cuts) };
    // [N, C, h, kh, w, kw] and, windows first, [N, C, h, w, kh * kw]
    let cut_shape = [x.shape()[..2].to_vec(), axes.iter().flat_map(|a| [a.narrow, a.kernel]).collect()].concat();
    let windows_first: Vec<usize> =
        [0, 1].into_iter().chain((0..n).map(|i| 2 + 2 * i)).chain((0..n).map(|i| 3 + 2 * i)).collect();
    let mut back = vec![0; windows_first.len()];
    windows_first.iter().enumerate().for_each(|(to, &from)| back[from] = to);
    let windows = covered.reshape(&cut_shape).transpose(&windows_first);
    let flat = [&windows.shape()[..2 + n], &[axes.iter().map(|a| a.kernel).product()]].concat();
    let mask = first_max(windows.reshape(&flat), 2 + n).reshape(&windows.shape()).transpose(&back);
    let g = b.g();
    let g_cut = [g.shape()[..2].to_vec(), g.shape()[2..].iter().flat_map(|&d| [d, 1]).collect()].concat();
    let grad = (g.reshape(&g_cut) * mask).reshape(&covered.shape());
    grad.pad(&[vec![(0, 0); 2], left.iter().map(|&l| (0, l)).collect()].concat(), 0.0)
}

/// Overlapping windows, one axis after the other: the maximum of rows' maxima is the window's, and the first row that has it
/// and its first place in that row are the window's first.
fn max_overlapping<'g>(b: &Back<'g>, axes: &[Axis]) -> Val<'g> {
    let mut stages = vec![b.x(0)];
    for i in (1..axes.len()).rev() {
        let places = along(stages[stages.len() - 1], i + 2, &axes[i]);
        let shape = places[0].shape();
        stages.push(b.emit().node("Max", &places, &[], &shape));
    }
    let mut largest = b.y(0);
    let mut g = b.g_full();
    for (i, a) in axes.iter().enumerate() {
        let x = stages.pop().expect("there is a stage for each axis");
        g = max_along(&along(x, i + 2, a), largest, g, i + 2, a);
        largest = x;
    }
    g
}

/// What lies at each place of the windows along one axis.
fn along<'g>(x: Val<'g>, axis: usize, a: &Axis) -> Vec<Val<'g>> {
    let mut around = vec![(0, 0); x.shape().len()];
    around[axis] = (a.before, a.excess().0);
    let padded = x.pad(&around, LOWEST);
    let place = |p: usize| {
        let first = p * a.dilation;
        padded.slice(&[(axis, first, first + (a.narrow - 1) * a.stride + 1, a.stride)])
    };
    (0..a.kernel).map(place).collect()
}

/// The gradient of the maximum of `places`, handed to the first that has it and spread over the axis.
fn max_along<'g>(places: &[Val<'g>], largest: Val<'g>, g: Val<'g>, axis: usize, a: &Axis) -> Val<'g> {
    let last = places.len() - 1;
    let mut none_yet: Option<Val> = None;
    let mut shares = Vec::new();
    for (p, &place) in places.iter().enumerate() {
        let smaller = place.smaller(largest);
        let here = if p == last { None } else { Some(smaller.complement()) };
        // the last place has it if none before did
        let mask = match (here, none_yet) {
            (Some(here), Some(none)) => Some(here.and(none)),
            (mask, None) | (None, mask) => mask,
        };
        none_yet = none_yet.map_or(Some(smaller), |none| Some(none.and(smaller)));
        shares.push(mask.map_or(g, |mask| g * mask.cast(1)));
    }
    let phase = |r: usize| {
        let Phase { taps, ahead } = a.phase(r);
        let moved = |(p, q): (usize, usize)| shifted(shares[p], axis, ahead as isize - q as isize, a.blocks());
        taps.into_iter().map(moved).reduce(|sum, share| sum + share)
    };
    let nothing = || shifted(g * 0.0, axis, 0, a.blocks());
    let phases: Vec<Val> = (0..a.stride).map(|r| phase(r).unwrap_or_else(nothing)).collect();
    interleaved(&phases, axis, a)
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
