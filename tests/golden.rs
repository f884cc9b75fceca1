//! Maps of EfficientNet-Lite0 against PyTorch's autograd in float64 (`../shared/data/golden`), and the demo model's outputs
//! against themselves.

mod support;

use std::path::Path;

use gstgradcam::frame::Region;
use gstgradcam::onnx::{Model, tensorrt};
use gstgradcam::{Explainer, Method, Options, Provider, Target};
use ndarray::{Array4, ArrayD};
use serde_json::Value;
use support::{cosine, demo, openvino, shared};

fn open(method: Method, layer: Option<&str>) -> Explainer {
    demo(Options { method, target_layer: layer.map(String::from), ..Options::default() })
}

fn picture(path: &Path) -> ArrayD<f32> {
    let rgb = image::open(path).expect("a PNG").to_rgb8();
    let (w, h) = (rgb.width() as usize, rgb.height() as usize);
    Array4::from_shape_fn((1, 3, h, w), |(_, c, y, x)| (f32::from(rgb.as_raw()[(y * w + x) * 3 + c]) - 127.0) / 128.0)
        .into_dyn()
}

const NOWHERE: Region = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };

/// On the provider that the environment names, so that `make check-gpu` measures a GPU by the same figures.
#[test]
fn maps_equal_float64_autograd() {
    let name = std::env::var("GRADCAM_TEST_PROVIDER").unwrap_or("cpu".into());
    let provider = Provider::all().find(|one| one.name() == name).expect("a provider's name");
    golden_maps(&Options { execution_provider: provider, ..Options::default() });
}

#[test]
fn maps_on_openvino_equal_float64_autograd() {
    let Some(library) = openvino() else { return };
    let cache = Some("none".into());
    golden_maps(&Options { provider_library: Some(library), engine_cache_dir: cache, ..Options::default() });
}

fn golden_maps(options: &Options) {
    let Some(folder) = shared().map(|data| data.join("golden")) else { return };
    let text = std::fs::read_to_string(folder.join("gradcam_lite0.json")).expect("it is there");
    let golden: Value = serde_json::from_str(&text).expect("JSON");
    let images = golden["images"].as_array().expect("images");
    let mut layers: Vec<&str> = Vec::new();
    for cam in images.iter().flat_map(|i| i["cam"].as_array().expect("cams")) {
        let layer = cam["onnx_tensor"].as_str().expect("a tensor");
        if !layers.contains(&layer) {
            layers.push(layer);
        }
    }
    for layer in layers {
        let target_layer = Some(layer.to_string());
        let mut explainer = demo(Options { method: Method::GradCam, target_layer, ..options.clone() });
        let provider = &explainer.info().provider;
        if options.provider_library.is_some() {
            assert_eq!(
                (provider.kind.name(), provider.nodes),
                ("plugin", Some(provider.of)),
                "auto takes the library that is named"
            );
        }
        println!("on {provider}");
        let (mut worst, mut largest, mut grid) = (1.0f64, 0.0f64, 0);
        for image in images {
            let input = picture(&folder.join(image["png"].as_str().expect("a name")));
            for cam in image["cam"].as_array().expect("cams").iter().filter(|c| c["onnx_tensor"] == layer) {
                let class = cam["class"].as_u64().expect("a class") as usize;
                let map: Vec<f32> = cam["map"].as_array().expect("a map").iter().flat_map(flat).collect();
                let seen = explainer.explain_tensor(input.view(), &[Target::Class(class)], NOWHERE).expect("it runs");
                let ours = &seen.maps[0].map;
                grid = ours.ncols();
                let max = map.iter().fold(0.0f32, |m, &x| m.max(x));
                worst = worst.min(cosine(ours, &map));
                let off = ours.iter().zip(&map).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
                largest = largest.max(f64::from(off / max));
            }
        }
        println!(
            "{layer} ({grid}x{grid}): cosine >= {worst:.8}, largest difference {largest:.1e} of the maximum; {}",
            explainer.info().self_check.as_ref().map(ToString::to_string).unwrap_or_default()
        );
        if grid == 7 {
            assert!(worst >= 0.99999 && largest <= 1e-3, "{layer}: cosine {worst}, difference {largest}");
        } else {
            assert!(worst >= 0.999, "{layer}: cosine {worst}");
        }
    }
}

