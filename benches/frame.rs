//! What a frame costs apart from the model: painting against a copy of its memory, preparing against the resizer alone.
//!
//! Both sides of each ratio are run turn by turn, and the least time of each counts: what else the machine does only adds to it.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use fearless_simd::Level;
use gstgradcam::frame::{Color, Format, Frame, FrameMut, Matrix, Plane, Range, Region};
use gstgradcam::prep::{Element, Layout, Overrides, Preparer, ResizeMode, Spec};
use gstgradcam::render::{AlphaMode, OutputMode, Painter, Smooth, Style};
use ndarray::Array2;

const HD: (usize, usize) = (1920, 1080);
const UHD: (usize, usize) = (3840, 2160);
const COLOR: Color = Color { matrix: Matrix::Bt709, range: Range::Limited };
const INPUT: usize = 224;

/// Planes of a frame without padding.
fn planes(format: Format, (width, height): (usize, usize)) -> Vec<(Vec<u8>, usize)> {
    let row = format.row();
    let size = |plane| row.plane_size(plane, width, height).expect("no such frame");
    let value = |i: usize| ((i * 7 + i / 1000) % 200) as u8;
    let plane = |(bytes, rows): (usize, usize)| {
        let data = (0..bytes * rows).map(|i| if row.depth > 8 && i % 2 == 1 { value(i) % 4 } else { value(i) });
        (data.collect(), bytes)
    };
    (0..row.planes()).map(|i| plane(size(i))).collect()
}

fn frame(format: Format, (width, height): (usize, usize), planes: &[(Vec<u8>, usize)]) -> Frame<'_> {
    let planes = planes.iter().map(|(data, stride)| Plane { data: &data[..], stride: *stride }).collect();
    Frame::new(format, width, height, COLOR, planes).expect("the planes fit")
}

fn frame_mut(format: Format, (width, height): (usize, usize), planes: &mut [(Vec<u8>, usize)]) -> FrameMut<'_> {
    let planes = planes.iter_mut().map(|(data, stride)| Plane { data: &mut data[..], stride: *stride }).collect();
    FrameMut::new(format, width, height, COLOR, planes).expect("the planes fit")
}

fn whole((width, height): (usize, usize)) -> Region {
    Region { x: 0.0, y: 0.0, width: width as f32, height: height as f32 }
}

/// A map as classifiers have them: two warm places on a grid of 7 x 7.
fn map() -> Array2<f32> {
    let bump = |x: f32, y: f32, r: f32| (-(x * x + y * y) / r).exp();
    Array2::from_shape_fn((7, 7), |(y, x)| {
        let (x, y) = (x as f32, y as f32);
        (bump(x - 2.2, y - 3.1, 2.0) + 0.6 * bump(x - 5.0, y - 4.5, 1.0) - 0.05).max(0.0)
    })
}

/// A line of the table: what, its own least time, and that of what it is held against.
type Line = (String, Duration, Duration);

struct Bench {
    criterion: Criterion,
    lines: Vec<Line>,
}

impl Bench {
    /// `own` against `other`, turn by turn.
    fn versus(&mut self, group: &str, name: &str, mut own: impl FnMut(), mut other: impl FnMut()) {
        let least = RefCell::new((Duration::MAX, Duration::MAX));
        self.criterion.benchmark_group(group).bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|turns| {
                (0..turns)
                    .map(|_| {
                        let (other, own) = (timed(&mut other), timed(&mut own));
                        let mut least = least.borrow_mut();
                        *least = (least.0.min(own), least.1.min(other));
                        own
                    })
                    .sum()
            });
        });
        let (own, other) = least.into_inner();
        if own == Duration::MAX {
            return; // not asked for
        }
        self.lines.push((format!("{group} {name}"), own, other));
    }
}

