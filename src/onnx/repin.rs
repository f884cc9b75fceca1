//! Another input size for a model that was exported for one: the constants that follow from its size are found and rewritten.
//!
//! No shape is inferred here. What follows from the size becomes an expression of the shapes of other tensors ([`Relaxed`]); the
//! runtime runs that at the new size, and what it measured is written back as constants ([`Relaxed::settle`]).

mod batch;
mod rules;
mod verdict;

use super::draft::Draft;
use super::facts::Facts;
use super::model::Model;
use super::node::{Attr, make};
use super::proto::NodeProto;
use super::tensor::Tensor;
pub use batch::rebatch;
use rules::{Change, Dim, Finder};

/// A model whose constants no longer hold it to its own input size: to be measured at the new one, then settled.
#[derive(Debug)]
pub struct Relaxed {
    draft: Draft,
    own: Facts,
    picture: String,
    edits: Vec<Edit>,
    /// Number of the model's own nodes and initializers; those behind them compute what is measured.
    sizes: (usize, usize),
}

#[derive(Debug)]
struct Edit {
    /// Position of the node in the file.
    at: usize,
    /// The node as it was.
    was: NodeProto,
    change: Change,
}

impl Relaxed {
    /// From a model and what was measured at its own size; `picture` is the input that gets another shape, which is still to be
    /// pinned in [`Relaxed::model_mut`].
    pub fn new(model: Model, own: Facts, picture: &str) -> Relaxed {
        let draft = Draft::new(model, "resized");
        let found = Finder::new(&draft.model, &own, picture).find();
        let sizes = (draft.model.nodes().len(), draft.model.initializer_names().count());
        let mut relaxed = Relaxed { sizes, draft, own, picture: picture.into(), edits: Vec::new() };
        for (at, change) in found {
            let was = relaxed.node(at).clone();
            relaxed.relax(at, &change);
            relaxed.edits.push(Edit { at, was, change });
        }
        relaxed
    }

    /// The relaxed model.
    pub fn model(&self) -> &Model {
        &self.draft.model
    }

    /// The relaxed model, for giving its input the new shape.
    pub fn model_mut(&mut self) -> &mut Model {
        &mut self.draft.model
    }

    fn relax(&mut self, at: usize, change: &Change) {
        match change {
            Change::Dims { input, dims } => {
                let shape = self.expression(at, dims);
                self.node(at).input[*input] = shape;
            }
            Change::Inputs(values) => {
                for (input, values) in values {
                    let name = self.draft.constant(&format!("{at}_{input}"), &Tensor::i64s(values));
                    self.node(at).input[*input] = name;
                }
            }
            Change::Ends(ends) => {
                let attribute = self.node(at).attribute.iter_mut().find(|a| a.name() == "ends");
                attribute.into_iter().for_each(|a| a.ints = ends.clone());
            }
            Change::Whole => {
                let node = self.node(at);
                node.set_op_type(format!("Global{}", node.op_type()));
                node.attribute.clear();
            }
            Change::Adaptive { grid } => {
                // any values of the right shape: the factors are known once the new grid is measured
                let target = self.draft.constant(&format!("{at}_grid"), &Tensor::i64s(&[1, 1, grid[0], grid[1]]));
                let mean = self.draft.name(&format!("{at}_mean"));
                let node = self.node(at);
                node.set_op_type("GlobalAveragePool".into());
                node.attribute.clear();
                let output = std::mem::replace(&mut node.output[0], mean.clone());
                self.draft.model.add_node("Expand", &mean, &[&mean, &target], &[&output], &[]);
            }
        }
    }

    fn node(&mut self, at: usize) -> &mut NodeProto {
        self.draft.node(at)
    }

    /// Nodes that compute axis lengths; the name of the tensor that holds them.
    fn expression(&mut self, at: usize, dims: &[Dim]) -> String {
        let mut parts = Vec::new();
        for (i, dim) in dims.iter().enumerate() {
            let own = |kind: &str| format!("{at}_{i}_{kind}");
            let part = match dim {
                Dim::Fixed(n) => self.draft.constant(&own("fixed"), &Tensor::i64s(&[*n as i64])),
                Dim::Of { tensor, axes, times: (times, by) } => {
                    let [shape, picked, product] = ["shape", "axes", "length"].map(|kind| self.draft.name(&own(kind)));
                    let indices: Vec<i64> = axes.clone().map(|a| a as i64).collect();
                    let indices = self.draft.constant(&own("indices"), &Tensor::i64s(&indices));
                    self.draft.model.add_node("Shape", &shape, &[tensor], &[&shape], &[]);
                    self.draft.model.add_node("Gather", &picked, &[&shape, &indices], &[&picked], &[]);
                    self.draft.model.add_node(
                        "ReduceProd",
                        &product,
                        &[&picked],
                        &[&product],
                        &[("keepdims", Attr::Int(1))],
                    );
                    let mut part = product;
                    for (op, factor) in [("Mul", *times), ("Div", *by)].into_iter().filter(|(_, f)| *f != 1) {
                        let factor = self.draft.constant(&own(&format!("{op}_by")), &Tensor::i64s(&[factor as i64]));
                        let scaled = self.draft.name(&own(op));
                        self.draft.model.add_node(op, &scaled, &[&part, &factor], &[&scaled], &[]);
                        part = scaled;
                    }
                    part
                }
            };
            parts.push(part);
        }
        let whole = self.draft.name(&format!("{at}_dims"));
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.draft.model.add_node("Concat", &whole, &parts, &[&whole], &[("axis", Attr::Int(0))]);
        whole
    }

