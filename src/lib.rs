//! Grad-CAM on live video from plain ONNX models: the library behind the GStreamer element and the `gradcam` tool.

#![forbid(unsafe_code)]

pub mod autodiff;
pub mod cam;
#[cfg(feature = "plugin")]
pub mod element;
pub mod engine;
pub mod error;
pub mod explain;
pub mod frame;
pub mod labels;
pub mod onnx;
pub mod prep;
pub mod render;
pub mod worker;

pub use cam::{Method, Target};
#[cfg(feature = "plugin")]
pub use element::plugin_register_static;
pub use error::{Error, Result};
pub use explain::{ClassMap, Explainer, Explanation, ModelInfo, Options};
