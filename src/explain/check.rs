//! The check at load: outputs unchanged, and the gradient against finite differences, on the runtime that will run it.

use ndarray::{Array1, ArrayD};

use super::{Explainer, ModelInfo, copies, shape_error};
use crate::cam::{self, Method, Request};
use crate::engine::{Input, Output};
use crate::error::{Error, Result};
use crate::onnx::{DType, Facts, Graph, Model};

/// Largest relative change of the model's own outputs. They are equal to the bit unless the backward pass keeps the runtime
/// from fusing the same operators; then they are rounded in other places.
const OUTPUTS: f32 = 1e-4;
/// The same of float16, whose numbers lie 1e-3 apart.
const HALF_OUTPUTS: f32 = 1e-2;
/// The same of quantised networks: a few steps of a score, of which there are some hundred.
const QUANTISED_OUTPUTS: f32 = 0.1;
/// Largest relative error of the directional derivative; kinks of ReLU and max pooling cost some per cent at early layers.
const GRADIENT: f64 = 0.15;
/// Steps in units of the activations' root mean square, and whether cells that are zero stay so; the next is tried where the one
/// before does not agree. A large step drowns rounding errors, a small one crosses fewer kinks; behind a ReLU half the cells
/// are zero, and a second ReLU or a max pool has its kinks just there.
const TRIES: [(f64, bool); 3] = [(1e-2, false), (1e-3, false), (1e-3, true)];
/// Random directions; the median error counts.
const DIRECTIONS: usize = 3;

/// One line with the figures.
///
/// # Errors
/// [`Error::SelfCheck`] with the figure that is too large.
pub(super) fn run(explainer: &mut Explainer, facts: &Facts, request: &Request) -> Result<String> {
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let input = noise.array(&explainer.shape, 1.0)?;
    let outputs = unchanged(explainer, &input)?;
    let gradient = if request.method.uses_gradient() {
        gradient(explainer, facts, request, &input, &mut noise)?
    } else if request.method == Method::Recipro {
        copies::check(explainer, facts, request, &input)?
    } else {
        "no gradient is used".into()
    };
    Ok(format!("outputs {outputs}; {gradient}"))
}

fn unchanged(explainer: &mut Explainer, input: &ArrayD<f32>) -> Result<String> {
    let original = explainer.original_outputs(input.view())?;
    let explained = explainer.explained_outputs(input.view())?;
    let allowed = match (explainer.info.format.quantised, explainer.info.format.computed) {
        (Some(_), _) => QUANTISED_OUTPUTS,
        (None, DType::F32) => OUTPUTS,
        _ => HALF_OUTPUTS,
    };
    let mut worst = 0.0f32;
    for ((name, a), (_, b)) in original.iter().zip(&explained) {
        let scale = a.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        let change =
            a.iter().zip(b).filter(|(x, y)| x.to_bits() != y.to_bits()).fold(0.0f32, |m, (x, y)| m.max((x - y).abs()));
        let relative = if change > 0.0 { change / scale.max(f32::MIN_POSITIVE) } else { 0.0 };
        // a NaN on both sides is the model's own affair and is met again, by name, when frames are explained
        if relative > allowed || a.shape() != b.shape() {
            let why = format!("the output {name:?} changed by {relative:.1e} of its largest value");
            return Err(Error::SelfCheck { why });
        }
        worst = worst.max(relative);
    }
    Ok(if worst == 0.0 { "equal to the bit".into() } else { format!("equal to {worst:.1e} of the largest value") })
}

