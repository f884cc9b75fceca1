//! The model file: load, save, read, edit.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use protobuf::rt::WireType;
use protobuf::{CodedInputStream, Message};

use super::emit::Patch;
use super::facts::Fact;
use super::graph::Graph;
use super::node::{self, Attr, Node};
use super::proto::{
    GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, tensor_proto::DataLocation, tensor_shape_proto::Dimension, type_proto,
};
use super::tensor::{DType, Tensor};
use super::{check, external, upgrade};
use crate::error::{Error, Result};

/// Oldest opset that is read.
pub const MIN_OPSET: i64 = 7;
/// Oldest opset whose operators (Where, Less on int64) the explained model can be written in; older ones become this one.
pub(super) const WRITE_OPSET: i64 = 9;
/// Newest opset that the rules were read against.
pub const MAX_OPSET: i64 = 28;
/// Newest IR version of the schema in `proto.rs`.
pub(super) const MAX_IR: i64 = 14;
/// Protobuf's own limit for one message.
const MAX_BYTES: u64 = i32::MAX as u64;

/// A declared input or output.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueInfo {
    /// Tensor name.
    pub name: String,
    /// Element type; `None` for sequences, maps, optionals and undeclared types.
    pub dtype: Option<DType>,
    /// Shape with `None` for dynamic axes; `None` where no shape is declared.
    pub shape: Option<Vec<Option<usize>>>,
}

impl std::fmt::Display for ValueInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(dtype) = self.dtype else { return write!(f, "{:?} (not a tensor)", self.name) };
        let dim = |d: &Option<usize>| d.map_or("?".to_string(), |d| d.to_string());
        let shape = match self.shape.as_deref() {
            None => "of no declared shape".into(),
            Some([]) => "scalar".into(),
            Some(dims) => dims.iter().map(dim).collect::<Vec<_>>().join("x"),
        };
        write!(f, "{:?} ({} {shape})", self.name, dtype.name())
    }
}

/// An ONNX model in memory, weights included; fields that this schema does not know survive a round trip.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(super) proto: ModelProto,
}

impl Model {
    /// An empty model to build, `opset` of the standard domain.
    pub fn new(opset: i64) -> Model {
        let mut proto = ModelProto::new();
        proto.set_ir_version(8);
        proto.set_producer_name("gradcam".into());
        let mut import = OperatorSetIdProto::new();
        import.set_domain(String::new());
        import.set_version(opset);
        proto.opset_import.push(import);
        let mut graph = GraphProto::new();
        graph.set_name("graph".into());
        proto.graph = Some(graph).into();
        Model { proto }
    }

