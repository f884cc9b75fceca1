//! What the kernel says of this process, and tests that have a process to themselves.

use std::path::Path;
use std::process::{Command, Output};

/// Names the test that a process was started for.
const ALONE: &str = "GRADCAM_TEST_ALONE";
/// How it is to go there, where there are several ways.
const WAY: &str = "GRADCAM_TEST_WAY";

/// Where this is the process of the test's own: the way that it is to go.
pub fn way(test: &str) -> Option<String> {
    (std::env::var(ALONE).ok()? == test).then(|| std::env::var(WAY).unwrap_or_default())
}

/// A process for a test, by its path below the crate: on its main thread.
pub fn process(test: &str, way: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ALONE, test).env(WAY, way);
    command
}

pub fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).join("\n")
}

/// True in the process of the test's own, which is started and waited for otherwise: counts are of one test there.
pub fn alone(test: &str) -> bool {
    if way(test).is_some() {
        return true;
    }
    // With one heap for all threads memory comes back as it went.
    let output = process(test, "").env("MALLOC_ARENA_MAX", "1").output().unwrap();
    assert!(output.status.success() && said(&output).contains("1 passed"), "{}\n{}", output.status, said(&output));
    false
}

fn entries(folder: &str) -> usize {
    std::fs::read_dir(Path::new("/proc/self").join(folder)).unwrap().count()
}

pub fn threads() -> usize {
    entries("task")
}

/// Open files, but for the one that counts.
pub fn files() -> usize {
    entries("fd") - 1
}

/// Memory in use, in kilobytes.
pub fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
