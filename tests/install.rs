//! `scripts/install.sh`: what lies where, and that nothing is left of it afterwards.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Files below a folder, from there.
fn files(folder: &Path) -> BTreeSet<String> {
    let listed = Command::new("find").arg(folder).args(["-type", "f", "-printf", "%P\n"]).output().unwrap();
    String::from_utf8(listed.stdout).unwrap().lines().map(String::from).collect()
}

/// Runs it in a folder with what a build leaves behind; `set` are variables.
fn install(built: &Path, set: &[(&str, &Path)], uninstall: bool) {
    let mut command = Command::new(support::root().join("scripts/install.sh"));
    command.current_dir(built).env_remove("PREFIX").env_remove("CARGO_TARGET_DIR").envs(set.iter().copied());
    command.args(uninstall.then_some("--uninstall")).args(["libonnxruntime.so.1.0", "m.onnx"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_systems_installation_lies_where_it_is_looked_for_and_goes_again() {
    let built = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(built.path().join("target/release")).unwrap();
    for file in ["target/release/libgstgradcam.so", "target/release/gradcam", "libonnxruntime.so.1.0", "m.onnx"] {
        std::fs::write(built.path().join(file), file).unwrap();
    }
    let own = ["opt/x/bin/gradcam", "opt/x/lib/gradcam/libonnxruntime.so.1.0", "opt/x/lib/gradcam/m.onnx"];
    for (plugins, plugin) in [
        (None, "opt/x/lib/gstreamer-1.0/libgstgradcam.so"),
        (Some(Path::new("/usr/lib/elsewhere")), "usr/lib/elsewhere/libgstgradcam.so"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let mut set = vec![("DESTDIR", root.path()), ("PREFIX", Path::new("/opt/x"))];
        set.extend(plugins.map(|plugins| ("PLUGINS", plugins)));
        install(built.path(), &set, false);
        assert_eq!(files(root.path()), own.into_iter().chain([plugin]).map(String::from).collect());
        install(built.path(), &set, true);
        assert_eq!(files(root.path()), BTreeSet::new());
        assert!(!root.path().join("opt/x/lib/gradcam").exists());
    }
}

#[test]
fn what_was_not_built_is_asked_for() {
    let (nothing, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut command = Command::new(support::root().join("scripts/install.sh"));
    command
        .current_dir(nothing.path())
        .env_remove("CARGO_TARGET_DIR")
        .env("DESTDIR", root.path())
        .env("PREFIX", "/opt/x")
        .args(["l.so", "m.onnx"]);
    let output = command.output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("make build"));
    assert_eq!(files(root.path()), BTreeSet::new());
}
