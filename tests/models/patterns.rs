//! Layers of every layout, each in a tiny network of one block: tokens beside class and register tokens, windows and shifts,
//! MaxViT's grid, convolutions before and behind attention, channels last. What is found, its gradient (the library's own
//! check), and which cell is whose: of a picture that is dark but for one place, only that place's cell has activations.

use gstgradcam::onnx::{Attr, Data, Model, Tensor};
use gstgradcam::{Explainer, Target};
use ndarray::{ArrayD, Axis, Slice};

use super::*;

/// Channels, patch, rows and columns of the grid.
const C: usize = 6;
const PATCH: usize = 2;
const H: usize = 4;
const W: usize = 6;

/// A network in the making; every step gives the name of what it made.
struct Net {
    model: Model,
    made: usize,
}

impl Net {
    /// With a picture [1, 3, 8, 12] named "x".
    fn new() -> Net {
        Net::of(&[1, 3, H * PATCH, W * PATCH])
    }

    fn of(picture: &[usize]) -> Net {
        let dims: Vec<_> = picture.iter().map(|&d| Some(d)).collect();
        Net { model: net::with_input(17, &dims), made: 0 }
    }

    fn fresh(&mut self) -> String {
        self.made += 1;
        format!("t{}", self.made)
    }

    fn node(&mut self, op: &str, inputs: &[&str], attrs: &[(&str, Attr)]) -> String {
        let name = self.fresh();
        self.model.add_node(op, &format!("{op}_{name}"), inputs, &[&name], attrs);
        name
    }

    fn weight(&mut self, shape: &[usize]) -> String {
        let name = self.fresh();
        self.model.add_initializer(&name, &net::weights(shape, self.made as u32 + 50));
        name
    }

    fn ints(&mut self, values: &[i64]) -> String {
        let name = self.fresh();
        self.model.add_initializer(&name, &Tensor::i64s(values));
        name
    }

    fn reshape(&mut self, x: &str, shape: &[i64]) -> String {
        let shape = self.ints(shape);
        self.node("Reshape", &[x, &shape], &[])
    }

    fn turn(&mut self, x: &str, perm: &[i64]) -> String {
        self.node("Transpose", &[x], &[net::ints("perm", perm)])
    }

    fn slice(&mut self, x: &str, axis: i64, start: i64, end: i64) -> String {
        let [start, end, axis] = [start, end, axis].map(|v| self.ints(&[v]));
        self.node("Slice", &[x, &start, &end, &axis], &[])
    }

    fn concat(&mut self, parts: &[&str], axis: i64) -> String {
        self.node("Concat", parts, &[("axis", Attr::Int(axis))])
    }

    /// Kernel and stride alike, no bias, so that a dark place stays dark.
    fn conv(&mut self, x: &str, from: usize, to: usize, kernel: usize) -> String {
        let w = self.weight(&[to, from, kernel, kernel]);
        let size = [kernel as i64; 2];
        self.node("Conv", &[x, &w], &[net::ints("kernel_shape", &size), net::ints("strides", &size)])
    }

    /// Over the last axis; without a bias zero stays zero.
    fn norm(&mut self, x: &str) -> String {
        let w = self.weight(&[C]);
        self.node("LayerNormalization", &[x, &w], &[("axis", Attr::Int(-1))])
    }

    /// The same by its parts, as exporters wrote it before opset 17.
    fn norm_in_parts(&mut self, x: &str) -> String {
        let mean = [net::ints("axes", &[-1])];
        let about = self.node("ReduceMean", &[x], &mean);
        let less = self.node("Sub", &[x, &about], &[]);
        let square = self.node("Mul", &[&less, &less], &[]);
        let variance = self.node("ReduceMean", &[&square], &mean);
        let (epsilon, w, b) = (self.fresh(), self.weight(&[C]), self.fresh());
        self.model.add_initializer(&epsilon, &Tensor::f32(&[], vec![1e-5]));
        self.model.add_initializer(&b, &Tensor::f32(&[C], vec![0.0; C]));
        let above = self.node("Add", &[&variance, &epsilon], &[]);
        let deviation = self.node("Sqrt", &[&above], &[]);
        let unit = self.node("Div", &[&less, &deviation], &[]);
        let scaled = self.node("Mul", &[&unit, &w], &[]);
        self.node("Add", &[&scaled, &b], &[])
    }

    fn linear(&mut self, x: &str, from: usize, to: usize) -> String {
        let w = self.weight(&[from, to]);
        self.node("MatMul", &[x, &w], &[])
    }

    /// Self-attention over the last axis but one.
    fn attention(&mut self, x: &str, rank: i64) -> String {
        let [q, k, v] = [(); 3].map(|()| self.linear(x, C, C));
        let mut perm: Vec<i64> = (0..rank).collect();
        perm.swap(rank as usize - 1, rank as usize - 2);
        let k = self.turn(&k, &perm);
        let likeness = self.node("MatMul", &[&q, &k], &[]);
        let shares = self.node("Softmax", &[&likeness], &[("axis", Attr::Int(-1))]);
        let seen = self.node("MatMul", &[&shares, &v], &[]);
        self.linear(&seen, C, C)
    }

    fn add(&mut self, a: &str, b: &str) -> String {
        self.node("Add", &[a, b], &[])
    }

