//! Parts of a frame: each a picture by itself, at odd places too, whatever lies around it.

use gstgradcam::frame::{Format, Part, Region};
use gstgradcam::prep::{ColorFormat, Element, Layout, Overrides, Preparer, Preprocess, ResizeMode, Spec};
use gstgradcam::render::{Colormap, Painter, Style};
use ndarray::array;

use crate::picture::{COLORS, Picture, bits, chroma, components, decode, is_yuv, pixels};
use crate::prep::weights;

const SIZE: (usize, usize) = (61, 47);
const INPUT: (usize, usize) = (12, 10);

fn spec(mode: ResizeMode) -> Spec {
    let overrides = Overrides { preprocess: Preprocess::Raw, resize_mode: Some(mode), ..Overrides::default() };
    let overrides = Overrides { color_format: Some(ColorFormat::Rgb), ..overrides };
    Spec::resolve(INPUT, Layout::ChannelsLast, (3, Element::Float), &Default::default(), None, &overrides).unwrap()
}

fn part(x: usize, y: usize, width: usize, height: usize) -> Part {
    Part { x, y, width, height }
}

/// Even and odd edges, the frame's own, a single pixel, all of it.
const PARTS: [(usize, usize, usize, usize); 8] = [
    (0, 0, 61, 47),
    (10, 8, 20, 24),
    (11, 9, 20, 24),
    (10, 8, 21, 23),
    (33, 17, 28, 30),
    (0, 0, 7, 5),
    (60, 46, 1, 1),
    (5, 6, 1, 30),
];

fn prepared(picture: &Picture, part: Option<Part>, mode: ResizeMode) -> (Vec<f32>, Region) {
    let mut out = vec![f32::NAN; 3 * INPUT.0 * INPUT.1];
    let mut preparer = Preparer::new(spec(mode));
    let region = match part {
        Some(part) => preparer.prepare_part(&picture.frame(), part, &mut out),
        None => preparer.prepare(&picture.frame(), &mut out),
    };
    (out, region.unwrap())
}

fn scene(x: f64, y: f64) -> [f64; 3] {
    let wave = |f: f64, p: f64| 127.5 + 80.0 * (x * f + p).sin() * (y * f * 0.7 + p).cos();
    [wave(0.31, 0.3), wave(0.27, 1.9), wave(0.15, 4.0)]
}

/// Pixels to one sample of a component, across and down.
fn subsampling(format: Format, component: usize) -> (usize, usize) {
    if component > 0 && is_yuv(format) { chroma(format) } else { (1, 1) }
}

/// A part that begins and ends with whole cells, cut out by hand.
fn cut_out(picture: &Picture, part: Part) -> Picture {
    let mut own = Picture::of(picture.format, (part.width, part.height), picture.color, 3, scene);
    for (x, y) in pixels(own.size) {
        for c in 0..components(own.format) {
            own.set(c, x, y, picture.get(c, part.x + x, part.y + y));
        }
    }
    own
}

#[test]
fn a_part_is_prepared_as_the_picture_that_is_cut_out_of_the_frame() {
    for format in Format::all() {
        let picture = Picture::of(format, SIZE, COLORS[1], 9, scene);
        let (sx, sy) = subsampling(format, 1);
        for (x, y, width, height) in PARTS.into_iter().filter(|p| p.0 % sx + p.1 % sy == 0) {
            for mode in [ResizeMode::Crop, ResizeMode::Stretch, ResizeMode::Letterbox] {
                let part = part(x, y, width, height);
                let (whole, place) = prepared(&cut_out(&picture, part), None, mode);
                let (values, region) = prepared(&picture, Some(part), mode);
                assert_eq!(values, whole, "{} {part:?} {mode:?}", format.name());
                let moved = place.moved((x as f32, y as f32));
                for (have, want) in [(region.x, moved.x), (region.y, moved.y), (region.width, moved.width)] {
                    assert!((have - want).abs() < 1e-4, "{part:?} {mode:?}: {region:?}, not {moved:?}");
                }
            }
        }
    }
}

#[test]
fn parts_at_odd_places_are_as_near_to_the_oracle_as_8_bits_allow() {
    for format in Format::all() {
        let picture = Picture::of(format, SIZE, COLORS[0], 5, scene);
        for (x0, y0, width, height) in PARTS {
            let (out, _) = prepared(&picture, Some(part(x0, y0, width, height)), ResizeMode::Stretch);
            for (x, y) in pixels(INPUT) {
                let samples = [0, 1, 2].map(|c| {
                    if c >= components(format) {
                        return 0.0;
                    }
                    let (sx, sy) = subsampling(format, c);
                    let span = |from: usize, length: usize, sub: usize| {
                        let first = from / sub;
                        let cells = (from + length).div_ceil(sub) - first;
                        (first, from as f64 / sub as f64 - first as f64, length as f64 / sub as f64, cells)
                    };
                    let (left, start, length, columns) = span(x0, width, sx);
                    let across = weights(x, INPUT.0, start, length, columns);
                    let (top, start, length, rows) = span(y0, height, sy);
                    let down = weights(y, INPUT.1, start, length, rows);
                    let at = |(i, j): (usize, usize)| {
                        across[i] * down[j] * f64::from(picture.get(c, (left + i) * sx, (top + j) * sy))
                    };
                    pixels((columns, rows)).map(at).sum::<f64>()
                });
                let want = decode(samples, format, picture.color);
                for c in 0..3 {
                    let off = (f64::from(out[(y * INPUT.0 + x) * 3 + c]) - want[c]).abs();
                    let what = (format.name(), x0, y0, x, y, c);
                    assert!(off <= if is_yuv(format) { 3.5 } else { 1.3 }, "{what:?} is off by {off}");
                }
            }
        }
    }
}

