//! Pixels without GStreamer and without a model: frames, preprocessing, painting.

mod frame;
mod golden;
mod modes;
mod paint;
mod part;
mod picture;
mod prep;
mod round_trip;
mod spec;
mod write;