/// The derivative of the class's logit along random directions at the layer: from the emitted gradient, and from moving the
/// layer a little to and fro in the original network, cut open there.
fn gradient(
    explainer: &Explainer,
    facts: &Facts,
    request: &Request,
    input: &ArrayD<f32>,
    noise: &mut Noise,
) -> Result<String> {
    let info = &explainer.info;
    let with_gradient = Request { with_gradient: true, target_layer: Some(&info.layer), ..*request };
    let lowered = cam::lower(&explainer.original, facts, &info.input, &with_gradient)?;
    let mut cut: Model = lowered.model;
    let side = Graph::fresh_in(&cut, &format!("{}__made", info.layer));
    cut.cut(&info.layer, DType::F32, &info.layer_shape);
    let outputs = [side.as_str(), &lowered.names.gradient, &info.score, &lowered.names.class];
    cut.keep_outputs(&outputs);
    exact(&mut cut, facts, info)?;
    let mut engine = explainer.sessions.open(&cut)?;
    let mut run = |layer: &ArrayD<f32>, class: i64| -> Result<Sample> {
        let target = Array1::from_elem(1, class);
        let inputs = [
            (info.input.as_str(), Input::F32(input.view())),
            (info.layer.as_str(), Input::F32(layer.view())),
            (lowered.names.target.as_str(), Input::I64(target.view().into_dyn())),
        ];
        match engine.run(&inputs, &outputs)?.as_slice() {
            [Output::F32(made), Output::F32(g), Output::F32(logits), Output::I64(class)] => Ok(Sample {
                made: made.clone(),
                g: g.clone(),
                logits: logits.iter().copied().collect(),
                class: class[[0, 0]],
            }),
            _ => Err(Error::SelfCheck { why: "the check's own outputs have unexpected types".into() }),
        }
    };
    let layer = run(&ArrayD::zeros(info.layer_shape.clone()), 0)?.made;
    let Sample { g, logits, class, .. } = run(&layer, -1)?;
    if logits.iter().chain(&g).chain(&layer).any(|x| !x.is_finite()) {
        return Ok("the gradient was not checked: noise makes the model give NaN or infinity".into());
    }
    let norm = |a: &ArrayD<f32>| a.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let rms = norm(&layer) / (layer.len() as f64).sqrt();
    if norm(&g) == 0.0 || rms == 0.0 {
        return Ok("the gradient is zero on noise and was not checked".into());
    }
    let class_at = usize::try_from(class).unwrap_or(0);
    // the median over some directions; `still` leaves the layer's zeros where they are
    let mut off_by = |step: f64, still: bool| -> Result<f64> {
        let moves = layer.mapv(|x| if still && x == 0.0 { 0.0 } else { 1.0 });
        let g = &g * &moves;
        let mut errors = Vec::new();
        for _ in 0..DIRECTIONS {
            let v = noise.array(&info.layer_shape, 1.0)? * &moves;
            let moved = |by: f64| &layer + &(&v * by as f32);
            let (ahead, behind) = (run(&moved(step), class)?.logits, run(&moved(-step), class)?.logits);
            let measured = (f64::from(ahead[class_at]) - f64::from(behind[class_at])) / (2.0 * step);
            let computed: f64 = g.iter().zip(&v).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            // against the size that a random direction would show, so that a direction across the gradient does not decide
            let typical = norm(&g) * norm(&v) / f64::from(moves.sum()).sqrt();
            errors.push((measured - computed).abs() / typical.max(f64::MIN_POSITIVE));
        }
        errors.sort_by(f64::total_cmp);
        Ok(errors[DIRECTIONS / 2])
    };
    let mut error = f64::INFINITY;
    for (step, still) in TRIES {
        error = error.min(off_by(step * rms, still)?);
        if error <= GRADIENT {
            break;
        }
    }
    if error > GRADIENT {
        let why = format!(
            "the gradient of class {class} at {:?} is off by {:.0} % of what finite differences show; operators on the way: {}",
            info.layer,
            error * 100.0,
            info.operators.iter().map(|(op, ..)| op.as_str()).collect::<Vec<_>>().join(", ")
        );
        return Err(Error::SelfCheck { why });
    }
    let how = match (info.format.quantised, info.format.computed) {
        (Some(_), _) => ", both without rounding",
        (None, DType::F32) => "",
        _ => ", both in float32",
    };
    Ok(format!("gradient within {error:.1e} of finite differences{how}"))
}

/// The same network in float32 and without rounding: a step that is small enough for a difference would be lost in both. The
/// backward pass is the one that is explained with, its masks included.
pub(super) fn exact(model: &mut Model, facts: &Facts, info: &ModelInfo) -> Result<()> {
    if info.format.computed != DType::F32 {
        model.compute_in_float32(&[DType::F16]);
    }
    if info.format.quantised.is_some() {
        model.quantise_without_rounding(facts, &info.score)?;
    }
    Ok(())
}

/// What one run of the network, cut open at the layer, shows.
struct Sample {
    /// The layer's activations as the network makes them from the picture.
    made: ArrayD<f32>,
    /// The gradient at the activations that were fed in.
    g: ArrayD<f32>,
    logits: Vec<f32>,
    class: i64,
}

/// Uniform noise in -scale..scale (splitmix64, Steele et al. 2014): the same at every load.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn array(&mut self, shape: &[usize], scale: f32) -> Result<ArrayD<f32>> {
        let values = (0..shape.iter().product()).map(|_| self.next() * scale).collect();
        ArrayD::from_shape_vec(shape.to_vec(), values).map_err(shape_error)
    }
}
