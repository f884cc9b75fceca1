//! `gradcam evaluate` as a user meets it: its figures against other tools', against baselines, and what it does with bad input.
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use support::{demo_model, root, runtime, shared};

const SIDE: u32 = 32;

/// A folder with a little network, which sees 32x32 pixels, and four patterns of that size.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a temporary folder"));
        std::fs::copy(root().join("tests/data/methods_relu.onnx"), desk.path("m.onnx")).expect("the network");
        std::fs::create_dir(desk.path("p")).expect("a folder");
        for n in 0..4 {
            // as scripts/evaluate_peers.py makes them
            let picture = image::RgbImage::from_fn(SIDE, SIDE, |x, y| {
                image::Rgb([0, 1, 2].map(|c| ((c * 67 + y * y * (n + 2) + x * 5 * (n + 1) + x * y) % 256) as u8))
            });
            picture.save(desk.path(&format!("p/{n}.png"))).expect("a picture");
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn annotate(&self, annotations: &Value) {
        std::fs::write(self.path("p/images.json"), annotations.to_string()).expect("a file");
    }

    fn evaluate(&self, more: &[&str]) -> Output {
        evaluate(&self.path("m.onnx"), &self.path("p"), more)
    }

    /// What it prints, and what it says beside that.
    fn says(&self, more: &[&str]) -> (String, String) {
        let output = self.evaluate(more);
        assert!(output.status.success(), "{more:?}: {}", stderr(&output));
        (String::from_utf8(output.stdout.clone()).expect("UTF-8"), stderr(&output))
    }

    fn json(&self, more: &[&str]) -> Value {
        let (text, _) = self.says(&[more, &["--json"]].concat());
        serde_json::from_str(&text).expect("JSON")
    }
}

