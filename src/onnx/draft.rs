//! A model whose nodes are being changed in place: constants and nodes of our own beside them, under names that it does not use.

use super::graph::Graph;
use super::model::Model;
use super::node::{Attr, Node};
use super::proto::NodeProto;
use super::tensor::Tensor;

/// A model that is being changed. Positions of its own nodes stay what they are; new ones come behind.
#[derive(Debug)]
pub(super) struct Draft {
    pub model: Model,
    /// What the names of new tensors begin with.
    prefix: String,
    /// Number of its own nodes.
    own: usize,
}

impl Draft {
    /// New names begin with `word` and a number.
    pub fn new(mut model: Model, word: &str) -> Draft {
        let used = |prefix: &str| {
            let made = |node: Node| node.outputs().iter().any(|name| name.starts_with(prefix));
            model.nodes().any(made) || model.initializer_names().any(|name| name.starts_with(prefix))
        };
        let prefix = (0..).map(|i| format!("{word}{i}")).find(|p| !used(p)).expect("names are finite");
        // a message of the runtime finds a node by its name
        for node in model.proto.graph.mut_or_insert_default().node.iter_mut().filter(|n| n.name().is_empty()) {
            let name = node.output.first().cloned().unwrap_or_default();
            node.set_name(name);
        }
        let own = model.nodes().len();
        Draft { model, prefix, own }
    }

    pub fn node(&mut self, at: usize) -> &mut NodeProto {
        &mut self.model.proto.graph.mut_or_insert_default().node[at]
    }

    pub fn name(&self, rest: &str) -> String {
        format!("{}_{rest}", self.prefix)
    }

    /// A constant of the model; its name.
    pub fn constant(&mut self, rest: &str, value: &Tensor) -> String {
        let name = self.name(rest);
        if self.model.initializers_allowed() {
            self.model.add_initializer(&name, value);
        } else {
            self.model.add_node("Constant", &name, &[], &[&name], &[("value", Attr::Tensor(value.clone()))]);
        }
        name
    }

    /// The model, each node behind those that it reads from, as a file has them.
    pub fn finish(mut self) -> Result<Model, String> {
        if self.model.nodes().len() > self.own {
            let graph = Graph::new(&self.model).map_err(|error| error.to_string())?;
            let sorted = graph.order.iter().map(|node| node.proto.clone()).collect();
            self.model.proto.graph.mut_or_insert_default().node = sorted;
        }
        Ok(self.model)
    }
}
