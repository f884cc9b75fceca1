//! Normalisations.

use super::back::Back;
use crate::error::Result;
use crate::onnx::{Attr, Val};

type Grads<'g> = Result<Vec<Option<Val<'g>>>>;

/// BatchNormalization at inference: one constant factor a channel.
pub(super) fn batch_norm<'g>(b: &Back<'g>) -> Grads<'g> {
    if b.node.int("training_mode", 0) != 0 {
        return Err(b.refuse("it is in training mode; export the model in inference mode (model.eval())"));
    }
    let (scale, variance, epsilon) = (b.weight(1)?, b.weight(4)?, b.node.float("epsilon", 1e-5));
    let (Some(scale), Some(variance)) = (scale.as_f32(), variance.as_f32()) else {
        return Err(b.refuse("its parameters are not float32"));
    };
    let factor = scale.iter().zip(variance).map(|(s, v)| s / (v + epsilon).sqrt()).collect();
    let mut shape = vec![1; b.shape(0).len().saturating_sub(1)];
    if let Some(channels) = shape.first_mut() {
        *channels = scale.len();
    }
    Ok(vec![Some(b.g() * b.emit().floats(&shape, factor))])
}

/// LRN, across channels.
pub(super) fn lrn<'g>(b: &Back<'g>) -> Grads<'g> {
    let (alpha, beta, bias) = (b.node.float("alpha", 1e-4), b.node.float("beta", 0.75), b.node.float("bias", 1.0));
    let size = b.node.int("size", 1).max(1) as usize;
    let shape = b.shape(0);
    let (before, after) = ((size - 1) / 2, size / 2);
    // the mean over neighbouring channels, as a pooling of pictures [1, C, H * W]
    let mean = |v: Val<'g>, before: usize, after: usize| {
        let pictures = [shape[0], 1, shape[1], shape[2..].iter().product()];
        let attrs = [
            ("kernel_shape", Attr::Ints(vec![size as i64, 1])),
            ("pads", Attr::Ints(vec![before as i64, 0, after as i64, 0])),
            ("count_include_pad", Attr::Int(1)),
        ];
        b.emit().pictures("AveragePool", &[v.reshape(&pictures)], &attrs, &pictures).reshape(&shape)
    };
    let (x, y, g) = (b.x(0), b.y(0), b.g_full());
    let norm = mean(x * x, before, after) * alpha + bias;
    let power = b.emit().node("Pow", &[norm, b.emit().floats(&[], vec![-beta])], &[], &shape);
    let spread = mean(g * (y / norm), after, before);
    Ok(vec![Some(g * power - x * spread * (2.0 * alpha * beta))])
}

/// LayerNormalization over the axes from `axis` on.
pub(super) fn layer_norm<'g>(b: &Back<'g>) -> Grads<'g> {
    let axis = b.axis("axis", -1);
    let axes: Vec<usize> = (axis..b.shape(0).len()).collect();
    let x = b.x(0);
    let centred = x - x.mean(&axes);
    let deviation = ((centred * centred).mean(&axes) + b.node.float("epsilon", 1e-5)).unary("Sqrt");
    let unit = centred / deviation;
    let g = b.g_full() * b.x(1);
    Ok(vec![Some((g - g.mean(&axes) - unit * (g * unit).mean(&axes)) / deviation)])
}

/// The axes of a Softmax: all from `axis` on before opset 13, one since.
fn softmax_axes(b: &Back) -> Result<Vec<usize>> {
    let flattens = b.emit().model().opset() < 13;
    let axis = b.axis("axis", if flattens { 1 } else { -1 });
    Ok(if flattens { (axis..b.shape(0).len()).collect() } else { vec![axis] })
}

pub(super) fn softmax<'g>(b: &Back<'g>) -> Grads<'g> {
    let (axes, y) = (softmax_axes(b)?, b.y(0));
    let gy = b.g() * y;
    Ok(vec![Some(gy - y * gy.sum(&axes))])
}

pub(super) fn log_softmax<'g>(b: &Back<'g>) -> Grads<'g> {
    let (axes, g) = (softmax_axes(b)?, b.g_full());
    Ok(vec![Some(g - b.y(0).unary("Exp") * g.sum(&axes))])
}
