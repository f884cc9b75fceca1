//! Resize and Upsample: along each axis a matrix of interpolation weights, after the operator's specification.

use super::back::Back;
use super::matrix::Matrix;
use crate::error::Result;
use crate::onnx::{Data, Val};

/// How an output is made of the inputs around its place.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kernel {
    Nearest(Round),
    Linear,
    Cubic(f32),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Round {
    HalfDown,
    HalfUp,
    Floor,
    Ceil,
    /// Before opset 11: down where the picture grows, up where it shrinks.
    ByScale,
}

/// The attributes.
#[derive(Debug)]
struct Settings {
    kernel: Kernel,
    coordinates: String,
    exclude_outside: bool,
    antialias: bool,
}

/// One axis that is resized: in float32 throughout, as the runtime has it, since rounding decides between neighbours.
#[derive(Debug)]
struct Length {
    inputs: usize,
    outputs: usize,
    scale: f32,
    roi: (f32, f32),
}

impl Settings {
    fn read(b: &Back) -> Result<Settings> {
        let old = b.node.op() == "Upsample" || b.emit().model().opset() < 11;
        let rounding = || {
            Ok(match b.node.str("nearest_mode", "round_prefer_floor").as_str() {
                _ if old => Round::ByScale,
                "round_prefer_floor" => Round::HalfDown,
                "round_prefer_ceil" => Round::HalfUp,
                "floor" => Round::Floor,
                "ceil" => Round::Ceil,
                other => return Err(b.refuse(&format!("it has nearest_mode {other:?}"))),
            })
        };
        let kernel = match b.node.str("mode", "nearest").as_str() {
            "nearest" => Kernel::Nearest(rounding()?),
            "linear" | "bilinear" => Kernel::Linear,
            "cubic" => Kernel::Cubic(b.node.float("cubic_coeff_a", -0.75)),
            other => return Err(b.refuse(&format!("it has mode {other:?}"))),
        };
        let coordinates =
            if old { "asymmetric".into() } else { b.node.str("coordinate_transformation_mode", "half_pixel") };
        let flag = |name| b.node.int(name, 0) != 0;
        Ok(Settings { kernel, coordinates, exclude_outside: flag("exclude_outside"), antialias: flag("antialias") })
    }

    /// Where output `i` lies among the inputs.
    fn place(&self, l: &Length, i: usize) -> Option<f32> {
        let (i, scale, inputs, outputs) = (i as f32, l.scale, l.inputs as f32, l.outputs as f32);
        let half_pixel = (i + 0.5) / scale - 0.5;
        Some(match self.coordinates.as_str() {
            "half_pixel" => half_pixel,
            "pytorch_half_pixel" => {
                if l.outputs > 1 {
                    half_pixel
                } else {
                    0.0
                }
            }
            "tf_half_pixel_for_nn" => (i + 0.5) / scale,
            "asymmetric" => i / scale,
            "align_corners" => {
                if l.outputs > 1 {
                    i * (inputs - 1.0) / (outputs - 1.0)
                } else {
                    0.0
                }
            }
            "half_pixel_symmetric" => inputs / 2.0 * (1.0 - outputs / (scale * inputs)) + half_pixel,
            "tf_crop_and_resize" => {
                let (start, end) = l.roi;
                if l.outputs > 1 {
                    start * (inputs - 1.0) + i * (end - start) * (inputs - 1.0) / (outputs - 1.0)
                } else {
                    0.5 * (start + end) * (inputs - 1.0)
                }
            }
            _ => return None,
        })
    }

    fn matrix(&self, b: &Back, l: &Length) -> Result<Matrix> {
        let mut matrix = Matrix::new(b, l.outputs, l.inputs)?;
        let last = l.inputs as i64 - 1;
        for i in 0..l.outputs {
            let Some(at) = self.place(l, i) else {
                return Err(b.refuse(&format!("it has coordinate_transformation_mode {:?}", self.coordinates)));
            };
            // what lies outside gets a constant there
            if self.coordinates == "tf_crop_and_resize" && !(0.0..=last as f32).contains(&at) {
                continue;
            }
            let shares = self.shares(at, l.scale);
            let inside = |&(place, _): &(i64, f32)| !self.exclude_outside || (0..=last).contains(&place);
            let total: f32 = shares.iter().filter(|s| inside(s)).map(|s| s.1).sum();
            for (place, share) in shares.into_iter().filter(inside) {
                matrix.add(i, place.clamp(0, last) as usize, if total == 0.0 { share } else { share / total });
            }
        }
        Ok(matrix)
    }

