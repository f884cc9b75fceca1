//! The demo model with other weights, and its picture in another type.

use std::collections::HashMap;

use gstgradcam::onnx::{Attr, DType, Data, Model, Node, Tensor};
use half::{bf16, f16};

use crate::support;

pub fn demo() -> Model {
    Model::load(&support::demo_model()).expect("the demo model is read")
}

/// Adds a node again, over these tensors.
pub fn copy(to: &mut Model, node: &Node, inputs: &[&str], outputs: &[&str]) {
    let ints = ["kernel_shape", "pads", "strides", "dilations"].map(|name| (name, node.ints(name)));
    let mut attrs: Vec<(&str, Attr)> =
        ints.into_iter().filter_map(|(name, v)| Some((name, Attr::Ints(v?.to_vec())))).collect();
    match node.op().as_str() {
        "Conv" => attrs.push(("group", Attr::Int(node.int("group", 1)))),
        "Gemm" => attrs.push(("transB", Attr::Int(node.int("transB", 0)))),
        "Clip" | "Add" | "GlobalAveragePool" | "Flatten" => {}
        other => panic!("the demo model has no {other}"),
    }
    to.add_node(&node.op(), node.name(), inputs, outputs, &attrs);
}

/// An empty model with the same notes, of an opset that quantises to 16 bits too; the operators in it are the same there.
pub fn begin(from: &Model) -> Model {
    let mut to = Model::new(21);
    from.metadata().iter().for_each(|(key, value)| to.set_metadata(key, value));
    to
}

/// All weights as they are.
pub fn weights(from: &Model) -> Vec<(String, Tensor)> {
    from.initializers().map(|(name, _)| (name.to_string(), from.initializer(name).expect("float32"))).collect()
}

/// All nodes again, over tensors that may have other names now.
pub fn nodes(from: &Model, to: &mut Model, renamed: &HashMap<String, String>) {
    for node in from.nodes() {
        let inputs: Vec<&str> = node.inputs().iter().map(|x| renamed.get(x).unwrap_or(x).as_str()).collect();
        let outputs: Vec<&str> = node.outputs().iter().map(String::as_str).collect();
        copy(to, &node, &inputs, &outputs);
    }
}

/// Float values in another float type.
pub fn as_type(dtype: DType, tensor: &Tensor) -> Tensor {
    let values = tensor.as_f32().expect("float32").iter();
    let bytes = match dtype {
        DType::F16 => values.flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
        DType::BF16 => values.flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect(),
        DType::F64 => values.flat_map(|&x| f64::from(x).to_le_bytes()).collect(),
        other => panic!("no conversion to {}", other.name()),
    };
    Tensor { shape: tensor.shape.clone(), data: Data::Raw(dtype, bytes) }
}

/// Everything in another float type, input and output too.
pub fn graph_in(dtype: DType, from: &Model) -> Model {
    let mut to = begin(from);
    let (input, output) = (from.inputs().remove(0), from.outputs().remove(0));
    to.add_input(&input.name, dtype, &input.shape.expect("a shape"));
    weights(from).iter().for_each(|(name, tensor)| to.add_initializer(name, &as_type(dtype, tensor)));
    nodes(from, &mut to, &HashMap::new());
    to.add_output(&output.name, Some(dtype), None);
    to
}

/// Float32 inside, weights kept as float16 behind a Cast.
pub fn weights_as_float16(from: &Model) -> Model {
    stored(from, |to, name, tensor, now| {
        to.add_initializer(&format!("{name}.half"), &as_type(DType::F16, tensor));
        to.add_node("Cast", &format!("{name}/Cast"), &[&format!("{name}.half")], &[now], &[("to", Attr::Int(1))]);
    })
}

/// Float32 inside, weights kept as int8, a scale for each output channel, behind a DequantizeLinear.
pub fn weights_as_int8(from: &Model) -> Model {
    stored(from, |to, name, tensor, now| {
        let (quantised, scales) = int8(tensor);
        to.add_initializer(&format!("{name}.int8"), &quantised);
        to.add_initializer(&format!("{name}.scale"), &scales);
        let inputs = [format!("{name}.int8"), format!("{name}.scale")];
        let inputs = inputs.each_ref().map(String::as_str);
        to.add_node("DequantizeLinear", &format!("{name}/DQ"), &inputs, &[now], &[("axis", Attr::Int(0))]);
    })
}

fn stored(from: &Model, keep: impl Fn(&mut Model, &str, &Tensor, &str)) -> Model {
    let mut to = begin(from);
    let (input, output) = (from.inputs().remove(0), from.outputs().remove(0));
    to.add_input(&input.name, DType::F32, &input.shape.expect("a shape"));
    let mut renamed = HashMap::new();
    for (name, tensor) in weights(from) {
        if tensor.shape.len() < 2 {
            to.add_initializer(&name, &tensor);
            continue;
        }
        let now = format!("{name}.float");
        keep(&mut to, &name, &tensor, &now);
        renamed.insert(name, now);
    }
    nodes(from, &mut to, &renamed);
    to.add_output(&output.name, Some(DType::F32), None);
    to
}

/// int8 values and a scale for each entry of axis 0; zero is zero.
pub fn int8(tensor: &Tensor) -> (Tensor, Tensor) {
    let values = tensor.as_f32().expect("float32");
    let rows = || values.chunks(values.len() / tensor.shape[0]);
    let scales: Vec<f32> = rows().map(|row| row.iter().fold(1e-8f32, |m, x| m.max(x.abs())) / 127.0).collect();
    let bytes = rows().zip(&scales).flat_map(|(row, &s)| row.iter().map(move |x| (x / s).round() as i8 as u8));
    let quantised = Tensor { shape: tensor.shape.clone(), data: Data::Raw(DType::I8, bytes.collect()) };
    (quantised, Tensor::f32(&[tensor.shape[0]], scales))
}

/// uint8 pixels in, channels last; the model makes of them what it was trained on.
pub fn with_pixels(from: &Model) -> Model {
    let mut to = Model::new(from.opset());
    let (input, output) = (from.inputs().remove(0), from.outputs().remove(0));
    let Some([n, c, h, w]) = input.shape.and_then(|shape| <[_; 4]>::try_from(shape).ok()) else { panic!("a picture") };
    to.add_input("pixels", DType::U8, &[n, h, w, c]);
    to.add_node("Cast", "to_float", &["pixels"], &["floats"], &[("to", Attr::Int(1))]);
    let perm = ("perm", Attr::Ints(vec![0, 3, 1, 2]));
    to.add_node("Transpose", "to_channels_first", &["floats"], &["turned"], &[perm]);
    to.add_initializer("mean", &Tensor::f32(&[], vec![127.0]));
    to.add_initializer("std", &Tensor::f32(&[], vec![128.0]));
    to.add_node("Sub", "less_mean", &["turned", "mean"], &["centred"], &[]);
    to.add_node("Div", "by_std", &["centred", "std"], &["normal"], &[]);
    weights(from).iter().for_each(|(name, tensor)| to.add_initializer(name, tensor));
    nodes(from, &mut to, &HashMap::from([(input.name, "normal".to_string())]));
    to.add_output(&output.name, Some(DType::F32), None);
    to
}
