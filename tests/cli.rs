//! The command line as a user meets it: what it prints, what it writes, how it ends.
#![cfg(feature = "cli")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gstgradcam::engine::{Config, Engine, Input, Output as Out};
use gstgradcam::onnx::{Attr, Data, Tensor};
use ndarray::{Array4, ArrayD, arr1};
use ndarray_npy::{ReadNpyExt, WriteNpyExt};
use serde_json::Value;
use support::SIDE;

/// A folder with a model of three classes: class 0 looks for red, 1 for green, 2 for blue.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Desk { folder: tempfile::tempdir().expect("a temporary folder") };
        std::fs::write(desk.path("colours.onnx"), support::colours().to_bytes().expect("a small model"))
            .expect("a file");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `gradcam` in the folder.
    fn gradcam(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gradcam"));
        command.current_dir(self.folder.path()).args(args);
        if let Some(library) = support::runtime() {
            command.env("ORT_DYLIB_PATH", library);
        }
        command.output().expect("the program starts")
    }

    /// What it prints, when it ends well.
    fn says(&self, args: &[&str]) -> String {
        let output = self.gradcam(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The sentence that it ends with.
    fn refuses(&self, args: &[&str]) -> String {
        let output = self.gradcam(args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.starts_with("gradcam: ") && said.trim_end().lines().count() == 1, "{args:?}: {said}");
        said
    }

    /// A grey picture with a square of one colour: columns 8..16 and rows 0..8 of 16, eight times enlarged.
    fn picture(&self, name: &str, colour: [u8; 3]) {
        let picture = image::RgbImage::from_fn(128, 128, |x, y| {
            image::Rgb(if x >= 64 && y < 64 { colour } else { [40, 40, 40] })
        });
        picture.save(self.path(name)).expect("a picture");
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn npy(path: &Path) -> ArrayD<f32> {
    ArrayD::read_npy(std::fs::File::open(path).expect("the file is there")).expect("float32 .npy")
}

#[test]
fn inspect_tells_what_was_resolved() {
    let desk = Desk::new();
    let seen = json(&desk.says(&["inspect", "colours.onnx", "--json"]));
    assert_eq!(seen["input"]["name"], "picture");
    assert_eq!(seen["input"]["shape"], serde_json::json!([1, 3, SIDE, SIDE]));
    assert_eq!(seen["layer"]["tensor"], "seen");
    assert_eq!(seen["score"]["classes"], 3);
    assert_eq!((&seen["score"]["kind"], &seen["score"]["output"]), (&"classes".into(), &"logits".into()));
    let said = desk.refuses(&["inspect", "colours.onnx", "--score-kind", "detection"]);
    assert!(said.contains("score-kind=detection") && said.contains("\"logits\" (float32 [1, 3])"), "{said}");
    assert_eq!(seen["labels"][2], "blue");
    assert_eq!(seen["operators"]["without-rule"], serde_json::json!({}));
    let check = &seen["self-check"];
    assert_eq!(check["output-change"], 0.0);
    assert!(check["gradient-error"].as_f64().is_some_and(|e| e < 0.01) && check["took-ms"].is_number(), "{check}");
    // the layer has 256 cells: CAM's map is 256 times Grad-CAM's
    let equal = &seen["cam-equality"];
    assert!(equal["cosine"].as_f64().is_some_and(|c| c > 0.999_999), "{equal}");
    assert!(equal["ratio"].as_f64().is_some_and(|r| (r - 256.0).abs() < 0.1), "{equal}");
    assert_eq!((&seen["tensorrt"]["taken"], &seen["verdicts"][0]["verdict"]), (&true.into(), &"ready".into()));
    let provider = &seen["provider"];
    assert_eq!(
        (&provider["name"], &provider["nodes"], &provider["cache-hit"]),
        (&"cpu".into(), &provider["of"], &Value::Null)
    );
    assert_eq!((&provider["tried"][0]["name"], &provider["map-cosine"]), (&"tensorrt".into(), &Value::Null));
    let text = desk.says(&["inspect", "colours.onnx", "--no-self-check"]);
    for word in
        ["\"seen\" [1, 3, 16, 16]", "3 classes", "GlobalAveragePool", "not made", "works, but nothing was checked"]
    {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

/// What was found is printed, and why it is not enough; the status is that of a failure.
#[test]
fn inspect_goes_as_far_as_it_can_with_a_model_that_cannot_be_explained() {
    let desk = Desk::new();
    let mut model = support::colours();
    model.add_initializer("all", &Tensor { shape: vec![3], data: Data::Bool(vec![true; 3]) });
    model.add_node("Compress", "strange", &["logits", "all"], &["hard"], &[("axis", Attr::Int(1))]);
    model.keep_outputs(&["hard"]);
    std::fs::write(desk.path("hard.onnx"), model.to_bytes().expect("a small model")).expect("a file");
    let inspect = ["inspect", "hard.onnx", "--method", "gradcam"];
    let output = desk.gradcam(&inspect);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for word in [
        "\"picture\" [1, 3, 16, 16]",
        "NO GRADIENT RULE: [\"strange\"]",
        "verdict        cannot be explained: ",
        "seen",
    ] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    assert!(desk.refuses(&inspect).contains("Compress"));
    let output = desk.gradcam(&[&inspect[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let seen = json(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(seen["verdicts"][0]["verdict"], "cannot be explained");
    assert_eq!(seen["operators"]["missing"][0], serde_json::json!({ "operator": "Compress", "node": "strange" }));
    assert_eq!((&seen["layer"], &seen["other-layers"][0]), (&Value::Null, &"seen".into()));
    assert!(seen["error"].as_str().is_some_and(|error| error.contains("Compress")), "{seen}");
}

#[test]
fn explain_finds_the_colour_and_paints_it() {
    let desk = Desk::new();
    desk.picture("blue.png", [0, 0, 250]);
    let args = ["explain", "colours.onnx", "blue.png", "--json", "--raw", "map.npy", "--overlay", "out.png"];
    let seen = json(&desk.says(&args));
    let map = &seen["maps"][0];
    assert_eq!((map["class"].as_u64(), map["label"].as_str()), (Some(2), Some("blue")));

    let raw = npy(&desk.path("map.npy"));
    assert_eq!(raw.shape(), [1, 1, SIDE, SIDE]);
    let (inside, outside) = (raw[[0, 0, 3, 12]], raw[[0, 0, 12, 3]]);
    assert!(inside > 3.0 * outside, "blue at {inside}, grey at {outside}");
    assert_eq!(map["map"][3][12].as_f64().map(|value| value as f32), Some(inside));

    let (before, after) = (desk.path("blue.png"), desk.path("out.png"));
    let (before, after) = (image::open(before).expect("PNG").to_rgb8(), image::open(after).expect("PNG").to_rgb8());
    assert_eq!(after.dimensions(), before.dimensions());
    let hot = after.get_pixel(112, 40);
    assert!(hot[0] > before.get_pixel(112, 40)[0], "jet's hot end is red, here it is {hot:?}");

    let clear = ["explain", "colours.onnx", "blue.png", "--overlay", "out.png", "--alpha", "0", "--no-draw-labels"];
    desk.says(&clear);
    assert_eq!(image::open(desk.path("out.png")).expect("PNG").to_rgb8(), before, "nothing is painted at alpha 0");
}

#[test]
fn a_list_of_classes_gives_a_map_each() {
    let desk = Desk::new();
    desk.picture("p.jpg", [0, 250, 0]);
    let args =
        ["explain", "colours.onnx", "p.jpg", "--target-class", "red, crimson, blue, -1", "--json", "--raw", "m.npy"];
    let seen = json(&desk.says(&args));
    let classes: Vec<_> = seen["maps"].as_array().expect("maps").iter().map(|map| map["class"].as_u64()).collect();
    assert_eq!(classes, [Some(0), Some(2), Some(1)]);
    assert_eq!(npy(&desk.path("m.npy")).shape(), [1, 3, SIDE, SIDE]);
    let text = desk.says(&["explain", "colours.onnx", "p.jpg", "--target-class", "-1"]);
    assert!(text.contains("green"), "{text}");
}

#[test]
fn one_class_against_another_and_why_a_map_is_empty() {
    let desk = Desk::new();
    desk.picture("red.png", [255, 0, 0]);
    let explain = ["explain", "colours.onnx", "red.png", "--target-class", "red"];
    let seen = json(&desk.says(&[&explain[..], &["--versus", "green", "--json"]].concat()));
    assert_eq!((&seen["method"], &seen["maps"][0]["reason"]), (&"gradcam".into(), &Value::Null));
    // no gradient for red against red; against green, a counterfactual is negative wherever red is
    let seen = json(&desk.says(&[&explain[..], &["--versus", "0", "--json"]].concat()));
    assert!(seen["maps"][0]["reason"].as_str().is_some_and(|why| why.contains("against itself")), "{seen}");
    let text = desk.says(&[&explain[..], &["--method", "counterfactual"]].concat());
    assert!(text.contains("the map is zero: every value is negative") && text.contains("against red"), "{text}");
    // the counterfactual of red is negative wherever red is: without the ReLU that is seen
    let both = json(&desk.says(&[&explain[..], &["--method", "counterfactual", "--signed", "--json"]].concat()));
    assert_eq!((&both["signed"], &both["maps"][0]["reason"]), (&true.into(), &Value::Null));
    let text = desk.says(&[&explain[..], &["--method", "counterfactual", "--signed"]].concat());
    assert!(text.contains("nothing speaks for it"), "{text}");
    let said = desk.refuses(&[&explain[..], &["--method", "eigencam", "--signed"]].concat());
    assert!(said.contains("signed=true: method=eigencam"), "{said}");
    for (colormap, signed, told) in
        [("jet", true, "blue-red or purple-orange"), ("blue-red", false, "set signed=true"), ("blue-red", true, "")]
    {
        let paint = ["--versus", "green", "--overlay", "o.png", "--colormap", colormap];
        let args = [&explain[..], &paint[..], if signed { &["--signed"][..] } else { &[] }].concat();
        let said = stderr(&desk.gradcam(&args));
        assert!(said.contains(told) && said.is_empty() == told.is_empty(), "{args:?}: {said}");
    }
    let said = desk.refuses(&[&explain[..], &["--versus", "yellow"]].concat());
    assert!(said.contains("versus=yellow") && said.contains("0..=2"), "{said}");
}

#[test]
fn a_tensor_goes_in_as_it_is() {
    let desk = Desk::new();
    let tensor = Array4::from_shape_fn((1, 3, SIDE, SIDE), |(_, c, y, x)| (c * 7 + y * 3 + x) as f32 / 50.0);
    tensor.write_npy(std::fs::File::create(desk.path("in.npy")).expect("a file")).expect("a tensor");
    desk.says(&["explain", "colours.onnx", "in.npy", "--target-class", "1", "--raw", "m.npy"]);
    // Grad-CAM by hand: alpha of channel 1 is 1/256, of the others 0.
    let want = tensor.index_axis(ndarray::Axis(1), 1).mapv(|value| value / (SIDE * SIDE) as f32);
    let have = npy(&desk.path("m.npy"));
    for (have, want) in have.iter().zip(&want) {
        assert!((have - want).abs() <= 1e-6 * want.abs().max(1e-3), "{have} is not {want}");
    }

    let wide = Array4::<f32>::zeros((1, 3, SIDE, SIDE + 1));
    wide.write_npy(std::fs::File::create(desk.path("wide.npy")).expect("a file")).expect("a tensor");
    assert!(desk.refuses(&["explain", "colours.onnx", "wide.npy"]).contains("[1, 3, 16, 17]"));
    let double = tensor.mapv(f64::from);
    double.write_npy(std::fs::File::create(desk.path("double.npy")).expect("a file")).expect("a tensor");
    assert_eq!(
        desk.says(&["explain", "colours.onnx", "double.npy"]),
        desk.says(&["explain", "colours.onnx", "in.npy"])
    );
    let whole = tensor.mapv(|value| value as i64);
    whole.write_npy(std::fs::File::create(desk.path("whole.npy")).expect("a file")).expect("a tensor");
    assert!(desk.refuses(&["explain", "colours.onnx", "whole.npy"]).contains("float32"));
    assert!(desk.refuses(&["explain", "colours.onnx", "in.npy", "--overlay", "o.png"]).contains("picture"));
}

/// A class for each picture, in any program that runs ONNX.
#[test]
fn the_exported_file_takes_a_batch() {
    let desk = Desk::new();
    desk.says(&["export", "colours.onnx", "explained.onnx", "--batch-size", "3"]);
    let bytes = std::fs::read(desk.path("explained.onnx")).expect("it was written");
    let config = Config { library: support::runtime(), ..Config::default() };
    let mut engine = Engine::new(&bytes, &config).expect("it is an ordinary model");
    let input = ArrayD::from_elem(vec![3, 3, SIDE, SIDE], 0.5f32);
    for (asked, wanted) in [(vec![2, 0, 1], [2, 0, 1]), (vec![1], [1; 3])] {
        let target = arr1(&asked).into_dyn();
        let inputs = [("picture", Input::F32(input.view())), ("gradcam_target", Input::I64(target.view()))];
        let outputs = engine.run(&inputs, &["gradcam_class", "gradcam_map"]).expect("it runs");
        let [Out::I64(class), Out::F32(map)] = &outputs[..] else { panic!("other types") };
        assert_eq!((class.shape(), &map.shape()[..2]), (&[3, 1][..], &[3, 1][..]));
        assert!(class.iter().eq(&wanted), "{class}");
    }
    let refused = desk.refuses(&["export", "colours.onnx", "no.onnx", "--batch-size", "0"]);
    assert!(refused.contains("batch-size=0"), "{refused}");
}

#[test]
fn the_exported_file_runs_by_itself() {
    let desk = Desk::new();
    desk.says(&["export", "colours.onnx", "explained.onnx"]);
    assert!(!desk.path("explained.part.onnx").exists());
    let bytes = std::fs::read(desk.path("explained.onnx")).expect("it was written");
    let mut engine =
        Engine::new(&bytes, &Config { library: support::runtime(), ..Config::default() }).expect("it loads");
    let picture = Array4::from_shape_fn((1, 3, SIDE, SIDE), |(_, c, _, x)| if c == 0 && x < 8 { 1.0 } else { 0.1 });
    let (picture, targets) = (picture.into_dyn(), arr1(&[-1_i64, 2]).into_dyn());
    let inputs = [("picture", Input::F32(picture.view())), ("gradcam_target", Input::I64(targets.view()))];
    let outputs = engine.run(&inputs, &["logits", "gradcam_class", "gradcam_map"]).expect("it runs");
    let [Out::F32(logits), Out::I64(class), Out::F32(map)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(logits.shape(), [1, 3]);
    assert_eq!(class.iter().copied().collect::<Vec<_>>(), [0, 2]);
    assert_eq!(map.shape(), [1, 2, SIDE, SIDE]);
    assert!(map[[0, 0, 5, 2]] > map[[0, 0, 5, 12]]);
}

#[test]
fn what_goes_wrong_is_one_sentence() {
    let desk = Desk::new();
    desk.picture("p.png", [250, 0, 0]);
    std::fs::write(desk.path("text.png"), "no picture").expect("a file");
    std::fs::write(desk.path("bad.onnx"), "no model").expect("a file");
    assert!(desk.refuses(&["inspect", "gone.onnx"]).contains("does not exist"));
    assert!(desk.refuses(&["inspect", "bad.onnx"]).contains("ONNX"));
    assert!(desk.refuses(&["explain", "colours.onnx", "gone.png"]).contains("gone.png"));
    assert!(desk.refuses(&["explain", "colours.onnx", "text.png"]).contains("PNG"));
    let absent = desk.refuses(&["explain", "colours.onnx", "p.png", "--execution-provider", "cuda"]);
    assert!(
        absent.contains("execution-provider=cuda cannot be used") && absent.contains("docs/tensorrt.md"),
        "{absent}"
    );
    let range = desk.refuses(&["explain", "colours.onnx", "p.png", "--target-class", "3"]);
    assert!(range.contains("0..=2"), "{range}");
    assert!(desk.refuses(&["explain", "colours.onnx", "p.png", "--target-class", "pink"]).contains("pink"));
    assert!(desk.refuses(&["inspect", "colours.onnx", "--labels-file", "gone.txt"]).contains("gone.txt"));
    assert!(desk.refuses(&["inspect", "colours.onnx", "--target-layer", "nowhere"]).contains("nowhere"));
    assert!(desk.refuses(&["export", "colours.onnx", "colours.onnx"]).contains("the input itself"));
    assert!(desk.refuses(&["export", "colours.onnx", "no/such/folder/out.onnx"]).contains("cannot write"));
    assert!(
        desk.refuses(&["explain", "colours.onnx", "p.png", "--overlay", "no/such/out.png"]).contains("cannot write")
    );
}

#[test]
fn labels_that_do_not_fit_are_said_to() {
    let desk = Desk::new();
    desk.picture("p.png", [0, 0, 250]);
    std::fs::write(desk.path("two.txt"), "rouge\nvert\n").expect("a file");
    let output = desk.gradcam(&["explain", "colours.onnx", "p.png", "--labels-file", "two.txt"]);
    assert!(output.status.success() && stderr(&output).contains("2 class names"), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("class 2"));
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    let desk = Desk::new();
    for args in [
        &["explain"][..],
        &["paint"],
        &["inspect", "m.onnx", "--provider-options", "x"],
        &["inspect", "m.onnx", "--alpha", "1"],
        &["explain", "m", "p", "--alpha", "2"],
    ] {
        let output = desk.gradcam(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).starts_with("gradcam: "), "{}", stderr(&output));
    }
    let help = desk.says(&["explain", "--help"]);
    let options = "method target-layer target-class signed score-output score-kind preprocess mean std color-format resize-mode input-size \
        labels-file runtime-library execution-provider device provider-options precision provider-library engine-cache-dir threads \
        inference-timeout alpha alpha-mode colormap output-mode threshold smooth normalization confidence-threshold draw-labels no-draw-labels draw-legend label-position font no-self-check";
    for option in options.split_whitespace() {
        assert!(help.contains(&format!("--{option}")), "--{option} is missing from the help");
    }
    assert!(desk.says(&["--version"]).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn bench_prints_its_table() {
    let desk = Desk::new();
    let table = desk.says(&["bench", "colours.onnx", "--runs", "2", "--threads", "1"]);
    for row in [
        "alone in the process",
        "alive, idle",
        "alive, busy",
        "load",
        "pictures a second",
        "prepare the input",
        "paint the map",
    ] {
        assert!(table.contains(row), "{row} is not in\n{table}");
    }
    desk.says(&["bench", "colours.onnx", "--runs", "1", "--threads", "1", "--versus", "-2"]);
    let rows = json(&desk.says(&["bench", "colours.onnx", "--runs", "2", "--threads", "1", "--json"]));
    let count = |table: &str| rows[table].as_array().map(Vec::len);
    assert_eq!((count("inference"), count("batches"), count("frame")), (Some(3), Some(3), Some(4)));
    assert!(rows["load"]["plain-ms"].is_number() && rows["load"]["explained-ms"].is_number());
}
