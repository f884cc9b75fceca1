//! The check of a provider: its scores and maps of one fixed input against the CPU's. One has been seen that computes scores right and maps
//! wrong.

use std::fmt;

use ndarray::{Array1, ArrayD};

use super::check::Noise;
use super::{ModelInfo, as_floats};
use crate::cam::Names;
use crate::engine::{Engine, Input, Output};
use crate::error::{Error, Result};

/// Classes whose maps are compared, the CPU's best ones.
const CLASSES: usize = 5;

/// How scores and maps of two providers compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Largest difference of the model's own outputs, as a part of their largest value.
    pub outputs: f64,
    /// Cosine of the angle between the maps of the best classes, taken together; 1 where all are zero in both.
    pub cosine: f64,
}

impl Agreement {
    /// Whether it is as good as `limits`; a value that is no number is not.
    pub(super) fn holds(&self, limits: &Agreement) -> bool {
        self.outputs <= limits.outputs && self.cosine >= limits.cosine
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "maps with a cosine of {:.6} to the CPU's, scores within {:.1e} of them", self.cosine, self.outputs)
    }
}

/// What is looked at.
pub(super) struct Sight<'a> {
    info: &'a ModelInfo,
    names: &'a Names,
    outputs: &'a [String],
    picture: ArrayD<f32>,
}

/// What was seen.
pub(super) struct Seen {
    classes: Vec<i64>,
    outputs: Vec<ArrayD<f32>>,
    maps: ArrayD<f32>,
}

impl<'a> Sight<'a> {
    pub fn new(info: &'a ModelInfo, names: &'a Names, outputs: &'a [String], shape: &[usize]) -> Result<Sight<'a>> {
        Ok(Sight { info, names, outputs, picture: Noise::default().array(shape, 1.0)? })
    }

    /// How many classes are looked at in one run: of several pictures each has one map.
    pub fn ranks(&self) -> usize {
        self.info.classes.min(if self.picture.shape()[0] == 1 { CLASSES } else { 1 })
    }

    /// The maps of the engine's best classes, or of those that were seen elsewhere: with fewer digits others may be best.
    pub fn of(&self, engine: &mut Engine, elsewhere: Option<&Seen>) -> Result<Seen> {
        let ranks = i64::try_from(self.ranks()).unwrap_or(1);
        let targets: Array1<i64> =
            elsewhere.map_or_else(|| (1..=ranks).map(|rank| -rank).collect(), |seen| seen.classes.clone().into());
        let against: Array1<i64> = Array1::from_elem(targets.len(), if self.info.classes > 1 { -2 } else { -1 });
        let mut inputs = vec![
            (self.info.input.as_str(), Input::F32(self.picture.view())),
            (self.names.target.as_str(), Input::I64(targets.view().into_dyn())),
        ];
        if self.info.versus {
            inputs.push((self.names.versus.as_str(), Input::I64(against.view().into_dyn())));
        }
        let mut wanted = vec![self.names.class.as_str(), self.names.map.as_str()];
        wanted.extend(self.outputs.iter().map(String::as_str));
        let mut made = engine.run(&inputs, &wanted)?.into_iter();
        let (Some(Output::I64(classes)), Some(Output::F32(maps))) = (made.next(), made.next()) else {
            return Err(Error::SelfCheck { why: "classes or maps have another type than their contract says".into() });
        };
        Ok(Seen { classes: classes.into_iter().collect(), outputs: made.filter_map(as_floats).collect(), maps })
    }
}

impl Seen {
    pub fn against(&self, other: &Seen) -> Agreement {
        let largest = |values: &ArrayD<f32>| values.iter().fold(0.0f64, |m, &x| m.max(f64::from(x).abs()));
        let apart = self.outputs.iter().zip(&other.outputs).map(|(a, b)| {
            let off = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs());
            off.fold(0.0f64, worse) / largest(a).max(f64::MIN_POSITIVE)
        });
        let outputs = apart.fold(0.0f64, worse);
        let dot = |a: &ArrayD<f32>, b: &ArrayD<f32>| -> f64 {
            a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let (here, there) = (dot(&self.maps, &self.maps), dot(&other.maps, &other.maps));
        let cosine = if here == 0.0 && there == 0.0 {
            1.0
        } else {
            dot(&self.maps, &other.maps) / (here * there).sqrt().max(f64::MIN_POSITIVE)
        };
        Agreement { outputs, cosine }
    }
}

/// The larger one; unlike `f64::max`, what is no number stays.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b <= a { a } else { b }
}

#[cfg(test)]
mod tests {
    use ndarray::arr1;

    use super::*;

    fn seen(score: f32, map: [f32; 3]) -> Seen {
        Seen { classes: vec![0], outputs: vec![arr1(&[score, -2.0]).into_dyn()], maps: arr1(&map).into_dyn() }
    }

    #[test]
    fn maps_are_compared_by_angle_and_scores_by_size() {
        let limits = Agreement { outputs: 1e-2, cosine: 0.99 };
        let own = seen(1.0, [1.0, 2.0, 0.0]);
        let judge = |other: Seen| own.against(&other).holds(&limits);
        assert!(judge(seen(1.0, [1.0, 2.0, 0.0])) && judge(seen(1.01, [2.0, 4.1, 0.0])));
        assert!(!judge(seen(1.1, [1.0, 2.0, 0.0])), "scores");
        assert!(!judge(seen(1.0, [2.0, 0.0, 1.0])) && !judge(seen(1.0, [0.0; 3])), "maps");
        assert!(!judge(seen(f32::NAN, [1.0, 2.0, 0.0])) && !judge(seen(1.0, [1.0, f32::NAN, 0.0])), "no numbers");
        assert_eq!(seen(0.0, [0.0; 3]).against(&seen(0.0, [0.0; 3])).cosine, 1.0, "nothing to tell them apart");
    }
}
