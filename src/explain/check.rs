//! The check at load: outputs unchanged, and the gradient against finite differences, on the runtime that will run it.

mod outputs;

use std::fmt;
use std::time::{Duration, Instant};

use ndarray::{Array1, ArrayD};

use super::{Explainer, ModelInfo, copies, shape_error};
use crate::cam::{self, Lowered, Method, Request};
use crate::engine::{Engine, Input, Output};
use crate::error::{Error, Result};
use crate::onnx::{DType, Facts, Graph, Model};

/// Largest relative error of the directional derivative; kinks of ReLU and max pooling cost some per cent at early layers.
const GRADIENT: f64 = 0.15;
/// Steps in units of the activations' root mean square, and whether cells that are zero stay so; the next is tried where the one
/// before does not agree. A large step drowns rounding errors, a small one crosses fewer kinks; behind a ReLU half the cells
/// are zero, and a second ReLU or a max pool has its kinks just there.
const TRIES: [(f64, bool); 4] = [(1e-2, false), (1e-1, false), (1e-3, false), (1e-3, true)];
/// How much more a direction shows of the gradient than a random one would.
const LEAN: f64 = 2.0;
/// How far a score may be off by rounding, as a part of it: a difference that it explains says nothing of the gradient. It
/// matters where the layer's branch says next to nothing, as behind a layer scale of 1e-5 of an untrained transformer.
const ROUNDING: f64 = 4.0 * f32::EPSILON as f64;
/// Random directions; the median error counts.
const DIRECTIONS: usize = 3;

/// What the check at load found; as text, one line with the figures.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfCheck {
    /// Largest change of the model's own outputs, as a part of their largest value; 0 = equal to the bit.
    pub outputs: f32,
    /// Of a model for several pictures at a time: how far a picture's outputs among others are off from those of the original on
    /// it alone, as a part of their largest value.
    pub alone: Option<f32>,
    /// What the map is made of.
    pub map: MapCheck,
    /// How long it took.
    pub took: Duration,
}

/// What was checked of that which the map is made of.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MapCheck {
    /// The gradient: how far it is off from finite differences, as a part of a typical directional derivative.
    Gradient(f64),
    /// Copies of the head that run at once: how far one is off from the head by itself, as a part of the largest logit.
    Copies(f32),
    /// Nothing, and why.
    Nothing(&'static str),
}

impl fmt::Display for SelfCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.outputs {
            0.0 => write!(f, "outputs equal to the bit; ")?,
            change => write!(f, "outputs equal to {change:.1e} of the largest value; ")?,
        }
        match self.alone {
            None => {}
            Some(0.0) => write!(f, "each picture's equal to those of it alone to the bit; ")?,
            Some(off) => write!(f, "each picture's within {off:.1e} of those of it alone; ")?,
        }
        match self.map {
            MapCheck::Gradient(error) => write!(f, "gradient within {error:.1e} of finite differences"),
            MapCheck::Copies(error) => write!(f, "copies of the layer within {error:.1e} of one alone"),
            MapCheck::Nothing(why) => f.write_str(why),
        }
    }
}

/// # Errors
/// [`Error::SelfCheck`] with the figure that is too large.
pub(super) fn run(explainer: &mut Explainer, facts: &Facts, request: &Request) -> Result<SelfCheck> {
    let start = Instant::now();
    let mut noise = Noise::default();
    let input = noise.array(&explainer.batch_shape(), 1.0)?;
    let (outputs, made) = outputs::unchanged(explainer, &input)?;
    let alone = if explainer.batch_size() > 1 { Some(outputs::apart(explainer, &input, &made)?) } else { None };
    let map = if request.method.uses_gradient() {
        let with_gradient = Request { with_gradient: true, target_layer: Some(&explainer.info.layer), ..*request };
        let lowered = cam::lower(&explainer.original, facts, &explainer.info.input, &with_gradient)?;
        gradient(explainer, facts, lowered, &input, &mut noise)?
    } else if request.method == Method::Recipro {
        MapCheck::Copies(copies::check(explainer, facts, request, &input)?)
    } else {
        MapCheck::Nothing("no gradient is used")
    };
    Ok(SelfCheck { outputs, alone, map, took: start.elapsed() })
}

