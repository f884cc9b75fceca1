//! Tiny ONNX models whose maps are known beforehand.

use std::path::PathBuf;

use gstgradcam::onnx::{Attr, DType, Model, Tensor};
use tempfile::TempDir;

use crate::raw::{self, Message, edit, edit_weight, graph, pair, tensor};

/// A model in a folder of its own, which goes with it.
pub struct OnDisk {
    pub dir: TempDir,
    pub path: PathBuf,
}

pub fn save(model: &Model) -> OnDisk {
    save_as(model, "model.onnx")
}

pub fn save_as(model: &Model, name: &str) -> OnDisk {
    save_bytes(&model.to_bytes().unwrap(), name)
}

pub fn save_bytes(bytes: &[u8], name: &str) -> OnDisk {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    OnDisk { dir, path }
}

/// Two classes: the map of "bright" is the picture's brightness, that of "dark" its negative, on an 8x8 grid. On a
/// picture half white and half black "bright" is just the better one.
pub fn sides() -> Model {
    let third = 1.0 / 3.0;
    pointwise(&[("bright", [third; 3], 0.0), ("dark", [-third; 3], 0.9)], "input", Model::new(17))
}

/// "bright" and "dark" among five classes.
pub fn five() -> Model {
    let third = 1.0 / 3.0;
    let [r, g, b] = [[third, 0.0, 0.0], [0.0, third, 0.0], [0.0, 0.0, third]];
    let classes =
        [("red", r, 0.0), ("green", g, 0.0), ("bright", [third; 3], 0.0), ("blue", b, 0.0), ("dark", [-third; 3], 0.9)];
    pointwise(&classes, "input", Model::new(17))
}

/// As [`sides`], with half a megabyte of weights.
pub fn heavy() -> Model {
    let mut model = sides();
    model.add_initializer("wide.weight", &Tensor::f32(&[2, 62_500], vec![1e-3; 125_000]));
    model.add_node("MatMul", "wide", &["scores", "wide.weight"], &["widened"], &[]);
    model.add_node("ReduceMax", "most", &["widened"], &["largest"], &[]);
    model.add_node("Add", "join", &["scores", "largest"], &["joined"], &[]);
    model.keep_outputs(&["joined"]);
    model
}

/// As [`sides`], but on pictures brighter than three quarters the scores are not numbers.
pub fn not_a_number() -> Model {
    let mut model = Model::new(17);
    model.add_initializer("limit", &Tensor::f32(&[1], vec![0.75]));
    model.add_node("Sub", "headroom", &["limit", "input"], &["room"], &[]);
    model.add_node("Sqrt", "root", &["room"], &["rooted"], &[]);
    pointwise(&[("bright", [1.0; 3], 0.0), ("dark", [0.5; 3], 0.0)], "rooted", model)
}

/// As [`sides`], but on pictures brighter than three quarters the scores and the maps are infinite.
pub fn infinite() -> Model {
    let mut model = Model::new(17);
    model.add_initializer("limit", &Tensor::f32(&[1], vec![0.75]));
    model.add_initializer("huge", &Tensor::f32(&[1], vec![f32::MAX]));
    model.add_node("Sub", "above", &["input", "limit"], &["over"], &[]);
    model.add_node("Relu", "bright", &["over"], &["lit"], &[]);
    model.add_node("Mul", "up", &["lit", "huge"], &["large"], &[]);
    model.add_node("Mul", "further", &["large", "huge"], &["larger"], &[]);
    model.add_node("Add", "join", &["input", "larger"], &["joined"], &[]);
    pointwise(&[("bright", [1.0; 3], 0.0), ("dark", [-1.0; 3], 0.9)], "joined", model)
}

/// Every weight of "nobody" is negative: nothing speaks for it.
pub fn nobody() -> Model {
    let mut model = sides();
    model.set_initializer("fc.weight", &Tensor::f32(&[2, 2], vec![1.0, -1.0, 0.0, -1.0]));
    model.set_metadata("gradcam.labels", "bright\nnobody");
    model
}

/// As [`sides`], with a staircase of very fine steps beside the scores: its derivative is zero, and yet it rises.
pub fn staircase() -> Model {
    let mut model = sides();
    model.add_initializer("fine", &Tensor::f32(&[1], vec![1e6]));
    model.add_initializer("high", &Tensor::f32(&[1], vec![3e-6]));
    model.add_node("Mul", "up", &["scores", "fine"], &["large"], &[]);
    model.add_node("Floor", "steps", &["large"], &["whole"], &[]);
    model.add_node("Mul", "down", &["whole", "high"], &["stairs"], &[]);
    model.add_node("Add", "join", &["scores", "stairs"], &["joined"], &[]);
    model.keep_outputs(&["joined"]);
    model
}

/// As [`sides`], with gigabytes that come to nothing.
pub fn bomb() -> Model {
    let mut model = sides();
    model.add_initializer("sizes", &Tensor::i64s(&[1 << 30]));
    model.add_node("ConstantOfShape", "bomb", &["sizes"], &["gigabytes"], &[]);
    model.add_node("ReduceMax", "fuse", &["gigabytes"], &["nothing"], &[]);
    model.add_node("Add", "join", &["scores", "nothing"], &["joined"], &[]);
    model.keep_outputs(&["joined"]);
    model
}