/// "Egyptian cat" (285) against "pop bottle" (737), without the ReLU, from torch in float64 (`tests/data/lite0_reference.py`).
const CAT_AGAINST_BOTTLE: [[f32; 7]; 7] = [
    [0.0127502, 0.188831, 0.178741, 0.17092, 0.080837, 0.111574, 0.0627274],
    [0.0560941, 0.260393, 0.306775, 0.236413, 0.222333, 0.153959, 0.0806016],
    [-0.234427, -0.0223987, 0.16258, 0.235989, 0.264141, 0.218673, 0.103979],
    [-0.373514, -0.211326, -0.0411933, 0.250216, 0.326565, 0.276608, 0.134351],
    [-0.451121, -0.415049, -0.524966, 0.17171, 0.166592, 0.206139, 0.0972875],
    [-0.10815, -0.159802, -0.326812, 0.0766046, 0.112107, 0.0894689, 0.0467915],
    [-0.0119047, -0.0224045, -0.0449018, 0.0148701, -0.00619081, 0.0148842, 0.000981635],
];

#[test]
fn a_map_of_either_sign_equals_float64_autograd() {
    let Some(folder) = shared().map(|data| data.join("golden")) else { return };
    let input = picture(&folder.join("cat_and_bottle_224.png"));
    let versus = |one: usize, other: usize| {
        let mut explainer = demo(Options { versus: Some(other.to_string()), signed: true, ..Options::default() });
        explainer.explain_tensor(input.view(), &[Target::Class(one)], NOWHERE).expect("it runs").maps.remove(0).map
    };
    let (ours, turned) = (versus(285, 737), versus(737, 285));
    let wanted = CAT_AGAINST_BOTTLE.as_flattened();
    let off = ours.iter().zip(wanted).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / 0.524966;
    let (cosine, other) = (cosine(&ours, wanted), cosine(&turned, wanted));
    println!("cosine {cosine:.9}, turned round {other:.9}, largest difference {off:.1e} of the largest magnitude");
    assert!(cosine >= 0.999999 && other <= -0.999999 && off <= 1e-4);
}

fn flat(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(inner) => inner.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().expect("a number") as f32],
    }
}

#[test]
fn cam_is_gradcam_on_a_pooled_linear_head() {
    let noise =
        ArrayD::from_shape_fn(vec![1, 3, 224, 224], |i| ((i[1] * 7 + i[2] * 3 + i[3] * 5) % 23) as f32 / 11.5 - 1.0);
    let targets = [Target::Rank(0), Target::Rank(1), Target::Class(281), Target::Class(967)];
    let run = |method| open(method, None).explain_tensor(noise.view(), &targets, NOWHERE).expect("it runs").maps;
    for (a, b) in run(Method::GradCam).iter().zip(&run(Method::Cam)) {
        assert_eq!(a.class, b.class);
        let cosine = cosine(&a.map, &b.map);
        println!("class {}: cosine {cosine:.9}", a.class);
        assert!(cosine >= 0.999999, "class {}: cosine {cosine}", a.class);
    }
}

#[test]
fn outputs_equal_the_original_to_the_bit() {
    let noise =
        ArrayD::from_shape_fn(vec![1, 3, 224, 224], |i| ((i[1] * 5 + i[2] * 11 + i[3] * 3) % 29) as f32 / 14.5 - 1.0);
    for layer in [None, Some("b10_add")] {
        let mut explainer = open(Method::GradCam, layer);
        let plain = explainer.original_outputs(noise.view()).expect("the original runs");
        let ours = explainer.explained_outputs(noise.view()).expect("the explained model runs");
        for ((name, a), (_, b)) in plain.iter().zip(&ours) {
            let same = a.iter().zip(b).filter(|(x, y)| x.to_bits() == y.to_bits()).count();
            let worst = a.iter().zip(b).fold(0.0f32, |m, (x, y)| m.max((x - y).abs() / x.abs().max(1.0)));
            println!(
                "{layer:?} {name}: {same} of {} values equal to the bit, largest relative difference {worst:.1e}",
                a.len()
            );
            assert!(worst <= 1e-6, "{layer:?} {name}: {worst}");
        }
    }
}

#[test]
fn tensorrts_parser_takes_all_of_the_explained_model() {
    for layer in [None, Some("b10_add"), Some("b4_add")] {
        let explained = open(Method::GradCam, layer).explained_model().expect("bytes");
        let model = Model::from_bytes(&explained).expect("a model");
        let mut compared = model.clone();
        // as it is given to providers that compute in fewer digits
        compared.compare_for_steps();
        for model in [model, compared] {
            let obstacles = tensorrt::obstacles(&model);
            assert!(obstacles.iter().all(|obstacle| !obstacle.refused), "{layer:?}: {obstacles:?}");
        }
    }
}
