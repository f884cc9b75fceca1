//! A tiny ONNX classifier: what it sees is known beforehand, and it costs nothing.

use std::path::PathBuf;

use gstgradcam::onnx::{DType, Model, Tensor};
use tempfile::TempDir;

/// A model in a folder of its own, which goes with it.
pub struct OnDisk {
    _dir: TempDir,
    pub path: PathBuf,
}

pub fn save(model: &Model) -> OnDisk {
    save_bytes(&model.to_bytes().unwrap())
}

pub fn save_bytes(bytes: &[u8]) -> OnDisk {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sides.onnx");
    std::fs::write(&path, bytes).unwrap();
    OnDisk { _dir: dir, path }
}

/// Two classes: the map of "bright" is the picture's brightness, that of "dark" its negative, on an 8x8 grid.
pub fn sides() -> Model {
    let third = 1.0 / 3.0;
    let mut model = Model::new(17);
    model.add_input("input", DType::F32, &[1, 3, 8, 8].map(Some));
    model
        .add_initializer("conv.weight", &Tensor::f32(&[2, 3, 1, 1], vec![third, third, third, -third, -third, -third]));
    model.add_initializer("conv.bias", &Tensor::f32(&[2], vec![0.0, 0.9]));
    model.add_initializer("fc.weight", &Tensor::f32(&[2, 2], vec![1.0, 0.0, 0.0, 1.0]));
    model.add_node("Conv", "conv", &["input", "conv.weight", "conv.bias"], &["before"], &[]);
    model.add_node("Relu", "relu", &["before"], &["layer"], &[]);
    model.add_node("GlobalAveragePool", "pool", &["layer"], &["pooled"], &[]);
    model.add_node("Flatten", "flatten", &["pooled"], &["flat"], &[]);
    model.add_node("Gemm", "fc", &["flat", "fc.weight"], &["scores"], &[]);
    model.add_output("scores", Some(DType::F32), Some(&[1, 2].map(Some)));
    model.set_metadata("gradcam.labels", "bright\ndark");
    model
}
