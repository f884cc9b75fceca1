//! Operators that pick elements, or put elements in the place of others, by indices.

use super::back::Back;
use super::matrix::{Matrix, in_proportion, product};
use super::shape::{embed, full_along, inverse, regroup};
use super::window::places;
use crate::error::Result;
use crate::onnx::{Data, Tensor, Val};

type Grads<'g> = Result<Vec<Option<Val<'g>>>>;

/// The gradient of an axis of `length` elements of which `places` were picked, from the gradient of what was picked: a
/// permutation by its inverse, a run by zeros around, else a matrix of ones and zeros.
pub(super) fn unpick<'g>(b: &Back<'g>, g: Val<'g>, axis: usize, places: &[usize], length: usize) -> Result<Val<'g>> {
    if let Some(&first) = places.first().filter(|_| places.windows(2).all(|pair| pair[1] == pair[0] + 1)) {
        return Ok(embed(full_along(g, axis, places.len()), axis, first, length - first - places.len()));
    }
    let mut seen = vec![false; length];
    places.iter().for_each(|&p| seen[p] = true);
    if places.len() == length && seen.iter().all(|&s| s) {
        return Ok(full_along(g, axis, length).gather(axis, &inverse(places)));
    }
    Ok(Matrix::of_places(b, places, length)?.back(g, axis))
}

/// 1.0 where an index, which may count from the end, is the place along an axis of `length` that stands in front of it.
fn one_hot<'g>(indices: Val<'g>, length: usize, behind: usize) -> Val<'g> {
    let places = |from: i64| {
        let shape = [&[length], vec![1; behind].as_slice()].concat();
        let data = Data::I64((from..from + length as i64).collect());
        indices.emit().constant(&Tensor { shape, data })
    };
    indices.same(places(0)) + indices.same(places(-(length as i64)))
}

/// Gather; with computed indices by a computed matrix of ones and zeros.
pub(super) fn gather<'g>(b: &Back<'g>) -> Grads<'g> {
    let (axis, x, y) = (b.axis("axis", 0), b.shape(0), b.y_shape(0));
    let (Some(&length), Some(rest)) = (x.get(axis), x.get(axis + 1..)) else {
        return Err(b.refuse("its axis does not fit the shapes that were measured"));
    };
    let count = b.shape(1).iter().product();
    let picked = [&x[..axis], &[count], rest].concat();
    if picked.iter().product::<usize>() != y.iter().product::<usize>() {
        return Err(b.refuse("its indices do not fit the shapes that were measured"));
    }
    let g = regroup(b.g(), &y, &picked);
    if let Some(places) = b.places(1, length)? {
        return Ok(vec![Some(unpick(b, g, axis, &places, length)?)]);
    }
    in_proportion(b, count.checked_mul(length), "a matrix")?;
    let indices = b.indices(1).reshape(&[count, 1]);
    Ok(vec![Some(product(full_along(g, axis, count), axis, one_hot(indices, length, 0)))])
}

/// The gradient of `x` of shape `x`, of which the elements at `indices` along an axis were picked.
fn unpick_each<'g>(b: &Back<'g>, g: Val<'g>, axis: usize, indices: Val<'g>) -> Result<Val<'g>> {
    let (x, picked) = (b.shape(0), indices.shape());
    if picked.len() != x.len() || (0..x.len()).any(|a| a != axis && picked[a] > x[a]) {
        return Err(b.refuse("its indices do not fit the shapes that were measured"));
    }
    in_proportion(b, picked.iter().product::<usize>().checked_mul(x[axis]), "a product")?;
    let apart = [&picked[..axis], &[1], &picked[axis..]].concat();
    let hot = one_hot(indices.reshape(&apart), x[axis], picked.len() - axis);
    let sum = (g.expand(&picked).reshape(&apart) * hot).sum(&[axis + 1]);
    let mut shape = picked;
    shape[axis] = x[axis];
    let around: Vec<(usize, usize)> = x.iter().zip(&shape).map(|(x, s)| (0, x - s)).collect();
    Ok(sum.reshape(&shape).pad(&around, 0.0))
}

