//! The GStreamer face: plugin `gradcam` with the element of the same name.
//!
//! `mod.rs` registers, `settings.rs` is the table of properties, `enums.rs` what some of them may be, `wishes.rs` what they mean,
//! `imp.rs` the element's life, `loading.rs` how it comes to its model,
//! `stream.rs` the way of a frame, `mode.rs` whether frames wait, `regions.rs` what of a frame is explained,
//! `session.rs` the open model at work, `scene.rs` where a scene ends, `playback.rs` a recording in the model's place, `newest.rs` the
//! newest maps of either, `shown.rs` how they are painted, `beside.rs` frames of twice the
//! width, `words.rs` what is written; `frame.rs` and `message.rs` translate
//! frames and errors. `tell.rs` says what became of a frame, `sidecar.rs` writes it down, `meta.rs` hangs it on the buffer, `structure.rs` translates it, `stats.rs`
//! counts, `heatmap.rs` is the second pad. What is computed lives elsewhere, without GStreamer.

// What the macros generate: accessors, documented by their properties' blurbs, and the plugin's description.
#![allow(missing_docs)]

use gst::glib;
use gst::prelude::*;

mod beside;
mod enums;
mod frame;
mod heatmap;
mod imp;
mod loading;
mod message;
mod meta;
mod mode;
mod newest;
mod playback;
mod regions;
mod remarks;
mod scene;
mod session;
mod settings;
mod shown;
mod sidecar;
mod stats;
mod stream;
mod structure;
mod tell;
mod wishes;
mod words;

pub use enums::*;
pub use meta::{map_fields, maps_of};
pub use sidecar::recorded_settings;
pub use stats::stats_fields;

glib::wrapper! {
    /// The element `gradcam`: paints on each frame where an image classifier looks.
    ///
    /// ```text
    /// gst-launch-1.0 v4l2src ! videoconvert ! gradcam model=m.onnx ! videoconvert ! autovideosink
    /// ```
    pub struct GradCam(ObjectSubclass<settings::GradCam>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object;
}

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    meta::register();
    gst::Element::register(Some(plugin), "gradcam", gst::Rank::NONE, GradCam::static_type())
}

gst::plugin_define!(
    gradcam,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
    "MIT/X11",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    env!("BUILD_REL_DATE")
);
