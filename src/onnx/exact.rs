//! The same network in float32 and without rounding: for float types that the runtime has no operators for, and for finite
//! differences, which rounding drowns.

use std::collections::HashSet;

use super::facts::Facts;
use super::graph::Graph;
use super::model::{Model, ValueInfo};
use super::node::{Attr, Node, make};
use super::proto::{GraphProto, NodeProto, TensorProto, TypeProto, type_proto};
use super::tensor::{DType, Tensor};
use crate::error::Result;

/// Attributes that name an element type.
const TYPED: [&str; 6] = ["to", "dtype", "output_dtype", "output_datatype", "stash_type", "softmax_precision"];

impl Model {
    /// Whether it computes in a type: weights of it go into something else than a Cast.
    pub fn computes_in(&self, dtype: DType) -> bool {
        let ours: HashSet<&str> = self
            .initializers()
            .filter(|(_, fact)| fact.dtype == dtype && fact.shape.len() > 1)
            .map(|(n, _)| n)
            .collect();
        let reads = |node: &Node| node.op() != "Cast" && node.inputs().iter().any(|x| ours.contains(x.as_str()));
        !ours.is_empty() && self.nodes().any(|node| reads(&node))
    }

    /// Computes in float32 what the model computes in `types`; weights are widened, float64 ones rounded. The model's inputs and
    /// outputs keep their types, behind a Cast.
    pub fn compute_in_float32(&mut self, types: &[DType]) {
        let ours = |v: &ValueInfo| v.dtype.is_some_and(|dtype| types.contains(&dtype));
        let (inputs, outputs): (Vec<_>, Vec<_>) =
            (self.inputs().into_iter().filter(ours).collect(), self.outputs().into_iter().filter(ours).collect());
        let retype = Retype { types };
        retype.graph(self.proto.graph.mut_or_insert_default());
        self.proto.functions.iter_mut().flat_map(|f| &mut f.node).for_each(|node| retype.node(node));
        for output in outputs {
            self.cast_io(&output.name, output.dtype.unwrap_or(DType::F32), false);
        }
        for input in inputs {
            self.cast_io(&input.name, input.dtype.unwrap_or(DType::F32), true);
        }
    }

    /// An input or output of type `own` again, a Cast between it and what computes in float32.
    fn cast_io(&mut self, name: &str, own: DType, input: bool) {
        let inner = Graph::fresh_in(self, &format!("{name}__float32"));
        let graph = self.proto.graph.mut_or_insert_default();
        graph.node.iter_mut().for_each(|node| rename(node, name, &inner));
        let (from, to, cast) = if input { (name, &*inner, DType::F32) } else { (&*inner, name, own) };
        let node = make("Cast", &inner, &[from], &[to], &[("to", Attr::Int(cast.0.into()))]);
        let declared = if input {
            graph.node.insert(0, node);
            &mut graph.input
        } else {
            graph.node.push(node);
            &mut graph.output
        };
        let ty = declared.iter_mut().find(|v| v.name() == name).and_then(|v| v.type_.as_mut());
        if let Some(type_proto::Value::TensorType(tensor)) = ty.and_then(|ty| ty.value.as_mut()) {
            tensor.set_elem_type(own.0);
        }
    }

    /// Quantises without rounding: `x / scale + zero point`, kept between the middles of the first and the last step, takes the
    /// place of each QuantizeLinear whose scale is one number; what comes out is float32, and is dequantised as such. Types and
    /// shapes are those of `facts`. Quantisers of `score` itself, and those behind operators that keep their range, keep nothing.
    ///
    /// # Errors
    /// [`crate::Error::ModelDamaged`] where nodes form a cycle.
    pub fn quantise_without_rounding(&mut self, facts: &Facts, score: &str) -> Result<()> {
        let copy = self.clone();
        let graph = Graph::new(&copy)?;
        let of_score: HashSet<&str> = graph.quantisers_of(score).iter().filter_map(|node| node.input(0)).collect();
        let weights: HashSet<&str> = copy.initializer_names().collect();
        let mut written = Written::new(&copy);
        let mut floats: HashSet<&str> = HashSet::new();
        for node in &graph.order {
            let (x, scale, y) = (node.input(0), node.input(1), node.outputs().first());
            let range = y.and_then(|y| facts.get(y)?.dtype.quantised());
            let single = scale.and_then(|s| facts.shape(s)).is_some_and(|s| s.iter().product::<usize>() == 1);
            let fixed = x.is_none_or(|x| weights.contains(x) || facts.get(x).is_some_and(|fact| fact.value.is_some()));
            let op = node.op();
            match (op.trim_start_matches("com.microsoft::"), x.zip(scale).zip(y), range) {
                ("QuantizeLinear", Some(((x, scale), y)), Some((low, high))) if single && !fixed => {
                    let scaled = written.step("Div", &[x, scale], None);
                    let moved = written.by_zero_point("Add", scaled, node.input(2));
                    if of_score.contains(x) || graph.maker_node(x).is_some_and(|maker| maker.only_rounds_after()) {
                        written.step("Identity", &[&moved], Some(y));
                    } else {
                        let (low, high) = (written.number(low + 0.5), written.number(high - 0.5));
                        let above = written.step("Max", &[&moved, &low], None);
                        written.step("Min", &[&above, &high], Some(y));
                    }
                    floats.insert(y);
                }
                ("DequantizeLinear", Some(((x, scale), y)), _) if floats.contains(x) => {
                    let centred = written.by_zero_point("Sub", x.into(), node.input(2));
                    written.step("Mul", &[&centred, scale], Some(y));
                }
                _ => {
                    // what moves integers moves floats
                    if x.is_some_and(|x| floats.contains(x)) {
                        floats.extend(node.outputs().iter().map(String::as_str));
                    }
                    written.nodes.push(node.proto.clone());
                }
            }
        }
        self.proto.graph.mut_or_insert_default().node = written.nodes;
        Ok(())
    }
}

