//! The plain model on many inputs: what probability it gives a class, for measuring what a change of the picture does.

use ndarray::{Array1, ArrayD, ArrayViewD, Axis};

use super::check::Noise;
use super::{Explainer, batch, probe};
use crate::cam::{self, Method, Names, Request};
use crate::engine::{Engine, Input, Output};
use crate::error::{Error, Result};

/// Largest difference of a probability between a picture alone and among others.
const NEAR: f32 = 1e-3;
/// Bytes that the tensors of one probe run may take, all together.
const MEMORY: usize = 1 << 30;

/// A model without its explanation; see [`Explainer::scorer`].
#[derive(Debug)]
pub struct Scorer {
    engine: Engine,
    input: String,
    names: Names,
    /// So many inputs at a time, one below the other.
    values: ArrayD<f32>,
}

impl Explainer {
    /// The model without its explanation, on up to `most` inputs at a time: on fewer where its graph holds one picture only, or
    /// mixes them, or where a run would take too much memory. The weights are shared.
    ///
    /// # Errors
    /// As [`Explainer::open`].
    pub fn scorer(&self, most: usize) -> Result<Scorer> {
        let (mut alone, bytes) = self.scoring(1)?;
        let batch = most.min(MEMORY / bytes.max(1)).max(1);
        if batch == 1 {
            return Ok(alone);
        }
        let several = match self.scoring(batch) {
            Ok((mut several, _)) => agree(&mut alone, &mut several)?.then_some(several),
            Err(_) => None,
        };
        Ok(several.unwrap_or(alone))
    }

    /// The model rewritten for so many inputs, and what one probe run of it takes.
    fn scoring(&self, batch: usize) -> Result<(Scorer, usize)> {
        let size = (self.info.spec.width, self.info.spec.height);
        let one = self.single();
        let (several, picture, facts) = batch::several(one, probe::picture(one, Some(size))?, batch, &self.sessions)?;
        let original = several.as_ref().unwrap_or(one);
        let bytes = facts.0.values().map(|fact| fact.shape.iter().product::<usize>() * size_of::<f32>()).sum();
        // this method needs no gradient rule, and its map is left out
        let layers = self.info.layers.join(",");
        let request = Request {
            method: Method::EigenCam,
            target_layer: Some(&layers),
            score_kind: self.info.score_kind,
            versus: false,
            signed: false,
            ..self.options.request(self.info.labels.len())
        };
        let lowered = cam::lower(original, &facts, &self.info.input, &request)?;
        let (mut model, names) = (lowered.model, lowered.names);
        model.keep_outputs(&[&names.class, &names.score]);
        let engine = self.sessions.open(&model)?;
        Ok((Scorer { engine, input: self.info.input.clone(), names, values: ArrayD::zeros(picture.shape) }, bytes))
    }
}

impl Scorer {
    /// So many inputs go through the model at a time.
    pub fn batch(&self) -> usize {
        self.values.shape()[0]
    }

    /// The probability (softmax or sigmoid, as the head has it) of `class` on each of `count` inputs; `fill` writes the values of
    /// one, in the model's own layout, as [`Explainer::preparer`] makes them.
    ///
    /// # Errors
    /// [`Error::Inference`]; [`Error::NotFinite`] where a probability is no number; whatever `fill` gives.
    pub fn scores<E: From<Error>>(
        &mut self,
        class: usize,
        count: usize,
        mut fill: impl FnMut(usize, &mut [f32]) -> Result<(), E>,
    ) -> Result<Vec<f32>, E> {
        let mut scores = Vec::with_capacity(count);
        while scores.len() < count {
            let done = scores.len();
            for (i, mut one) in self.values.axis_iter_mut(Axis(0)).take(count - done).enumerate() {
                fill(done + i, one.as_slice_mut().expect("an entry of axis 0 lies in one piece"))?;
            }
            scores.extend(self.run(class as i64)?.1.into_iter().take(count - done));
        }
        Ok(scores)
    }

    /// Class and probability of each input.
    fn run(&mut self, target: i64) -> Result<(Vec<i64>, Vec<f32>)> {
        let target = Array1::from_elem(1, target);
        let inputs = [
            (self.input.as_str(), Input::F32(self.values.view())),
            (self.names.target.as_str(), Input::I64(target.view().into_dyn())),
        ];
        let outputs = self.engine.run(&inputs, &[&self.names.class, &self.names.score])?;
        let [Output::I64(classes), Output::F32(scores)] = &outputs[..] else {
            return Err(Error::Inference { why: "the model gave other types than its contract says".into() });
        };
        if scores.iter().any(|score| !score.is_finite()) {
            return Err(Error::NotFinite { what: "score" });
        }
        Ok((classes.iter().copied().collect(), scores.iter().copied().collect()))
    }
}

/// Whether inputs among others give what they give alone: the best class of different noise in each place.
fn agree(alone: &mut Scorer, several: &mut Scorer) -> Result<bool> {
    several.values = Noise::default().array(several.values.shape(), 1.0)?;
    let Ok((classes, scores)) = several.run(-1) else { return Ok(false) };
    if (classes.len(), scores.len()) != (several.batch(), several.batch()) {
        return Ok(false);
    }
    let inputs: Vec<ArrayViewD<f32>> = several.values.axis_iter(Axis(0)).collect();
    for ((input, class), score) in inputs.into_iter().zip(classes).zip(scores) {
        alone.values.index_axis_mut(Axis(0), 0).assign(&input);
        let (_, own) = alone.run(class)?;
        if (own[0] - score).abs() > NEAR {
            return Ok(false);
        }
    }
    Ok(true)
}
