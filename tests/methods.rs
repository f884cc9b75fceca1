//! Every method against float64 formulae (`tests/data/methods.json`, written by `scripts/golden_methods.py` with torch and
//! pytorch-grad-cam), on a network with ReLU and one with SiLU.

mod support;

use std::collections::BTreeSet;

use gstgradcam::frame::Region;
use gstgradcam::onnx::{Model, tensorrt};
use gstgradcam::{ClassMap, Error, Explainer, Method, Options, Target};
use ndarray::ArrayD;
use serde_json::Value;
use support::{cosine, root, runtime};

const NOWHERE: Region = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };

fn golden() -> Value {
    let text = std::fs::read_to_string(root().join("tests/data/methods.json")).expect("it is there");
    serde_json::from_str(&text).expect("JSON")
}

/// The same as `picture` of the script.
fn picture() -> ArrayD<f32> {
    let value = |c: usize, y: usize, x: usize| ((c * 7 + y * 3 + x * 5) % 23 + (y * x + c) % 7) as f32 / 14.0 - 1.0;
    ArrayD::from_shape_fn(vec![1, 3, 32, 32], |i| value(i[1], i[2], i[3]))
}

fn options(method: Method) -> Options {
    Options { method, runtime_library: runtime(), threads: 1, ..Options::default() }
}

fn open(file: &str, options: &Options) -> Result<Explainer, Error> {
    Explainer::open(&root().join("tests/data").join(file), options)
}

fn maps(explainer: &mut Explainer, targets: &[Target]) -> Vec<ClassMap> {
    explainer.explain_tensor(picture().view(), targets, NOWHERE).expect("it runs").maps
}

fn rows(map: &Value) -> Vec<f32> {
    let rows = map.as_array().expect("rows").iter();
    rows.flat_map(|row| row.as_array().expect("a row")).map(|v| v.as_f64().expect("a number") as f32).collect()
}

/// Cosine, and largest difference as a part of the largest magnitude.
fn compare(ours: &ClassMap, wanted: &[f32]) -> (f64, f32) {
    let most = wanted.iter().fold(0.0f32, |m, &x| m.max(x.abs()));
    let off = ours.map.iter().zip(wanted).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    assert_eq!(ours.map.len(), wanted.len());
    (cosine(&ours.map, wanted), off / most)
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().map(|n| n as usize)
}

/// A map that was written down, and what it is of.
struct Case<'a> {
    file: &'a str,
    class: usize,
    versus: Option<String>,
    name: &'a str,
    map: Vec<f32>,
}

impl Case<'_> {
    /// Explains it, and holds the map against what was written down.
    fn check(&self, layers: &str, method: Method, signed: bool) -> ClassMap {
        let Case { file, class, name, .. } = self;
        let versus = self.versus.clone();
        let options = Options { target_layer: Some(layers.into()), versus, signed, ..options(method) };
        let mut explainer = open(file, &options).unwrap_or_else(|error| panic!("{file} {name}: {error}"));
        let seen = maps(&mut explainer, &[Target::Class(*class)]).swap_remove(0);
        if self.map.iter().any(|&x| x != 0.0) {
            let (cosine, off) = compare(&seen, &self.map);
            println!("{file} {name} {class} {:?}: cosine {cosine:.8}, off {off:.1e}", options.versus);
            assert!(cosine >= 0.999999 && off <= 1e-4, "{file} {name} {class}: cosine {cosine}, off {off}");
        }
        seen
    }
}

/// Those of a kind, "maps" or "signed".
fn cases<'a>(golden: &'a Value, kind: &str) -> Vec<Case<'a>> {
    let mut found = Vec::new();
    for net in golden["nets"].as_array().expect("nets") {
        for case in net["cases"].as_array().expect("cases") {
            for (name, map) in case[kind].as_object().expect("maps") {
                found.push(Case {
                    file: net["file"].as_str().expect("a name"),
                    class: number(&case["class"]).expect("a class"),
                    versus: number(&case["versus"]).map(|class| class.to_string()),
                    name,
                    map: rows(map),
                });
            }
        }
    }
    found
}

/// The method of a map's name, and the layers.
fn method(name: &str) -> (Method, &'static str) {
    let (name, layers) = match name {
        "fused" => ("gradcam", "act2,act3"),
        "differences" => ("hirescam", "act3"),
        name => (name, "act3"),
    };
    (name.parse().expect("a method"), layers)
}

#[test]
fn every_method_equals_its_formula() {
    let golden = golden();
    let mut covered = BTreeSet::from(["auto"]);
    for case in cases(&golden, "maps") {
        let (method, layers) = method(case.name);
        covered.insert(method.name());
        let seen = case.check(layers, method, false);
        let empty = case.map.iter().all(|&x| x == 0.0);
        assert_eq!(seen.reason.is_some(), empty, "{} {} {}: {}", case.file, case.name, case.class, seen.map);
    }
    assert!(Method::all().all(|method| covered.contains(method.name())), "{covered:?} are covered");
}

