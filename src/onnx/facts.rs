//! What a probe run measured: the type, shape and, for constants, the value of each tensor.

use std::collections::HashMap;

use super::tensor::{DType, Tensor};

/// What is known of one tensor.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Element type.
    pub dtype: DType,
    /// Shape of the probe run.
    pub shape: Vec<usize>,
    /// The value, where it does not depend on the picture.
    pub value: Option<Tensor>,
}

/// Facts by tensor name.
#[derive(Debug, Clone, Default)]
pub struct Facts(pub HashMap<String, Fact>);

impl Facts {
    /// The fact of a tensor.
    pub fn get(&self, name: &str) -> Option<&Fact> {
        self.0.get(name)
    }

    /// A tensor's shape.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.get(name).map(|fact| fact.shape.as_slice())
    }
}
