//! Where the head is global average pooling and one linear layer, `cam` and `gradcam` are one map up to a factor: a check of the
//! gradient that shares nothing with it, since CAM takes the classifier's weights from the file.

use ndarray::{Array1, Array4};

use super::Explainer;
use super::check::Noise;
use crate::cam::{self, Method, Request};
use crate::engine::{Input, Output};
use crate::error::{Error, Result};
use crate::onnx::Facts;

/// Classes that are compared, the best ones.
const CLASSES: usize = 8;

/// How CAM's map and Grad-CAM's compare on noise, over the best classes together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CamEquality {
    /// Cosine of the angle between the two; 1 where they are equal up to a factor.
    pub cosine: f64,
    /// CAM's values over Grad-CAM's: the number of the layer's cells Z.
    pub ratio: f64,
}

/// `None` where CAM does not apply to the model or the method is not Grad-CAM, or where every map is zero.
///
/// # Errors
/// As a session on the model, and a run of it.
pub(super) fn compare(explainer: &Explainer, facts: &Facts, request: &Request) -> Result<Option<CamEquality>> {
    let info = &explainer.info;
    if info.method != Method::GradCam || info.layers.len() != 1 || info.versus {
        return Ok(None);
    }
    let request = Request { method: Method::Cam, target_layer: Some(&info.layer), ..*request };
    let Ok(lowered) = cam::lower(&explainer.original, facts, &info.input, &request) else { return Ok(None) };
    // of several pictures each has its best
    let most = if explainer.batch_size() == 1 { CLASSES } else { 1 };
    let ranks = i64::try_from(info.classes.min(most)).unwrap_or(1);
    let targets: Array1<i64> = (1..=ranks).map(|rank| -rank).collect();
    let picture = Noise::default().array(&explainer.batch_shape(), 1.0)?;
    let inputs =
        |target| [(info.input.as_str(), Input::F32(picture.view())), (target, Input::I64(targets.view().into_dyn()))];
    let map = |made: Vec<Output>| match &made[..] {
        [Output::F32(map)] => map.clone().into_dimensionality().map_err(super::shape_error),
        _ => Err(Error::SelfCheck { why: "a map is no float32 tensor".into() }),
    };
    // both on the CPU, whatever explains: with fewer digits they differ
    let (mut engine, mut own) =
        (explainer.sessions.open(&lowered.model)?, explainer.sessions.open(&explainer.explained)?);
    let cam: Array4<f32> = map(engine.run(&inputs(&lowered.names.target), &[&lowered.names.map])?)?;
    let gradcam = map(own.run(&inputs(&explainer.names.target), &[&explainer.names.map])?)?;
    let dot = |a: &Array4<f32>, b: &Array4<f32>| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    let (both, cams, gradcams): (f64, f64, f64) = (dot(&cam, &gradcam), dot(&cam, &cam), dot(&gradcam, &gradcam));
    if cams == 0.0 && gradcams == 0.0 || !both.is_finite() {
        return Ok(None);
    }
    let sizes = (cams * gradcams).sqrt().max(f64::MIN_POSITIVE);
    Ok(Some(CamEquality { cosine: both / sizes, ratio: (cams / gradcams.max(f64::MIN_POSITIVE)).sqrt() }))
}