    /// x + mlp(norm(x))
    fn mlp(&mut self, x: &str) -> String {
        let y = self.norm(x);
        let y = self.linear(&y, C, 2 * C);
        let y = self.node("Sigmoid", &[&y], &[]);
        let y = self.linear(&y, 2 * C, C);
        self.add(x, &y)
    }

    /// From "x" to tokens [1, H W, C].
    fn patches(&mut self) -> String {
        let x = self.conv("x", 3, C, PATCH);
        self.tokens(&x)
    }

    fn tokens(&mut self, x: &str) -> String {
        let x = self.reshape(x, &[1, C as i64, (H * W) as i64]);
        self.turn(&x, &[0, 2, 1])
    }

    /// From "x" to [1, H, W, C].
    fn last(&mut self) -> String {
        let x = self.conv("x", 3, C, PATCH);
        self.turn(&x, &[0, 2, 3, 1])
    }

    /// A block as in ViT; its norm1, and what leaves it.
    fn block(&mut self, x: &str) -> (String, String) {
        let norm1 = self.norm(x);
        let y = self.attention(&norm1, 3);
        let x = self.add(x, &y);
        (norm1, self.mlp(&x))
    }

    /// [1, n, C] of tokens that no picture makes.
    fn learnt(&mut self, n: usize) -> String {
        self.weight(&[1, n, C])
    }

    /// The class token's score.
    fn read_token(&mut self, x: &str, at: i64) {
        let x = self.norm(x);
        let index = self.fresh();
        self.model.add_initializer(&index, &Tensor { shape: vec![], data: Data::I64(vec![at]) });
        let x = self.node("Gather", &[&x, &index], &[("axis", Attr::Int(1))]);
        self.score(&x);
    }

    /// The score of the mean over these axes.
    fn read_mean(&mut self, x: &str, axes: &[i64]) {
        let x = self.node("ReduceMean", &[x], &[net::ints("axes", axes), ("keepdims", Attr::Int(0))]);
        self.score(&x);
    }

    fn score(&mut self, x: &str) {
        net::linear(&mut self.model, x, "logits", net::CLASSES);
        net::output(&mut self.model, "logits");
    }

    /// Opened: at that layer, on that grid.
    fn found(&self, layer: &str, grid: &str) -> Explainer {
        let explainer = open(&self.model);
        let info = explainer.info();
        assert_eq!((info.layer.as_str(), info.grid.as_str()), (layer, grid));
        let check = info.self_check.clone().expect("it was made");
        assert!(check.contains("of finite differences"), "{check}");
        explainer
    }

    /// As [`Net::found`], where every cell has its own place of the picture.
    fn found_in_place(&self, layer: &str, grid: &str) {
        each_place_has_its_cell(&mut self.found(layer, grid));
    }
}

/// Lights one place after the other; some class has a map then, and it is zero in every other cell.
fn each_place_has_its_cell(explainer: &mut Explainer) {
    let shape = explainer.input_shape().to_vec();
    let (rows, columns) = if shape[1] == 3 { (2, 3) } else { (1, 2) };
    let classes: Vec<Target> = (0..net::CLASSES).map(Target::Class).collect();
    for (i, j) in (0..H).flat_map(|i| (0..W).map(move |j| (i, j))) {
        let mut lit = ArrayD::zeros(shape.clone());
        let within = |at: usize| Slice::from(at * PATCH..(at + 1) * PATCH);
        let light = picture(&shape);
        lit.slice_axis_mut(Axis(rows), within(i))
            .slice_axis_mut(Axis(columns), within(j))
            .assign(&light.slice_axis(Axis(rows), within(i)).slice_axis(Axis(columns), within(j)));
        let maps = run(explainer, &lit, &classes).expect("it runs");
        let mut seen = 0;
        for map in maps.iter().map(|m| &m.map).filter(|map| map.iter().any(|&x| x != 0.0)) {
            assert_eq!(map.dim(), (H, W));
            let most = map.iter().fold(0.0f32, |m, &x| m.max(x));
            for ((row, column), &x) in map.indexed_iter() {
                assert!((row, column) == (i, j) || x <= 1e-5 * most, "{i},{j} lights {row},{column}: {map}");
            }
            seen += 1;
        }
        assert!(seen > 0, "no class has a map where {i},{j} is lit");
    }
}

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
        let x = net.node("Relu", &[&x], &[]);
        // a Dense layer works on the last axis
        let x = if dense { net.linear(&x, C, C) } else { x };
        let x = net.node("Relu", &[&x], &[]);
        net.read_mean(&x, &[1, 2]);
        net.found_in_place(&x, "4x6 (height x width), channels last");
    }
}

/// tf2onnx leaves behind inputs that nothing reads.
#[test]
fn inputs_that_nothing_reads_are_left_out() {
    let mut model = net::little();
    model.add_input("Sub/y:0", gstgradcam::onnx::DType::F32, &[Some(1), Some(1), Some(1), Some(3)]);
    let explainer = open(&model);
    assert_eq!(explainer.info().input, "x");
    let warning = explainer.info().warnings.iter().find(|w| w.contains("Sub/y:0")).expect("it says so").clone();
    assert!(warning.contains("nothing in the model reads"), "{warning}");
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
    let check = explainer.info().self_check.clone().expect("it was made");
    assert!(check.contains("too small"), "{check}");
}
