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
    let [n, channels, sides @ ..] = shape.as_slice() else { return Err(b.refuse("its input has no channels")) };
    let (before, after) = ((size - 1) / 2, size / 2);
    // the mean over neighbouring channels, as a pooling of pictures [1, C, H * W]
    let mean = |v: Val<'g>, before: usize, after: usize| {
        let pictures = [*n, 1, *channels, sides.iter().product()];
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

/// What arrives at `x / deviation`, where `deviation` is the root of the mean of x squared over `axes`, and goes on to x.
fn through_unit<'g>(g: Val<'g>, x: Val<'g>, deviation: Val<'g>, axes: &[usize]) -> Val<'g> {
    let unit = x / deviation;
    (g - unit * (g * unit).mean(axes)) / deviation
}

/// The root of the mean of the squares.
fn rms<'g>(x: Val<'g>, axes: &[usize], epsilon: f32) -> Val<'g> {
    ((x * x).mean(axes) + epsilon).unary("Sqrt")
}

/// What subtracting the mean does; to a gradient as to a value.
fn centred<'g>(x: Val<'g>, axes: &[usize]) -> Val<'g> {
    x - x.mean(axes)
}

/// What arrives at a normalised `x`, mean 0 and deviation 1 over `axes`.
fn through_standard<'g>(g: Val<'g>, x: Val<'g>, axes: &[usize], epsilon: f32) -> Val<'g> {
    let x = centred(x, axes);
    centred(through_unit(g, x, rms(x, axes, epsilon), axes), axes)
}

/// The last axes, from `axis` on.
fn from_axis(b: &Back) -> Vec<usize> {
    (b.axis("axis", -1)..b.shape(0).len()).collect()
}

/// LayerNormalization over the axes from `axis` on.
pub(super) fn layer_norm<'g>(b: &Back<'g>) -> Grads<'g> {
    let g = b.g_full() * b.x(1);
    Ok(vec![Some(through_standard(g, b.x(0), &from_axis(b), b.node.float("epsilon", 1e-5)))])
}

/// RMSNormalization: as LayerNormalization, the mean left in.
pub(super) fn rms_norm<'g>(b: &Back<'g>) -> Grads<'g> {
    let (x, axes) = (b.x(0), from_axis(b));
    Ok(vec![Some(through_unit(b.g_full() * b.x(1), x, rms(x, &axes, b.node.float("epsilon", 1e-5)), &axes))])
}

/// ONNX Runtime's fused sum and LayerNormalization: (input, skip, gamma, beta, bias) to (y, , , sum).
pub(super) fn skip_layer_norm<'g>(b: &Back<'g>) -> Grads<'g> {
    skip_norm(b, 4, |g, sum, axes, epsilon| through_standard(g, sum, axes, epsilon))
}

/// The same with RMSNormalization: (input, skip, gamma, bias).
pub(super) fn skip_rms_norm<'g>(b: &Back<'g>) -> Grads<'g> {
    skip_norm(b, 3, |g, sum, axes, epsilon| through_unit(g, sum, rms(sum, axes, epsilon), axes))
}

fn skip_norm<'g>(b: &Back<'g>, bias: usize, through: fn(Val<'g>, Val<'g>, &[usize], f32) -> Val<'g>) -> Grads<'g> {
    if b.g_at(1).is_some() || b.g_at(2).is_some() {
        return Err(b.refuse("the score depends on its mean or deviation"));
    }
    let sum = b.x(0) + b.x(1);
    let sum = if b.node.input(bias).is_some() { sum + b.x(bias) } else { sum };
    let last = b.shape(0).len().saturating_sub(1);
    let mut g = through(b.g_full() * b.x(2), sum, &[last], b.node.float("epsilon", 1e-12));
    if let Some(beside) = b.g_at(3) {
        g = g + beside;
    }
    Ok((0..2).map(|i| b.needs(i).then(|| b.unbroadcast(g, i))).collect())
}

/// The shape of one value a channel, for a tensor with channels in axis 1.
fn per_channel(b: &Back) -> Vec<usize> {
    let shape = b.shape(0);
    let units = vec![1; shape.len().saturating_sub(2)];
    [shape.get(1..2).unwrap_or_default(), units.as_slice()].concat()
}

/// InstanceNormalization: each channel by itself.
pub(super) fn instance_norm<'g>(b: &Back<'g>) -> Grads<'g> {
    let axes: Vec<usize> = (2..b.shape(0).len()).collect();
    let g = b.g_full() * b.x(1).reshape(&per_channel(b));
    Ok(vec![Some(through_standard(g, b.x(0), &axes, b.node.float("epsilon", 1e-5)))])
}

/// GroupNormalization: groups of channels; a scale a group in opset 18, a channel since 21.
pub(super) fn group_norm<'g>(b: &Back<'g>) -> Grads<'g> {
    let (shape, scale, groups) = (b.shape(0), b.x(1), b.node.int("num_groups", 1));
    let groups = usize::try_from(groups).ok().filter(|&n| n > 0 && shape.get(1).is_some_and(|c| c % n == 0));
    let Some(groups) = groups else { return Err(b.refuse("its groups do not fit its channels")) };
    let elements: usize = shape[1..].iter().product();
    let grouped = [shape[0], groups, elements / groups];
    let g = b.g_full();
    let g = if scale.shape() == [shape[1]] {
        (g * scale.reshape(&per_channel(b))).reshape(&grouped)
    } else {
        g.reshape(&grouped) * scale.reshape(&[groups, 1])
    };
    let grad = through_standard(g, b.x(0).reshape(&grouped), &[2], b.node.float("epsilon", 1e-5));
    Ok(vec![Some(grad.reshape(&shape))])
}

/// MeanVarianceNormalization.
pub(super) fn mean_variance_norm<'g>(b: &Back<'g>) -> Grads<'g> {
    let rank = b.shape(0).len();
    let axes = b.node.ints("axes").unwrap_or(&[0, 2, 3]);
    let axes: Option<Vec<usize>> = axes.iter().map(|&axis| b.place(axis, rank)).collect();
    let Some(axes) = axes else { return Err(b.refuse("its axes do not fit its input")) };
    // the specification adds 1e-9 to the deviation
    Ok(vec![Some(through_standard(b.g_full(), b.x(0), &axes, 1e-18))])
}

/// LpNormalization: by the sum of magnitudes, or the root of the sum of squares.
pub(super) fn lp_norm<'g>(b: &Back<'g>) -> Grads<'g> {
    let (axes, x, g) = ([b.axis("axis", -1)], b.x(0), b.g_full());
    let (size, slope) = match b.node.int("p", 2) {
        1 => (x.unary("Abs").sum(&axes), x.sign()),
        2 => {
            let size = (x * x).sum(&axes).unary("Sqrt");
            (size, x / size.or_one())
        }
        p => return Err(b.refuse(&format!("it has p={p}, and 1 and 2 are supported"))),
    };
    let size = size.or_one();
    Ok(vec![Some((g - slope * (g * x / size).sum(&axes)) / size)])
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
