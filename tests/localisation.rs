//! Whether the heat lies where the object is: photographs with boxes, and a camera pan whose motion is known exactly.
#![cfg(feature = "plugin")]

mod support;

use std::collections::BTreeMap;

use gst::prelude::*;
use gstgradcam::frame::{Color, Format, Frame, Matrix, Plane, Range};
use gstgradcam::prep::{Overrides, ResizeMode};
use gstgradcam::{Explainer, Options, Target};
use ndarray::Array2;
use serde_json::Value;
use support::{demo, shared};

fn stretched() -> Explainer {
    demo(Options {
        prep: Overrides { resize_mode: Some(ResizeMode::Stretch), ..Overrides::default() },
        ..Options::default()
    })
}

fn explain(
    explainer: &mut Explainer,
    rgb: &[u8],
    (width, height): (usize, usize),
    stride: usize,
    class: usize,
) -> Array2<f32> {
    let color = Color { matrix: Matrix::Bt709, range: Range::Full };
    let frame = Frame::new(Format::Rgb, width, height, color, vec![Plane { data: rgb, stride }]).expect("a frame");
    explainer.explain(&frame, &[Target::Class(class)]).expect("it runs").maps.remove(0).map
}

fn json(path: std::path::PathBuf) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect("it is there")).expect("JSON")
}

fn corners(value: &Value) -> Option<[f64; 4]> {
    let numbers: Vec<f64> = value.as_array()?.iter().filter_map(Value::as_f64).collect();
    numbers.try_into().ok()
}

/// The largest value's place as fractions of width and height, after bilinear enlargement with half-pixel centres.
fn peak(map: &Array2<f32>) -> (f64, f64) {
    const SIDE: usize = 224;
    let (h, w) = map.dim();
    let at = |i: usize, n: usize| ((i as f64 + 0.5) / SIDE as f64 * n as f64 - 0.5).clamp(0.0, n as f64 - 1.0);
    let mut best = (f64::MIN, 0.5, 0.5);
    for py in 0..SIDE {
        for px in 0..SIDE {
            let (x, y) = (at(px, w), at(py, h));
            let (x0, y0) = (x.floor() as usize, y.floor() as usize);
            let (x1, y1) = ((x0 + 1).min(w - 1), (y0 + 1).min(h - 1));
            let (fx, fy) = (x - x0 as f64, y - y0 as f64);
            let v = |y: usize, x: usize| f64::from(map[[y, x]]);
            let value =
                (v(y0, x0) * (1.0 - fx) + v(y0, x1) * fx) * (1.0 - fy) + (v(y1, x0) * (1.0 - fx) + v(y1, x1) * fx) * fy;
            if value > best.0 {
                best = (value, (px as f64 + 0.5) / SIDE as f64, (py as f64 + 0.5) / SIDE as f64);
            }
        }
    }
    (best.1, best.2)
}

#[test]
fn the_peak_lies_in_the_box() {
    let Some(data) = shared() else { return };
    let mut explainer = stretched();
    let (mut hits, mut objects) = (0, 0);
    for image in json(data.join("images.json")).as_array().expect("a list") {
        let file = image["file"].as_str().expect("a name");
        let rgb = image::open(data.join(file)).expect("a picture").to_rgb8();
        let size = (rgb.width() as usize, rgb.height() as usize);
        let mut boxes: BTreeMap<usize, Vec<[f64; 4]>> = BTreeMap::new();
        for object in image["objects"].as_array().expect("objects") {
            let class = object["class"].as_u64().expect("a class") as usize;
            boxes.entry(class).or_default().push(corners(&object["box"]).expect("a box"));
        }
        for (class, boxes) in boxes {
            let (x, y) = peak(&explain(&mut explainer, rgb.as_raw(), size, size.0 * 3, class));
            // a 7x7 map cannot place a peak better than half a cell
            let slack = 1.0 / 14.0;
            let inside = |[x0, y0, x1, y1]: [f64; 4]| {
                (x0 - slack..=x1 + slack).contains(&x) && (y0 - slack..=y1 + slack).contains(&y)
            };
            let hit = boxes.iter().any(|b| inside(*b));
            if !hit {
                println!("{file} class {class}: peak at {x:.2},{y:.2} outside {boxes:?}");
            }
            hits += usize::from(hit);
            objects += 1;
        }
    }
    println!("peak inside the box, widened by half a cell: {hits} of {objects}");
    assert!(hits >= 21 && objects == 22, "{hits} of {objects}");
}