    /// The model for the new size, from what was measured there: constants again, and only those changed that have to be. The error says
    /// which node keeps the network to its own size.
    pub fn settle(mut self, new: &Facts) -> Result<Model, String> {
        verdict::lasting(&self.draft.model, &self.own, new, &self.edits)?;
        let graph = self.draft.model.proto.graph.mut_or_insert_default();
        graph.node.truncate(self.sizes.0);
        graph.initializer.truncate(self.sizes.1);
        for Edit { at, was, change } in std::mem::take(&mut self.edits) {
            let input = was.input[0].clone();
            let (before, after) = (self.own.shape(&input), new.shape(&input));
            let (Some(before), Some(after)) = (before.map(<[_]>::to_vec), after.map(<[_]>::to_vec)) else { continue };
            let made = new.shape(&was.output[0]).map(<[_]>::to_vec).unwrap_or_default();
            let fits = match &change {
                Change::Dims { .. } => holds(&was, &self.own, &self.draft.model, &after, &made),
                Change::Inputs(_) | Change::Ends(_) => false,
                Change::Whole | Change::Adaptive { .. } => before == after,
            };
            *self.node(at) = was;
            match change {
                _ if fits => {}
                Change::Dims { input, .. } => {
                    let dims: Vec<i64> = made.iter().map(|&d| d as i64).collect();
                    let name = self.draft.constant(&format!("{at}_dims"), &Tensor::i64s(&dims));
                    self.node(at).input[input] = name;
                }
                Change::Adaptive { grid } => self.adapt(at, &after, grid.map(|n| n as usize)),
                simple => self.relax(at, &simple),
            }
        }
        self.draft.finish()
    }

    /// Adaptive average pooling of an input of shape `from` to a grid, as torch defines it: cell i is the mean over
    /// floor(i n / m) .. ceil((i+1) n / m). A plain pooling where the factors are whole, else a matrix from the left and one
    /// from the right.
    fn adapt(&mut self, at: usize, from: &[usize], grid: [usize; 2]) {
        let sides = [from[2], from[3]];
        if (0..2).all(|i| sides[i].is_multiple_of(grid[i])) {
            let factors = Attr::Ints((0..2).map(|i| (sides[i] / grid[i]) as i64).collect());
            let node = self.node(at);
            let (name, input, output) = (node.name().to_string(), node.input[0].clone(), node.output[0].clone());
            *node = make(
                "AveragePool",
                &name,
                &[&input],
                &[&output],
                &[("kernel_shape", factors.clone()), ("strides", factors)],
            );
            return;
        }
        let means = |n: usize, m: usize| -> Vec<Vec<f32>> {
            let row = |i: usize| {
                let (start, end) = (i * n / m, ((i + 1) * n).div_ceil(m));
                (0..n).map(|j| if (start..end).contains(&j) { 1.0 / (end - start) as f32 } else { 0.0 }).collect()
            };
            (0..m).map(row).collect()
        };
        let left = Tensor::f32(&[grid[0], sides[0]], means(sides[0], grid[0]).concat());
        let across = means(sides[1], grid[1]);
        let turned = (0..sides[1]).flat_map(|j| across.iter().map(move |row| row[j])).collect();
        let right = Tensor::f32(&[sides[1], grid[1]], turned);
        let left = self.draft.constant(&format!("{at}_down"), &left);
        let right = self.draft.constant(&format!("{at}_across"), &right);
        let rows = self.draft.name(&format!("{at}_rows"));
        let node = self.node(at);
        let (name, input) = (node.name().to_string(), node.input[0].clone());
        let output = node.output[0].clone();
        *node = make("MatMul", &format!("{name}_down"), &[&left, &input], &[&rows], &[]);
        self.draft.model.add_node("MatMul", &name, &[&rows, &right], &[&output], &[]);
    }

    /// Which node keeps the network to its own size, from the runtime's words about the relaxed model; else those words.
    pub fn verdict(&self, why: &str) -> String {
        verdict::of(&self.draft.model, &self.own, &self.picture, &self.edits, why)
    }
}

/// Which node keeps a network to one picture, from the runtime's words about its form for several; else those words. `one` is what
/// was measured with one.
pub fn keeper(model: &Model, one: &Facts, picture: &str, why: &str) -> String {
    verdict::of(model, one, picture, &[], why)
}

/// Whether a node's own constant still says the shape that it has now (0 and -1 in it follow by themselves).
fn holds(was: &NodeProto, facts: &Facts, model: &Model, input: &[usize], made: &[usize]) -> bool {
    let constant = |name: &String| {
        let measured = facts.get(name).and_then(|fact| fact.value.clone());
        measured.or_else(|| model.initializer(name)).and_then(|t| t.as_i64().map(<[_]>::to_vec))
    };
    let Some(target) = was.input.last().and_then(constant) else { return false };
    let free = target.iter().filter(|&&n| n == -1).count();
    let zero_is_zero = was.attribute.iter().any(|a| a.name() == "allowzero" && a.i() == 1);
    let says = |(i, (&n, &now)): (usize, (&i64, &usize))| match n {
        -1 => free == 1,
        0 if !zero_is_zero => input.get(i) == Some(&now),
        n => usize::try_from(n) == Ok(now),
    };
    target.len() == made.len() && target.iter().zip(made).enumerate().all(says)
}