/// Without the ReLU: what speaks against a class, or for the one held against it. "differences" is HiResCAM's map by finite differences,
/// cell by cell, of runs of the network in float64 that know no gradient.
#[test]
fn maps_of_either_sign_equal_their_formula_and_finite_differences() {
    let golden = golden();
    let mut covered = BTreeSet::from(["auto"]);
    for case in cases(&golden, "signed") {
        let both = case.map.iter().any(|&x| x < 0.0) && case.map.iter().any(|&x| x > 0.0);
        assert!(both, "{} {}: both signs", case.file, case.name);
        let (method, layers) = method(case.name);
        covered.insert(method.name());
        let seen = case.check(layers, method, true);
        assert!(seen.signed && seen.reason.is_none());
    }
    let sound = |method: &Method| method.has_sign() == covered.contains(method.name());
    assert!(Method::all().all(|method| sound(&method)), "{covered:?} are covered");
}

#[test]
fn methods_that_know_one_sign_only_say_so() {
    for method in Method::all().filter(|method| !method.has_sign()) {
        let error =
            open("methods_relu.onnx", &Options { signed: true, ..options(method) }).expect_err("no sign").to_string();
        assert!(error.starts_with("signed=true") && error.contains(&format!("method={}", method.name())), "{error}");
        assert!(error.contains("use auto, gradcam, hirescam"), "{error}");
    }
}

/// A against B is B against A with the other sign, and the halves of the signed map are the maps that end in a ReLU.
#[test]
fn a_signed_map_holds_both_halves() {
    let run = |signed, class, other: &str| {
        let options = Options { versus: Some(other.into()), signed, ..options(Method::GradCam) };
        maps(&mut open("methods_relu.onnx", &options).expect("it opens"), &[Target::Class(class)]).remove(0).map
    };
    let (both, turned) = (run(true, 2, "6"), run(true, 6, "2"));
    let most = both.iter().fold(0.0f32, |m, &x| m.max(x.abs()));
    assert!((&both + &turned).iter().all(|x| x.abs() <= 1e-5 * most), "{both}, {turned}");
    let (speaks_for, against) = (run(false, 2, "6"), run(false, 6, "2"));
    assert!((speaks_for - against - &both).iter().all(|x| x.abs() <= 1e-5 * most));
}

/// In one run as each by itself, also where the layer is early and the gradient differs from place to place.
#[test]
fn several_classes_at_once_are_the_classes_one_by_one() {
    let targets = [Target::Rank(0), Target::Class(2), Target::Class(6), Target::Rank(9)];
    for method in Method::all().filter(|&method| method != Method::Cam) {
        for (layer, versus) in [("act3", None), ("act2", Some("-1")), ("act1,act3", None)] {
            let options =
                Options { target_layer: Some(layer.into()), versus: versus.map(String::from), ..options(method) };
            let mut explainer = open("methods_relu.onnx", &options).expect("it opens");
            let together = maps(&mut explainer, &targets);
            for (all, &target) in together.iter().zip(&targets) {
                let one = &maps(&mut explainer, &[target])[0];
                let most = one.map.iter().fold(0.0f32, |m, &x| m.max(x));
                let off = all.map.iter().zip(&one.map).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
                assert!(off <= 1e-4 * most, "{} {layer} {target:?}: {off} of {most}", method.name());
                assert_eq!(all.reason, one.reason);
            }
        }
    }
}

/// Mask by mask a linear head gives what its gradient says: to the bit of rounding, Recipro-CAM is Grad-CAM there.
#[test]
fn recipro_is_gradcam_on_a_pooled_linear_head() {
    let run = |method| maps(&mut open("methods_silu.onnx", &options(method)).expect("it opens"), &[Target::Class(2)]);
    let (a, b) = (&run(Method::Recipro)[0], &run(Method::GradCam)[0]);
    let (cosine, off) = compare(a, &b.map.iter().copied().collect::<Vec<_>>());
    assert!(cosine > 0.999999 && off < 1e-4, "cosine {cosine}, off {off}");
}

#[test]
fn a_class_against_itself_is_zero_and_says_so() {
    let versus = Options { versus: Some("2".into()), ..options(Method::GradCam) };
    let mut signed = open("methods_relu.onnx", &Options { signed: true, ..versus.clone() }).expect("it opens");
    let nothing = maps(&mut signed, &[Target::Class(2)]).remove(0).reason;
    assert!(nothing.is_some_and(|why| why.contains("against itself")));
    let mut explainer = open("methods_relu.onnx", &versus).expect("it opens");
    let seen = maps(&mut explainer, &[Target::Class(2), Target::Class(6)]);
    assert!(seen[0].reason.as_deref().is_some_and(|why| why.contains("against itself")), "{:?}", seen[0].reason);
    explainer.set_versus(&[Target::Class(6), Target::Class(2)]).expect("there are such classes");
    let turned = maps(&mut explainer, &[Target::Class(2), Target::Class(6)]);
    assert!(turned[0].reason.is_none(), "{:?}", turned[0].reason);
    assert_eq!(seen[1].map, turned[1].map, "6 against 2, both times");
    let refused = explainer.explain_tensor(picture().view(), &[Target::Rank(0)], NOWHERE).expect_err("two for one");
    assert!(refused.to_string().contains("there are 2 of them for 1 targets"), "{refused}");
    for bad in [vec![], vec![Target::Class(10)]] {
        assert!(matches!(explainer.set_versus(&bad), Err(Error::Setting { name: "versus", .. })));
    }
    let error =
        open("methods_relu.onnx", &Options { versus: Some("cat".into()), ..versus }).expect_err("no such class");
    assert!(error.to_string().contains("versus=cat") && error.to_string().contains("0..=9"), "{error}");
}

