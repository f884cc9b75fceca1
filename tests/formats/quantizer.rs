//! A little static quantiser: the demo model in QDQ form, as onnxruntime's quantize_static lays it out. Activations uint8 (or uint16) with a
//! zero point, their ranges the extremes over some pictures; weights int8, a scale for each output channel; biases int32; the
//! Clips behind convolutions gone, since saturation does the same.

use std::collections::HashMap;

use gstgradcam::engine::{Config, Engine, Input, Output};
use gstgradcam::onnx::{Attr, DType, Data, Model, Tensor};
use ndarray::ArrayD;

use crate::convert::{begin, copy, int8};
use crate::support;

/// Shows every activation of each picture to `see`, by its name.
pub fn watch(model: &Model, pictures: &[ArrayD<f32>], mut see: impl FnMut(&str, &ArrayD<f32>)) {
    let input = model.inputs().remove(0).name;
    let names: Vec<String> = model.nodes().flat_map(|n| n.outputs().to_vec()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut probe = model.clone();
    probe.keep_outputs(&names);
    let config = Config { library: support::runtime(), ..Config::default() };
    let mut engine = Engine::new(&probe.to_bytes().expect("written"), &config).expect("it runs");
    for picture in pictures {
        see(&input, picture);
        let outputs = engine.run(&[(&input, Input::F32(picture.view()))], &names).expect("it runs");
        for (name, output) in names.iter().zip(outputs) {
            let Output::F32(values) = output else { panic!("{name} is not float32") };
            see(name, &values);
        }
    }
}

/// Extremes of every activation, zero within them.
fn ranges(model: &Model, pictures: &[ArrayD<f32>]) -> HashMap<String, (f32, f32)> {
    let mut ranges: HashMap<String, (f32, f32)> = HashMap::new();
    watch(model, pictures, |name, values| {
        let range = ranges.entry(name.into()).or_default();
        *range = values.iter().fold(*range, |(low, high), &x| (low.min(x), high.max(x)));
    });
    ranges
}

struct Quantizer<'a> {
    from: &'a Model,
    to: Model,
    wide: bool,
    ranges: HashMap<String, (f32, f32)>,
    /// Scale of each activation by its name.
    scales: HashMap<String, f32>,
}

impl Quantizer<'_> {
    /// `x` rounded to uint8 and back: QuantizeLinear and DequantizeLinear, to `to`. `like` names the range.
    fn around(&mut self, x: &str, to: &str, like: &str) {
        let (low, high) = self.ranges[like];
        let steps = if self.wide { 65535.0 } else { 255.0 };
        let scale = ((high - low) / steps).max(1e-8);
        let zero = (-low / scale).round() as u16;
        let zero = if self.wide {
            Data::Raw(DType::named("uint16"), zero.to_le_bytes().to_vec())
        } else {
            Data::Raw(DType::U8, vec![zero as u8])
        };
        self.scales.insert(x.into(), scale);
        let [s, z, q] = ["scale", "zero_point", "quantized"].map(|what| format!("{x}_{what}"));
        self.to.add_initializer(&s, &Tensor::f32(&[], vec![scale]));
        self.to.add_initializer(&z, &Tensor { shape: vec![], data: zero });
        self.to.add_node("QuantizeLinear", &format!("{x}_QuantizeLinear"), &[x, &s, &z], &[&q], &[]);
        self.to.add_node("DequantizeLinear", &format!("{x}_DequantizeLinear"), &[&q, &s, &z], &[to], &[]);
    }

    /// A weight as int8 behind a DequantizeLinear of its own; its scales.
    fn weight(&mut self, name: &str) -> Vec<f32> {
        let (quantised, scales) = int8(&self.from.initializer(name).expect("float32"));
        self.dequantised(name, &quantised, &scales);
        scales.as_f32().expect("float32").to_vec()
    }

    /// A bias as int32 in steps of what the sums of products come in.
    fn bias(&mut self, name: &str, input_scale: f32, weight_scales: &[f32]) {
        let bias = self.from.initializer(name).expect("float32");
        let scales: Vec<f32> = weight_scales.iter().map(|s| s * input_scale).collect();
        let steps = bias.as_f32().expect("float32").iter().zip(&scales).map(|(b, s)| (b / s).round() as i32);
        let bytes = steps.flat_map(i32::to_le_bytes).collect();
        let steps = Tensor { shape: bias.shape.clone(), data: Data::Raw(DType::I32, bytes) };
        self.dequantised(name, &steps, &Tensor::f32(&bias.shape, scales));
    }

    fn dequantised(&mut self, name: &str, values: &Tensor, scales: &Tensor) {
        let [q, s] = ["quantized", "scale"].map(|what| format!("{name}_{what}"));
        self.to.add_initializer(&q, values);
        self.to.add_initializer(&s, scales);
        let axis = [("axis", Attr::Int(0))];
        self.to.add_node("DequantizeLinear", &format!("{name}_DequantizeLinear"), &[&q, &s], &[name], &axis);
    }
}

/// The model in QDQ form, its ranges taken from these pictures; `wide` makes the activations uint16.
pub fn qdq(from: &Model, pictures: &[ArrayD<f32>], wide: bool) -> Model {
    let (input, output) = (from.inputs().remove(0), from.outputs().remove(0));
    let mut q = Quantizer { from, to: begin(from), wide, ranges: ranges(from, pictures), scales: HashMap::new() };
    q.to.add_input(&input.name, DType::F32, &input.shape.expect("a shape"));
    // what a tensor of the model is called where it is read, and what it is made of
    let mut read: HashMap<String, String> = HashMap::new();
    let back = |x: &str| format!("{x}_DequantizeLinear_Output");
    q.around(&input.name, &back(&input.name), &input.name);
    read.insert(input.name.clone(), back(&input.name));
    let nodes: Vec<_> = from.nodes().collect();
    for node in &nodes {
        let (x, y) = (&node.inputs()[0], &node.outputs()[0]);
        let clip = nodes.iter().find(|n| n.op() == "Clip" && n.inputs()[0] == *y);
        if node.op() == "Clip" {
            continue;
        }
        let made = clip.map_or(y, |clip| &clip.outputs()[0]).as_str();
        if matches!(node.op().as_str(), "Conv" | "Gemm") {
            let scales = q.weight(&node.inputs()[1]);
            q.bias(&node.inputs()[2], q.scales[x], &scales);
        }
        let inputs: Vec<&str> = node.inputs().iter().map(|x| read.get(x).unwrap_or(x).as_str()).collect();
        // the last one is made under another name, so that the output keeps its own
        let (whole, rounded) = if made == output.name {
            (format!("{made}_float"), made.to_string())
        } else {
            (made.to_string(), back(made))
        };
        copy(&mut q.to, node, &inputs, &[&whole]);
        q.around(&whole, &rounded, made);
        q.scales.insert(made.into(), q.scales[&whole]);
        read.insert(made.into(), rounded);
    }
    q.to.add_output(&output.name, Some(DType::F32), None);
    q.to
}
