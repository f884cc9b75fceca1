//! Attention as one operator: softmax(scale * Q K^T + mask) V, a head at a time; its probabilities are computed once more.

use super::back::Back;
use super::matrix::in_proportion;
use crate::error::Result;
use crate::onnx::{Attr, DType, Val};

/// Low enough to leave nothing behind a softmax, and still a number in float32.
const LOWEST: f32 = -1e30;

/// Attention, of [N, heads, tokens, width] or [N, tokens, heads * width]; fewer heads of keys and values than of queries.
pub(super) fn attention<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    if b.node.input(4).is_some() || b.node.input(6).is_some() {
        return Err(b.refuse("it reads keys of earlier runs, or how many keys are padding"));
    }
    if b.node.int("left_window_size", -1) != -1 || b.node.int("right_window_size", -1) != -1 {
        return Err(b.refuse("it looks at a window of its keys"));
    }
    if b.needs(3) {
        return Err(b.refuse("its mask is computed from the picture"));
    }
    if (1..4).any(|i| b.g_at(i).is_some()) {
        return Err(b.refuse("the score depends on an output of it other than the first"));
    }
    let heads = |v: Val<'g>, attr: &str| split(b, v, attr);
    let [q, k, v] = [(0, "q_num_heads"), (1, "kv_num_heads"), (2, "kv_num_heads")].map(|(i, attr)| heads(b.x(i), attr));
    let (q, k, v, g) = (q?, k?, v?, heads(b.g_full(), "q_num_heads")?);
    let (&[_, many, queries, width], &[_, few, keys, _]) = (q.shape().as_slice(), k.shape().as_slice()) else {
        return Err(b.refuse("its operands do not fit each other"));
    };
    if few == 0 || many % few != 0 {
        return Err(b.refuse("its heads of keys do not fit its heads of queries"));
    }
    let (k, v) = (repeat(k, many / few), repeat(v, many / few));
    let scale = b.node.float("scale", 1.0 / (width as f32).sqrt());
    let cap = b.node.float("softcap", 0.0);
    let bent = |s: Val<'g>| if cap == 0.0 { s } else { (s * (1.0 / cap)).unary("Tanh") };
    let turned = |v: Val<'g>| v.transpose(&[0, 1, 3, 2]);
    let bend = bent(q.matmul(turned(k)) * scale);
    let mut scores = if cap == 0.0 { bend } else { bend * cap };
    let mut seen = None;
    if let Some(mask) = b.node.input(3) {
        if b.shape(3).last().is_some_and(|&n| n != keys && n != 1) {
            return Err(b.refuse("its mask is shorter than its keys"));
        }
        let is_bool = b.emit().facts().get(mask).is_some_and(|fact| fact.dtype == DType::BOOL);
        seen = is_bool.then(|| b.x(3).cast(DType::F32.0));
        scores = scores + seen.map_or_else(|| b.x(3), |seen| (1.0 - seen) * LOWEST);
    }
    if b.node.int("is_causal", 0) != 0 {
        in_proportion(b, queries.checked_mul(keys), "a mask")?;
        let later = |q: usize, k: usize| if k > q { LOWEST } else { 0.0 };
        let mask = (0..queries).flat_map(|q| (0..keys).map(move |k| later(q, k))).collect();
        scores = scores + b.emit().floats(&[queries, keys], mask);
    }
    let shares = b.emit().node("Softmax", &[scores], &[("axis", Attr::Int(-1))], &scores.shape());
    // a query that may see no key at all gives zeros
    let shares = seen.map_or(shares, |seen| shares * seen);
    let to_shares = shares * g.matmul(turned(v));
    let mut to_scores = (to_shares - shares * to_shares.sum(&[3])) * scale;
    if cap != 0.0 {
        to_scores = to_scores * (1.0 - bend * bend);
    }
    let grads =
        [to_scores.matmul(k), unrepeat(turned(to_scores).matmul(q), few), unrepeat(turned(shares).matmul(g), few)];
    Ok((0..3).map(|i| b.needs(i).then(|| joined(grads[i], &b.shape(i)))).collect())
}

/// [N, heads, tokens, width] of that, or of [N, tokens, heads * width].
fn split<'g>(b: &Back<'g>, v: Val<'g>, attr: &str) -> Result<Val<'g>> {
    let heads = usize::try_from(b.node.int(attr, 0)).unwrap_or(0);
    match v.shape()[..] {
        [_, _, _, _] => Ok(v),
        [n, tokens, width] if heads > 0 && width % heads == 0 => {
            Ok(v.reshape(&[n, tokens, heads, width / heads]).transpose(&[0, 2, 1, 3]))
        }
        _ => Err(b.refuse("its operands have neither three axes and a number of heads nor four axes")),
    }
}

/// The inverse, to a shape.
fn joined<'g>(v: Val<'g>, shape: &[usize]) -> Val<'g> {
    if shape.len() == 4 { v } else { v.transpose(&[0, 2, 1, 3]).reshape(shape) }
}

/// Each head so many times.
fn repeat(v: Val<'_>, times: usize) -> Val<'_> {
    let [n, heads, tokens, width] = v.shape()[..] else { return v };
    if times == 1 {
        return v;
    }
    let apart = v.reshape(&[n, heads, 1, tokens, width]).expand(&[n, heads, times, tokens, width]);
    apart.reshape(&[n, heads * times, tokens, width])
}

/// The sum over the copies.
fn unrepeat(v: Val<'_>, heads: usize) -> Val<'_> {
    let [n, many, tokens, width] = v.shape()[..] else { return v };
    if many == heads {
        return v;
    }
    v.reshape(&[n, heads, many / heads, tokens, width]).sum(&[2]).reshape(&[n, heads, tokens, width])
}