fn evaluate(model: &Path, folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradcam"));
    command.arg("evaluate").arg(model).arg(folder).args(more);
    if let Some(library) = runtime() {
        command.env("ORT_DYLIB_PATH", library);
    }
    command.output().expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// torch-cam 0.5.0 and pytorch-grad-cam 1.5.7 on the same maps, by scripts/evaluate_peers.py.
#[test]
fn figures_are_those_of_torch_cam_and_pytorch_grad_cam() {
    let golden = std::fs::read_to_string(root().join("tests/data/evaluate.json")).expect("the golden figures");
    let golden: Value = serde_json::from_str(&golden).expect("JSON");
    let seen = Desk::new().json(&["--compare", "gradcam,layercam,hirescam"]);
    let cases: BTreeMap<&str, &Value> = seen["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .map(|case| (case["file"].as_str().expect("a name"), case))
        .collect();
    let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
    for want in golden["maps"].as_array().expect("maps") {
        let (file, row) = (want["file"].as_str().expect("a file"), want["row"].as_str().expect("a row"));
        let have = &cases[file]["rows"][row];
        let values = |map: &Value| -> Vec<f64> {
            map.as_array()
                .into_iter()
                .flatten()
                .flat_map(|row| row.as_array().into_iter().flatten())
                .filter_map(Value::as_f64)
                .collect()
        };
        let (ours, theirs) = (values(&have["map"]), values(&want["map"]));
        assert!(
            ours.len() == 16 && ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() <= 1e-4 * b.abs().max(1e-3)),
            "{file} {row}"
        );
        for (figure, value) in want["figures"].as_object().expect("figures") {
            let ours = have["figures"][figure.split(' ').next().expect("a word")].as_f64().expect("a figure");
            let off = (ours - value.as_f64().expect("a figure")).abs();
            // four sides of the centre are equally hot, and rounding decides which goes first; ROAD adds noise of its own
            let within = match (figure.as_str(), row) {
                ("road", "centre") => 1e-2,
                ("road", _) => 4e-3,
                ("deletion" | "insertion", "centre") => 5e-3,
                ("deletion" | "insertion", _) => 1e-3,
                _ => 1e-5,
            };
            assert!(off <= within, "{file} {row} {figure}: {ours} is not {value}");
            let most = worst.entry(figure).or_default();
            *most = most.max(off);
        }
    }
    println!("largest differences from torch-cam's and pytorch-grad-cam's figures: {worst:?}");
    assert_eq!(worst.len(), 7);
}

/// The demo model: each figure's interval, and the paired differences.
#[test]
fn the_demo_model_s_maps_beat_those_that_know_nothing() {
    let Some(data) = shared() else { return };
    let output =
        evaluate(&demo_model(), &data, &["--metrics", "deletion,insertion,pointing,energy", "--steps", "10", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&seen["pictures"], &seen["objects"]), (&json!(20), &json!(22)));
    let row = &seen["rows"][0];
    assert_eq!(row["name"], "gradcam");
    for baseline in ["centre", "random", "edges"] {
        for figure in ["deletion", "insertion", "energy"] {
            let gain = &row["better-by"][baseline][figure];
            let number = |key: &str| gain[key].as_f64().expect("a number");
            println!(
                "{figure} better than {baseline} by {:.3} ({:.3} to {:.3})",
                number("mean"),
                number("low"),
                number("high")
            );
            assert!(
                number("mean") > 0.0 && number("low") < number("mean") && number("mean") < number("high"),
                "{gain}"
            );
            // with twenty pictures, deletion against edges is the one that the interval leaves open
            assert!(
                number("low") > if (figure, baseline) == ("deletion", "edges") { -0.02 } else { 0.0 },
                "{figure} {baseline} {gain}"
            );
        }
    }
    assert!(row["figures"]["pointing"]["mean"].as_f64().expect("a share") > 0.95);
}

#[test]
fn objects_are_found_and_files_without_take_part_in_the_rest() {
    let desk = Desk::new();
    desk.annotate(&json!([
        {"file": "0.png", "objects": [{"class": 1, "box": [0, 0, 1, 1]}]},
        {"file": "1.png", "objects": [{"mask": "mask.png"}]},
    ]));
    let mask = image::GrayImage::from_fn(SIDE, SIDE, |x, _| image::Luma([if x < SIDE / 2 { 255 } else { 0 }]));
    mask.save(desk.path("p/mask.png")).expect("a mask");
    let seen = desk.json(&["--metrics", "drop,pointing,energy", "--compare", "gradcam,eigencam@act2"]);
    assert_eq!((&seen["pictures"], &seen["objects"]), (&json!(4), &json!(2)), "the mask is no picture");
    let cases = seen["cases"].as_array().expect("cases");
    let of_all = cases.iter().find(|case| case["class"] == 1 && case["file"] == "0.png").expect("a case of class 1");
    let on_all = &of_all["rows"]["centre 4x4"]["figures"]["energy"];
    assert_eq!((&of_all["object-area"], on_all), (&json!(1.0), &json!(1.0)));
    let masked = cases.iter().find(|case| case["file"] == "1.png").expect("a case");
    assert_eq!((&masked["object-area"], &masked["faithful"]), (&json!(0.5), &json!(true)));
    let names: Vec<&str> =
        seen["rows"].as_array().expect("rows").iter().filter_map(|row| row["name"].as_str()).collect();
    let grids = ["centre 4x4", "random 4x4", "edges 4x4", "centre 8x8", "random 8x8", "edges 8x8"];
    assert_eq!(names, [&["gradcam", "eigencam@act2"][..], &grids].concat());
    assert!(seen["rows"][1]["better-by"]["centre 8x8"]["drop"]["mean"].is_number(), "{}", seen["rows"][1]);
    let annotated = desk.json(&["--metrics", "drop", "--target-class", "annotated"]);
    assert_eq!(annotated["pictures"], 2, "only these have objects");
}

#[test]
fn what_cannot_be_used_is_said_and_the_rest_goes_on() {
    let desk = Desk::new();
    desk.annotate(&json!([
        {"file": "gone.png"},
        {"objects": []},
        {"file": "0.png", "objects": [{"class": 99, "box": [0, 0, 1, 1]}, {"box": [3, 4, 20, 30]}, {"mask": "gone-too.png"}]},
    ]));
    std::fs::write(desk.path("p/text.png"), "no picture").expect("a file");
    let (table, said) = desk.says(&["--metrics", "drop,pointing"]);
    assert!(table.contains("on 4 pictures"), "{table}");
    for word in ["gone.png", "no \"file\"", "none of the model's 10", "fractions", "gone-too.png", "text.png"] {
        assert!(
            said.lines().any(|line| line.starts_with("gradcam: ") && line.contains(word)),
            "{word} is not in\n{said}"
        );
    }
    std::fs::write(desk.path("p/images.json"), "{").expect("a file");
    let (_, said) = desk.says(&["--metrics", "drop"]);
    assert!(said.contains("images.json") && said.contains("\"objects\""), "{said}");
}

#[test]
fn what_leaves_nothing_is_one_sentence() {
    let desk = Desk::new();
    let refuses = |folder: &Path, more: &[&str], word: &str| {
        let output = evaluate(&desk.path("m.onnx"), folder, more);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.lines().last().is_some_and(|line| line.starts_with("gradcam: ") && line.contains(word)), "{said}");
    };
    let empty = desk.path("empty");
    std::fs::create_dir(&empty).expect("a folder");
    refuses(&empty, &[], "no picture");
    refuses(&desk.path("nowhere"), &[], "cannot read the folder");
    refuses(&desk.path("p"), &["--annotations", "nowhere.json"], "nowhere.json");
    refuses(&desk.path("p"), &["--target-class", "10"], "0..=9");
    refuses(&desk.path("p"), &["--target-class", "annotated"], "nothing is left");
    refuses(&desk.path("p"), &["--compare", "gradcam@nowhere"], "nowhere");
    std::fs::write(empty.join("a.png"), "no picture").expect("a file");
    refuses(&empty, &[], "nothing is left");
    for wrong in [&["--compare", "gradcum"][..], &["--steps", "0"], &["--metrics", "beauty"], &["--tolerance", "-1"]] {
        assert_eq!(desk.evaluate(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

/// One at a time or several, the figures are the same, and the same again.
#[test]
fn batches_and_runs_do_not_change_the_figures() {
    let desk = Desk::new();
    let run = |batch: &str| {
        let mut seen = desk.json(&["--metrics", "deletion,road", "--batch", batch]);
        seen["rows"].as_array_mut().expect("rows").iter_mut().for_each(|row| row["milliseconds"] = json!(0));
        seen
    };
    let (one, again, eight) = (run("1"), run("1"), run("8"));
    assert_eq!(one, again);
    assert_eq!((&one["batch"], &eight["batch"]), (&json!(1), &json!(8)), "the network takes several");
    for (one, eight) in one["rows"].as_array().expect("rows").iter().zip(eight["rows"].as_array().expect("rows")) {
        let mean = |row: &Value| row["figures"]["deletion"]["mean"].as_f64().expect("a mean");
        assert!((mean(one) - mean(eight)).abs() < 1e-5, "{one} {eight}");
    }
}

#[test]
fn the_report_is_one_file_with_pictures_and_curves() {
    let desk = Desk::new();
    desk.annotate(&json!([{"file": "0.png", "objects": [{"class": 0, "box": [0.1, 0.1, 0.5, 0.5]}]}]));
    let html = desk.path("report.html");
    desk.says(&["--metrics", "deletion,insertion,energy", "--html", html.to_str().expect("UTF-8")]);
    let page = std::fs::read_to_string(&html).expect("it was written");
    for part in
        ["<!doctype html>", "data:image/jpeg;base64,", "<svg class=\"chart\"", "lower is better", "<rect ", "centre"]
    {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("<script"), "nothing from elsewhere");
    let output = desk.evaluate(&["--metrics", "drop", "--html", "no/such/folder/out.html"]);
    assert!(output.status.code() == Some(1) && stderr(&output).contains("cannot write"), "{}", stderr(&output));
}
