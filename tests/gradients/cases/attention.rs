//! Attention as one operator.

use gstgradcam::onnx::Data;

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    let constant =
        |x: &[usize], keys: &[usize], values: &[usize]| op("Attention").opset(23).x(x).weight(keys).weight(values);
    let four = || constant(&[1, 2, 3, 4], &[1, 2, 5, 4], &[1, 2, 5, 3]);
    let three =
        || op("Attention").opset(23).x(&[1, 3, 8]).reads(&["x", "x", "x"]).int("q_num_heads", 2).int("kv_num_heads", 2);
    vec![
        four().note("of queries"),
        four().reads(&["w0", "x", "w1"]).x(&[1, 2, 5, 4]).note("of keys"),
        four().reads(&["w0", "w0", "x"]).x(&[1, 2, 5, 3]).note("of values"),
        three().note("of itself"),
        three().opset(24).float("scale", 0.3).float("softcap", 1.5),
        three().int("is_causal", 1),
        three()
            .opset(25)
            .floats(&[3, 3], &[0.0, -1.0, 0.5, 0.3, 0.0, -2.0, 1.0, 0.1, 0.0])
            .float("softcap", 2.0)
            .note("mask"),
        three().constant(&[1, 1, 3, 3], Data::Bool(vec![true, false, true, true, true, false, true, true, true])),
        three()
            .constant(&[3, 3], Data::Bool(vec![true, false, true, false, false, false, true, true, true]))
            .note("blind"),
        op("Attention")
            .opset(24)
            .x(&[1, 4, 3, 2])
            .weight(&[1, 2, 5, 2])
            .weight(&[1, 2, 5, 2])
            .note("more heads of queries"),
        op("Slice")
            .opset(23)
            .x(&[2, 3, 12])
            .places(&[0])
            .places(&[4])
            .places(&[2])
            .makes(&["k"])
            .then("Attention")
            .reads(&["x", "k", "k"])
            .int("q_num_heads", 6)
            .int("kv_num_heads", 2)
            .note("grouped, two pictures"),
    ]
}
