//! The demo model, made in Rust, against the same weights run by torch in float64 (`tests/data/lite0_reference.py`).

use std::path::Path;

use gstgradcam::engine::{Config, Engine, Input, Output};
use ndarray::Array4;

/// The eight highest logits and the lowest one: class, value.
const REFERENCE: [(usize, f32); 9] = [
    (506, 11.3493),
    (522, 5.93983),
    (729, 5.35651),
    (646, 4.68335),
    (109, 4.62999),
    (818, 4.54509),
    (584, 4.53664),
    (723, 4.51827),
    (763, -5.36831),
];

#[test]
fn logits_equal_torchs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/efficientnet-lite0.onnx");
    let model = std::fs::read(&path).expect("this test needs the demo model: run `make model` first");
    let mut engine = Engine::new(&model, &Config { library: Some(crate::library()), ..Config::default() }).unwrap();
    let pixel = |c, y, x| (((x * y / 16 + 60 * c) % 256) as f32 - 127.0) / 128.0;
    let picture = Array4::from_shape_fn((1, 3, 224, 224), |(_, c, y, x)| pixel(c, y, x)).into_dyn();
    let made = engine.run(&[("input", Input::F32(picture.view()))], &["logits"]).unwrap();
    let Output::F32(logits) = &made[0] else { panic!("{made:?}") };
    assert_eq!(logits.shape(), [1, 1000]);
    for (class, value) in REFERENCE {
        let got = logits[[0, class]];
        assert!((got - value).abs() <= 1e-4, "class {class}: {got} instead of {value}");
    }
}
