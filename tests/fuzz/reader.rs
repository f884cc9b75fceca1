//! The fuzz target `reader`: see targets.rs.
#![no_main]

mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(targets::reader(bytes)));
