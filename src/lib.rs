//! Grad-CAM on live video from plain ONNX models: the library behind the GStreamer element and the `gradcam` tool.

#![forbid(unsafe_code)]

pub mod autodiff;
pub mod cam;
pub mod engine;
pub mod error;
pub mod explain;
pub mod frame;
pub mod labels;
pub mod onnx;
pub mod prep;
pub mod render;

pub use cam::{Method, Target};
pub use error::{Error, Result};
pub use explain::{ClassMap, Explainer, Explanation, ModelInfo, Options};