    /// Reads and checks a file, with its external data.
    pub fn load(path: &Path) -> Result<Model> {
        let bytes = fs::read(Self::file(path)?)
            .map_err(|e| Error::ModelUnreadable { path: path.into(), why: format!("{e}; check its permissions") })?;
        Self::parse(&bytes.into(), Some(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))))
    }

    /// Whether there is a file that may be read as a model, without reading it; gives the path back.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`], [`Error::ModelUnreadable`].
    pub fn file(path: &Path) -> Result<&Path> {
        let unreadable = |why: String| Error::ModelUnreadable { path: PathBuf::from(path), why };
        let meta = fs::metadata(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::ModelNotFound { path: path.into() },
            _ => unreadable(format!("{e}; check the path and its permissions")),
        })?;
        if !meta.is_file() {
            let kind = if meta.is_dir() { "a folder" } else { "not a regular file" };
            return Err(unreadable(format!("it is {kind}; name an .onnx file")));
        }
        if meta.len() > MAX_BYTES {
            return Err(unreadable(format!(
                "it has {} bytes and a protobuf file ends at 2 GiB; save the model with external data",
                meta.len()
            )));
        }
        if meta.len() == 0 {
            return Err(unreadable("it is empty; copy or export the model again".into()));
        }
        Ok(path)
    }

    /// Reads and checks a self-contained model.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model> {
        Self::parse(&Bytes::copy_from_slice(bytes), None)
    }

    /// Weights stay where they are in `bytes`, for this model and its clones.
    fn parse(bytes: &Bytes, folder: Option<&Path>) -> Result<Model> {
        let mut proto =
            whole(bytes).and_then(|_| ModelProto::parse_from_tokio_bytes(bytes)).map_err(|e| Error::ModelDamaged {
                why: format!(
                    "its {} bytes do not parse as one ({e}), so it is damaged, cut short or of another kind",
                    bytes.len()
                ),
            })?;
        check::check(&proto)?;
        upgrade::upgrade(&mut proto)?;
        external::inline(&mut proto, folder, MAX_BYTES.saturating_sub(bytes.len() as u64))?;
        let model = Model { proto };
        Graph::new(&model)?; // refuses cycles
        Ok(model)
    }

    /// The file's bytes, weights included.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.proto.write_to_bytes().map_err(|e| Error::ModelUnusable { why: format!("it cannot be written: {e}") })
    }

    fn graph_proto(&self) -> &GraphProto {
        &self.proto.graph
    }

    fn graph_mut(&mut self) -> &mut GraphProto {
        self.proto.graph.mut_or_insert_default()
    }

    /// The tool that wrote it and its version; empty where the file does not say.
    pub fn producer(&self) -> String {
        format!("{} {}", self.proto.producer_name(), self.proto.producer_version()).trim().into()
    }

    /// Version of the standard operator set.
    pub fn opset(&self) -> i64 {
        self.proto.opset_import.iter().find(|o| matches!(o.domain(), "" | "ai.onnx")).map_or(0, |o| o.version())
    }

    /// Up to IR 3 a constant must be an input too; there, constants are written as Constant nodes.
    pub(super) fn initializers_allowed(&self) -> bool {
        self.proto.ir_version() >= 4
    }

    /// The nodes, in the file's order.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = Node<'_>> {
        self.graph_proto().node.iter().map(|proto| Node { proto })
    }

    /// Inputs that a caller must give: those without a default.
    pub fn inputs(&self) -> Vec<ValueInfo> {
        let defaults: HashSet<&str> = self.graph_proto().initializer.iter().map(|t| t.name()).collect();
        self.graph_proto().input.iter().filter(|v| !defaults.contains(v.name())).map(info).collect()
    }

    /// The outputs.
    pub fn outputs(&self) -> Vec<ValueInfo> {
        self.graph_proto().output.iter().map(info).collect()
    }

    /// All that the file declares a type of: inputs, outputs, and what lies between where the exporter wrote it down. Nothing here
    /// is relied on: see [`Facts`](super::Facts).
    pub fn declared(&self) -> Vec<ValueInfo> {
        let graph = self.graph_proto();
        graph.input.iter().chain(&graph.value_info).chain(&graph.output).map(info).collect()
    }

    /// A weight by name, if it is an initializer of a type that is read. Looks through all of them: [`Emit::weight`] is for
    /// many look-ups.
    ///
    /// [`Emit::weight`]: super::Emit::weight
    pub fn initializer(&self, name: &str) -> Option<Tensor> {
        self.graph_proto().initializer.iter().find(|t| t.name() == name).and_then(Tensor::from_proto)
    }

    pub(super) fn weights(&self) -> HashMap<&str, &TensorProto> {
        self.graph_proto().initializer.iter().map(|t| (t.name(), t)).collect()
    }

    /// What is known of every initializer; the values of those that say where elements go (few int64) are read.
    pub fn initializers(&self) -> impl Iterator<Item = (&str, Fact)> {
        const FEW: usize = 64;
        self.graph_proto().initializer.iter().map(|t| {
            let (dtype, shape) = (DType(t.data_type()), t.dims.iter().map(|&d| d as usize).collect::<Vec<_>>());
            let few = dtype == DType::I64
                && shape.iter().try_fold(1, |n: usize, &d| n.checked_mul(d)).is_some_and(|n| n <= FEW);
            (t.name(), Fact { dtype, shape, value: if few { Tensor::from_proto(t) } else { None } })
        })
    }

    /// Type, shape and raw bytes of the weights that no input can replace.
    pub fn weights_mut(&mut self) -> impl Iterator<Item = (DType, Vec<usize>, &mut Bytes)> {
        let fixed = self.initializers_allowed();
        let graph = self.graph_mut();
        let inputs: HashSet<&str> = graph.input.iter().map(|v| v.name()).collect();
        graph.initializer.iter_mut().filter(move |t| fixed && !inputs.contains(t.name())).filter_map(|t| {
            let shape = t.dims.iter().map(|&d| usize::try_from(d)).collect::<Result<_, _>>().ok()?;
            Some((DType(t.data_type()), shape, t.raw_data.as_mut()?))
        })
    }

    /// Takes out the weights whose bytes are chosen, and marks them as external: the model is for a session that is given them.
    /// Returns their names and bytes.
    pub fn leave_outside(&mut self, chosen: impl Fn(&Bytes) -> bool) -> Vec<(String, Bytes)> {
        let mut outside = Vec::new();
        for tensor in &mut self.graph_mut().initializer {
            if let Some(bytes) = tensor.raw_data.take_if(|bytes| chosen(bytes)) {
                tensor.set_data_location(DataLocation::EXTERNAL);
                let mut location = StringStringEntryProto::new();
                location.set_key("location".into());
                location.set_value("memory".into());
                tensor.external_data = vec![location];
                outside.push((tensor.name().to_string(), bytes));
            }
        }
        outside
    }

    /// Every initializer's name.
    pub fn initializer_names(&self) -> impl Iterator<Item = &str> {
        self.graph_proto().initializer.iter().map(|t| t.name())
    }

    /// The file's own key-value notes.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        self.proto.metadata_props.iter().map(|p| (p.key().to_string(), p.value().to_string())).collect()
    }

    /// Sets a note.
    pub fn set_metadata(&mut self, key: &str, value: &str) {
        self.proto.metadata_props.retain(|p| p.key() != key);
        let mut entry = StringStringEntryProto::new();
        entry.set_key(key.into());
        entry.set_value(value.into());
        self.proto.metadata_props.push(entry);
    }

    /// Declares an input; a `None` axis is dynamic.
    pub fn add_input(&mut self, name: &str, dtype: DType, shape: &[Option<usize>]) {
        self.graph_mut().input.push(value_info(name, Some(dtype), Some(shape)));
    }

    /// Declares an output; the runtime infers what is `None`.
    pub fn add_output(&mut self, name: &str, dtype: Option<DType>, shape: Option<&[Option<usize>]>) {
        self.graph_mut().output.push(value_info(name, dtype, shape));
    }

    /// Replaces the declared shape of an input.
    pub fn pin_input(&mut self, name: &str, dtype: DType, shape: &[usize]) {
        let dims: Vec<_> = shape.iter().map(|&d| Some(d)).collect();
        if let Some(input) = self.graph_mut().input.iter_mut().find(|v| v.name() == name) {
            input.type_ = value_info(name, Some(dtype), Some(&dims)).type_;
        }
    }

    /// Forgets declared inner and output shapes: they may name the dynamic sizes that were pinned.
    pub fn drop_declared_shapes(&mut self) {
        let graph = self.graph_mut();
        graph.value_info.clear();
        for output in &mut graph.output {
            if let Some(type_proto::Value::TensorType(tensor)) = output.type_.as_mut().and_then(|t| t.value.as_mut()) {
                tensor.shape = None.into();
            }
        }
    }

    /// Adds a weight.
    pub fn add_initializer(&mut self, name: &str, tensor: &Tensor) {
        self.graph_mut().initializer.push(tensor.to_proto(name));
    }

    /// Replaces a weight's values or adds it.
    pub fn set_initializer(&mut self, name: &str, tensor: &Tensor) {
        self.graph_mut().initializer.retain(|t| t.name() != name);
        self.add_initializer(name, tensor);
    }

    /// Fixes an input for good: it becomes a weight.
    pub fn bake_input(&mut self, name: &str, tensor: &Tensor) {
        self.graph_mut().input.retain(|v| v.name() != name);
        self.set_initializer(name, tensor);
    }

    /// Leaves out the inputs that nothing reads: the runtime would ask for values that make no difference (tf2onnx leaves such
    /// behind). Their names; none where nothing reads any.
    pub fn drop_unread_inputs(&mut self) -> Vec<String> {
        let inputs = self.inputs();
        let read: HashSet<&str> =
            self.nodes().flat_map(|n| n.reads()).chain(self.graph_proto().output.iter().map(|o| o.name())).collect();
        let unread: Vec<String> =
            inputs.iter().map(|i| i.name.clone()).filter(|n| !read.contains(n.as_str())).collect();
        if unread.len() == inputs.len() {
            return Vec::new();
        }
        self.graph_mut().input.retain(|v| !unread.iter().any(|name| name == v.name()));
        unread
    }

    /// Adds a node behind the others.
    pub fn add_node(&mut self, op: &str, name: &str, inputs: &[&str], outputs: &[&str], attrs: &[(&str, Attr)]) {
        let node = node::make(op, name, inputs, outputs, attrs);
        let domain = node.domain();
        if !domain.is_empty() && self.proto.opset_import.iter().all(|o| o.domain() != domain) {
            let mut import = OperatorSetIdProto::new();
            import.set_domain(domain.into());
            import.set_version(1);
            self.proto.opset_import.push(import);
        }
        self.graph_mut().node.push(node);
    }

    /// Appends what was emitted.
    pub fn apply(&mut self, patch: Patch) {
        let graph = self.graph_mut();
        graph.node.extend(patch.nodes);
        graph.initializer.extend(patch.initializers);
    }

    /// Cuts the graph at a tensor: what read `name` now reads the new input `name` of that type and shape, and its maker
    /// writes to the side. For finite differences at a layer.
    pub fn cut(&mut self, name: &str, dtype: DType, shape: &[usize]) {
        let side = Graph::fresh_in(self, &format!("{name}__made"));
        for node in &mut self.graph_mut().node {
            for output in node.output.iter_mut().filter(|o| *o == name) {
                *output = side.clone();
            }
        }
        let dims: Vec<_> = shape.iter().map(|&d| Some(d)).collect();
        self.add_input(name, dtype, &dims);
    }

    /// Keeps only these outputs; the runtime infers types.
    pub fn keep_outputs(&mut self, names: &[&str]) {
        self.graph_mut().output.clear();
        names.iter().for_each(|name| self.add_output(name, None, None));
    }

    /// Drops the nodes that no output needs, which the runtime would run all the same, and their weights.
    pub fn prune(&mut self) {
        let made: HashMap<&str, usize> = (self.nodes().enumerate())
            .flat_map(|(i, node)| node.outputs().iter().map(move |name| (name.as_str(), i)))
            .collect();
        let nodes: Vec<Node> = self.nodes().collect();
        let mut needed = vec![false; nodes.len()];
        let mut open: Vec<usize> =
            self.graph_proto().output.iter().filter_map(|output| made.get(output.name()).copied()).collect();
        while let Some(i) = open.pop() {
            if !std::mem::replace(&mut needed[i], true) {
                open.extend(nodes[i].reads().filter_map(|name| made.get(name).copied()));
            }
        }
        let kept = (nodes.iter().zip(&needed)).filter(|(_, needed)| **needed).flat_map(|(node, _)| node.reads());
        let graph = self.graph_proto();
        // an input that loses its default would have to be given
        let declared = graph.output.iter().chain(&graph.input).map(|value| value.name());
        let read: HashSet<String> = kept.chain(declared).map(String::from).collect();
        let graph = self.graph_mut();
        let mut needed = needed.into_iter();
        graph.node.retain(|_| needed.next().unwrap_or(true));
        graph.initializer.retain(|weight| read.contains(weight.name()));
    }
}

