//! Grad-CAM on live video from plain ONNX models: the library behind the GStreamer element and the `gradcam` tool.
//!
//! A model's graph is rewritten once into another ONNX graph that predicts and explains in one run; [`Explainer`] does that and
//! prepares frames for it, [`render::Painter`] paints the map. No GStreamer is needed for either.
//!
//! ```
//! use gstgradcam::frame::{Color, Format, FrameMut, Matrix, Plane, Range};
//! use gstgradcam::render::{Painter, Style};
//! use gstgradcam::{Explainer, Options};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # // As `make model runtime photos` lays them down.
//! # let (model, photo) = ("models/efficientnet-lite0.onnx", image::open("downloads/coffee.png")?.to_rgb8());
//! # let (mut rgb, (width, height)) = (photo.to_vec(), (photo.width() as usize, photo.height() as usize));
//! # let library = std::fs::read_dir("runtime")?.flatten().map(|file| file.path());
//! # let library = library.into_iter().find(|path| path.to_string_lossy().contains("libonnxruntime.so"));
//! # let options = Options { runtime_library: library, ..Options::default() };
//! let mut explainer = Explainer::open(model.as_ref(), &options)?;
//! // rgb: width * height * 3 bytes
//! let color = Color { matrix: Matrix::Bt601, range: Range::Full };
//! let plane = Plane { data: rgb.as_mut_slice(), stride: width * 3 };
//! let mut frame = FrameMut::new(Format::Rgb, width, height, color, vec![plane])?;
//!
//! let best = explainer.targets("-1")?;
//! let seen = explainer.explain(&frame.as_frame(), &best)?;
//! let cup = &seen.maps[0];
//! println!("{} {:.0} %\n{:.3}", cup.label, cup.score * 100.0, cup.map);
//! # assert_eq!((cup.label.as_str(), cup.score > 0.9), ("espresso", true));
//! Painter::new(Style::DEFAULT).paint(&mut frame, cup.map.view(), seen.region)?;
//! # assert_ne!(rgb, photo.to_vec());
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`explain`] | [`Explainer`]: a model, opened, explained and checked; what it saw of a frame |
//! | [`frame`], [`prep`] | pictures in memory, in the formats of video, and how they become the model's input |
//! | [`render`] | maps to pixels, in place; calm over time |
//! | [`onnx`], [`autodiff`], [`cam`] | the graph surgery itself: a model as an editable graph, its gradient, its maps |
//! | [`engine`], [`worker`] | ONNX Runtime, and a thread that runs models for several streams |
//! | [`record`] | what is told of a frame, as JSON |
//!
//! With the feature `plugin` (on by default) the library is the GStreamer plugin, too; without default features neither GStreamer nor
//! the command line's dependencies are needed. ONNX Runtime is loaded when the first model is opened: [`Options::runtime_library`],
//! `ORT_DYLIB_PATH` or the usual places.

#![forbid(unsafe_code)]
#![warn(rustdoc::broken_intra_doc_links)]

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