#[test]
fn what_is_no_part_of_the_frame_is_refused() {
    let picture = Picture::noise(Format::Nv12, SIZE, COLORS[0], 0);
    let mut out = vec![0.0; 3 * INPUT.0 * INPUT.1];
    for wrong in [part(0, 0, 62, 47), part(60, 0, 2, 1), part(0, 47, 1, 1), part(3, 3, 0, 9), part(usize::MAX, 0, 9, 9)]
    {
        let mut preparer = Preparer::new(spec(ResizeMode::Crop));
        let error = preparer.prepare_part(&picture.frame(), wrong, &mut out).unwrap_err().to_string();
        assert!(error.contains("no part of a frame of 61x47"), "{error}");
    }
    assert_eq!(part(50, 40, usize::MAX, 3).inside(SIZE), part(50, 40, 11, 3));
    assert_eq!(part(61, 50, 4, 4).inside(SIZE).area(), 0);
    let square = part(10, 10, 10, 10);
    assert_eq!(
        (square.overlap(square), square.overlap(part(20, 10, 10, 10)), square.overlap(part(0, 0, 0, 0))),
        (1.0, 0.0, 0.0)
    );
    assert_eq!((square.overlap(part(10, 15, 10, 5)), square.overlap(part(15, 10, 10, 10))), (0.5, 50.0 / 150.0));
}

/// Whether all pixels of the frame that share a component's sample lie in the part.
fn is_inside(format: Format, component: usize, (x, y): (usize, usize), part: Part) -> bool {
    let (sx, sy) = subsampling(format, component);
    let within = |at: usize, sub: usize, from: usize, length: usize, size: usize| {
        let first = at / sub * sub;
        first >= from && (first + sub).min(size) <= from + length
    };
    within(x, sx, part.x, part.width, SIZE.0) && within(y, sy, part.y, part.height, SIZE.1)
}

#[test]
fn painting_on_a_part_is_painting_on_the_frame_and_touches_nothing_beside_it() {
    let map = array![[0.1f32, 0.9, 0.4], [1.0, 0.3, 0.7]];
    for format in Format::all() {
        for (x, y, width, height) in PARTS {
            let part = part(x, y, width, height);
            let region = Region { x: x as f32 - 3.5, y: y as f32, width: width as f32 + 9.0, height: height as f32 };
            let mut painter = Painter::new(Style { colormap: Colormap::Turbo, alpha: 0.75, ..Style::DEFAULT });
            let before = Picture::noise(format, SIZE, COLORS[3], 7);
            let (mut whole, mut own) = (before.clone(), before.clone());
            painter.paint(&mut whole.frame_mut(), map.view(), region).unwrap();
            let mut frame = own.frame_mut();
            let view = frame.part(part);
            let is_painted = view.is_some();
            if let Some((mut view, (left, top))) = view {
                let moved = region.moved((-(left as f32), -(top as f32)));
                assert!(painter.paint(&mut view, map.view(), moved).unwrap());
            }
            let cell = subsampling(format, 1);
            let smaller = (x % cell.0 + y % cell.1 > 0) && width.min(height) == 1;
            assert!(is_painted || smaller, "{} {part:?} has no view", format.name());
            // Every byte but those of samples inside is as it was.
            let mut rest = own.clone();
            for (at, component) in pixels(SIZE).flat_map(|at| (0..components(format)).map(move |c| (at, c))) {
                let in_view = {
                    let of_pixel = |c| is_inside(format, c, at, part);
                    of_pixel(0) && of_pixel(1)
                };
                let (have, old) = (own.get(component, at.0, at.1), before.get(component, at.0, at.1));
                if in_view {
                    let want = whole.get(component, at.0, at.1);
                    assert!(
                        have.abs_diff(want) <= 2 << (bits(format).0 - 8),
                        "{} {part:?} {at:?}: {have}, not {want}",
                        format.name()
                    );
                }
                if is_inside(format, component, at, part) {
                    rest.set(component, at.0, at.1, old);
                }
            }
            assert!(rest == before, "{} {part:?}: a byte beside it was touched", format.name());
        }
    }
}