/// Nodes in their order, new ones among them.
struct Written {
    nodes: Vec<NodeProto>,
    /// What the names of new tensors begin with.
    prefix: String,
}

impl Written {
    fn new(model: &Model) -> Written {
        let used = |prefix: &str| model.nodes().any(|n| n.outputs().iter().any(|name| name.starts_with(prefix)));
        let prefix = (0..).map(|i| format!("unrounded{i}")).find(|p| !used(p)).expect("names are finite");
        Written { nodes: Vec::new(), prefix }
    }

    /// A node's output: `to`, or a new name.
    fn step(&mut self, op: &str, inputs: &[&str], to: Option<&str>) -> String {
        let name = format!("{}_{}", self.prefix, self.nodes.len());
        let to = to.unwrap_or(&name).to_string();
        let attrs: &[_] = if op == "Cast" { &[("to", Attr::Int(1))] } else { &[] };
        self.nodes.push(make(op, &name, inputs, &[&to], attrs));
        to
    }

    fn by_zero_point(&mut self, op: &str, value: String, zero_point: Option<&str>) -> String {
        let Some(zero_point) = zero_point else { return value };
        let zero_point = self.step("Cast", &[zero_point], None);
        self.step(op, &[&value, &zero_point], None)
    }

    fn number(&mut self, value: f32) -> String {
        let name = format!("{}_{}", self.prefix, self.nodes.len());
        let value = Attr::Tensor(Tensor::f32(&[], vec![value]));
        self.nodes.push(make("Constant", &name, &[], &[&name], &[("value", value)]));
        name
    }
}

/// Brings everything of some types to float32.
struct Retype<'a> {
    types: &'a [DType],
}

impl Retype<'_> {
    fn is_ours(&self, number: i64) -> bool {
        self.types.iter().any(|dtype| i64::from(dtype.0) == number)
    }

    fn graph(&self, graph: &mut GraphProto) {
        graph.initializer.iter_mut().for_each(|tensor| self.tensor(tensor));
        graph.sparse_initializer.iter_mut().filter_map(|s| s.values.as_mut()).for_each(|tensor| self.tensor(tensor));
        let declared = graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info);
        declared.filter_map(|v| v.type_.as_mut()).for_each(|ty| self.declared(ty));
        graph.node.iter_mut().for_each(|node| self.node(node));
    }

    fn declared(&self, ty: &mut TypeProto) {
        if let Some(type_proto::Value::TensorType(tensor)) = &mut ty.value
            && self.is_ours(tensor.elem_type().into())
        {
            tensor.set_elem_type(DType::F32.0);
        }
    }

    fn node(&self, node: &mut NodeProto) {
        for attr in &mut node.attribute {
            if TYPED.contains(&attr.name()) && self.is_ours(attr.i()) {
                attr.set_i(DType::F32.0.into());
            }
            attr.t.as_mut().into_iter().chain(&mut attr.tensors).for_each(|tensor| self.tensor(tensor));
            attr.g.as_mut().into_iter().chain(&mut attr.graphs).for_each(|graph| self.graph(graph));
        }
    }

    fn tensor(&self, tensor: &mut TensorProto) {
        if self.is_ours(tensor.data_type().into())
            && let Some(read) = Tensor::from_proto(tensor)
        {
            *tensor = read.to_proto(tensor.name());
        }
    }
}

/// A tensor's name, changed wherever a node says it.
fn rename(node: &mut NodeProto, from: &str, to: &str) {
    node.input.iter_mut().chain(&mut node.output).filter(|name| *name == from).for_each(|name| *name = to.into());
    for graph in node.attribute.iter_mut().flat_map(|a| a.g.as_mut().into_iter().chain(&mut a.graphs)) {
        graph.node.iter_mut().for_each(|node| rename(node, from, to));
        graph.output.iter_mut().filter(|v| v.name() == from).for_each(|v| v.set_name(to.into()));
    }
}
