//! Painting against an oracle in plain f64.

use gstgradcam::frame::{Format, Region};
use gstgradcam::render::{Colormap, Painter, Style};
use ndarray::{Array2, array};

use crate::picture::{COLORS, Picture, SIZES, encode, is_yuv, locate, pixels};

/// Opacity in 256ths, as the painter counts.
const ALPHA: f64 = 115.0 / 256.0;

/// The map at a place of the frame: bilinear between the centres of its cells, 0..=1.
fn heat(map: &Array2<f32>, region: Region, x: f64, y: f64) -> f64 {
    let axis = |at: f64, origin: f32, extent: f32, n: usize| {
        let u = ((at - f64::from(origin)) / f64::from(extent) * n as f64 - 0.5).clamp(0.0, n as f64 - 1.0);
        (u.floor() as usize, (u.floor() as usize + 1).min(n - 1), u.fract())
    };
    let (left, right, u) = axis(x, region.x, region.width, map.ncols());
    let (top, bottom, v) = axis(y, region.y, region.height, map.nrows());
    let max = map.iter().copied().fold(0.0, f32::max);
    let value = |row: usize, column: usize| f64::from(map[(row, column)]) / f64::from(max);
    let along = |row: usize| value(row, left) * (1.0 - u) + value(row, right) * u;
    along(top) * (1.0 - v) + along(bottom) * v
}

/// The whole painter, slowly.
fn oracle(before: &Picture, map: &Array2<f32>, region: Region, colormap: Colormap) -> Picture {
    let mut after = before.clone();
    let inside = |x: usize, y: usize| {
        let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
        x >= region.x && x < region.x + region.width && y >= region.y && y < region.y + region.height
    };
    let (format, yuv) = (before.format, is_yuv(before.format));
    for (x, y) in pixels(before.size) {
        for component in 0..3 {
            let chroma = yuv && component > 0;
            let (across, down) = (if chroma { 2 } else { 1 }, if chroma && format != Format::Yuy2 { 2 } else { 1 });
            // A chroma sample is that of its first pixel: it sits on it across, and amid its rows.
            if x % across != 0 || y % down != 0 || !inside(x, y) {
                continue;
            }
            let hot = heat(map, region, x as f64 + 0.5, y as f64 + down as f64 / 2.0);
            let sample = encode(colormap.at(hot as f32).map(f64::from), yuv, before.color)[component];
            let blended = f64::from(before.get(component, x, y)) * (1.0 - ALPHA) + sample * ALPHA;
            *after.byte(component, x, y) = blended.round() as u8;
        }
    }
    after
}

fn painted(picture: &Picture, map: &Array2<f32>, region: Region, colormap: Colormap) -> Picture {
    let mut after = picture.clone();
    let mut painter = Painter::new(Style { colormap, alpha: ALPHA as f32 });
    assert!(painter.paint(&mut after.frame_mut(), map.view(), region).unwrap());
    after
}

fn assert_within(got: &Picture, expected: &Picture, levels: u8, what: &str) {
    for (plane, (got, expected)) in got.planes.iter().zip(&expected.planes).enumerate() {
        for (i, (g, e)) in got.0.iter().zip(&expected.0).enumerate() {
            assert!(g.abs_diff(*e) <= levels, "{what}: plane {plane} byte {i} is {g}, the oracle says {e}");
        }
    }
}

fn map() -> Array2<f32> {
    array![[0.0, 1e-7, 3e-7, 0.0], [2e-7, 8e-7, 4e-7, 1e-7], [0.0, 5e-7, 6e-7, 7e-7]]
}

fn whole((w, h): (usize, usize)) -> Region {
    Region { x: 0.0, y: 0.0, width: w as f32, height: h as f32 }
}

#[test]
fn every_format_is_painted_within_one_level_of_the_oracle() {
    for format in Format::all() {
        for size in SIZES {
            let (w, h) = (size.0 as f32, size.1 as f32);
            let regions = [
                whole(size),
                Region { x: w * 0.21, y: 0.0, width: w * 0.58, height: h },
                Region { x: -w * 0.3, y: -h * 0.1, width: w * 1.6, height: h * 1.2 },
            ];
            for (i, region) in regions.into_iter().enumerate() {
                for (color, pad) in COLORS.into_iter().zip([0, 1, 13, 32]) {
                    let before = Picture::noise(format, size, color, pad);
                    let colormap = Colormap::all().nth((i + pad) % Colormap::all().len()).unwrap();
                    let expected = oracle(&before, &map(), region, colormap);
                    let got = painted(&before, &map(), region, colormap);
                    let what = format!("{} {size:?} {region:?} {color:?} pad {pad} {}", format.name(), colormap.name());
                    assert_within(&got, &expected, 1, &what);
                }
            }
        }
    }
}

#[test]
fn padding_and_alpha_are_not_touched_to_the_bit() {
    for format in Format::all() {
        for size in SIZES {
            let before = Picture::noise(format, size, COLORS[0], 13);
            let mut after = painted(&before, &map(), whole(size), Colormap::Turbo);
            let mut painter = Painter::new(Style { colormap: Colormap::Turbo, alpha: 1.0 });
            painter.write(&mut after.frame_mut(), &["words".into()]).unwrap();
            for (x, y) in pixels(size) {
                for component in 0..3 {
                    *after.byte(component, x, y) = before.get(component, x, y);
                }
            }
            assert_eq!(after, before, "{} {size:?}: bytes that are no colour were written", format.name());
        }
    }
}