/// GatherElements.
pub(super) fn gather_elements<'g>(b: &Back<'g>) -> Grads<'g> {
    Ok(vec![Some(unpick_each(b, b.g(), b.axis("axis", 0), b.indices(1))?)])
}

/// TopK: the values come from where the indices say.
pub(super) fn top_k<'g>(b: &Back<'g>) -> Grads<'g> {
    let Some(places) = b.node.outputs().get(1).filter(|name| !name.is_empty()) else {
        return Err(b.refuse("its second output, the indices, is left out"));
    };
    Ok(vec![Some(unpick_each(b, b.g(), b.axis("axis", -1), b.emit().tensor(places).cast(7))?)])
}

/// Rows of a tensor, and which of them constant index tuples mean: (rows, elements of a row, places).
fn tuples(b: &Back, batch: usize) -> Result<(usize, usize, Vec<usize>)> {
    let (x, shape, indices) = (b.shape(0), b.shape(1), b.weight(1)?);
    let unfit = || b.refuse("its indices do not fit the shapes that were measured");
    let (Some(indices), Some(&depth)) = (indices.as_i64(), shape.last()) else { return Err(unfit()) };
    let Some((batched, rest)) = x.split_at_checked(batch) else { return Err(unfit()) };
    let Some((picked, row)) = rest.split_at_checked(depth).filter(|_| depth > 0) else { return Err(unfit()) };
    let entries: usize = batched.iter().product();
    let each = indices.len() / depth / entries.max(1);
    let mut places = Vec::new();
    for (n, tuple) in indices.chunks(depth).enumerate() {
        let mut place = n / each.max(1);
        for (&index, &length) in tuple.iter().zip(picked) {
            place = place * length + b.place(index, length).ok_or_else(unfit)?;
        }
        places.push(place);
    }
    let rows = entries * picked.iter().product::<usize>();
    if places.iter().any(|&p| p >= rows) {
        return Err(unfit());
    }
    Ok((rows, row.iter().product(), places))
}

/// GatherND, as a Gather of rows.
pub(super) fn gather_nd<'g>(b: &Back<'g>) -> Grads<'g> {
    let batch = usize::try_from(b.node.int("batch_dims", 0)).map_err(|_| b.refuse("it has no batch_dims"))?;
    let (rows, width, places) = tuples(b, batch)?;
    let g = regroup(b.g(), &b.y_shape(0), &[places.len(), width]);
    let grad = unpick(b, full_along(g, 1, width), 0, &places, rows)?;
    Ok(vec![Some(grad.expand(&[rows, width]).reshape(&b.shape(0)))])
}

/// What `updates` at `places` of [rows, width] leave of a tensor, and what they get themselves.
fn scattered<'g>(b: &Back<'g>, rows: usize, width: usize, places: &[usize]) -> Grads<'g> {
    let mut kept = vec![1.0; rows];
    places.iter().for_each(|&p| kept[p] = 0.0);
    let twice = places.len() + kept.iter().filter(|&&k| k == 1.0).count() > rows;
    let adds = match b.node.str("reduction", "none").as_str() {
        "none" if twice => return Err(b.refuse("it writes to one place twice")),
        "none" => false,
        "add" => true,
        other => return Err(b.refuse(&format!("it scatters by {other:?}"))),
    };
    let g = b.g_full();
    let by_rows = g.reshape(&[rows, width]);
    let data = if adds { g } else { (by_rows * b.emit().floats(&[rows, 1], kept)).reshape(&b.shape(0)) };
    let updates = b.needs(2).then(|| by_rows.gather(0, places).reshape(&b.shape(2)));
    Ok(vec![Some(data), None, updates])
}

/// ScatterND.
pub(super) fn scatter_nd<'g>(b: &Back<'g>) -> Grads<'g> {
    let (rows, width, places) = tuples(b, 0)?;
    scattered(b, rows, width, &places)
}

