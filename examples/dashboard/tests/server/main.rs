//! The dashboard's program as its clients meet it: each test starts it, asks it over loopback, and ends it.
//!
//! `rig.rs` is the program, `client.rs` who asks, `camera.rs` a network camera, `models.rs` what its cameras are classified with.

mod access;
mod camera;
mod client;
mod faults;
mod film;
mod hostile;
mod live;
mod models;
mod process;
mod rig;
mod settings;
mod sources;
mod viewers;
mod wire;
