//! GStreamer's own tools on the built plugin, each in a process of its own.

use std::path::Path;
use std::process::{Command, Output};

use crate::models::{self, OnDisk};
use crate::rig;
use crate::support;

/// A tool with the plugin loaded, an empty data directory, and warnings that are fatal.
fn tool(name: &str, home: &Path) -> Command {
    let mut command = Command::new(name);
    command.env("XDG_DATA_HOME", home).env("G_DEBUG", "fatal-warnings,fatal-criticals");
    command.arg(format!("--gst-plugin-load={}", rig::plugin().display()));
    if let Some(library) = support::runtime() {
        command.env("ORT_DYLIB_PATH", library);
    }
    command
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).join("\n")
}

/// Five frames through the element, set up by this text.
fn launch(home: &Path, gradcam: &[&str]) -> Command {
    let mut command = tool("gst-launch-1.0", home);
    command.args("videotestsrc num-buffers=5 ! video/x-raw,width=64,height=48 ! gradcam".split(' '));
    command.args(gradcam).args(["!", "fakesink"]);
    command
}

fn plays(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", said(&output));
    said(&output)
}

/// What the user reads on the line that says ERROR.
fn fails(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = said(&output);
    assert!(output.status.code().is_some_and(|code| code != 0), "{command:?}\n{said}");
    said.lines()
        .find(|line| line.starts_with("ERROR: from element"))
        .unwrap_or_else(|| panic!("no ERROR in {said}"))
        .into()
}

fn sides() -> OnDisk {
    models::save(&models::sides())
}

#[test]
fn b01_without_a_model_the_installed_one_is_taken_else_the_way_out_is_told() {
    let home = tempfile::tempdir().unwrap();
    let error = fails(&mut launch(home.path(), &[]));
    assert!(error.contains("set model=") && error.contains(home.path().to_str().unwrap()), "{error}");
    let installed = models::save_as(&models::sides(), "gradcam/efficientnet-lite0.onnx");
    plays(&mut launch(installed.dir.path(), &[]));
}

#[test]
fn b40_a_runtime_that_is_none_is_named_with_the_way_out() {
    let (model, home) = (sides(), tempfile::tempdir().unwrap());
    let model = format!("model={}", model.path.display());
    let text = home.path().join("text.so");
    std::fs::write(&text, "no library").unwrap();
    let other = rig::plugin();
    for library in [Path::new("/nowhere/libonnxruntime.so"), &text, home.path(), &other] {
        let library = library.to_str().unwrap();
        let error = fails(&mut launch(home.path(), &[&model, &format!("runtime-library={library}")]));
        for word in [library, "ONNX Runtime could not be loaded", "runtime-library", "ORT_DYLIB_PATH", "pip install"] {
            assert!(error.contains(word), "no {word:?} in {error}");
        }
    }
}

#[test]
fn b41_the_plugin_loads_and_is_inspected_without_a_runtime() {
    let home = tempfile::tempdir().unwrap();
    let mut inspect = tool("gst-inspect-1.0", home.path());
    inspect.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so").arg("gradcam");
    let text = plays(&mut inspect);
    for word in [
        "Grad-CAM overlay",
        "Filter/Effect/Analyzer/Video",
        "target-class",
        "resolved-target-layer",
        "I420, (string)YV12",
        "SRC template: 'heatmap'",
        "On request",
        "Boxed pointer of type \"GstStructure\"",
    ] {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
}

#[test]
fn a52_settings_as_gst_launch_reads_them() {
    let home = tempfile::tempdir().unwrap();
    let odd = models::save_as(&models::sides(), "with space, \u{fc}n\u{ef} \u{6a21}\u{578b}/mod\u{e8}le.onnx");
    let model = format!("model=\"{}\"", odd.path.display());
    let settings =
        ["method=cam", "colormap=viridis", "alpha=0.25", "resize-mode=letterbox", "mean=\"\"", "target-class=\"\""];
    plays(&mut launch(home.path(), &[&model]));
    let all: Vec<&str> = std::iter::once(model.as_str()).chain(settings).collect();
    plays(&mut launch(home.path(), &all));
    for wrong in ["method=magic", "colormap=rainbow", "threads=many", "no-such-property=1"] {
        let output = launch(home.path(), &[&model, wrong]).output().unwrap();
        assert!(!output.status.success(), "{wrong} is taken");
        assert!(said(&output).contains(wrong.split('=').next().unwrap()), "{wrong}: {}", said(&output));
    }
    let output = launch(home.path(), &[&model, "alpha=2"]).env_remove("G_DEBUG").output().unwrap();
    assert!(said(&output).contains("out of range"), "{}", said(&output));
}

#[test]
fn a52_a_path_that_is_not_utf8_ends_with_a_reason() {
    use std::os::unix::ffi::OsStrExt;
    let home = tempfile::tempdir().unwrap();
    let arg = std::ffi::OsStr::from_bytes(b"model=/nowhere/\xff\xfe.onnx");
    let mut command = tool("gst-launch-1.0", home.path());
    command.args(["videotestsrc", "num-buffers=1", "!", "gradcam"]).arg(arg).args(["!", "fakesink"]);
    let output = command.env_remove("G_DEBUG").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "refused, not killed: {}", said(&output));
}

#[test]
fn a54_a_healthy_run_writes_nothing_at_level_3_and_what_was_resolved_at_level_4() {
    let (model, home) = (sides(), tempfile::tempdir().unwrap());
    let model = format!("model={}", model.path.display());
    let log = |level: &str| {
        let mut command = launch(home.path(), &[&model, "target-class=bright"]);
        let output = command.env("GST_DEBUG", level).env("GST_DEBUG_NO_COLOR", "1").output().unwrap();
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert_eq!(log("gradcam:3"), "");
    let info = log("gradcam:4");
    for word in ["score", "layer", "self-check took ", " ms: outputs equal to the bit; gradient within"] {
        assert!(info.contains(word), "no {word:?} in {info}");
    }
}

#[test]
fn a60_no_object_is_alive_at_the_end() {
    let (model, home) = (sides(), tempfile::tempdir().unwrap());
    let model = format!("model={}", model.path.display());
    let traced = |command: &mut Command| {
        command.env("GST_TRACERS", "leaks").env("GST_DEBUG", "GST_TRACER:7").env("GST_DEBUG_NO_COLOR", "1");
        plays(command)
    };
    let settings = [&*model, "target-class=bright", "draw-labels=true", "post-messages=true", "output-map-meta=true"];
    for format in ["I420", "RGBA"] {
        let mut command = tool("gst-launch-1.0", home.path());
        let text = format!(
            "videotestsrc num-buffers=20 ! video/x-raw,format={format},width=64,height=48 ! tee name=t ! queue ! gradcam name=g"
        );
        command
            .args(text.split(' '))
            .args(settings)
            .args("! queue ! fakesink g.heatmap ! queue ! fakesink t. ! queue ! fakesink".split(' '));
        let text = traced(&mut command);
        assert!(text.contains("object-alive"), "the tracer is not at work:\n{text}");
        // A line that announces the tracer's format has a % there.
        let is_object = |line: &&str| {
            let name = line.split("object-alive, type-name=(string)").nth(1);
            name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
        };
        let alive: Vec<_> = text.lines().filter(is_object).collect();
        assert!(alive.is_empty(), "{alive:#?}");
    }
}
