//! The check must be able to fail: models that were tampered with.

use super::*;
use crate::explain::{Found, Opening, Options};
use crate::onnx::{Attr, Tensor};

/// Conv - Relu - GlobalAveragePool - Flatten - Gemm, three classes.
fn little() -> Model {
    let values = |n: usize| (0..n).map(|i| ((i * 7 % 13) as f32 - 5.0) / 10.0).collect::<Vec<f32>>();
    let mut model = Model::new(13);
    model.add_input("x", DType::F32, &[Some(1), Some(3), Some(8), Some(8)]);
    model.add_initializer("conv.weight", &Tensor::f32(&[4, 3, 1, 1], values(12)));
    model.add_initializer("fc.weight", &Tensor::f32(&[3, 4], values(12)));
    model.add_initializer("fc.bias", &Tensor::f32(&[3], values(3)));
    model.add_node("Conv", "conv", &["x", "conv.weight"], &["before"], &[]);
    model.add_node("Relu", "relu", &["before"], &["layer"], &[]);
    model.add_node("GlobalAveragePool", "pool", &["layer"], &["pooled"], &[]);
    model.add_node("Flatten", "flatten", &["pooled"], &["flat"], &[]);
    let transposed = [("transB", Attr::Int(1))];
    model.add_node("Gemm", "fc", &["flat", "fc.weight", "fc.bias"], &["logits"], &transposed);
    model.add_output("logits", None, None);
    model
}

/// Opened without the check, and what was measured.
fn opened() -> (Explainer, Facts) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.onnx");
    std::fs::write(&path, little().to_bytes().expect("written")).expect("written");
    let beside = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/runtime")).into_iter().flatten().flatten();
    let is_library = |path: &std::path::PathBuf| path.to_string_lossy().contains("libonnxruntime.so");
    let library =
        std::env::var_os("ORT_DYLIB_PATH").map_or_else(|| beside.map(|e| e.path()).find(is_library), |_| None);
    let options = Options { self_check: false, threads: 1, runtime_library: library, ..Options::default() };
    let mut found = Found::default();
    let explainer = Explainer::open_into(&path, &options, &mut found, &Opening::default()).expect("it opens");
    (explainer, found.facts.expect("it was measured"))
}

fn refusal(result: Result<impl fmt::Debug>) -> String {
    match result {
        Err(Error::SelfCheck { why }) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_sound_model_passes_with_figures() {
    let (mut explainer, facts) = opened();
    let request = Request { method: Method::GradCam, ..Request::default() };
    let check = run(&mut explainer, &facts, &request).expect("it passes");
    assert_eq!(check.outputs, 0.0);
    assert!(matches!(check.map, MapCheck::Gradient(error) if error < 1e-2), "{check:?}");
    assert!(check.to_string().starts_with("outputs equal to the bit; gradient within "), "{check}");
}

#[test]
fn outputs_that_change_are_refused() {
    let (mut explainer, facts) = opened();
    explainer.original.set_initializer("fc.bias", &Tensor::f32(&[3], vec![0.5, 0.0, 0.0]));
    let why = refusal(run(&mut explainer, &facts, &Request { method: Method::GradCam, ..Request::default() }));
    assert!(why.contains("\"logits\" changed by"), "{why}");
}

#[test]
fn a_gradient_that_is_wrong_is_refused() {
    let (explainer, facts) = opened();
    let request = Request { with_gradient: true, target_layer: Some("layer"), ..Request::default() };
    for (factor, off) in [(1.0, false), (1.5, true), (-1.0, true), (0.5, true)] {
        let mut lowered = cam::lower(&explainer.original, &facts, "x", &request).expect("it is explained");
        lowered.model.add_initializer("wrong", &Tensor::f32(&[1], vec![factor]));
        let right = std::mem::replace(&mut lowered.names.gradient, "times".into());
        lowered.model.add_node("Mul", "wrong_rule", &[&right, "wrong"], &["times"], &[]);
        let mut noise = Noise::default();
        let input = noise.array(&explainer.shape, 1.0).expect("a picture");
        let result = gradient(&explainer, &facts, lowered, &input, &mut noise);
        if off {
            let why = refusal(result);
            assert!(why.contains("\"layer\"") && why.contains("finite differences") && why.contains("Gemm"), "{why}");
        } else {
            result.expect("a factor of one changes nothing");
        }
    }
}
