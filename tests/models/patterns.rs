//! Layers of every layout, each in a tiny network of one block: tokens beside class and register tokens, windows and shifts,
//! MaxViT's grid, convolutions before and behind attention, channels last. What is found, its gradient (the library's own
//! check), and which cell is whose: of a picture that is dark but for one place, only that place's cell has activations.

use gstgradcam::onnx::{Attr, Tensor};

use super::blocks::{C, H, Net, PATCH, W};
use super::*;

#[test]
fn vit_with_a_class_token() {
    let mut net = Net::new();
    let (x, class) = (net.patches(), net.learnt(1));
    let x = net.concat(&[&class, &x], 1);
    let (norm1, x) = net.block(&x);
    net.read_token(&x, 0);
    net.found_in_place(&norm1, "4x6 (height x width), tokens beside 1 class token");
}

#[test]
fn registers_before_and_behind() {
    for (before, behind) in [(4, 0), (0, 4), (1, 2)] {
        let mut net = Net::new();
        let mut x = net.patches();
        if before > 0 {
            let tokens = net.learnt(before);
            x = net.concat(&[&tokens, &x], 1);
        }
        if behind > 0 {
            let tokens = net.learnt(behind);
            x = net.concat(&[&x, &tokens], 1);
        }
        let class = net.learnt(1);
        let x = net.concat(&[&class, &x], 1);
        let (norm1, x) = net.block(&x);
        net.read_token(&x, 0);
        let words = format!("4x6 (height x width), tokens beside {} class or register tokens", before + behind + 1);
        net.found_in_place(&norm1, &words);
    }
}

#[test]
fn vit_that_reads_the_mean() {
    let mut net = Net::new();
    let x = net.patches();
    let (norm1, x) = net.block(&x);
    net.read_mean(&x, &[1]);
    net.found_in_place(&norm1, "4x6 (height x width), tokens");
}

#[test]
fn normalisation_by_its_parts() {
    let mut net = Net::new();
    let (x, class) = (net.patches(), net.learnt(1));
    let x = net.concat(&[&class, &x], 1);
    let norm1 = net.norm_in_parts(&x);
    let y = net.attention(&norm1, 3);
    let x = net.add(&x, &y);
    let x = net.mlp(&x);
    net.read_token(&x, 0);
    net.found_in_place(&norm1, "4x6 (height x width), tokens beside 1 class token");
}

/// CaiT: only the class token asks, of all tokens.
#[test]
fn class_attention() {
    let mut net = Net::new();
    let (x, class) = (net.patches(), net.learnt(1));
    let all = net.concat(&[&class, &x], 1);
    let norm1 = net.norm(&all);
    let asking = net.slice(&norm1, 1, 0, 1);
    let q = net.linear(&asking, C, C);
    let [k, v] = [(); 2].map(|()| net.linear(&norm1, C, C));
    let k = net.turn(&k, &[0, 2, 1]);
    let likeness = net.node("MatMul", &[&q, &k], &[]);
    let shares = net.node("Softmax", &[&likeness], &[("axis", Attr::Int(-1))]);
    let seen = net.node("MatMul", &[&shares, &v], &[]);
    let class = net.add(&class, &seen);
    let class = net.mlp(&class);
    net.read_token(&class, 0);
    net.found_in_place(&norm1, "4x6 (height x width), tokens beside 1 class token");
}

/// Attention within windows of 2x3, channels last, behind a cyclic shift of one row and two columns where asked.
fn swin(net: &mut Net, x: &str, shift: bool) -> String {
    let roll = |net: &mut Net, x: &str, axis: i64, by: i64| {
        let (end, start) = (net.slice(x, axis, by, i64::MAX), net.slice(x, axis, 0, by));
        net.concat(&[&end, &start], axis)
    };
    let (h, w, c) = (H as i64, W as i64, C as i64);
    let mut x = x.to_string();
    if shift {
        x = roll(net, &x, 1, 1);
        x = roll(net, &x, 2, 2);
    }
    let x = net.reshape(&x, &[1, h / 2, 2, w / 3, 3, c]);
    let x = net.turn(&x, &[0, 1, 3, 2, 4, 5]);
    let x = net.reshape(&x, &[h / 2 * w / 3, 6, c]);
    let x = net.attention(&x, 3);
    let x = net.reshape(&x, &[1, h / 2, w / 3, 2, 3, c]);
    let x = net.turn(&x, &[0, 1, 3, 2, 4, 5]);
    let mut x = net.reshape(&x, &[1, h, w, c]);
    if shift {
        x = roll(net, &x, 1, h - 1);
        x = roll(net, &x, 2, w - 2);
    }
    x
}

#[test]
fn swin_with_and_without_shift() {
    for shift in [false, true] {
        let mut net = Net::new();
        let x = net.last();
        let norm1 = net.norm(&x);
        let y = swin(&mut net, &norm1, shift);
        let x = net.add(&x, &y);
        let x = net.mlp(&x);
        let x = net.norm(&x);
        net.read_mean(&x, &[1, 2]);
        net.found_in_place(&norm1, "4x6 (height x width), channels last");
    }
}

