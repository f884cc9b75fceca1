//! Execution providers: the order in which they are tried, what is said of each, what they build and keep, and the check of their maps. The
//! plugin of OpenVINO, which runs on any x86-64 CPU, is the case of "not the CPU" (`make openvino`).

mod asked;
mod batches;
mod caches;
mod openvino;
#[path = "../support/mod.rs"]
mod support;
mod tied;

use std::path::PathBuf;

use gstgradcam::frame::Region;
use gstgradcam::onnx::{Attr, DType, Model, Tensor};
use gstgradcam::{Explainer, Options, Provider, Target};
use ndarray::{Array2, ArrayD};
use tempfile::TempDir;

const CLASSES: usize = 16;

fn options() -> Options {
    Options {
        runtime_library: support::runtime(),
        engine_cache_dir: Some("none".into()),
        threads: 1,
        ..Options::default()
    }
}

/// With OpenVINO's plugin, where it is there.
fn plugin(provider: Provider) -> Option<Options> {
    Some(Options { execution_provider: provider, provider_library: Some(support::openvino()?), ..options() })
}

/// Uniform in -1..1 (a linear congruential generator, Numerical Recipes' constants).
fn noise(shape: &[usize], seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..shape.iter().product()).map(|_| next()).collect()
}

fn weight(model: &mut Model, name: &str, shape: &[usize], seed: u32) {
    model.add_initializer(name, &Tensor::f32(shape, noise(shape, seed)));
}

/// One convolution, pooled, and two linear layers with a ReLU between; or, if it is `tied`, one square weight twice, transposed and as it
/// is.
fn network(tied: bool) -> Model {
    network_for(Some(1), tied)
}

/// The same for so many pictures at once; `None` = any number.
fn network_for(pictures: Option<usize>, tied: bool) -> Model {
    let mut model = Model::new(17);
    model.add_input("x", DType::F32, &[pictures, Some(3), Some(8), Some(8)]);
    weight(&mut model, "conv", &[CLASSES, 3, 3, 3], 1);
    weight(&mut model, "square", &[CLASSES, CLASSES], 2);
    if !tied {
        weight(&mut model, "other", &[CLASSES, CLASSES], 3);
    }
    let attrs = [("kernel_shape", Attr::Ints(vec![3, 3])), ("pads", Attr::Ints(vec![1, 1, 1, 1]))];
    model.add_node("Conv", "conv", &["x", "conv"], &["convolved"], &attrs);
    model.add_node("Relu", "relu", &["convolved"], &["features"], &[]);
    model.add_node("GlobalAveragePool", "pool", &["features"], &["pooled"], &[]);
    model.add_node("Flatten", "flatten", &["pooled"], &["flat"], &[]);
    model.add_node("Gemm", "up", &["flat", "square"], &["hidden"], &[("transB", Attr::Int(1))]);
    if tied {
        model.add_node("Gemm", "down", &["hidden", "square"], &["logits"], &[]);
    } else {
        model.add_node("Relu", "bend", &["hidden"], &["bent"], &[]);
        model.add_node("Gemm", "down", &["bent", "other"], &["logits"], &[]);
    }
    model.add_output("logits", Some(DType::F32), None);
    model
}

/// The model in a file of its own, opened.
fn open(model: &Model, options: &Options) -> gstgradcam::Result<Explainer> {
    let (_folder, path) = save(model);
    Explainer::open(&path, options)
}

fn save(model: &Model) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, model.to_bytes().unwrap()).unwrap();
    (folder, path)
}

/// The maps of all classes on noise, a row each.
fn maps(explainer: &mut Explainer) -> Array2<f32> {
    let shape = explainer.input_shape().to_vec();
    let input = ArrayD::from_shape_vec(shape.clone(), noise(&shape, 9)).unwrap();
    let targets: Vec<Target> = (0..CLASSES).map(Target::Class).collect();
    let everywhere = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
    let seen = explainer.explain_tensor(input.view(), &targets, everywhere).unwrap();
    let cells = seen.maps[0].map.len();
    let all: Vec<f32> = seen.maps.iter().flat_map(|one| one.map.iter().copied()).collect();
    Array2::from_shape_vec((CLASSES, cells), all).unwrap()
}
