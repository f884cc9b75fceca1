//! What several test binaries need: where the runtime, the demo model and the shared pictures are.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use gstgradcam::onnx::{Attr, DType, Model, Tensor};
use gstgradcam::{Explainer, Options};

/// The project's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `../shared/data`, if it is there; says so where it is not.
pub fn shared() -> Option<PathBuf> {
    let folder = root().join("../shared/data");
    if !folder.exists() {
        println!("not run: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

/// ONNX Runtime as `make runtime` lays it down; `None` leaves the search to the library.
pub fn runtime() -> Option<PathBuf> {
    if std::env::var_os("ORT_DYLIB_PATH").is_some() {
        return None;
    }
    let found = std::fs::read_dir(root().join("runtime")).ok()?.filter_map(|e| Some(e.ok()?.path()));
    found.filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("libonnxruntime.so"))).max()
}

/// OpenVINO's plugin as `make openvino` lays it down; says so where it is not there.
pub fn openvino() -> Option<PathBuf> {
    let library = root().join("runtime/openvino/libonnxruntime_providers_openvino_plugin.so");
    if !library.exists() {
        println!("not run: {} is not there; `make openvino` fetches it", library.display());
        return None;
    }
    Some(library)
}

/// The demo model.
pub fn demo_model() -> PathBuf {
    let path = root().join("models/efficientnet-lite0.onnx");
    assert!(path.exists(), "{path:?} is missing: run `make model`");
    path
}

/// The demo model, opened.
pub fn demo(options: Options) -> Explainer {
    Explainer::open(&demo_model(), &Options { runtime_library: runtime(), ..options }).expect("the demo model opens")
}

/// Cosine of the angle between two maps.
pub fn cosine<'a>(a: impl IntoIterator<Item = &'a f32>, b: impl IntoIterator<Item = &'a f32>) -> f64 {
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&x, &y) in a.into_iter().zip(b) {
        let (x, y) = (f64::from(x), f64::from(y));
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    ab / (aa * bb).sqrt()
}

/// The side of the input of [`colours`].
pub const SIDE: usize = 16;

/// A model of three classes: class 0 looks for red, 1 for green, 2 for blue. 1x1 Conv (each channel to its own) - Relu - GlobalAveragePool - Flatten - Gemm (the unit matrix).
pub fn colours() -> Model {
    let unit =
        |size: usize| (0..size * size).map(|i| if i / size == i % size { 1.0 } else { 0.0 }).collect::<Vec<f32>>();
    let mut model = Model::new(13);
    model.add_input("picture", DType::F32, &[Some(1), Some(3), Some(SIDE), Some(SIDE)]);
    model.add_initializer("w", &Tensor::f32(&[3, 3, 1, 1], unit(3)));
    model.add_initializer("head", &Tensor::f32(&[3, 3], unit(3)));
    let kernel = [("kernel_shape", Attr::Ints(vec![1, 1]))];
    model.add_node("Conv", "conv", &["picture", "w"], &["conv_out"], &kernel);
    model.add_node("Relu", "relu", &["conv_out"], &["seen"], &[]);
    model.add_node("GlobalAveragePool", "pool", &["seen"], &["pooled"], &[]);
    model.add_node("Flatten", "flat", &["pooled"], &["features"], &[]);
    model.add_node("MatMul", "classify", &["features", "head"], &["logits"], &[]);
    model.add_output("logits", Some(DType::F32), Some(&[Some(1), Some(3)]));
    model.set_metadata("gradcam.labels", "red, crimson\ngreen\nblue");
    model.set_metadata("gradcam.preprocess", "zero-one");
    model.set_metadata("gradcam.resize_mode", "stretch");
    model
}
