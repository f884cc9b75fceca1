//! The element as its users meet it. Each test bears the number of its case in the catalogue of hard cases: A, the
//! element in the pipeline; B, the model side.
#![cfg(feature = "plugin")]

#[path = "../support/mod.rs"]
mod support;

mod blend;
mod calm;
mod clips;
#[cfg(feature = "fault-injection")]
mod elsewhere;
mod exits;
mod faults;
mod fields;
mod formats;
mod heatmap;
#[cfg(feature = "fault-injection")]
mod injected;
mod loading;
mod memory;
mod models;
mod modes;
mod painting;
mod process;
mod properties;
mod properties_page;
mod providers;
#[allow(dead_code)]
#[path = "../models/raw.rs"]
mod raw;
mod recording;
mod regions;
mod rig;
mod scenes;
mod sharing;
#[cfg(feature = "fault-injection")]
mod soak;
mod states;
mod stream;
mod swap;
mod system;
mod tell;
