//! A node of the model written once more, over other tensors.

use super::emit::Emit;
use super::lead::Lead;
use super::node::Node;
use super::val::{Form, Val, Value};

impl<'m> Emit<'m> {
    /// Whether a tensor is a weight of the model.
    pub fn is_weight(&self, name: &str) -> bool {
        self.weights.contains_key(name)
    }

    /// The node again with its attributes, under new names. `None` is an input or output left out; outputs are given by their
    /// shapes.
    pub fn copy<'g>(
        &'g self,
        node: &Node,
        inputs: &[Option<Val<'g>>],
        outputs: &[Option<Vec<usize>>],
    ) -> Vec<Option<Val<'g>>>
    where
        'm: 'g,
    {
        if inputs.iter().flatten().any(|v| v.is_per_class()) {
            self.fail(format!("{} over a value that differs from class to class", node.op()));
        }
        let name = self.fresh(&format!("gradcam/{}/copy", node.name()));
        let mut proto = node.proto.clone();
        proto.set_name(name.clone());
        proto.input = inputs.iter().map(|v| v.map_or(String::new(), |v| v.name())).collect();
        let made: Vec<Option<Val<'g>>> = outputs
            .iter()
            .enumerate()
            .map(|(i, shape)| {
                let name = if i == 0 { name.clone() } else { self.fresh(&format!("{name}:{i}")) };
                let value =
                    |shape: &Vec<usize>| Value { form: Form::Written(name), shape: shape.clone(), lead: Lead::None };
                shape.as_ref().map(|shape| self.val(self.push(value(shape))))
            })
            .collect();
        proto.output = made.iter().map(|v| v.map_or(String::new(), |v| v.name())).collect();
        self.patch.borrow_mut().nodes.push(proto);
        made
    }
}