fn timed(work: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Painting a frame against a copy of its memory.
fn paint(bench: &mut Bench, group: &str, format: Format, size: (usize, usize), (style, level): (Style, Level)) {
    let (mut pixels, from) = (planes(format, size), planes(format, size));
    let mut to = from.clone();
    let (mut painter, map) = (Painter::new(style), map());
    painter.set_level(level);
    bench.versus(
        group,
        format.name(),
        || {
            let mut frame = frame_mut(format, size, &mut pixels);
            painter.paint(&mut frame, map.view(), whole(size)).expect("the frame is sound");
        },
        || {
            for (to, from) in to.iter_mut().zip(&from) {
                to.0.copy_from_slice(black_box(&from.0));
            }
            black_box(&mut to);
        },
    );
}

fn preparer(mode: ResizeMode) -> Preparer {
    let overrides = Overrides { resize_mode: Some(mode), ..Overrides::default() };
    let spec = Spec::resolve(
        (INPUT, INPUT),
        Layout::ChannelsFirst,
        (3, Element::Float),
        &Default::default(),
        None,
        &overrides,
    );
    Preparer::new(spec.expect("the figures are ImageNet's"))
}

/// Preparing an NV12 frame against what the resizer alone takes for its two planes.
fn prepare(bench: &mut Bench) {
    let pixels = planes(Format::Nv12, HD);
    let mut preparer = preparer(ResizeMode::Stretch);
    let mut tensor = vec![0.0; 3 * INPUT * INPUT];
    let mut resizer = Resizer::new();
    let side = INPUT as u32;
    let mut small = [PixelType::U8, PixelType::U8x2].map(|kind| Image::new(side, side, kind));
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
    bench.versus(
        "prepare 1080p for 224x224",
        "NV12",
        || {
            preparer.prepare(&frame(Format::Nv12, HD, &pixels), &mut tensor).expect("the frame is sound");
            black_box(&mut tensor);
        },
        || {
            for ((plane, small), sub) in pixels.iter().zip(&mut small).zip([1, 2]) {
                let (width, height) = ((HD.0 / sub) as u32, (HD.1 / sub) as u32);
                let large = ImageRef::new(width, height, &plane.0, small.pixel_type()).expect("the plane is whole");
                resizer.resize(&large, small, &options).expect("both are of one kind");
            }
            black_box(&mut small);
        },
    );
}

/// All of a 4K frame but inference: prepared for the model, and painted with a map that is at hand.
fn hold(bench: &mut Bench) {
    let mut pixels = planes(Format::Nv12, UHD);
    let from = pixels.clone();
    let mut to = from.clone();
    let (mut preparer, mut painter, map) = (preparer(ResizeMode::Crop), Painter::new(Style::DEFAULT), map());
    let mut tensor = vec![0.0; 3 * INPUT * INPUT];
    bench.versus(
        "4K, prepared and painted",
        "NV12",
        || {
            let mut frame = frame_mut(Format::Nv12, UHD, &mut pixels);
            let region = preparer.prepare(&frame.as_frame(), &mut tensor).expect("the frame is sound");
            painter.paint(&mut frame, map.view(), region).expect("the frame is sound");
        },
        || {
            for (to, from) in to.iter_mut().zip(&from) {
                to.0.copy_from_slice(black_box(&from.0));
            }
            black_box(&mut to);
        },
    );
}

fn main() {
    let criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(600))
        .sample_size(20)
        .configure_from_args();
    let mut bench = Bench { criterion, lines: Vec::new() };
    let levels = Painter::levels();
    let best = levels[0];
    for format in Format::all() {
        paint(&mut bench, "paint 1080p", format, HD, (Style::DEFAULT, best));
    }
    for level in &levels[1..] {
        for format in [Format::I420, Format::Nv12, Format::Yuy2, Format::Bgr, Format::Rgbx, Format::P01010le] {
            let name = format!("{level:?}");
            let name = name.split('(').next().unwrap_or_default();
            paint(&mut bench, &format!("paint 1080p {name}"), format, HD, (Style::DEFAULT, *level));
        }
    }
    for format in Format::all() {
        paint(&mut bench, "paint 4K", format, UHD, (Style::DEFAULT, best));
    }
    let variants = [
        ("by heat", Style { alpha_mode: AlphaMode::Heat, ..Style::DEFAULT }),
        ("bicubic", Style { smooth: Smooth::Bicubic, ..Style::DEFAULT }),
        ("mask", Style { output_mode: OutputMode::Mask, ..Style::DEFAULT }),
        ("contour", Style { output_mode: OutputMode::Contour, ..Style::DEFAULT }),
    ];
    for (name, style) in variants {
        paint(&mut bench, &format!("paint 1080p {name}"), Format::Nv12, HD, (style, best));
    }
    prepare(&mut bench);
    hold(&mut bench);
    bench.criterion.final_summary();

    println!("\n{:<40} {:>10} {:>10} {:>7}", "a frame, one thread, least times", "ms", "versus ms", "ratio");
    for (name, own, other) in &bench.lines {
        let (own, other) = (own.as_secs_f64() * 1e3, other.as_secs_f64() * 1e3);
        println!("{name:<40} {own:>10.3} {other:>10.3} {:>7.2}", own / other);
    }
    println!(
        "paint and 4K: versus a copy of the frame's memory; prepare: versus fast_image_resize alone on the planes"
    );
}
