//! A node of the graph, to read: operator, tensors, attributes.

use super::proto::{AttributeProto, NodeProto, attribute_proto::AttributeType};
use super::tensor::Tensor;

/// A node, borrowed from its model.
#[derive(Debug, Clone, Copy)]
pub struct Node<'m> {
    pub(super) proto: &'m NodeProto,
}

/// An attribute to write.
#[derive(Debug, Clone)]
pub enum Attr {
    /// INT
    Int(i64),
    /// INTS
    Ints(Vec<i64>),
    /// FLOAT
    Float(f32),
    /// FLOATS
    Floats(Vec<f32>),
    /// STRING
    Str(String),
    /// TENSOR
    Tensor(Tensor),
}

impl<'m> Node<'m> {
    /// Operator, `domain::Op` outside the standard domain.
    pub fn op(&self) -> String {
        match self.proto.domain() {
            "" | "ai.onnx" => self.proto.op_type().into(),
            domain => format!("{domain}::{}", self.proto.op_type()),
        }
    }

    /// Its name, else that of its first output.
    pub fn name(&self) -> &'m str {
        if self.proto.name().is_empty() {
            self.proto.output.first().map_or("", String::as_str)
        } else {
            self.proto.name()
        }
    }

    /// Input tensors; an empty name is an input left out.
    pub fn inputs(&self) -> &'m [String] {
        &self.proto.input
    }

    /// Output tensors; an empty name is an output left out.
    pub fn outputs(&self) -> &'m [String] {
        &self.proto.output
    }

    /// Input `i`, if it is given.
    pub fn input(&self, i: usize) -> Option<&'m str> {
        self.proto.input.get(i).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// What it reads, directly or through its sub-graphs.
    pub fn reads(&self) -> impl Iterator<Item = &'m str> + use<'m> {
        let direct = self.proto.input.iter().map(String::as_str).filter(|n| !n.is_empty());
        direct.chain(if self.has_subgraph() { self.captured() } else { Vec::new() })
    }

    fn attr(&self, name: &str) -> Option<&'m AttributeProto> {
        self.proto.attribute.iter().find(|a| a.name() == name)
    }

    /// An INT attribute, or its default by the operator's specification.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attr(name).map_or(default, AttributeProto::i)
    }

    /// A FLOAT attribute, or its default by the operator's specification.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attr(name).map_or(default, AttributeProto::f)
    }

    /// A STRING attribute, or its default by the operator's specification.
    pub fn str(&self, name: &str, default: &str) -> String {
        self.attr(name).map_or_else(|| default.into(), |a| String::from_utf8_lossy(a.s()).into_owned())
    }

    /// An INTS attribute, if it is given.
    pub fn ints(&self, name: &str) -> Option<&'m [i64]> {
        self.attr(name).map(|a| a.ints.as_slice())
    }

    /// A FLOATS attribute, if it is given.
    pub fn floats(&self, name: &str) -> Option<&'m [f32]> {
        self.attr(name).map(|a| a.floats.as_slice())
    }

    /// A TENSOR attribute, if it is given and of a type that is read.
    pub fn tensor(&self, name: &str) -> Option<Tensor> {
        self.attr(name).and_then(|a| a.t.as_ref()).and_then(Tensor::from_proto)
    }

    /// Whether what it makes of quantised numbers lies in their range, or has an end of its own: a quantiser behind it only rounds.
    /// Behind weighted sums it also saturates, in the place of an activation that was taken out.
    pub fn only_rounds_after(&self) -> bool {
        let op = self.op();
        let pools = op.ends_with("Pool") || op.starts_with("ReduceMean") || op.starts_with("ReduceMax");
        let moves = matches!(
            op.as_str(),
            "Flatten"
                | "Reshape"
                | "Squeeze"
                | "Unsqueeze"
                | "Transpose"
                | "Slice"
                | "Split"
                | "Concat"
                | "Gather"
                | "Resize"
        );
        let ends = matches!(op.as_str(), "Relu" | "Clip" | "Sigmoid" | "HardSigmoid" | "Softmax");
        pools || moves || ends
    }

    /// Whether it carries a sub-graph (If, Loop, Scan).
    pub fn has_subgraph(&self) -> bool {
        self.proto.attribute.iter().any(|a| a.g.is_some() || !a.graphs.is_empty())
    }

    /// The module path that the exporter left: torch's `name_scopes`, else the legacy exporter's node name
    /// (`/layer4/layer4.1/relu/Relu` -> `layer4.1.relu`).
    pub fn scope(&self) -> Option<String> {
        let scopes = self.proto.metadata_props.iter().find(|p| p.key() == "pkg.torch.onnx.name_scopes");
        if let Some(scopes) = scopes {
            // a Python list literal: ['', 'layer4', 'layer4.1', 'layer4.1.relu', 'relu_16']
            let last = scopes.value().split('\'').skip(1).step_by(2);
            let path: Vec<&str> = last.collect();
            return path.iter().rev().nth(1).filter(|s| !s.is_empty()).map(|s| s.to_string());
        }
        let (path, _) = self.proto.name().strip_prefix('/')?.rsplit_once('/')?;
        // a member of a Sequential repeats its parent's name (`layer4/layer4.1`), other modules give their own alone
        let mut modules: Vec<&str> = Vec::new();
        for segment in path.split('/') {
            let repeats = |parent: &mut &str| segment.strip_prefix(*parent).is_some_and(|rest| rest.starts_with('.'));
            modules.pop_if(repeats);
            modules.push(segment);
        }
        Some(modules.join("."))
    }

    /// Names that its sub-graphs may take from outside.
    fn captured(&self) -> Vec<&'m str> {
        fn walk<'m>(node: &'m NodeProto, names: &mut Vec<&'m str>) {
            for graph in node.attribute.iter().flat_map(|a| a.g.as_ref().into_iter().chain(&a.graphs)) {
                for inner in &graph.node {
                    names.extend(inner.input.iter().map(String::as_str));
                    walk(inner, names);
                }
                names.extend(graph.output.iter().map(|o| o.name()));
            }
        }
        let mut names = Vec::new();
        walk(self.proto, &mut names);
        names
    }
}