/// The versus map and its mirror image: what speaks for A against B is what the counterfactual of B against A shows.
#[test]
fn versus_turned_round_is_the_counterfactual() {
    let run = |method, class, other: &str| {
        let options = Options { versus: Some(other.into()), ..options(method) };
        maps(&mut open("methods_relu.onnx", &options).expect("it opens"), &[Target::Class(class)]).remove(0)
    };
    for layer_pair in [(2, 6), (6, 2), (0, 4)] {
        let one = run(Method::GradCam, layer_pair.0, &layer_pair.1.to_string());
        let other = run(Method::Counterfactual, layer_pair.1, &layer_pair.0.to_string());
        assert_eq!(one.map.iter().any(|&x| x > 0.0), other.map.iter().any(|&x| x > 0.0));
        let off = one.map.iter().zip(&other.map).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(off <= 1e-5 * one.map.iter().fold(1e-6f32, |m, &x| m.max(x)), "{layer_pair:?}: {off}");
    }
}

#[test]
fn the_reason_of_an_empty_map_tells_against_from_nothing() {
    // a counterfactual and a Grad-CAM of one class cannot both be negative everywhere; some class of some net is
    let mut negative = 0;
    for file in ["methods_relu.onnx", "methods_silu.onnx"] {
        let mut explainer = open(file, &options(Method::GradCam)).expect("it opens");
        let all: Vec<Target> = (0..10).map(Target::Class).collect();
        for seen in maps(&mut explainer, &all) {
            let blank = seen.map.iter().all(|&x| x == 0.0);
            assert_eq!(blank, seen.reason.is_some());
            let why = seen.reason.unwrap_or_default();
            assert!(!blank || (why.contains("negative") && why.contains(&seen.label)), "{why}");
            negative += usize::from(blank);
        }
    }
    assert!(negative > 0, "no map was empty, so nothing was checked");
}

#[test]
fn explained_models_name_what_is_in_them() {
    let wanted =
        Options { target_layer: Some("act2, act3".into()), versus: Some("-2".into()), ..options(Method::LayerCam) };
    let explainer = open("methods_relu.onnx", &wanted).expect("it opens");
    let model = Model::from_bytes(&explainer.explained_model().expect("written")).expect("sound");
    let metadata = model.metadata();
    let names: Vec<String> = model.inputs().into_iter().map(|input| input.name).collect();
    assert_eq!(names, ["x", "gradcam_target", "gradcam_versus"]);
    assert_eq!(metadata["gradcam.name.versus"], "gradcam_versus");
    assert_eq!(metadata["gradcam.method"], "layercam");
    assert!(!metadata.contains_key("gradcam.signed"));
    let signed = open("methods_relu.onnx", &Options { signed: true, ..options(Method::GradCam) }).expect("it opens");
    let model = Model::from_bytes(&signed.explained_model().expect("written")).expect("sound");
    assert_eq!(model.metadata()["gradcam.signed"], "true");
    let info = explainer.info();
    assert_eq!(metadata["gradcam.layer"], info.layers.join(","));
    assert_eq!((info.layers.len(), &info.layer), (2, &info.layers[0]), "both have 8x8 cells: the first counts");
    assert_eq!(info.method, Method::LayerCam);
    let error = open("methods_relu.onnx", &Options { target_layer: Some("act2,nowhere".into()), ..wanted });
    assert!(error.expect_err("no such layer").to_string().contains("\"nowhere\""));
}

#[test]
fn what_methods_add_is_what_tensorrt_takes() {
    for file in ["methods_relu.onnx", "methods_silu.onnx", "methods_mixed.onnx"] {
        for method in Method::all().filter(|&method| method != Method::Cam || file == "methods_silu.onnx") {
            let layers = if method == Method::Cam { "act3" } else { "act1,act3" };
            let options = Options { target_layer: Some(layers.into()), versus: Some("-2".into()), ..options(method) };
            let explainer = open(file, &options).unwrap_or_else(|error| panic!("{file} {}: {error}", method.name()));
            let model = Model::from_bytes(&explainer.explained_model().expect("written")).expect("sound");
            let refused: Vec<_> = tensorrt::obstacles(&model).into_iter().filter(|o| o.refused).collect();
            assert!(refused.is_empty(), "{file} {}: {refused:?}", method.name());
        }
    }
}

#[test]
fn guided_maps_have_the_pictures_size() {
    let mut explainer = open("methods_relu.onnx", &options(Method::GuidedGradCam)).expect("it opens");
    assert_eq!(maps(&mut explainer, &[Target::Rank(0)])[0].map.dim(), (32, 32));
}
