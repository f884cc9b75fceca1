//! Bias correction, which quantisers do beside calibrating (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
//! Correction", ICCV 2019, section 4.2): rounding a weight moves a channel's mean, and its bias takes that back.

use std::collections::HashMap;

use gstgradcam::onnx::{DType, Data, Model, Tensor};
use ndarray::{ArrayD, Axis};

use crate::convert::{begin, int8, nodes, weights};
use crate::quantizer::watch;

/// The model with weights that int8 holds exactly, and with the biases that keep each channel's mean over these pictures where
/// it was; borders, where a window sees padding, are taken as the rest.
pub fn corrected(from: &Model, pictures: &[ArrayD<f32>]) -> Model {
    let means = means(from, pictures);
    let mut held: HashMap<String, Tensor> = weights(from).into_iter().collect();
    for node in from.nodes().filter(|node| matches!(node.op().as_str(), "Conv" | "Gemm")) {
        let [x, weight, bias] = node.inputs() else { panic!("{} has no bias", node.name()) };
        let rounded = rounded(&held[weight]);
        let (before, after) = (values(&held[weight]), values(&rounded));
        let (outs, ins) = (rounded.shape[0], rounded.shape[1]);
        let (samples, group) = (after.len() / (outs * ins), node.int("group", 1) as usize);
        let lost = |out: usize| {
            let first = out / (outs / group) * ins;
            let row = out * ins * samples..(out + 1) * ins * samples;
            row.clone().map(|i| (before[i] - after[i]) * means[x][first + (i - row.start) / samples]).sum::<f32>()
        };
        let biases = values(&held[bias]).iter().enumerate().map(|(out, b)| b + lost(out)).collect();
        held.insert(bias.clone(), Tensor::f32(&[outs], biases));
        held.insert(weight.clone(), rounded);
    }
    let mut to = begin(from);
    let (input, output) = (from.inputs().remove(0), from.outputs().remove(0));
    to.add_input(&input.name, DType::F32, &input.shape.expect("a shape"));
    weights(from).iter().for_each(|(name, _)| to.add_initializer(name, &held[name]));
    nodes(from, &mut to, &HashMap::new());
    to.add_output(&output.name, Some(DType::F32), None);
    to
}

fn values(tensor: &Tensor) -> &[f32] {
    tensor.as_f32().expect("float32")
}

/// Mean of each channel of each activation.
fn means(model: &Model, pictures: &[ArrayD<f32>]) -> HashMap<String, Vec<f32>> {
    let mut means: HashMap<String, Vec<f32>> = HashMap::new();
    watch(model, pictures, |name, seen| {
        let channels = seen.shape()[1];
        let sums = means.entry(name.into()).or_insert_with(|| vec![0.0; channels]);
        let share = |channel| seen.index_axis(Axis(1), channel).mean().expect("a channel has values");
        sums.iter_mut().enumerate().for_each(|(c, sum)| *sum += share(c) / pictures.len() as f32);
    });
    means
}

/// To int8 and back.
fn rounded(tensor: &Tensor) -> Tensor {
    let (quantised, scales) = int8(tensor);
    let Data::Raw(_, steps) = &quantised.data else { panic!("int8 values are kept raw") };
    let rows = steps.chunks(steps.len() / tensor.shape[0]).zip(values(&scales));
    Tensor::f32(&tensor.shape, rows.flat_map(|(row, s)| row.iter().map(move |&q| f32::from(q as i8) * s)).collect())
}