/// `op` is `domain::Operator` outside the standard domain.
pub(super) fn make(op: &str, name: &str, inputs: &[&str], outputs: &[&str], attrs: &[(&str, Attr)]) -> NodeProto {
    let mut node = NodeProto::new();
    if let Some((domain, op)) = op.split_once("::") {
        node.set_domain(domain.into());
        node.set_op_type(op.into());
    } else {
        node.set_op_type(op.into());
    }
    node.set_name(name.into());
    node.input = inputs.iter().map(|s| s.to_string()).collect();
    node.output = outputs.iter().map(|s| s.to_string()).collect();
    node.attribute = attrs.iter().map(|(name, value)| attribute(name, value)).collect();
    node
}

fn attribute(name: &str, value: &Attr) -> AttributeProto {
    let mut attr = AttributeProto::new();
    attr.set_name(name.into());
    match value {
        Attr::Int(i) => {
            attr.set_i(*i);
            attr.set_type(AttributeType::INT);
        }
        Attr::Ints(v) => {
            attr.ints = v.clone();
            attr.set_type(AttributeType::INTS);
        }
        Attr::Float(f) => {
            attr.set_f(*f);
            attr.set_type(AttributeType::FLOAT);
        }
        Attr::Floats(v) => {
            attr.floats = v.clone();
            attr.set_type(AttributeType::FLOATS);
        }
        Attr::Str(s) => {
            attr.set_s(s.clone().into_bytes().into());
            attr.set_type(AttributeType::STRING);
        }
        Attr::Tensor(t) => {
            attr.t = Some(t.to_proto("")).into();
            attr.set_type(AttributeType::TENSOR);
        }
    }
    attr
}
