//! A model file as an editable graph: load, save, look up, emit nodes.
//!
//! Not an inference engine and not a shape-inference engine: shapes come from a probe run, as [`Facts`].

mod check;
mod copy;
mod draft;
mod emit;
mod exact;
mod external;
mod facts;
mod graph;
mod lead;
mod model;
mod node;
mod padded;
#[rustfmt::skip]
#[allow(clippy::unwrap_used)] // generated
mod proto;
mod repin;
mod steps;
mod tensor;
pub mod tensorrt;
mod upgrade;
mod val;

pub use emit::{Emit, Patch};
pub use facts::{Fact, Facts};
pub use graph::Graph;
pub use model::{MAX_OPSET, MIN_OPSET, Model, ValueInfo};
pub use node::{Attr, Node};
pub use repin::{Relaxed, keeper, rebatch};
pub use tensor::{DType, Data, Tensor};
pub use val::Val;