/// As [`sides`], but a loop never ends on pictures brighter than `limit`, which may be below black.
pub fn endless(limit: f32) -> Vec<u8> {
    let mut model = Model::new(13);
    model.add_initializer("limit", &Tensor::f32(&[1], vec![limit]));
    model.add_initializer("none", &Tensor::f32(&[1], vec![0.0]));
    model.add_initializer("one", &Tensor::i64s(&[1]));
    model.add_node("ReduceMean", "brightness", &["input"], &["mean"], &[("keepdims", Attr::Int(0))]);
    model.add_node("Reshape", "row", &["mean", "one"], &["mean1"], &[]);
    model.add_node("Sub", "above", &["mean1", "limit"], &["x"], &[]);
    model.add_node("Mul", "nothing", &["y", "none"], &["zero_y"], &[]);
    model.add_node("Add", "keep", &["input", "zero_y"], &["kept"], &[]);
    let third = 1.0 / 3.0;
    let model = pointwise(&[("bright", [third; 3], 0.0), ("dark", [-third; 3], 0.9)], "kept", model);
    // y from x, without end where x is positive
    let endless = Message::parse(include_bytes!("../data/endless.onnx")).inner(raw::model::GRAPH).remove(0);
    edit(&model.to_bytes().unwrap(), |g| {
        let with = |g: Message, field| endless.inner(field).into_iter().fold(g, |g, part| g.with(field, part));
        with(with(g, graph::NODE), graph::INITIALIZER)
    })
}

/// [`sides`] with the convolution's weights in a file beside it, `model.data`.
pub fn with_data_outside() -> OnDisk {
    let bytes = edit_weight(&sides().to_bytes().unwrap(), "conv.weight", |t| {
        let bare = t.without(tensor::RAW).with(tensor::LOCATION, 1);
        bare.with(tensor::EXTERNAL, pair("location", "model.data"))
    });
    let saved = save_bytes(&bytes, "model.onnx");
    let weights = [[1.0f32 / 3.0; 3], [-1.0 / 3.0; 3]].concat();
    let data: Vec<u8> = weights.iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(saved.dir.path().join("model.data"), data).unwrap();
    saved
}

/// "green" lights up on pure green only, "dim" above 24 % grey: they tell colour matrices and ranges apart.
pub fn colours() -> Model {
    pointwise(&[("green", [-1.0, 1.0, -1.0], -0.95), ("dim", [1.0, 0.0, 0.0], -0.24)], "input", Model::new(17))
}

/// One channel a class: relu(weights . pixel + bias), pooled; the scores are the pooled values.
fn pointwise(classes: &[(&str, [f32; 3], f32)], from: &str, mut model: Model) -> Model {
    let count = classes.len();
    let weights = classes.iter().flat_map(|(_, weights, _)| *weights).collect();
    let biases = classes.iter().map(|(.., bias)| *bias).collect();
    model.add_input("input", DType::F32, &[1, 3, 8, 8].map(Some));
    model.add_initializer("conv.weight", &Tensor::f32(&[count, 3, 1, 1], weights));
    model.add_initializer("conv.bias", &Tensor::f32(&[count], biases));
    model.add_node("Conv", "conv", &[from, "conv.weight", "conv.bias"], &["before"], &[]);
    model.add_node("Relu", "relu", &["before"], &["layer"], &[]);
    head(&mut model, count);
    let names: Vec<&str> = classes.iter().map(|(name, ..)| *name).collect();
    model.set_metadata("gradcam.labels", &names.join("\n"));
    model
}

/// A fully connected layer on the whole grid: for pictures of 8x8 only.
pub fn one_size() -> Model {
    let mut model = Model::new(17);
    model.add_input("input", DType::F32, &[1, 3, 8, 8].map(Some));
    model.add_initializer("conv.weight", &Tensor::f32(&[3, 3, 1, 1], vec![1.0; 9]));
    model.add_node("Conv", "conv", &["input", "conv.weight"], &["layer"], &[]);
    model.add_initializer("fc.weight", &Tensor::f32(&[192, 2], (0..384).map(|i| (i % 7) as f32 - 3.0).collect()));
    model.add_node("Flatten", "flatten", &["layer"], &["flat"], &[]);
    model.add_node("Gemm", "fc", &["flat", "fc.weight"], &["scores"], &[]);
    model.add_output("scores", Some(DType::F32), Some(&[1, 2].map(Some)));
    model
}

/// Takes about a second a frame on one thread, in several operators.
pub fn slow() -> Model {
    let mut model = Model::new(17);
    model.add_input("input", DType::F32, &[1, 3, 384, 384].map(Some));
    let (mut from, mut channels) = ("input".to_string(), 3);
    for i in 0..6 {
        let (weight, to) = (format!("conv{i}.weight"), if i == 5 { "layer".into() } else { format!("grid{i}") });
        let values = (0..64 * channels * 9).map(|n| ((n % 13) as f32 - 6.0) * 0.01).collect();
        model.add_initializer(&weight, &Tensor::f32(&[64, channels, 3, 3], values));
        let pads = [("pads", Attr::Ints(vec![1; 4]))];
        model.add_node("Conv", &format!("conv{i}"), &[&from, &weight], &[&to], &pads);
        (from, channels) = (to, 64);
    }
    head(&mut model, 64);
    model
}

/// Global average pooling and a linear layer that passes its input on: "layer" [1, n, h, w] to "scores" [1, n].
fn head(model: &mut Model, n: usize) {
    let unit = (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect();
    model.add_initializer("fc.weight", &Tensor::f32(&[n, n], unit));
    model.add_node("GlobalAveragePool", "pool", &["layer"], &["pooled"], &[]);
    model.add_node("Flatten", "flatten", &["pooled"], &["flat"], &[]);
    model.add_node("Gemm", "fc", &["flat", "fc.weight"], &["scores"], &[]);
    model.add_output("scores", Some(DType::F32), Some(&[1, n].map(Some)));
}
