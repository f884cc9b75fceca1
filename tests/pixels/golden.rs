//! Golden frames: small pictures of each way of painting, made by us, looked at, and held.
//!
//! `GOLDEN=write cargo test --test pixels golden` makes them anew, to be looked at again. Those in `samples/` hold what one format of
//! each family has in its frame, sample by sample: luma and the two chromas where others have red, green and blue.

use std::path::Path;

use gstgradcam::frame::{Format, Region};
use gstgradcam::render::{AlphaMode, Colormap, OutputMode, Painter, Smooth, Style, beside};
use image::RgbImage;
use ndarray::{Array2, array};

use crate::picture::{COLORS, Picture, bits, components, pixels};

const SIZE: (usize, usize) = (160, 90);
const FAMILIES: [Format; 8] = [
    Format::I420,
    Format::Nv12,
    Format::Y444,
    Format::Uyvy,
    Format::Bgrx,
    Format::Argb,
    Format::P01010le,
    Format::Y44410le,
];

/// A sky, a field, and a ball on it.
fn scene(x: f64, y: f64) -> [f64; 3] {
    let (dx, dy) = (x - 62.0, y - 50.0);
    let near = ((22.0 - dx.hypot(dy)) / 4.0).clamp(0.0, 1.0);
    let ground = ((y - 42.0) / 12.0).clamp(0.0, 1.0);
    let back = [120.0 - 50.0 * ground, 160.0 - 20.0 * ground, 210.0 - 150.0 * ground];
    let ball = [205.0 - 2.0 * dy, 90.0 - dx, 60.0];
    [0, 1, 2].map(|c| back[c] * (1.0 - near) + ball[c] * near)
}

/// Warm on the ball, a little on the horizon's right.
fn map() -> Array2<f32> {
    array![
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.2, 0.6, 0.2, 0.1, 0.3],
        [0.1, 0.5, 1.0, 0.4, 0.1, 0.4],
        [0.0, 0.2, 0.5, 0.2, 0.0, 0.0],
    ]
}

fn region() -> Region {
    Region { x: 0.0, y: 0.0, width: SIZE.0 as f32, height: SIZE.1 as f32 }
}