/// Swin v2 normalises what attention gives: that is the layer, and windows and shift are undone in it.
#[test]
fn swin_v2_normalises_behind_its_attention() {
    let mut net = Net::new();
    let x = net.last();
    let y = swin(&mut net, &x, true);
    let norm1 = net.norm(&y);
    let x = net.add(&x, &norm1);
    let x = net.mlp(&x);
    net.read_mean(&x, &[1, 2]);
    net.found(&norm1, "4x6 (height x width), channels last");
}

/// The tensor between shift and windows, asked for by name, is no grid: its rows are out of order.
#[test]
fn a_shifted_grid_is_none() {
    let mut net = Net::new();
    let x = net.last();
    let norm1 = net.norm(&x);
    let y = swin(&mut net, &norm1, true);
    let x = net.add(&x, &y);
    net.read_mean(&x, &[1, 2]);
    let rolled = net.model.nodes().find(|n| n.op() == "Concat").expect("the shift").outputs()[0].clone();
    let asked = Options { target_layer: Some(rolled.clone()), ..options() };
    refusal_with("a shifted grid", &bytes(&net.model), &asked, &[&rolled, "no layer with a spatial grid"]);
}

/// MaxViT's grid: what lies two rows and three columns apart attends to each other.
#[test]
fn maxvit_grid_attention() {
    let mut net = Net::new();
    let x = net.last();
    let norm1 = net.norm(&x);
    let (h, w, c) = (H as i64, W as i64, C as i64);
    let y = net.reshape(&norm1, &[1, 2, h / 2, 2, w / 2, c]);
    let y = net.turn(&y, &[0, 2, 4, 1, 3, 5]);
    let y = net.reshape(&y, &[h / 2 * w / 2, 4, c]);
    let y = net.attention(&y, 3);
    let y = net.reshape(&y, &[1, h / 2, w / 2, 2, 2, c]);
    let y = net.turn(&y, &[0, 3, 1, 4, 2, 5]);
    let y = net.reshape(&y, &[1, h, w, c]);
    let x = net.add(&x, &y);
    let x = net.mlp(&x);
    net.read_mean(&x, &[1, 2]);
    net.found_in_place(&norm1, "4x6 (height x width), channels last");
}

/// Convolutions and pooling make the tokens.
#[test]
fn a_hybrid_network() {
    let mut net = Net::new();
    let x = net.conv("x", 3, 4, 1);
    let x = net.node("Relu", &[&x], &[]);
    let size = [net::ints("kernel_shape", &[2, 2]), net::ints("strides", &[2, 2])];
    let x = net.node("MaxPool", &[&x], &size);
    let x = net.conv(&x, 4, C, 1);
    let (x, class) = (net.tokens(&x), net.learnt(1));
    let x = net.concat(&[&class, &x], 1);
    let (norm1, x) = net.block(&x);
    net.read_token(&x, 0);
    net.found_in_place(&norm1, "4x6 (height x width), tokens beside 1 class token");
}

/// MobileViT: attention with convolutions behind it; the last of them is the layer.
#[test]
fn convolutions_behind_attention() {
    let mut net = Net::new();
    let x = net.patches();
    let (_, x) = net.block(&x);
    let x = net.turn(&x, &[0, 2, 1]);
    let x = net.reshape(&x, &[1, C as i64, H as i64, W as i64]);
    let x = net.conv(&x, C, C, 1);
    let x = net.node("Relu", &[&x], &[]);
    net.read_mean(&x, &[2, 3]);
    net.found(&x, "4x6 (height x width), channels first");
}

/// tf2onnx: a picture with its channels last, transposed before each convolution and back behind it.
#[test]
fn channels_last_as_keras_has_them() {
    for dense in [false, true] {
        let mut net = Net::of(&[1, H * PATCH, W * PATCH, 3]);
        let x = net.turn("x", &[0, 3, 1, 2]);
        let x = net.conv(&x, 3, C, PATCH);
        let x = net.turn(&x, &[0, 2, 3, 1]);
        let x = net.node("LeakyRelu", &[&x], &[]);
        // a Dense layer works on the last axis
        let x = if dense { net.linear(&x, C, C) } else { x };
        let x = net.node("LeakyRelu", &[&x], &[]);
        net.read_mean(&x, &[1, 2]);
        net.found_in_place(&x, "4x6 (height x width), channels last");
    }
}

/// Behind a layer scale as training begins with, float32 shows next to nothing of the layer: right all the same.
#[test]
fn a_gradient_too_small_for_differences_is_no_wrong_one() {
    let mut net = Net::new();
    let (x, class) = (net.patches(), net.learnt(1));
    let x = net.concat(&[&class, &x], 1);
    let norm1 = net.norm(&x);
    let y = net.attention(&norm1, 3);
    let scale = net.fresh();
    net.model.add_initializer(&scale, &Tensor::f32(&[C], vec![1e-6; C]));
    let y = net.node("Mul", &[&y, &scale], &[]);
    let x = net.add(&x, &y);
    let x = net.mlp(&x);
    net.read_token(&x, 0);
    let explainer = open(&net.model);
    assert_eq!(explainer.info().layer, norm1);
    let check = explainer.info().self_check.clone().expect("it was made").to_string();
    assert!(check.contains("too small"), "{check}");
}
