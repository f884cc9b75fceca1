//! Grad-CAM on live video from plain ONNX models: the library behind the GStreamer element and the `gradcam` tool.
//!
//! A model's graph is rewritten once into another ONNX graph that predicts and explains in one run; [`Explainer`] does that and
//! prepares frames for it, [`render::Painter`] paints the map. No GStreamer is needed for either.
//!
//! ```no_run
//! use gstgradcam::frame::{Color, Format, Frame, Matrix, Plane, Range};
//! use gstgradcam::{Explainer, Options};
//!
//! # fn main() -> gstgradcam::Result<()> {
//! let mut explainer = Explainer::open("m.onnx".as_ref(), &Options::default())?;
//! let rgb = vec![0; 640 * 480 * 3];
//! let color = Color { matrix: Matrix::Bt601, range: Range::Full };
//! let frame = Frame::new(Format::Rgb, 640, 480, color, vec![Plane { data: &rgb, stride: 640 * 3 }])?;
//! let best = explainer.targets("")?;
//! for seen in explainer.explain(&frame, &best)?.maps {
//!     println!("{} {:.0} %\n{}", seen.label, seen.score * 100.0, seen.map);
//! }
//! # Ok(())
//! # }
//! ```

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
pub mod record;
pub mod render;
pub mod worker;

pub use cam::{Method, ScoreKind, Target};
#[cfg(feature = "plugin")]
pub use element::plugin_register_static;
pub use engine::{Precision, Provider};
pub use error::{Error, Result};
pub use explain::{
    ClassMap, Explainer, Explanation, Guess, Inspection, ModelInfo, NumberFormat, Options, ProviderInfo, Scorer,
    Scores, Summary,
};
pub use record::Record;
