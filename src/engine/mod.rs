//! ONNX Runtime: finds the library, holds the one Environment, makes and runs sessions; sees bytes and arrays, never graphs.

use std::path::PathBuf;

use ndarray::{ArrayD, ArrayViewD};

use crate::error::Result;

/// How a session is made.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// ONNX Runtime's shared library; `None` = look in the usual places.
    pub library: Option<PathBuf>,
    /// Threads within an operator; 0 = the runtime's choice.
    pub threads: usize,
    /// Leave the graph as it is (no optimisation), for probing.
    pub unoptimized: bool,
}

/// A tensor that goes in.
#[derive(Debug)]
pub enum Input<'a> {
    /// float32
    F32(ArrayViewD<'a, f32>),
    /// int64
    I64(ArrayViewD<'a, i64>),
    /// uint8
    U8(ArrayViewD<'a, u8>),
}

/// A tensor that comes out. Other types are reported by name and shape, without values.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Output {
    /// float32
    F32(ArrayD<f32>),
    /// int64
    I64(ArrayD<i64>),
    /// int32
    I32(ArrayD<i32>),
    /// bool
    Bool(ArrayD<bool>),
    /// Any other type: its ONNX name ("float16", "sequence", ...) and shape.
    Other(String, Vec<usize>),
}

/// A loaded model.
#[derive(Debug)]
pub struct Engine;

/// Stops the engine's current run from another thread; `Clone + Send + Sync`.
#[derive(Debug, Clone)]
pub struct Interrupter;

impl Interrupter {
    /// Ends the run in progress (its caller gets [`crate::Error::Interrupted`]); no effect when none runs.
    pub fn interrupt(&self) {
        todo!()
    }
}

impl Engine {
    /// A session from the bytes of a self-contained model.
    pub fn new(model: &[u8], config: &Config) -> Result<Engine> {
        let _ = (model, config);
        todo!()
    }
    /// Runs; returns the outputs asked for, in that order.
    pub fn run(&mut self, inputs: &[(&str, Input)], outputs: &[&str]) -> Result<Vec<Output>> {
        let _ = (inputs, outputs);
        todo!()
    }
    /// For stopping a run.
    pub fn interrupter(&self) -> Interrupter {
        todo!()
    }
}

/// The version string of the loaded runtime, and the file it came from; loads it if need be.
pub fn runtime(library: Option<&std::path::Path>) -> Result<(String, PathBuf)> {
    let _ = library;
    todo!()
}
