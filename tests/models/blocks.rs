//! The parts of the tiny networks in `patterns`, and what is asked of each.

use gstgradcam::onnx::{Attr, Data, Model, Tensor};
use gstgradcam::{Explainer, Target};
use ndarray::{ArrayD, Axis, Slice};

use super::*;

/// Channels, patch, rows and columns of the grid.
pub const C: usize = 6;
pub const PATCH: usize = 2;
pub const H: usize = 4;
pub const W: usize = 6;
/// So many that some of them speaks for any place.
const CLASSES: usize = 40;

/// A network in the making; every step gives the name of what it made.
pub struct Net {
    pub model: Model,
    made: usize,
}

impl Net {
    /// With a picture [1, 3, 8, 12] named "x".
    pub fn new() -> Net {
        Net::of(&[1, 3, H * PATCH, W * PATCH])
    }

    pub fn of(picture: &[usize]) -> Net {
        let dims: Vec<_> = picture.iter().map(|&d| Some(d)).collect();
        Net { model: net::with_input(17, &dims), made: 0 }
    }

    pub fn fresh(&mut self) -> String {
        self.made += 1;
        format!("t{}", self.made)
    }

    pub fn node(&mut self, op: &str, inputs: &[&str], attrs: &[(&str, Attr)]) -> String {
        let name = self.fresh();
        self.model.add_node(op, &format!("{op}_{name}"), inputs, &[&name], attrs);
        name
    }

    pub fn weight(&mut self, shape: &[usize]) -> String {
        let name = self.fresh();
        self.model.add_initializer(&name, &net::weights(shape, self.made as u32 + 50));
        name
    }

    pub fn ints(&mut self, values: &[i64]) -> String {
        let name = self.fresh();
        self.model.add_initializer(&name, &Tensor::i64s(values));
        name
    }

    pub fn reshape(&mut self, x: &str, shape: &[i64]) -> String {
        let shape = self.ints(shape);
        self.node("Reshape", &[x, &shape], &[])
    }

    pub fn turn(&mut self, x: &str, perm: &[i64]) -> String {
        self.node("Transpose", &[x], &[net::ints("perm", perm)])
    }

    pub fn slice(&mut self, x: &str, axis: i64, start: i64, end: i64) -> String {
        let [start, end, axis] = [start, end, axis].map(|v| self.ints(&[v]));
        self.node("Slice", &[x, &start, &end, &axis], &[])
    }

    pub fn concat(&mut self, parts: &[&str], axis: i64) -> String {
        self.node("Concat", parts, &[("axis", Attr::Int(axis))])
    }

    /// Kernel and stride alike, no bias, so that a dark place stays dark.
    pub fn conv(&mut self, x: &str, from: usize, to: usize, kernel: usize) -> String {
        let w = self.weight(&[to, from, kernel, kernel]);
        let size = [kernel as i64; 2];
        self.node("Conv", &[x, &w], &[net::ints("kernel_shape", &size), net::ints("strides", &size)])
    }

    /// Over the last axis; without a bias zero stays zero.
    pub fn norm(&mut self, x: &str) -> String {
        let w = self.weight(&[C]);
        self.node("LayerNormalization", &[x, &w], &[("axis", Attr::Int(-1))])
    }

    /// The same by its parts, as exporters wrote it before opset 17.
    pub fn norm_in_parts(&mut self, x: &str) -> String {
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

    pub fn linear(&mut self, x: &str, from: usize, to: usize) -> String {
        let w = self.weight(&[from, to]);
        self.node("MatMul", &[x, &w], &[])
    }

    /// Self-attention over the last axis but one.
    pub fn attention(&mut self, x: &str, rank: i64) -> String {
        let [q, k, v] = [(); 3].map(|()| self.linear(x, C, C));
        let mut perm: Vec<i64> = (0..rank).collect();
        perm.swap(rank as usize - 1, rank as usize - 2);
        let k = self.turn(&k, &perm);
        let likeness = self.node("MatMul", &[&q, &k], &[]);
        let shares = self.node("Softmax", &[&likeness], &[("axis", Attr::Int(-1))]);
        let seen = self.node("MatMul", &[&shares, &v], &[]);
        self.linear(&seen, C, C)
    }

    pub fn add(&mut self, a: &str, b: &str) -> String {
        self.node("Add", &[a, b], &[])
    }

    /// x + mlp(norm(x))
    pub fn mlp(&mut self, x: &str) -> String {
        let y = self.norm(x);
        let y = self.linear(&y, C, 2 * C);
        let y = self.node("Sigmoid", &[&y], &[]);
        let y = self.linear(&y, 2 * C, C);
        self.add(x, &y)
    }

    /// From "x" to tokens [1, H W, C].
    pub fn patches(&mut self) -> String {
        let x = self.conv("x", 3, C, PATCH);
        self.tokens(&x)
    }

    pub fn tokens(&mut self, x: &str) -> String {
        let x = self.reshape(x, &[1, C as i64, (H * W) as i64]);
        self.turn(&x, &[0, 2, 1])
    }

    /// From "x" to [1, H, W, C].
    pub fn last(&mut self) -> String {
        let x = self.conv("x", 3, C, PATCH);
        self.turn(&x, &[0, 2, 3, 1])
    }

    /// A block as in ViT; its norm1, and what leaves it.
    pub fn block(&mut self, x: &str) -> (String, String) {
        let norm1 = self.norm(x);
        let y = self.attention(&norm1, 3);
        let x = self.add(x, &y);
        (norm1, self.mlp(&x))
    }

    /// [1, n, C] of tokens that no picture makes.
    pub fn learnt(&mut self, n: usize) -> String {
        self.weight(&[1, n, C])
    }

    /// The class token's score.
    pub fn read_token(&mut self, x: &str, at: i64) {
        let x = self.norm(x);
        let index = self.fresh();
        self.model.add_initializer(&index, &Tensor { shape: vec![], data: Data::I64(vec![at]) });
        let x = self.node("Gather", &[&x, &index], &[("axis", Attr::Int(1))]);
        self.score(&x);
    }

    /// The score of the mean over these axes.
    pub fn read_mean(&mut self, x: &str, axes: &[i64]) {
        let x = self.node("ReduceMean", &[x], &[net::ints("axes", axes), ("keepdims", Attr::Int(0))]);
        self.score(&x);
    }

    pub fn score(&mut self, x: &str) {
        net::linear(&mut self.model, x, "logits", CLASSES);
        net::output(&mut self.model, "logits");
    }

    /// Opened: at that layer, on that grid.
    pub fn found(&self, layer: &str, grid: &str) -> Explainer {
        let explainer = open(&self.model);
        let info = explainer.info();
        assert_eq!((info.layer.as_str(), info.grid.as_str()), (layer, grid));
        batches::each_as_alone(layer, &self.model, &options());
        let check = info.self_check.clone().expect("it was made").to_string();
        assert!(check.contains("of finite differences"), "{check}");
        explainer
    }

    /// As [`Net::found`], where every cell has its own place of the picture.
    pub fn found_in_place(&self, layer: &str, grid: &str) {
        each_place_has_its_cell(&mut self.found(layer, grid));
    }
}

/// Lights one place after the other; some class has a map then, and it is zero in every other cell.
fn each_place_has_its_cell(explainer: &mut Explainer) {
    let shape = explainer.input_shape().to_vec();
    let (rows, columns) = if shape[1] == 3 { (2, 3) } else { (1, 2) };
    let classes: Vec<Target> = (0..CLASSES).map(Target::Class).collect();
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
