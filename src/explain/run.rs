//! Runs of the explained model: a frame, a prepared input or a batch of them in, maps out.

use std::time::{Duration, Instant};

use ndarray::{Array1, ArrayD, ArrayViewD, Axis, CowArray, Ix4, IxDyn};

use super::{ClassMap, Explainer, Explanation, Scores, blank, scores, shape_error};
use crate::cam::{ScoreKind, Target};
use crate::engine::{Input, Output};
use crate::error::{Error, Result};
use crate::frame::{Frame, Region};
use crate::labels;

impl Explainer {
    /// Explains a frame.
    ///
    /// # Errors
    /// [`Error::Frame`]; [`Error::Inference`], and [`Error::NotFinite`] for scores or maps that are no numbers; [`Error::Interrupted`];
    /// [`Error::Target`] for a class that the model does not have.
    pub fn explain(&mut self, frame: &Frame, targets: &[Target]) -> Result<Explanation> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(self.shape.iter().product(), 0.0);
        let result = self.preparer.prepare(frame, &mut buffer).and_then(|region| {
            let input = ArrayViewD::from_shape(self.shape.clone(), &buffer).map_err(shape_error)?;
            self.explain_tensor(input, targets, region)
        });
        self.buffer = buffer;
        result
    }

    /// Runs the model on a prepared input (the model's own layout, as [`Explainer::preparer`] makes it), brought to the type of the
    /// model's input where that is not float32. A model of one picture at a time explains all targets in one run; one of several
    /// pictures takes the picture once for each.
    ///
    /// # Errors
    /// As [`Explainer::explain`].
    pub fn explain_tensor(
        &mut self,
        input: ArrayViewD<f32>,
        targets: &[Target],
        region: Region,
    ) -> Result<Explanation> {
        self.fits(input.shape(), 1)?;
        let (codes, versus) = (self.codes(targets)?, self.held_against(targets.len())?);
        if self.batch_size() == 1 {
            return Ok(self.run(input, &codes, &versus, &[region])?.remove(0));
        }
        let (mut maps, mut scores, mut took) = (Vec::new(), Scores::default(), Duration::ZERO);
        let held = |at: usize, count: usize| versus.get(at..at + count).unwrap_or_default();
        for (i, some) in codes.chunks(self.batch_size()).enumerate() {
            let mut shape = self.shape.clone();
            shape[0] = some.len();
            let copies = input.broadcast(shape).expect("an axis of length 1 is repeated");
            let regions = vec![region; some.len()];
            let seen = self.run(copies, some, held(i * self.batch_size(), some.len()), &regions)?;
            if let Some(one) = seen.first() {
                took += one.took;
                scores.clone_from(&one.scores);
            }
            maps.extend(seen.into_iter().flat_map(|one| one.maps));
        }
        Ok(Explanation { maps, scores, region, took })
    }

    /// Explains a batch: prepared inputs [n, ..] of 1 to [`Explainer::batch_size`] pictures in one run, each picture by itself. A
    /// shorter batch takes as long as a full one. `targets` is one class for each picture, or one for all, and so is what they are
    /// held against; `regions` are the parts of the frames that the pictures cover.
    ///
    /// A model of one picture at a time takes one picture, with any number of targets. An error is that of all pictures in the run.
    ///
    /// # Errors
    /// As [`Explainer::explain`]; [`Error::Target`] for another number of targets.
    pub fn explain_batch(
        &mut self,
        inputs: ArrayViewD<f32>,
        targets: &[Target],
        regions: &[Region],
    ) -> Result<Vec<Explanation>> {
        self.fits(inputs.shape(), regions.len())?;
        let asked = if self.batch_size() == 1 { targets.len() } else { regions.len() };
        let (codes, versus) = (self.codes(targets)?, self.held_against(asked)?);
        if self.batch_size() > 1 && ![1, regions.len()].contains(&codes.len()) {
            let why = format!("{} pictures have one class each, or one for all; give as many", regions.len());
            let asked = codes.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
            return Err(Error::Target { asked, why });
        }
        self.run(inputs, &codes, &versus, regions)
    }

    /// So many pictures of the model's own input.
    fn fits(&self, shape: &[usize], pictures: usize) -> Result<()> {
        let most = self.batch_size();
        if shape.get(1..) != self.shape.get(1..) || shape[0] != pictures || !(1..=most).contains(&pictures) {
            let why = format!(
                "the model's input is {:?} for each of up to {most} pictures, the tensor given is {shape:?} for {pictures}",
                self.shape
            );
            return Err(Error::Inference { why });
        }
        Ok(())
    }

    /// The values of the input `gradcam_target`.
    fn codes(&self, targets: &[Target]) -> Result<Vec<i64>> {
        let classes = self.info.classes;
        if let Some(target) = targets.iter().find(|target| !target.exists(classes)) {
            let why = format!("out of range: the model has {classes} classes; give {}", Target::range(classes));
            return Err(Error::Target { asked: target.code().to_string(), why });
        }
        Ok(targets.iter().map(|target| target.code()).collect())
    }

    /// The values of the input `gradcam_versus` for so many targets; none where the model was opened without.
    fn held_against(&self, targets: usize) -> Result<Vec<i64>> {
        let codes: Vec<i64> = self.versus.iter().map(|target| target.code()).collect();
        match codes[..] {
            [one] => Ok(vec![one; targets]),
            _ if codes.is_empty() || codes.len() == targets => Ok(codes),
            _ => Err(Error::Setting {
                name: "versus",
                value: codes.iter().map(i64::to_string).collect::<Vec<_>>().join(","),
                why: format!("there are {} of them for {targets} targets; give one, or one for each", codes.len()),
            }),
        }
    }

    /// One run, whatever was asked for checked.
    fn run(
        &mut self,
        inputs: ArrayViewD<f32>,
        codes: &[i64],
        versus: &[i64],
        regions: &[Region],
    ) -> Result<Vec<Explanation>> {
        let missing = self.batch_size() - regions.len();
        // the last picture, and what is asked of it, stand in for those that are missing
        let last = |values: &[i64]| {
            let more = if values.len() == regions.len() { missing } else { 0 };
            let more = values.last().into_iter().cycle().take(more).copied();
            values.iter().copied().chain(more).collect::<Array1<i64>>().into_dyn()
        };
        let (codes, held) = (last(codes), last(versus));
        let inputs = filled(inputs, missing);
        let mut fed = vec![
            (self.info.input.as_str(), Input::F32(inputs.view())),
            (self.names.target.as_str(), Input::I64(codes.view())),
        ];
        if self.info.versus {
            fed.push((self.names.versus.as_str(), Input::I64(held.view())));
        }
        let mut wanted = vec![self.names.class.as_str(), &self.names.score, &self.names.map, &self.names.peak];
        wanted.extend(self.table.as_ref().map(|table| table.tensor.as_str()));
        let engine = self.engines.of(codes.len(), &self.sessions, &self.explained)?;
        let start = Instant::now();
        let outputs = engine.run(&fed, &wanted)?;
        let took = start.elapsed();
        let [Output::I64(classes), Output::F32(scores), Output::F32(map), Output::F32(peaks), table @ ..] =
            &outputs[..]
        else {
            return Err(Error::Inference { why: "the explained model gave other types than its contract says".into() });
        };
        if let Some(what) =
            [("score", scores), ("map", map)].iter().find_map(|(n, a)| a.iter().any(|x| !x.is_finite()).then_some(n))
        {
            return Err(Error::NotFinite { what });
        }
        let map = map.view().into_dimensionality::<Ix4>().map_err(shape_error)?;
        let of_picture = |(n, &region): (usize, &Region)| {
            let (classes, scores, peaks) =
                (classes.index_axis(Axis(0), n), scores.index_axis(Axis(0), n), peaks.index_axis(Axis(0), n));
            let maps: Vec<ClassMap> =
                (classes.iter().zip(scores).zip(map.index_axis(Axis(0), n).outer_iter()).zip(peaks))
                    .map(|(((&class, &score), map), &peak)| {
                        let label = labels::name(&self.info.labels, class as usize);
                        let signed = self.info.signed;
                        let blank = map.iter().all(|&value| if signed { value == 0.0 } else { value <= 0.0 });
                        let reason = blank.then(|| blank::reason(&self.info, &label, score, peak));
                        ClassMap { class: class as usize, label, score, map: map.to_owned(), signed, reason }
                    })
                    .collect();
            let scores = match (&self.table, table, maps.first()) {
                (Some(table), [values], _) => table.scores(values, (n, self.batch_size()), &self.info),
                (None, [], Some(one)) if self.info.score_kind == ScoreKind::Binary => scores::of_two(one, &self.info),
                _ => Scores::default(),
            };
            Explanation { maps, scores, region, took }
        };
        Ok(regions.iter().enumerate().map(of_picture).collect())
    }
}

/// Pictures in one piece, as the runtime reads them, and the last of them so many times more.
fn filled(pictures: ArrayViewD<'_, f32>, more: usize) -> CowArray<'_, f32, IxDyn> {
    if more == 0 && pictures.is_standard_layout() {
        return pictures.into();
    }
    let (own, mut shape) = (pictures.len_of(Axis(0)), pictures.shape().to_vec());
    shape[0] += more;
    let mut all = ArrayD::zeros(shape);
    for (n, mut one) in all.axis_iter_mut(Axis(0)).enumerate() {
        one.assign(&pictures.index_axis(Axis(0), n.min(own - 1)));
    }
    all.into()
}