/// Refuses a file that ends inside a field. The protobuf crate takes the end of the bytes for the end of every open message,
/// and would read a file cut between two weights as one with fewer weights.
fn whole(bytes: &[u8]) -> protobuf::Result<()> {
    let mut input = CodedInputStream::from_bytes(bytes);
    while let Some(tag) = input.read_raw_tag_or_eof()? {
        match WireType::new(tag & 7) {
            Some(wire) => input.skip_field(wire)?,
            None => return Ok(()), // the parser says what is wrong here
        }
    }
    Ok(())
}

fn info(v: &ValueInfoProto) -> ValueInfo {
    let tensor = match v.type_.as_ref().and_then(|t| t.value.as_ref()) {
        Some(type_proto::Value::TensorType(tensor)) => Some(tensor),
        _ => None,
    };
    let dim = |d: &Dimension| if d.has_dim_value() { usize::try_from(d.dim_value()).ok() } else { None };
    ValueInfo {
        name: v.name().into(),
        dtype: tensor.map(|t| DType(t.elem_type())),
        shape: tensor.and_then(|t| t.shape.as_ref()).map(|s| s.dim.iter().map(dim).collect()),
    }
}

fn value_info(name: &str, dtype: Option<DType>, shape: Option<&[Option<usize>]>) -> ValueInfoProto {
    let mut value = ValueInfoProto::new();
    value.set_name(name.into());
    if let Some(dtype) = dtype {
        let mut tensor = type_proto::Tensor::new();
        tensor.set_elem_type(dtype.0);
        if let Some(dims) = shape {
            let mut proto = TensorShapeProto::new();
            for (i, dim) in dims.iter().enumerate() {
                let mut d = Dimension::new();
                match dim {
                    Some(n) => d.set_dim_value(*n as i64),
                    None => d.set_dim_param(format!("{name}_{i}")),
                }
                proto.dim.push(d);
            }
            tensor.shape = Some(proto).into();
        }
        let mut ty = TypeProto::new();
        ty.set_tensor_type(tensor);
        value.type_ = Some(ty).into();
    }
    value
}
