//! The little network of these tests: two convolutions, global average pooling, one linear layer, five classes.

use gstgradcam::onnx::{Attr, DType, Model, Tensor};
use ndarray::ArrayD;

pub const CLASSES: usize = 5;
/// Shape of the activations behind the second convolution, which is the target layer.
pub const GRID: [usize; 4] = [1, 6, 4, 4];

/// Uniform in -1..1 (a linear congruential generator, Numerical Recipes' constants).
pub fn noise(shape: &[usize], seed: u32) -> ArrayD<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    ArrayD::from_shape_simple_fn(shape.to_vec(), || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    })
}

pub fn weights(shape: &[usize], seed: u32) -> Tensor {
    Tensor::f32(shape, noise(shape, seed).into_iter().collect())
}

pub fn ints(name: &'static str, values: &[i64]) -> (&'static str, Attr) {
    (name, Attr::Ints(values.to_vec()))
}

/// A model with only the picture's input, `x`.
pub fn with_input(opset: i64, dims: &[Option<usize>]) -> Model {
    let mut model = Model::new(opset);
    model.add_input("x", DType::F32, dims);
    model
}

/// From `from` (three channels) to "features", [N, 6, h/2, w/2].
pub fn trunk(model: &mut Model, from: &str) {
    model.add_initializer("conv1.weight", &weights(&[4, 3, 3, 3], 1));
    model.add_initializer("conv1.bias", &weights(&[4], 2));
    model.add_initializer("conv2.weight", &weights(&[6, 4, 3, 3], 3));
    let (kernel, pads) = (ints("kernel_shape", &[3, 3]), ints("pads", &[1, 1, 1, 1]));
    let attrs = [kernel.clone(), pads.clone()];
    model.add_node("Conv", "/conv1/Conv", &[from, "conv1.weight", "conv1.bias"], &["conv1"], &attrs);
    model.add_node("Relu", "/relu1/Relu", &["conv1"], &["relu1"], &[]);
    let attrs = [kernel, pads, ints("strides", &[2, 2])];
    model.add_node("Conv", "/layer2/layer2.0/Conv", &["relu1", "conv2.weight"], &["conv2"], &attrs);
    model.add_node("Relu", "/layer2/layer2.1/Relu", &["conv2"], &["features"], &[]);
}

/// "features" pooled and made flat, "flat" [N, 6].
pub fn pool(model: &mut Model) {
    model.add_node("GlobalAveragePool", "/pool/GlobalAveragePool", &["features"], &["pooled"], &[]);
    model.add_node("Flatten", "/Flatten", &["pooled"], &["flat"], &[]);
}

/// The linear layer from `from` to `to`.
pub fn linear(model: &mut Model, from: &str, to: &str, classes: usize) {
    model.add_initializer("fc.weight", &weights(&[classes, 6], 4));
    model.add_initializer("fc.bias", &weights(&[classes], 5));
    let attrs = [("transB", Attr::Int(1))];
    model.add_node("Gemm", "/fc/Gemm", &[from, "fc.weight", "fc.bias"], &[to], &attrs);
}

pub fn output(model: &mut Model, name: &str) {
    model.add_output(name, Some(DType::F32), None);
}

/// The network up to "flat", for a picture of these sizes.
pub fn body(opset: i64, dims: &[Option<usize>]) -> Model {
    let mut model = with_input(opset, dims);
    trunk(&mut model, "x");
    pool(&mut model);
    model
}

pub const PICTURE: [Option<usize>; 4] = [Some(1), Some(3), Some(8), Some(8)];

/// The network with "logits" as its output.
pub fn little_for(opset: i64, dims: &[Option<usize>]) -> Model {
    let mut model = body(opset, dims);
    linear(&mut model, "flat", "logits", CLASSES);
    output(&mut model, "logits");
    model
}

pub fn little() -> Model {
    little_for(17, &PICTURE)
}
