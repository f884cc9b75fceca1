//! Convolutions.

use super::back::Back;
use super::window::{self, Axis, column, pads, spread};
use crate::error::Result;
use crate::onnx::{Attr, Tensor, Val};

/// Conv: at stride 1 a Conv with the flipped, transposed weight, which is the fastest form on CPUs; else ConvTranspose.
pub(super) fn conv<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    let (x, y) = (b.shape(0), b.y_shape(0));
    let kernel = b.shape(1).get(2..).unwrap_or_default().to_vec();
    if b.needs(2) {
        return Err(b.refuse("its bias is computed from the picture"));
    }
    let axes = window::axes(b, &x, &y, &kernel)?;
    let group = b.node.int("group", 1).max(1) as usize;
    let pointwise = group == 1 && axes.iter().all(Axis::is_point);
    if pointwise && x[2..].iter().all(|&d| d == 1) {
        let row = b.own(1).and_then(|w| b.seed_row(w, 1)); // [N, C, 1..]
        if row.is_some() {
            return Ok(vec![row]);
        }
    }
    let weight = b.weight(1)?;
    let ([outs, ins, ..], false) = (weight.shape.as_slice(), weight.shape.len() < 3) else {
        return Err(b.refuse("its weight is no kernel"));
    };
    if *outs != y[1] || outs % group != 0 || ins.checked_mul(group) != Some(x[1]) {
        return Err(
            b.refuse(&format!("its weight {:?} in {group} groups does not fit {} channels", weight.shape, x[1]))
        );
    }
    let mut full = y.clone();
    if pointwise {
        // a gradient that is constant over the picture stays so
        full[2..].copy_from_slice(&b.g().shape()[2..]);
    }
    let g = b.g().expand(&full);
    let reversed: Option<Vec<_>> = axes.iter().map(Axis::reversed_pads).collect();
    let Some(reversed) = reversed else {
        return Ok(vec![Some(spread(g, &weight, &axes, group, &x))]);
    };
    let flipped = flip(b, &weight, group)?;
    let attrs = [
        ("group", Attr::Int(group as i64)),
        ("kernel_shape", column(&axes, |a| a.kernel)),
        ("dilations", column(&axes, |a| a.dilation)),
        ("pads", pads(&reversed)),
    ];
    let shape: Vec<usize> = if pointwise { [&x[..2], &full[2..]].concat() } else { x };
    Ok(vec![Some(b.emit().pictures("Conv", &[g, b.emit().constant(&flipped)], &attrs, &shape))])
}

/// `[M, C / group, kernel..]` to `[C, M / group, kernel reversed..]`.
fn flip(b: &Back, weight: &Tensor, group: usize) -> Result<Tensor> {
    let float = || b.refuse("its weight is not float32");
    let (data, shape) = (weight.as_f32().ok_or_else(float)?, &weight.shape);
    let (outs, ins, samples) = (shape[0] / group, shape[1], shape[2..].iter().product::<usize>());
    let mut flipped = Vec::with_capacity(data.len());
    for part in 0..group {
        for c in 0..ins {
            for m in 0..outs {
                let at = ((part * outs + m) * ins + c) * samples;
                // reversing all of a kernel's samples reverses every axis
                flipped.extend(data[at..at + samples].iter().rev());
            }
        }
    }
    Ok(Tensor::f32(&[&[group * ins, outs], &shape[2..]].concat(), flipped))
}

/// ConvTranspose: a Conv with the weight as it is.
pub(super) fn conv_transpose<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    let (x, y, weight) = (b.shape(0), b.y_shape(0), b.weight(1)?);
    if b.needs(2) {
        return Err(b.refuse("its bias is computed from the picture"));
    }
    let follows = b.node.ints("output_shape").is_some() || b.node.str("auto_pad", "NOTSET").starts_with("SAME");
    if follows && b.node.ints("output_padding").is_some_and(|added| added.iter().any(|&n| n != 0)) {
        return Err(b.refuse("it has output_padding beside output_shape or auto_pad; export it with explicit pads"));
    }
    let axes = window::axes(b, &y, &x, weight.shape.get(2..).unwrap_or_default())?;
    let attrs = [
        ("group", Attr::Int(b.node.int("group", 1))),
        ("kernel_shape", column(&axes, |a| a.kernel)),
        ("strides", column(&axes, |a| a.stride)),
        ("dilations", column(&axes, |a| a.dilation)),
        ("pads", pads(&axes.iter().map(|a| (a.before, a.excess().0)).collect::<Vec<_>>())),
    ];
    Ok(vec![Some(b.emit().pictures("Conv", &[b.g_full(), b.emit().constant(&weight)], &attrs, &x))])
}