#[test]
fn opacity_goes_from_nothing_to_all() {
    for format in Format::all() {
        let before = Picture::noise(format, (17, 13), COLORS[1], 3);
        let paint = |alpha| {
            let mut after = before.clone();
            let mut painter = Painter::new(Style { colormap: Colormap::Jet, alpha });
            painter.paint(&mut after.frame_mut(), array![[2.5f32]].view(), whole((17, 13))).unwrap();
            after
        };
        assert_eq!(paint(0.0), before);
        assert_eq!(paint(f32::NAN), before);
        let hot = encode(Colormap::Jet.at(1.0).map(f64::from), is_yuv(format), COLORS[1]);
        let after = paint(1.0);
        for (x, y) in pixels((17, 13)) {
            for (component, hot) in hot.iter().enumerate() {
                assert_eq!(after.get(component, x, y), hot.round() as u8, "{}", format.name());
            }
        }
    }
}

#[test]
fn nothing_is_painted_where_there_is_nothing_to_show() {
    let before = Picture::noise(Format::Nv12, (17, 13), COLORS[0], 3);
    let all = whole((17, 13));
    let beside = Region { x: 40.0, y: 0.0, width: 9.0, height: 9.0 };
    let flat = Region { x: 0.0, y: 0.0, width: 0.0, height: 9.0 };
    let lost = Region { x: f32::NAN, y: 0.0, width: f32::NAN, height: 9.0 };
    let nan = array![[1.0, f32::NAN]];
    let cases = [
        (array![[0.0, 0.0]], all),
        (nan, all),
        (array![[f32::INFINITY, 1.0]], all),
        (array![[-1.0, -2.0]], all),
        (Array2::zeros((0, 4)), all),
        (map(), beside),
        (map(), flat),
        (map(), lost),
    ];
    for (map, region) in cases {
        let mut after = before.clone();
        let mut painter = Painter::new(Style { colormap: Colormap::Jet, alpha: 0.5 });
        assert!(!painter.paint(&mut after.frame_mut(), map.view(), region).unwrap(), "{map} {region:?}");
        assert_eq!(after, before);
    }
}

#[test]
fn the_scale_of_the_map_does_not_matter_however_small() {
    let before = Picture::noise(Format::Rgb, (33, 20), COLORS[2], 0);
    let reference = painted(&before, &map(), whole((33, 20)), Colormap::Inferno);
    for factor in [1e6, 1e30, 2f32.powi(-110)] {
        let scaled = map().mapv(|v| v * factor);
        let got = painted(&before, &scaled, whole((33, 20)), Colormap::Inferno);
        assert_within(&got, &reference, 1, &format!("times {factor}"));
    }
}

#[test]
fn one_painter_follows_changes_of_format_size_and_style() {
    let mut painter = Painter::new(Style { colormap: Colormap::Jet, alpha: ALPHA as f32 });
    for (format, size, color, colormap) in [
        (Format::Nv12, (33, 20), COLORS[0], Colormap::Jet),
        (Format::Nv12, (33, 20), COLORS[1], Colormap::Jet),
        (Format::Bgra, (17, 13), COLORS[1], Colormap::Jet),
        (Format::Bgra, (64, 48), COLORS[2], Colormap::Magma),
        (Format::I420, (3, 3), COLORS[2], Colormap::Magma),
    ] {
        let before = Picture::noise(format, size, color, 5);
        let mut after = before.clone();
        painter.set_style(Style { colormap, alpha: ALPHA as f32 });
        painter.paint(&mut after.frame_mut(), map().view(), whole(size)).unwrap();
        assert_eq!(after, painted(&before, &map(), whole(size), colormap));
    }
}

#[test]
fn colour_maps_have_their_known_stops() {
    // Turbo by its makers' polynomial; the others by their tables.
    let stops: [(Colormap, [[u8; 3]; 3]); 6] = [
        (Colormap::Jet, [[0, 0, 128], [128, 255, 128], [128, 0, 0]]),
        (Colormap::Turbo, [[35, 23, 27], [150, 250, 80], [144, 13, 0]]),
        (Colormap::Viridis, [[68, 1, 84], [33, 145, 140], [253, 231, 37]]),
        (Colormap::Inferno, [[0, 0, 4], [188, 55, 84], [252, 255, 164]]),
        (Colormap::Magma, [[0, 0, 4], [183, 55, 121], [252, 253, 191]]),
        (Colormap::Gray, [[0, 0, 0], [128, 128, 128], [255, 255, 255]]),
    ];
    assert_eq!(stops.len(), Colormap::all().len());
    for (colormap, expected) in stops {
        for (t, expected) in [0.0, 0.5, 1.0].into_iter().zip(expected) {
            let got = colormap.at(t);
            assert!(got.iter().zip(&expected).all(|(g, e)| g.abs_diff(*e) <= 2), "{colormap:?} at {t}: {got:?}");
        }
        assert_eq!(colormap.name().parse::<Colormap>().unwrap(), colormap);
        assert_eq!((colormap.at(-3.0), colormap.at(9.0)), (colormap.at(0.0), colormap.at(1.0)));
    }
    assert_eq!(
        "rainbow".parse::<Colormap>().unwrap_err().to_string(),
        "colormap=rainbow: no such colour map; use one of jet, turbo, viridis, inferno, magma, gray"
    );
}

/// The hand-written layout must not send two components to one byte, else the oracle would prove nothing.
#[test]
fn the_oracle_has_every_component_in_a_byte_of_its_own() {
    for format in Format::all() {
        let places = [0, 1, 2].map(|component| locate(format, component, 0, 0));
        assert!(places[0] != places[1] && places[1] != places[2] && places[0] != places[2]);
    }
}