    /// The inputs around a place, as if there were some everywhere, with their shares.
    fn shares(&self, at: f32, scale: f32) -> Vec<(i64, f32)> {
        let (reach, kernel): (f32, &dyn Fn(f32) -> f32) = match self.kernel {
            Kernel::Nearest(round) => return vec![(round.of(at, scale), 1.0)],
            Kernel::Linear => (1.0, &|x| (1.0 - x).max(0.0)),
            Kernel::Cubic(a) => (2.0, &move |x| match x {
                x if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
                x if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
                _ => 0.0,
            }),
        };
        // antialiasing: where the picture shrinks, the kernel grows
        let wide = if self.antialias { (1.0 / scale).max(1.0) } else { 1.0 };
        let (first, last) = ((at - reach * wide).ceil() as i64, (at + reach * wide).floor() as i64);
        (first..=last).map(|place| (place, kernel((place as f32 - at).abs() / wide))).collect()
    }
}

impl Round {
    fn of(self, at: f32, scale: f32) -> i64 {
        let rounded = match self {
            Round::HalfDown => (at - 0.5).ceil(),
            Round::HalfUp => (at + 0.5).floor(),
            Round::Floor => at.floor(),
            Round::Ceil => at.ceil(),
            Round::ByScale if scale < 1.0 => at.ceil(),
            Round::ByScale => at.floor(),
        };
        rounded as i64
    }
}

/// Resize, Upsample.
pub(super) fn resize<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    let settings = Settings::read(b)?;
    let mut g = b.g();
    for (axis, length) in lengths(b)?.iter().enumerate() {
        if length.inputs != length.outputs || length.scale != 1.0 {
            g = settings.matrix(b, length)?.back(g, axis);
        }
    }
    Ok(vec![Some(g)])
}

/// What every axis is resized to, and by how much: by the scale that is given, else by the sizes' ratio.
fn lengths(b: &Back) -> Result<Vec<Length>> {
    let (x, y) = (b.shape(0), b.y_shape(0));
    let axes: Option<Vec<usize>> = match b.node.ints("axes") {
        Some(axes) => axes.iter().map(|&axis| b.place(axis, x.len())).collect(),
        None => Some((0..x.len()).collect()),
    };
    let axes = axes.filter(|_| x.len() == y.len()).ok_or_else(|| b.refuse("its axes do not fit its input"))?;
    let floats = |i: usize| match b.node.input(i) {
        Some(_) => b.weight(i).map(|t| t.as_f32().map(<[f32]>::to_vec).unwrap_or_default()),
        None => Ok(Vec::new()),
    };
    let newer = b.node.op() == "Resize" && b.emit().model().opset() >= 11;
    let given = match b.node.floats("scales") {
        Some(scales) => scales.to_vec(),
        None => floats(if newer { 2 } else { 1 })?,
    };
    let roi =
        if b.node.str("coordinate_transformation_mode", "") == "tf_crop_and_resize" { floats(1)? } else { vec![] };
    let mut lengths: Vec<Length> =
        x.iter().zip(&y).map(|(&inputs, &outputs)| Length { inputs, outputs, scale: 1.0, roi: (0.0, 1.0) }).collect();
    if lengths.iter().any(|l| l.inputs == 0 || l.outputs == 0) {
        return Err(b.refuse("it makes a picture of nothing"));
    }
    for (i, &axis) in axes.iter().enumerate() {
        let length = &mut lengths[axis];
        let ratio = length.outputs as f32 / length.inputs as f32;
        length.scale = given.get(i).copied().unwrap_or(ratio);
        if let (Some(&start), Some(&end)) = (roi.get(i), roi.get(axes.len() + i)) {
            length.roi = (start, end);
        }
    }
    // sizes that keep the proportions say between what, and both axes are resized by the same
    let sizes = match b.constant(3).map(|t| t.data) {
        Some(Data::I64(sizes)) if given.is_empty() => sizes,
        _ => Vec::new(),
    };
    let scales = axes.iter().zip(&sizes).map(|(&axis, &size)| size as f32 / x[axis] as f32);
    let common = match b.node.str("keep_aspect_ratio_policy", "stretch").as_str() {
        "not_larger" => scales.reduce(f32::min),
        "not_smaller" => scales.reduce(f32::max),
        _ => None,
    };
    if let Some(common) = common {
        axes.iter().for_each(|&axis| lengths[axis].scale = common);
    }
    // half a sample at least is left: it bounds what a sample is the mean of
    match lengths.iter().all(|l| l.scale.is_finite() && l.scale * l.inputs as f32 >= 0.5) {
        true => Ok(lengths),
        false => Err(b.refuse("its scales do not fit the shapes that were measured")),
    }
}