type Case = (&'static str, Style, fn(&mut Painter, &mut Picture));

fn cases() -> [Case; 14] {
    let base = Style { colormap: Colormap::Turbo, ..Style::DEFAULT };
    let mode = |output_mode| Style { output_mode, ..base };
    let two = |output_mode| Style { colormap: Colormap::BlueRed, ..mode(output_mode) };
    fn one(painter: &mut Painter, picture: &mut Picture) {
        assert!(painter.paint(&mut picture.frame_mut(), map().view(), region()).unwrap());
    }
    fn signed(painter: &mut Painter, picture: &mut Picture) {
        let map = map() - 0.3;
        assert!(painter.paint(&mut picture.frame_mut(), map.view(), region()).unwrap());
    }
    fn classes(painter: &mut Painter, picture: &mut Picture) {
        let mut other = map();
        other.invert_axis(ndarray::Axis(1));
        let third = array![[0.0f32, 0.0, 1.0], [0.0, 0.0, 0.0]];
        let maps = [map(), other, third];
        assert!(painter.paint_classes(&mut picture.frame_mut(), &maps.each_ref().map(|m| m.view()), region()).unwrap());
    }
    [
        ("overlay", base, one),
        ("overlay-by-heat", Style { alpha_mode: AlphaMode::Heat, alpha: 0.8, ..base }, one),
        ("overlay-bicubic", Style { smooth: Smooth::Bicubic, ..base }, one),
        ("overlay-nearest", Style { smooth: Smooth::Nearest, ..base }, one),
        ("heatmap", mode(OutputMode::Heatmap), one),
        ("mask", Style { alpha: 0.85, ..mode(OutputMode::Mask) }, one),
        ("contour", mode(OutputMode::Contour), one),
        ("side-by-side", mode(OutputMode::SideBySide), one),
        ("signed", Style { colormap: Colormap::BlueRed, alpha_mode: AlphaMode::Heat, alpha: 0.9, ..base }, signed),
        ("signed-heatmap", two(OutputMode::Heatmap), signed),
        ("signed-mask", Style { alpha: 0.85, ..two(OutputMode::Mask) }, signed),
        ("signed-contour", Style { threshold: 0.25, ..two(OutputMode::Contour) }, signed),
        ("classes", Style { alpha: 0.8, ..base }, classes),
        ("classes-contour", mode(OutputMode::Contour), classes),
    ]
}

fn painted(format: Format, (_, style, paint): Case) -> Picture {
    let picture = Picture::of(format, SIZE, COLORS[if format.name().contains("RGB") { 2 } else { 1 }], 4, scene);
    let mut target = picture.clone();
    if style.output_mode == OutputMode::SideBySide {
        target = Picture::noise(format, (2 * SIZE.0, SIZE.1), picture.color, 4);
        beside(&picture.frame(), &mut target.frame_mut()).unwrap();
    }
    paint(&mut Painter::new(style), &mut target);
    target
}

#[test]
fn golden_frames_of_each_way_of_painting_in_each_family_of_formats() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/frames");
    let write = std::env::var_os("GOLDEN").is_some();
    let file = |case: &Case| folder.join(format!("{}.png", case.0));
    for case in cases().iter().filter(|_| write) {
        let got = painted(Format::Rgb, *case);
        std::fs::create_dir_all(&folder).unwrap();
        let mut image = RgbImage::new(got.size.0 as u32, got.size.1 as u32);
        for (x, y) in pixels(got.size) {
            image.put_pixel(x as u32, y as u32, image::Rgb(got.rgb(x, y).map(|v| v.round() as u8)));
        }
        image.save(file(case)).unwrap();
    }
    for case in cases() {
        let golden = image::open(file(&case)).unwrap().to_rgb8();
        for format in FAMILIES.into_iter().chain([Format::Rgb]) {
            let got = painted(format, case);
            let off = |(x, y): (usize, usize)| {
                let want = golden.get_pixel(x as u32, y as u32).0;
                got.rgb(x, y).iter().zip(want).map(|(g, w)| (g - f64::from(w)).abs()).fold(0.0, f64::max)
            };
            let worst = pixels(got.size).map(off).fold(0.0, f64::max);
            let mean = pixels(got.size).map(off).sum::<f64>() / (got.size.0 * got.size.1) as f64;
            // Colour at half the size blurs edges; nothing else may be seen.
            let halved = !matches!(format, Format::Rgb | Format::Bgrx | Format::Argb | Format::Y444 | Format::Y44410le);
            let (most, usual) = match format {
                Format::Rgb => (1.0, 1.0),
                _ if halved => (255.0, 6.0),
                _ => (8.0, 2.0),
            };
            assert!(worst <= most && mean <= usual, "{} {}: worst {worst:.1}, mean {mean:.2}", case.0, format.name());
        }
    }
}

/// A format of each family, overlaid: each sample within one level of 8 bits.
#[test]
fn golden_samples_of_each_family_of_formats() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/frames/samples");
    for format in FAMILIES.into_iter().chain([Format::Gray8]) {
        let got = painted(format, cases()[0]);
        let drop = bits(format).0 - 8;
        let sample = |c, x, y| if c < components(format) { (got.get(c, x, y) >> drop) as u8 } else { 128 };
        let size = (got.size.0 as u32, got.size.1 as u32);
        let image =
            RgbImage::from_fn(size.0, size.1, |x, y| image::Rgb([0, 1, 2].map(|c| sample(c, x as usize, y as usize))));
        let file = folder.join(format!("{}.png", format.name().to_lowercase()));
        if std::env::var_os("GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            image.save(&file).unwrap();
        }
        let golden = image::open(&file).unwrap().to_rgb8();
        assert_eq!(golden.dimensions(), size);
        for ((x, y, have), want) in image.enumerate_pixels().zip(golden.pixels()) {
            let off = have.0.iter().zip(want.0).map(|(have, want)| have.abs_diff(want)).max().unwrap_or(0);
            assert!(off <= 1, "{} at {x},{y}: {have:?}, not {want:?}", format.name());
        }
    }
}
