//! The examples in Python: an explained model served by ONNX Runtime alone, and the element's messages read through gi.
#![cfg(all(feature = "cli", feature = "plugin"))]

mod support;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A Python that can import this, with packages from `out/python`; says so where there is none.
fn python(import: &str, way: &str) -> Option<Command> {
    let packages = support::root().join("out/python");
    // The system's own knows the system's packages, which another one before it may not.
    let found = ["python3", "/usr/bin/python3"].into_iter().find(|program| {
        let tried = Command::new(program).args(["-c", import]).env("PYTHONPATH", &packages).output();
        tried.is_ok_and(|output| output.status.success())
    });
    let Some(program) = found else {
        println!("not run: no python3 runs {import:?}; {way}");
        return None;
    };
    let mut command = Command::new(program);
    command.env("PYTHONPATH", packages).current_dir(support::root().join("examples"));
    Some(command)
}

fn says(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn gradcam(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradcam"));
    if let Some(library) = support::runtime() {
        command.env("ORT_DYLIB_PATH", library);
    }
    says(&command.args(args).output().unwrap())
}

/// A map, row after row.
fn values(map: &Value) -> Vec<f64> {
    map.as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|value| value.as_f64().unwrap())
        .collect()
}

/// A photograph of the model's own size, for which nothing is resized: the numbers are those of `gradcam explain`.
#[test]
fn an_explained_model_is_served_by_onnx_runtime_alone() {
    let Some(mut serve) = python("import onnxruntime, PIL", "`make out/python` fetches what it needs") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (model, picture, explained) = (support::demo_model(), path("cup.png"), path("explained.onnx"));
    let photo = image::open(support::root().join("downloads/coffee.png")).expect("`make photos` fetches it");
    photo.resize_to_fill(224, 224, image::imageops::FilterType::Triangle).save(&picture).unwrap();
    let model = model.to_str().unwrap();
    gradcam(&["export", model, &explained]);
    let text = says(&serve.args(["serve_explained_model.py", &explained, &picture, "-1", "-2"]).output().unwrap());
    let served: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ours = gradcam(&["explain", model, &picture, "--target-class", "-1,-2", "--json"]);
    let ours: Value = serde_json::from_str(&ours).unwrap();
    let ours = ours["maps"].as_array().unwrap();
    assert_eq!(served.len(), 2);
    for (served, ours) in served.iter().zip(ours) {
        assert_eq!((&served["class"], &served["label"]), (&ours["class"], &ours["label"]));
        let score = |seen: &Value| seen["score"].as_f64().unwrap();
        assert!((score(served) - score(ours)).abs() < 1e-4, "{served} is not {ours}");
        let (served, ours) = (values(&served["map"]), values(&ours["map"]));
        let most = ours.iter().copied().fold(0.0, f64::max);
        assert!(most > 0.0 && served.len() == ours.len());
        let off = served.iter().zip(&ours).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-3 * most, "off by {off} of {most}");
    }
    println!("{}", text.lines().map(|line| line.chars().take(90).collect::<String>() + "\n").collect::<String>());
}

#[test]
fn messages_are_read_through_gi() {
    let import = "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst";
    let Some(mut watch) = python(import, "`make setup` installs python3-gi and gir1.2-gstreamer-1.0") else { return };
    let folder = tempfile::tempdir().unwrap();
    let plugin = std::env::current_exe().unwrap().with_file_name("libgstgradcam.so");
    std::os::unix::fs::symlink(&plugin, folder.path().join("libgstgradcam.so")).unwrap();
    watch.env("GST_PLUGIN_PATH", folder.path()).env("GST_REGISTRY", folder.path().join("registry"));
    if let Some(library) = support::runtime() {
        watch.env("ORT_DYLIB_PATH", library);
    }
    watch.arg("watch.py").arg(support::demo_model()).arg(photograph());
    let text = says(&watch.output().unwrap());
    assert_eq!(text.lines().count(), 3, "one line a frame:\n{text}");
    assert!(text.lines().all(|line| line.contains('%') && line.contains("espresso")), "{text}");
    println!("{text}");
}

/// A pipeline's beginning that shows a cup of coffee three times.
fn photograph() -> String {
    let path = support::root().join("downloads/coffee.png");
    assert!(Path::new(&path).exists(), "`make photos` fetches {path:?}");
    format!("filesrc location={} ! pngdec ! imagefreeze num-buffers=3", path.display())
}