/// The derivative of the class's score along random directions at the layer: from the emitted gradient, and from moving the
/// layer a little to and fro in the original network, cut open there. The score is the sum of the logits weighed by its seed, which
/// stays what it is at the start: a mask of places that a class wins, or its best anchor, does not move.
fn gradient(
    explainer: &Explainer,
    facts: &Facts,
    lowered: Lowered,
    input: &ArrayD<f32>,
    noise: &mut Noise,
) -> Result<MapCheck> {
    let info = &explainer.info;
    let mut cut: Model = lowered.model;
    let side = Graph::fresh_in(&cut, &format!("{}__made", info.layer));
    cut.cut(&info.layer, DType::F32, &info.layer_shape);
    let part = |outputs: &[&str]| {
        let mut part = cut.clone();
        part.keep_outputs(outputs);
        exact(&mut part, facts, info)?;
        part.prune();
        explainer.sessions.open(&part)
    };
    let run = |engine: &mut Engine, layer: &ArrayD<f32>, classes: &[i64], outputs: &[&str]| {
        let target = Array1::from(classes.to_vec());
        let inputs = [
            (info.input.as_str(), Input::F32(input.view())),
            (info.layer.as_str(), Input::F32(layer.view())),
            (lowered.names.target.as_str(), Input::I64(target.view().into_dyn())),
        ];
        engine.run(&inputs, outputs)
    };
    let strange = || Error::SelfCheck { why: "the check's own outputs have unexpected types".into() };
    // what comes before the layer is run once, what comes behind it many times
    let zeros = ArrayD::zeros(info.layer_shape.clone());
    let Some(Output::F32(layer)) = run(&mut part(&[&side])?, &zeros, &[0], &[&side])?.pop() else {
        return Err(strange());
    };
    let names = &lowered.names;
    let outputs = [names.gradient.as_str(), &names.seed, &info.score, &names.class];
    let mut behind = part(&outputs)?;
    let mut run = |layer: &ArrayD<f32>, classes: &[i64]| match run(&mut behind, layer, classes, &outputs)?.as_slice() {
        [Output::F32(g), Output::F32(seed), Output::F32(logits), Output::I64(class)] => {
            let classes = class.iter().copied().collect();
            Ok(Sample { g: g.clone(), seed: seed.clone(), logits: logits.clone(), classes })
        }
        _ => Err(strange()),
    };
    let Sample { g, seed, logits, classes } = run(&layer, &[-1])?;
    if logits.iter().chain(&g).chain(&layer).any(|x| !x.is_finite()) {
        return Ok(MapCheck::Nothing("the gradient was not checked: noise makes the model give NaN or infinity"));
    }
    let norm = |a: &ArrayD<f32>| a.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let rms = norm(&layer) / (layer.len() as f64).sqrt();
    if norm(&g) == 0.0 || rms == 0.0 {
        return Ok(MapCheck::Nothing("the gradient is zero on noise and was not checked"));
    }
    let dot =
        |a: &ArrayD<f32>, b: &ArrayD<f32>| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    // the median over some directions; `still` leaves the layer's zeros where they are
    let mut off_by = |step: f64, still: bool| -> Result<(f64, f64)> {
        let moves = layer.mapv(|x| if still && x == 0.0 { 0.0 } else { 1.0 });
        let g = &g * &moves;
        let mut errors = Vec::new();
        for _ in 0..DIRECTIONS {
            let random = noise.array(&info.layer_shape, 1.0)? * &moves;
            // what a random direction would show, so that a direction across the gradient does not decide
            let size = norm(&random) / f64::from(moves.sum()).sqrt();
            let typical = (norm(&g) * size).max(f64::MIN_POSITIVE);
            // leaning to the gradient, so that one of the wrong size shows in each direction
            let lean = LEAN * size / norm(&g).max(f64::MIN_POSITIVE);
            let v = random + &(&g * lean as f32);
            let moved = |by: f64| &layer + &(&v * by as f32);
            let (ahead, behind) = (run(&moved(step), &classes)?.logits, run(&moved(-step), &classes)?.logits);
            let rounding = ROUNDING * dot(&seed.mapv(f32::abs), &ahead.mapv(f32::abs)) / step;
            let (measured, computed) = (dot(&seed, &(ahead - behind)) / (2.0 * step), dot(&g, &v));
            errors.push(((measured - computed).abs() / typical, rounding / typical));
        }
        errors.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(errors[DIRECTIONS / 2])
    };
    let (mut error, mut surest) = (f64::INFINITY, (f64::INFINITY, f64::INFINITY));
    for (step, still) in TRIES {
        let (off, rounding) = off_by(step * rms, still)?;
        error = error.min(off);
        if error <= GRADIENT {
            return Ok(MapCheck::Gradient(error));
        }
        if rounding < surest.1 {
            surest = (off, rounding);
        }
    }
    if surest.0 <= surest.1 {
        let why = "the gradient is too small for finite differences in float32, and agrees as far as they show";
        return Ok(MapCheck::Nothing(why));
    }
    let why = format!(
        "the gradient of class {} at {:?} is off by {:.0} % of what finite differences show; operators on the way: {}",
        classes.iter().map(i64::to_string).collect::<Vec<_>>().join(", "),
        info.layer,
        error * 100.0,
        info.operators.iter().map(|(op, ..)| op.as_str()).collect::<Vec<_>>().join(", ")
    );
    Err(Error::SelfCheck { why })
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

/// What one run of the network behind the layer shows.
struct Sample {
    /// The gradient at the activations that were fed in.
    g: ArrayD<f32>,
    /// The gradient of the score with respect to the logits there.
    seed: ArrayD<f32>,
    logits: ArrayD<f32>,
    /// The class of each picture.
    classes: Vec<i64>,
}

/// Uniform noise in -scale..scale (splitmix64, Steele et al. 2014): the same at every load.
pub(super) struct Noise(u64);

impl Default for Noise {
    fn default() -> Self {
        Noise(0x9E37_79B9_7F4A_7C15)
    }
}

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub(super) fn array(&mut self, shape: &[usize], scale: f32) -> Result<ArrayD<f32>> {
        let values = (0..shape.iter().product()).map(|_| self.next() * scale).collect();
        ArrayD::from_shape_vec(shape.to_vec(), values).map_err(shape_error)
    }
}

#[cfg(test)]
mod tests;
