//! The demo model, with its trained weights, in other number formats: the same map, for a class of each picture.

mod convert;
mod correction;
mod maps;
mod quantizer;
#[path = "../support/mod.rs"]
mod support;