/// ScatterElements.
pub(super) fn scatter_elements<'g>(b: &Back<'g>) -> Grads<'g> {
    let (axis, x, shape) = (b.axis("axis", 0), b.shape(0), b.shape(1));
    let length = x.get(axis).copied().unwrap_or_default();
    let Some(along) = b.places(1, length)?.filter(|_| shape.len() == x.len()) else {
        return Err(b.refuse("its indices are computed from the picture"));
    };
    let place = |n: usize| {
        let (mut rest, mut step, mut place) = (n, 1, 0);
        for a in (0..x.len()).rev() {
            let at = rest % shape[a];
            rest /= shape[a];
            place += step * if a == axis { along[n] } else { at };
            step *= x[a];
        }
        place
    };
    let places: Vec<usize> = (0..along.len()).map(place).collect();
    let elements = x.iter().product();
    if places.iter().any(|&p| p >= elements) {
        return Err(b.refuse("its indices do not fit the shapes that were measured"));
    }
    scattered(b, elements, 1, &places)
}

/// Col2Im: every sample of a column gets what arrives at its place in the picture, or nothing in the padding.
pub(super) fn col2im<'g>(b: &Back<'g>) -> Grads<'g> {
    let (x, y, block) = (b.shape(0), b.y_shape(0), b.weight(2)?);
    let unfit = || b.refuse("its blocks do not fit the shapes that were measured");
    let ([n, channels, image @ ..], &[_, rows, columns], Some(block)) = (&y[..], &x[..], block.as_i64()) else {
        return Err(unfit());
    };
    let setting = |name, i: usize, none: i64| b.node.ints(name).and_then(|v| v.get(i)).map_or(none, |&v| v) as i128;
    // along each axis where every sample of every window lies, None in the padding: [samples, windows]
    let along = |i: usize| {
        let (stride, dilation) = (setting("strides", i, 1).max(1), setting("dilations", i, 1));
        let (size, before, behind) = (image[i] as i128, setting("pads", i, 0), setting("pads", i + image.len(), 0));
        let samples = i128::from(block[i]);
        let windows = (size + before + behind - dilation * (samples - 1) - 1) / stride + 1;
        let fits = samples > 0 && samples <= rows as i128 && windows > 0 && windows <= columns as i128;
        let place = move |k: i128, w: i128| usize::try_from(w * stride + k * dilation - before).ok();
        fits.then_some((samples, windows, move |k, w| place(k, w).filter(|&at| (at as i128) < size)))
    };
    if block.len() != image.len() {
        return Err(unfit());
    }
    let axes = (0..image.len()).map(along).collect::<Option<Vec<_>>>().ok_or_else(unfit)?;
    let lengths = |of: fn(i128, i128) -> i128| axes.iter().map(|a| of(a.0, a.1) as usize).collect::<Vec<usize>>();
    let (samples, windows) = (lengths(|samples, _| samples), lengths(|_, windows| windows));
    let count = |lengths: &[usize]| lengths.iter().try_fold(1usize, |n, &l| n.checked_mul(l));
    if count(&samples).and_then(|k| k.checked_mul(*channels)) != Some(rows) || count(&windows) != Some(columns) {
        return Err(unfit());
    }
    let pixels: usize = image.iter().product();
    let at = |k: &[usize], w: &[usize]| {
        let place = |flat: usize, i: usize| Some(flat * image[i] + (axes[i].2)(k[i] as i128, w[i] as i128)?);
        (0..image.len()).try_fold(0, place).unwrap_or(pixels)
    };
    let windows = places(&windows);
    let taken: Vec<usize> =
        places(&samples).iter().flat_map(|k| windows.iter().map(move |w| (k, w))).map(|(k, w)| at(k, w)).collect();
    let flat = b.g_full().reshape(&[*n, *channels, pixels]).pad(&[(0, 0), (0, 0), (0, 1)], 0.0);
    Ok(vec![Some(flat.gather(2, &taken).reshape(&x))])
}
