//! Maps of each format against those of float32.

use gstgradcam::frame::{Color, Format, Frame, Matrix, Plane, Range};
use gstgradcam::onnx::{DType, Model};
use gstgradcam::prep::Preparer;
use gstgradcam::{Explainer, Options, Target};
use image::RgbImage;
use ndarray::{Array2, ArrayD};

use crate::{convert, correction, quantizer, support};

/// The photographs of the demo video.
fn photos() -> Vec<RgbImage> {
    let open = |name| {
        let path = support::root().join("downloads").join(name);
        image::open(&path).unwrap_or_else(|e| panic!("{path:?} is missing, run `make photos`: {e}")).to_rgb8()
    };
    ["chelsea.png", "coffee.png", "camera.png", "rocket.jpg"].map(open).into()
}

/// More of them, where they are.
fn shared() -> Vec<RgbImage> {
    let Some(folder) = support::shared().map(|data| data.join("images")) else { return Vec::new() };
    let names = ["cat.jpg", "chickadee.jpg", "hotdog.jpg", "macaw.jpg", "robin.jpg", "samoyed.png", "sunflower.jpg"];
    names.map(|name| image::open(folder.join(name)).expect("a picture").to_rgb8()).into()
}

fn frame(picture: &RgbImage) -> Frame<'_> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let color = Color { matrix: Matrix::Bt709, range: Range::Full };
    Frame::new(Format::Rgb, width, height, color, vec![Plane { data: picture.as_raw(), stride: 3 * width }])
        .expect("a frame")
}

fn open(model: &Model, layer: Option<&str>) -> Explainer {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, model.to_bytes().expect("it is written")).expect("it is written");
    let target_layer = layer.map(String::from);
    let options = Options { runtime_library: support::runtime(), target_layer, ..Options::default() };
    Explainer::open(&path, &options).unwrap_or_else(|error| panic!("the model should open: {error}"))
}

/// The model's input for each picture.
fn tensors(explainer: &Explainer, pictures: &[RgbImage]) -> Vec<ArrayD<f32>> {
    let mut preparer: Preparer = explainer.preparer();
    let tensor = |picture| {
        let mut values = ArrayD::zeros(explainer.input_shape());
        preparer.prepare(&frame(picture), values.as_slice_mut().expect("contiguous")).expect("prepared");
        values
    };
    pictures.iter().map(tensor).collect()
}

/// The float32 model's best class of each picture, and its map.
struct Reference(Vec<(usize, Array2<f32>)>);

impl Reference {
    fn new(model: &Model, layer: Option<&str>, pictures: &[RgbImage]) -> Reference {
        let mut explainer = open(model, layer);
        let best = |picture| {
            let seen = explainer.explain(&frame(picture), &[Target::Rank(0)]).expect("it runs").maps.remove(0);
            (seen.class, seen.map)
        };
        Reference(pictures.iter().map(best).collect())
    }

    /// Correlation of a model's maps with these, of each picture.
    fn compare(&self, name: &str, model: &Model, layer: Option<&str>, pictures: &[RgbImage]) -> Vec<f64> {
        let mut explainer = open(model, layer);
        let of = |(picture, (class, wanted)): (&RgbImage, &(usize, Array2<f32>))| {
            let seen = explainer.explain(&frame(picture), &[Target::Class(*class)]).expect("it runs").maps.remove(0);
            correlation(&seen.map, wanted)
        };
        let mut found: Vec<f64> = pictures.iter().zip(&self.0).map(of).collect();
        found.sort_by(f64::total_cmp);
        let info = explainer.info();
        println!(
            "{name}: {}, layer {:?}: correlation {:.5} at worst, {:.5} in the middle of {}; {}",
            info.format,
            info.layer,
            found[0],
            found[found.len() / 2],
            found.len(),
            info.self_check.as_ref().map_or(String::new(), ToString::to_string)
        );
        found
    }
}

fn correlation(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    let centred = |a: &Array2<f32>| a.mapv(|x| x - a.mean().expect("a map has cells"));
    support::cosine(&centred(a), &centred(b))
}

fn middle(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

#[test]
fn every_format_gives_the_map_of_float32() {
    let pictures = [photos(), shared()].concat();
    let demo = convert::demo();
    let deep = Reference::new(&demo, None, &pictures);
    let half = convert::graph_in(DType::F16, &demo);
    for (name, model, least) in [
        ("float16", &half, 0.999),
        ("bfloat16", &convert::graph_in(DType::BF16, &demo), 0.99),
        ("float64", &convert::graph_in(DType::F64, &demo), 0.999_99),
        ("weights as float16", &convert::weights_as_float16(&demo), 0.999),
        ("weights as int8", &convert::weights_as_int8(&demo), 0.98),
        ("uint8 pixels", &convert::with_pixels(&demo), 0.999),
    ] {
        let worst = deep.compare(name, model, None, &pictures)[0];
        assert!(worst >= least, "{name}: {worst}");
    }
    let inputs = tensors(&open(&demo, None), &pictures);
    let corrected = correction::corrected(&demo, &inputs);
    let calibrated = quantizer::qdq(&corrected, &inputs, false);
    let found = deep.compare("int8 QDQ", &calibrated, None, &pictures);
    assert!(found[0] >= 0.98, "int8 QDQ: {found:?}");

    // at 14x14 the map hangs on 50 layers' kinks: what 8 bits do to it without corrected biases, and weights of 8 bits by themselves,
    // is told beside it
    let in_the_middle = |model| Reference::new(model, Some("b10_add"), &pictures);
    let middle_of_demo = in_the_middle(&demo);
    for (name, model, least) in [
        ("float16", &half, 0.99),
        ("weights as float16", &convert::weights_as_float16(&demo), 0.99),
        ("weights as int8", &convert::weights_as_int8(&demo), 0.9),
        ("weights as int8, biases corrected", &convert::weights_as_int8(&corrected), 0.95),
        ("int8 QDQ, biases as they were", &quantizer::qdq(&demo, &inputs, false), 0.9),
        ("int8 QDQ", &calibrated, 0.95),
    ] {
        let found = middle_of_demo.compare(name, model, Some("b10_add"), &pictures);
        assert!(middle(&found) >= least, "{name} at b10_add: {found:?}");
    }
    // quantised so finely that rounding is no matter, the gradient is that of the same weights in float32
    let fine = quantizer::qdq(&corrected, &inputs, true);
    let found = in_the_middle(&corrected).compare("uint16 QDQ, against its weights", &fine, Some("b10_add"), &pictures);
    assert!(middle(&found) >= 0.99, "uint16 QDQ at b10_add: {found:?}");
}
