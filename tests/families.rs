//! Real exports of the well-known classifiers (`tests/data/families`): the layer found, outputs unchanged, CAM against
//! Grad-CAM, and maps against finite differences of the score, at the automatic layer and at an early one.

mod support;

use std::path::{Path, PathBuf};

use gstgradcam::engine::{Config, Engine, Input, Output};
use gstgradcam::frame::Region;
use gstgradcam::onnx::{DType, Model, Tensor};
use gstgradcam::{ClassMap, Error, Explainer, Method, Options, Target};
use ndarray::{ArrayD, Axis, Slice};
use support::{cosine, root, runtime};

/// What is known of a family.
struct Family {
    name: &'static str,
    /// Automatic layer: channels and side of the grid.
    last: [usize; 2],
    /// The early layer's name as the old and as the new exporter gives it, ...
    early: [&'static str; 2],
    /// ... its channels and side.
    grid: [usize; 2],
    /// Whether the head is global average pooling and one linear layer, so that CAM applies.
    pooled: bool,
}

const fn family(
    name: &'static str,
    last: [usize; 2],
    pooled: bool,
    grid: [usize; 2],
    early: [&'static str; 2],
) -> Family {
    Family { name, last, early, grid, pooled }
}

#[rustfmt::skip]
const FAMILIES: &[Family] = &[
    family("alexnet", [256, 3], false, [64, 15], ["/features/features.2/MaxPool_output_0", "max_pool2d"]),
    family("densenet121", [1024, 3], true, [64, 24], ["/features/pool0/MaxPool_output_0", "max_pool2d"]),
    family("efficientnet_b0", [1280, 3], true, [24, 24], ["/features/features.2/features.2.1/Add_output_0", "add"]),
    family("googlenet", [1024, 3], true, [64, 24], ["/maxpool1/MaxPool_output_0", "max_pool2d"]),
    family("inception_v3", [2048, 3], true, [64, 33], ["/maxpool1/MaxPool_output_0", "max_pool2d"]),
    family("mnasnet0_5", [1280, 3], true, [16, 24], ["/layers/layers.8/layers.8.1/Add_output_0", "add"]),
    family("mobilenet_v1", [1024, 3], true, [64, 24], ["/features/features.3/features.3.2/Relu_output_0", "relu_3"]),
    family("mobilenet_v2", [1280, 3], true, [24, 24], ["/features/features.3/Add_output_0", "add"]),
    family("mobilenet_v3_small", [576, 3], false, [16, 24], ["/features/features.1/block/block.2/block.2.0/Conv_output_0", "getitem_6"]),
    family("mobilenet_v3_small-13", [576, 3], false, [16, 24], ["/features/features.1/block/block.2/block.2.0/Conv_output_0", ""]),
    family("regnet_x_400mf", [400, 3], true, [32, 24], ["/trunk_output/block1/block1-0/activation/Relu_output_0", "relu_3"]),
    family("regnet_y_400mf", [440, 3], true, [48, 24], ["/trunk_output/block1/block1-0/activation/Relu_output_0", "relu_4"]),
    family("resnet18", [512, 3], true, [64, 48], ["/relu/Relu_output_0", "relu"]),
    family("resnet50", [2048, 3], true, [64, 24], ["/maxpool/MaxPool_output_0", "max_pool2d"]),
    family("shufflenet_v2_x0_5", [1024, 3], true, [24, 24], ["/maxpool/MaxPool_output_0", "max_pool2d"]),
    family("squeezenet1_1", [100, 5], false, [64, 23], ["/features/features.2/MaxPool_output_0", "max_pool2d"]),
    family("vgg11_bn", [512, 3], false, [128, 24], ["/features/features.7/MaxPool_output_0", "max_pool2d_1"]),
];

/// How many of the best classes are explained: with random weights many maps are zero, or no more than rounding.
const CLASSES: usize = 8;

#[test]
fn every_family_is_explained() {
    for family in FAMILIES {
        for (exporter, early) in ["legacy", "dynamo"].into_iter().zip(family.early).filter(|(_, e)| !e.is_empty()) {
            let case = Case::new(&format!("{}.{exporter}", family.name));
            let mut at_last = case.open(Method::GradCam, None).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            assert_eq!(at_last.info().layer_shape, grid(family.last), "{}", case.name);
            let maps = case.maps(&mut at_last);
            let (last, changed) = (case.slope_error(&at_last, &maps), case.change_of_outputs(&mut at_last));
            drop(at_last);

            let plain = case.open(Method::Cam, None);
            let cam = if family.pooled {
                let plain = case.maps(&mut plain.unwrap_or_else(|e| panic!("{}: {e}", case.name)));
                let mut worst = 1.0;
                for (a, b) in maps.iter().zip(&plain) {
                    assert_eq!(a.class, b.class);
                    // maps that are zero everywhere have no direction
                    if a.map.iter().chain(&b.map).any(|&x| x != 0.0) {
                        let cosine = cosine(&a.map, &b.map);
                        assert!(cosine >= 0.999999, "{}: cosine of cam and gradcam {cosine}", case.name);
                        worst = cosine.min(worst);
                    }
                }
                format!("cosine {worst:.7}")
            } else {
                let refused = plain.err().unwrap_or_else(|| panic!("{}: cam must be refused", case.name));
                assert!(matches!(refused, Error::ModelUnusable { .. } | Error::Setting { .. }), "{refused}");
                "refused".into()
            };

            let mut at_early = case.open(Method::GradCam, Some(early)).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            assert_eq!(at_early.info().layer_shape, grid(family.grid), "{}", case.name);
            let maps = case.maps(&mut at_early);
            let (early, early_changed) = (case.slope_error(&at_early, &maps), case.change_of_outputs(&mut at_early));
            println!(
                "{:28} outputs changed by {changed:.0e}, early {early_changed:.0e}; cam {cam}; slope off by {last:.0e}, early {early:.0e}",
                case.name
            );
            assert!(changed <= 1e-6 && early_changed <= 1e-6, "{}", case.name);
            assert!(last <= 0.01 && early <= 0.03, "{}", case.name);
        }
    }
}

/// Exported for a square, opened for an oblong, one export of each family: the grid is longer, and the library's own check
/// compares gradients there. (That the outputs equal those of torch's export for that size is checked by hand.)
#[test]
fn every_family_takes_another_size() {
    for (i, family) in FAMILIES.iter().enumerate() {
        let exporter = if i % 2 == 0 || family.early[1].is_empty() { "legacy" } else { "dynamo" };
        let case = Case::new(&format!("{}.{exporter}", family.name));
        let side = case.picture.shape()[3];
        let input_size = Some((side + 64, side));
        let options = Options { input_size, runtime_library: runtime(), ..Options::default() };
        let explainer = Explainer::open(&case.path, &options).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        assert_eq!(explainer.input_shape(), [1, 3, side, side + 64], "{}", case.name);
        let shape = &explainer.info().layer_shape;
        let [channels, cells] = family.last;
        let stride = if family.name.starts_with("squeezenet") { 16 } else { 32 };
        assert_eq!(shape[..], [1, channels, cells, cells + 64 / stride], "{}", case.name);
        println!("{:28} {}x{side}: grid {}x{}", case.name, side + 64, shape[3], shape[2]);
    }
}

/// Exported for one picture, opened for several, one export of each family: each picture's maps are those of it alone.
#[test]
fn every_family_takes_a_batch() {
    const PICTURES: usize = 3;
    let all = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
    for (i, family) in FAMILIES.iter().enumerate() {
        let exporter = if i % 2 == 1 || family.early[1].is_empty() { "legacy" } else { "dynamo" };
        let case = Case::new(&format!("{}.{exporter}", family.name));
        let mut alone = case.open(Method::GradCam, None).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let options = Options { batch_size: PICTURES, runtime_library: runtime(), ..Options::default() };
        let mut several = Explainer::open(&case.path, &options).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let side = case.picture.shape()[3];
        let values = noise("batch").take(PICTURES * 3 * side * side).map(|u| u * 4.0 - 2.0).collect();
        let pictures = ArrayD::from_shape_vec(vec![PICTURES, 3, side, side], values).expect("so many values");
        let mut worst = 0.0f32;
        for rank in 0..CLASSES {
            let targets: Vec<Target> = (0..PICTURES).map(|n| Target::Rank((rank + n) % CLASSES)).collect();
            let seen = several.explain_batch(pictures.view(), &targets, &[all; PICTURES]).expect("it runs");
            for (n, seen) in seen.iter().enumerate() {
                let one = pictures.slice_axis(Axis(0), Slice::from(n..=n));
                let wanted = &alone.explain_tensor(one, &targets[n..=n], all).expect("it runs").maps[0];
                let got = &seen.maps[0];
                assert_eq!(got.class, wanted.class, "{}, picture {n}", case.name);
                assert!((got.score - wanted.score).abs() < 1e-5, "{}, picture {n}", case.name);
                let largest = wanted.map.iter().fold(0.0f32, |m, &x| m.max(x));
                if largest > 0.0 {
                    let off = got.map.iter().zip(&wanted.map).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
                    worst = worst.max(off / largest);
                }
            }
        }
        let check = several.info().self_check.as_ref().expect("it was made");
        println!("{:28} maps off by {worst:.0e}; {check}", case.name);
        assert!(worst <= 1e-3, "{}: {worst}", case.name);
    }
}

#[test]
fn modules_are_layers_in_both_exports() {
    let family = FAMILIES.iter().find(|f| f.name == "regnet_x_400mf").expect("it has a row");
    for (exporter, early) in ["legacy", "dynamo"].into_iter().zip(family.early) {
        let case = Case::new(&format!("{}.{exporter}", family.name));
        let layer = |asked| case.open(Method::GradCam, asked).expect("it opens").info().layer.clone();
        assert_eq!(layer(Some("trunk_output.block1.block1-0")), early, "{exporter}");
        assert_eq!(layer(Some("trunk_output")), layer(None), "{exporter}");
    }
}

#[test]
fn every_file_has_a_row() {
    let files = std::fs::read_dir(root().join("tests/data/families")).expect("it is there");
    let mut files: Vec<String> = files
        .map(|e| e.expect("it can be read").file_name().to_string_lossy().into_owned())
        .filter_map(|name| Some(name.strip_suffix(".onnx")?.to_string()))
        .collect();
    files.sort();
    let exporters = |f: &Family| {
        ["legacy", "dynamo"].iter().zip(f.early).filter(|(_, e)| !e.is_empty()).map(|(x, _)| *x).collect::<Vec<_>>()
    };
    let mut rows: Vec<String> =
        FAMILIES.iter().flat_map(|f| exporters(f).into_iter().map(move |x| format!("{}.{x}", f.name))).collect();
    rows.sort();
    assert_eq!(files, rows);
}

fn grid([channels, side]: [usize; 2]) -> Vec<usize> {
    vec![1, channels, side, side]
}

/// A file with its weights, where the library can read it, and a picture of noise.
struct Case {
    name: String,
    model: Model,
    _folder: tempfile::TempDir,
    path: PathBuf,
    picture: ArrayD<f32>,
}

impl Case {
    fn new(name: &str) -> Case {
        let model = fill(&root().join(format!("tests/data/families/{name}.onnx")));
        let folder = tempfile::tempdir().expect("a folder for the model");
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, model.to_bytes().expect("it can be written")).expect("it can be written");
        let side = model.inputs()[0].shape.as_ref().and_then(|s| s[3]).expect("a fixed size");
        let values = noise("frame").take(3 * side * side).map(|u| u * 4.0 - 2.0).collect();
        let picture = ArrayD::from_shape_vec(vec![1, 3, side, side], values).expect("so many values");
        Case { name: name.into(), model, _folder: folder, path, picture }
    }

    /// Opened; the library's own check runs at the automatic layer only, to save time.
    fn open(&self, method: Method, layer: Option<&str>) -> gstgradcam::Result<Explainer> {
        let options = Options {
            method,
            target_layer: layer.map(String::from),
            runtime_library: runtime(),
            self_check: method == Method::GradCam && layer.is_none(),
            ..Options::default()
        };
        Explainer::open(&self.path, &options)
    }

    fn maps(&self, explainer: &mut Explainer) -> Vec<ClassMap> {
        let targets: Vec<Target> = (0..CLASSES).map(Target::Rank).collect();
        let all = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
        explainer.explain_tensor(self.picture.view(), &targets, all).expect("it runs").maps
    }

    /// Largest difference between an output of the explained model and the original's, relative to its largest value.
    fn change_of_outputs(&self, explainer: &mut Explainer) -> f32 {
        let plain = explainer.original_outputs(self.picture.view()).expect("the original runs");
        let ours = explainer.explained_outputs(self.picture.view()).expect("the explained model runs");
        assert_eq!(plain.len(), ours.len());
        let change = plain.iter().zip(&ours).map(|((_, a), (_, b))| {
            let scale = a.iter().fold(0.0f32, |m, x| m.max(x.abs()));
            a.iter().zip(b).fold(0.0f32, |m, (x, y)| m.max((x - y).abs())) / scale
        });
        change.fold(0.0, f32::max)
    }

    /// Relative error of the maps at their peaks, by finite differences of the score in the original network, cut open at
    /// the layer. The map at a place p, before its ReLU, is the sum over channels of alpha_k A_k(p), and alpha_k is the mean
    /// over the grid's Z places of dy/dA_k: so Z times the map at p is the slope of the score when A moves along the
    /// activations at p, the same at every place. The worst of the two maps with the highest peaks; for each the best of
    /// four steps, as large ones cross kinks of ReLU and max pooling and small ones drown in float32.
    fn slope_error(&self, explainer: &Explainer, maps: &[ClassMap]) -> f64 {
        let info = explainer.info();
        let (score, layer) = (info.score.as_str(), info.layer.as_str());
        let config = Config { library: runtime(), ..Config::default() };
        let engine =
            |model: &Model| Engine::new(&model.to_bytes().expect("it can be written"), &config).expect("it loads");
        let picture = (info.input.as_str(), Input::F32(self.picture.view()));
        let mut whole = self.model.clone();
        whole.keep_outputs(&[layer]);
        let a = floats(engine(&whole).run(&[picture], &[layer]));
        let mut cut = self.model.clone();
        cut.cut(layer, DType::F32, a.shape());
        cut.keep_outputs(&[score]);
        let mut cut = engine(&cut);
        let mut logit = |a: &ArrayD<f32>, class: usize| {
            let inputs = [(info.input.as_str(), Input::F32(self.picture.view())), (layer, Input::F32(a.view()))];
            f64::from(*floats(cut.run(&inputs, &[score])).iter().nth(class).expect("a class of the model"))
        };
        let mut peaks: Vec<_> = maps
            .iter()
            .filter_map(|m| m.map.indexed_iter().max_by(|x, y| x.1.total_cmp(y.1)).map(|(at, &peak)| (m, at, peak)))
            .collect();
        peaks.sort_by(|x, y| y.2.total_cmp(&x.2));
        assert!(peaks[1].2 > 0.0, "{}: fewer than two maps are not zero", self.name);
        let errors = peaks[..2].iter().map(|&(m, (i, j), peak)| {
            let along = a.slice_axis(Axis(2), Slice::from(i..=i)).slice_axis(Axis(3), Slice::from(j..=j)).to_owned();
            let computed = f64::from(peak) * m.map.len() as f64;
            let error = |step: f32| {
                let [ahead, behind] = [step, -step].map(|t| logit(&(&a + &(&along * t)), m.class));
                ((ahead - behind) / (2.0 * f64::from(step)) / computed - 1.0).abs()
            };
            [3e-2, 1e-2, 1e-3, 3e-4].map(error).into_iter().fold(f64::INFINITY, f64::min)
        });
        errors.fold(0.0, f64::max)
    }
}

fn floats(outputs: gstgradcam::Result<Vec<Output>>) -> ArrayD<f32> {
    match outputs.expect("it runs").remove(0) {
        Output::F32(array) => array,
        other => panic!("not float32: {other:?}"),
    }
}

/// A file of the folder with its weights: `export.py` says how they are made up.
fn fill(path: &Path) -> Model {
    let mut model = Model::from_bytes(&std::fs::read(path).expect("it is there")).expect("a sound model");
    let listed = model.metadata().remove("test.random").expect("export.py lists the weights");
    let inputs = model.inputs();
    for line in listed.lines() {
        let [high, low, name] = line.rsplitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        let [low, high] = [low, high].map(|x| x.parse::<f32>().expect("a number"));
        let input = inputs.iter().find(|i| i.name == name).expect("each is an input");
        let shape: Vec<usize> = input.shape.iter().flatten().map(|d| d.expect("a fixed size")).collect();
        let values = noise(name).take(shape.iter().product()).map(|u| low + (high - low) * u).collect();
        model.bake_input(name, &Tensor::f32(&shape, values));
    }
    model
}

/// Uniform in [0, 1): splitmix64 from the FNV-1a hash of the name, the top 24 bits of each step.
fn noise(name: &str) -> impl Iterator<Item = f32> {
    let mut state =
        name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3));
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / 16_777_216.0
    })
}