/// A strawberry at the very side of a wide frame, where a cropping model does not look.
#[test]
fn a_full_frame_is_seen_to_its_sides() {
    let Some(data) = shared() else { return };
    let size = (640, 360);
    let prep = Overrides { resize_mode: Some(ResizeMode::FullFrame), ..Overrides::default() };
    let mut explainer = demo(Options { prep, frame_size: Some(size), ..Options::default() });
    assert_eq!(explainer.input_shape(), [1, 3, 224, 384]);
    let object = image::open(data.join("images/strawberry.jpg")).expect("a picture").to_rgb8();
    let object = image::imageops::thumbnail(&object, 140, 140);
    for left in [0, 500] {
        let mut rgb = image::RgbImage::from_pixel(640, 360, image::Rgb([128; 3]));
        image::imageops::replace(&mut rgb, &object, i64::from(left), 110);
        let map = explain(&mut explainer, rgb.as_raw(), size, 640 * 3, 949);
        assert_eq!(map.dim(), (7, 12));
        let (x, y) = peak(&map);
        let (x, y) = (x * 640.0, y * 360.0);
        println!("strawberry at {left}: peak at {x:.0},{y:.0}");
        assert!((f64::from(left)..f64::from(left) + 140.0).contains(&x) && (110.0..250.0).contains(&y), "{x},{y}");
    }
}

#[test]
fn the_heat_follows_the_object() {
    let Some(data) = shared() else { return };
    gst::init().expect("GStreamer");
    let truth = json(data.join("videos/pan_strawberry.json"));
    let boxes = truth["frames"].as_array().expect("frames");
    let class = truth["class"].as_u64().expect("a class") as usize;
    let line = "filesrc name=file ! decodebin ! videoconvert ! video/x-raw,format=RGB ! appsink name=out sync=false";
    let pipeline = gst::parse::launch(line).expect("it parses").downcast::<gst::Pipeline>().expect("a pipeline");
    let path = data.join("videos/pan_strawberry.mp4");
    pipeline.by_name("file").expect("the source").set_property("location", path.to_str().expect("UTF-8"));
    let sink = pipeline.by_name("out").expect("the sink").downcast::<gst_app::AppSink>().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let mut explainer = stretched();
    let (mut centroids, mut centres, mut index) = (Vec::new(), Vec::new(), 0);
    while let Ok(sample) = sink.pull_sample() {
        let visible = boxes[index]["visible"].as_f64().unwrap_or(0.0);
        if let Some([x0, _, x1, _]) = corners(&boxes[index]["box"]).filter(|_| index % 6 == 0 && visible >= 0.5) {
            let map = sample.buffer().expect("a buffer").map_readable().expect("readable");
            let (width, height) = (640, 360);
            let heat = explain(&mut explainer, &map, (width, height), width * 3, class);
            let columns = heat.ncols() as f64;
            let total: f64 = heat.iter().map(|&v| f64::from(v)).sum();
            let moment: f64 = heat.indexed_iter().map(|((_, x), &v)| f64::from(v) * (x as f64 + 0.5) / columns).sum();
            centroids.push(moment / total);
            centres.push((x0 + x1) / 2.0);
        }
        index += 1;
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(index, boxes.len(), "every frame is decoded");
    let r = correlation(&centroids, &centres);
    println!("heat centroid against box centre in x: correlation {r:.4} over {} frames", centres.len());
    assert!(r >= 0.97, "correlation {r}");
}

/// Pearson's.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(x, y)| f(x - ma, y - mb)).sum::<f64>();
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
}
