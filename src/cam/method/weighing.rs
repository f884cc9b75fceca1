//! Methods that weigh activations A by the gradient g of the score: one function of (A, g) each.
//!
//! Where g is constant along an axis it may be 1 there. Sums over i, j run over the grid, over k over the channels.

use crate::onnx::Val;

/// sum over k of alpha_k A^k, alpha_k = mean over i, j of g^k (Selvaraju et al. 2017, equations 1 and 2).
pub(super) fn gradcam<'g>(a: Val<'g>, g: Val<'g>) -> Val<'g> {
    weighted(a, g.mean(&[2, 3]))
}

/// Grad-CAM of the negated gradient (Selvaraju et al. 2017, section 3.3).
pub(super) fn counterfactual<'g>(a: Val<'g>, g: Val<'g>) -> Val<'g> {
    weighted(a, -g.mean(&[2, 3]))
}

/// alpha_k = sum over i, j of ReLU(g) g^2 / (2 g^2 + (sum of A^k) g^3 + 1e-6): Chattopadhay et al. 2018, equation 19, with the
/// powers of the first-order gradient in place of higher derivatives, which holds for the exponential of the score; the 1e-6
/// and the plain g in front are those of pytorch-grad-cam.
pub(super) fn gradcampp<'g>(a: Val<'g>, g: Val<'g>) -> Val<'g> {
    let square = g * g;
    let share = square / (square * 2.0 + a.sum(&[2, 3]) * (square * g) + 1e-6);
    let one = g.unary("Relu") * share;
    // where it is constant, a place stands for all of them
    let places: fn(Val) -> usize = |v| v.shape()[2..].iter().product();
    weighted(a, one.sum(&[2, 3]) * (places(a) as f32 / places(one) as f32))
}

/// sum over k of g^k A^k, place by place (Draelos and Carin 2020).
pub(super) fn hirescam<'g>(a: Val<'g>, g: Val<'g>) -> Val<'g> {
    (g * a).sum(&[1])
}

/// sum over k of ReLU(g^k) A^k, place by place (Jiang et al. 2021, equations 6 and 7).
pub(super) fn layercam<'g>(a: Val<'g>, g: Val<'g>) -> Val<'g> {
    (g.unary("Relu") * a).sum(&[1])
}

/// alpha_k = sum over i, j of g A / (sum over i, j of A + 1e-7) (Fu et al. 2020, equation 8; the 1e-7 is pytorch-grad-cam's).
pub(super) fn xgradcam<'g>(a: Val<'g>, g: Val<'g>) -> Val<'g> {
    weighted(a, (g * a).sum(&[2, 3]) / (a.sum(&[2, 3]) + 1e-7))
}

/// Sum over channels of weight times activation, [N, 1, h, w]. `weights` is [N, C], or [N, 1] for one weight of all channels,
/// with unit axes behind; one matrix product.
pub(in crate::cam) fn weighted<'g>(a: Val<'g>, weights: Val<'g>) -> Val<'g> {
    let emit = a.emit();
    let (&[n, c, h, w], [_, each, ..]) = (&a.shape()[..], &weights.shape()[..]) else {
        emit.fail(format!("weights of shape {:?} for activations of shape {:?}", weights.shape(), a.shape()));
        return a;
    };
    let weights = weights.reshape(&[n, 1, *each]).expand(&[n, 1, c]);
    weights.matmul(a.reshape(&[n, c, h * w])).reshape(&[n, 1, h, w])
}
