//! Eigen-CAM: the first principal component of the activations, by power iteration in the graph.

use crate::onnx::{Attr, Data, Tensor, Val};

/// Times that the Gram matrix is squared: 2^12 steps of power iteration. A second singular value of 0.999 of the first is then
/// down to 0.999^8192 = 3e-4 of it.
const SQUARINGS: usize = 12;

/// X v, where X [h w, C] are the activations of each place less each channel's mean, and v is X's first right singular vector
/// (Muhammad and Yeasin 2020, equation 2; the means are taken off as pytorch-grad-cam does, since without it v points at the mean).
///
/// A singular vector has no sign of its own: the one is taken whose projection has its largest magnitude above zero (Chung and
/// Ying 2025, equation 13; `get_2d_projection_with_sign_correction` of pytorch-grad-cam).
pub(super) fn eigencam(a: Val) -> Val {
    let emit = a.emit();
    let [n, c, h, w] = a.shape()[..] else {
        emit.fail(format!("activations of shape {:?} have no grid", a.shape()));
        return a;
    };
    let a = a.reshape(&[n, c, h * w]);
    let rows = a - a.mean(&[2]); // X^T, [N, C, h w]
    let columns = rows.transpose(&[0, 2, 1]);
    // the smaller of the two Gram matrices has the same eigenvalues
    let small = h * w <= c;
    let gram = if small { columns.matmul(rows) } else { rows.matmul(columns) };
    let first = dominant(gram, c.min(h * w));
    // X^T u or v, both [N, C, 1], scaled to length 1
    let v = if small { rows.matmul(first) } else { first };
    let length = at_least((v * v).sum(&[1])).unary("Sqrt");
    let seen = columns.matmul(v / length).reshape(&[n, 1, h, w]);
    let (highest, lowest) = (seen.max(&[2, 3]), (-seen).max(&[2, 3]));
    seen * (1.0 - lowest.above_val(highest) * 2.0)
}

/// The eigenvector of the largest eigenvalue of `gram` [N, n, n], of any length, [N, n, 1]: a column of a high power of it.
fn dominant<'g>(gram: Val<'g>, n: usize) -> Val<'g> {
    let emit = gram.emit();
    let unit: Vec<f32> = (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect();
    let unit = emit.floats(&[1, n, n], unit);
    let diagonal = |m: Val<'g>| (m * unit).sum(&[2]);
    // to a trace of 1, which neither overflows nor vanishes when squared
    let scaled = |m| m / at_least(diagonal(m).sum(&[1]));
    let power = (0..SQUARINGS).fold(scaled(gram), |m, _| scaled(m.matmul(m)));
    // the column of the largest diagonal element is the longest
    let axis = [("axis", Attr::Int(1))];
    let longest = emit.node_out("ArgMax", &[diagonal(power)], &axis, &[&[gram.shape()[0], 1, 1]])[0];
    let places = emit.constant(&Tensor { shape: vec![1, n, 1], data: Data::I64((0..n as i64).collect()) });
    power.matmul(places.same(longest))
}

/// A divisor that is not zero where all activations are.
fn at_least(x: Val) -> Val {
    x.emit().node("Max", &[x, x.emit().floats(&[], vec![f32::MIN_POSITIVE])], &[], &x.shape())
}
