//! Quantisers, in steps much finer than a finite difference, so that it sees the slope between them, and saturation at +-1.6.

use gstgradcam::onnx::{DType, Data};

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    let middle = |n: usize| Data::Raw(DType::named("uint16"), 32768u16.to_le_bytes().repeat(n));
    let there_and_back = |case: Case| {
        case.makes(&["q"]).then("DequantizeLinear").reads(&["q", "w0", "w1"]).opset(21).kinks(&[-1.6384, 1.6384])
    };
    let each = op("QuantizeLinear").floats(&[4], &[5e-5; 4]).constant(&[4], middle(4)).int("axis", 1);
    let all = op("QuantizeLinear").floats(&[], &[5e-5]).constant(&[], middle(1));
    vec![
        there_and_back(all).makes(&["d"]).then("Tanh").reads(&["d"]),
        there_and_back(each).int("axis", 1).makes(&["d"]).then("Tanh").reads(&["d"]).note("a scale for each channel"),
    ]
}
