//! Painting against an oracle in plain f64.

use gstgradcam::frame::{Format, Region, Siting};
use gstgradcam::render::{AlphaMode, Colormap, Painter, Smooth, Style, Words};
use ndarray::{Array2, array};

use crate::picture::{COLORS, Picture, SIZES, chroma, components, encode, is_yuv, locate, top};

/// Opacity in 256ths, as the painter counts.
const ALPHA: f64 = 115.0 / 256.0;

const STYLE: Style = Style { alpha: ALPHA as f32, ..Style::DEFAULT };

/// The map at a place of the frame, 0..=1: each value weighs by how far it is, in cells of the map; the rim goes on beyond it.
pub fn heat(map: &Array2<f32>, smooth: Smooth, region: Region, x: f64, y: f64) -> f64 {
    let weight = |d: f64| match (smooth, d.abs()) {
        (Smooth::Bilinear, d) => (1.0 - d).max(0.0),
        (Smooth::Nearest, _) => f64::from(u8::from(d > -0.5 && d <= 0.5)),
        // Keys (1981) with a = -1/2
        (Smooth::Bicubic, d) if d < 1.0 => (1.5 * d - 2.5) * d * d + 1.0,
        (Smooth::Bicubic, d) if d < 2.0 => ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0,
        _ => 0.0,
    };
    let axis = |at: f64, origin: f32, extent: f32, n: usize| {
        let u = ((at - f64::from(origin)) / f64::from(extent) * n as f64 - 0.5).clamp(0.0, n as f64 - 1.0);
        (-2..n as i64 + 2).map(move |i| (i.clamp(0, n as i64 - 1) as usize, weight(i as f64 - u))).collect::<Vec<_>>()
    };
    let max = f64::from(map.iter().copied().fold(0.0, f32::max));
    let across = axis(x, region.x, region.width, map.ncols());
    let mut sum = 0.0;
    for (row, v) in axis(y, region.y, region.height, map.nrows()) {
        for &(column, u) in &across {
            sum += u * v * f64::from(map[(row, column)].max(0.0)) / max;
        }
    }
    sum.clamp(0.0, 1.0)
}

/// The whole painter, slowly: `shade` gives RGB and opacity at a place in pixels; a sample is blended if its pixel is in the region.
pub fn blended(before: &Picture, region: Region, shade: impl Fn(f64, f64) -> ([f64; 3], f64)) -> Picture {
    blended_sited(before, Siting::MPEG2, region, shade)
}

/// The same with chroma elsewhere.
fn blended_sited(
    before: &Picture,
    siting: Siting,
    region: Region,
    shade: impl Fn(f64, f64) -> ([f64; 3], f64),
) -> Picture {
    let mut after = before.clone();
    let (format, (sub_x, sub_y)) = (before.format, chroma(before.format));
    for (c, x, y) in before.samples() {
        let (left, upper) = (x as f32 + 0.5 - region.x, y as f32 + 0.5 - region.y);
        if left < 0.0 || left >= region.width || upper < 0.0 || upper >= region.height {
            continue;
        }
        let amid = |on_first: bool, sub: usize| {
            if c > 0 && is_yuv(format) && !on_first { sub as f64 / 2.0 } else { 0.5 }
        };
        let (across, down) = (amid(siting.left, sub_x), amid(siting.top, sub_y));
        let (rgb, opacity) = shade(x as f64 + across, y as f64 + down);
        let sample = encode(rgb, format, before.color)[c];
        let blended = f64::from(before.get(c, x, y)) * (1.0 - opacity) + sample * opacity;
        after.set(c, x, y, blended.round() as u16);
    }
    after
}

/// An overlay.
fn oracle(before: &Picture, map: &Array2<f32>, region: Region, style: Style) -> Picture {
    blended(before, region, |x, y| {
        let hot = heat(map, style.smooth, region, x, y);
        let opacity = f64::from(style.alpha) * if style.alpha_mode == AlphaMode::Heat { hot } else { 1.0 };
        (style.colormap.rgb(hot as f32).map(f64::from), opacity)
    })
}

fn painted(picture: &Picture, map: &Array2<f32>, region: Region, style: Style) -> Picture {
    let mut after = picture.clone();
    assert!(Painter::new(style).paint(&mut after.frame_mut(), map.view(), region).unwrap());
    after
}

/// Samples one by one; whatever is no sample must be the same to the bit.
pub fn assert_within(got: &Picture, expected: &Picture, what: &str) {
    assert_within_coats(got, expected, 1, what);
}

/// The same where several coats were painted, each of which rounds.
pub fn assert_within_coats(got: &Picture, expected: &Picture, coats: u16, what: &str) {
    let levels = coats * if top(got.format) == 255 { 1 } else { 2 };
    let mut rest = got.clone();
    for (c, x, y) in got.samples() {
        let (g, e) = (got.get(c, x, y), expected.get(c, x, y));
        assert!(g.abs_diff(e) <= levels, "{what}: component {c} at {x},{y} is {g}, the oracle says {e}");
        rest.set(c, x, y, e);
    }
    assert!(rest == *expected, "{what}: bytes that are no colour were written");
}

pub fn map() -> Array2<f32> {
    array![[0.0, 1e-7, 3e-7, 0.0], [2e-7, 8e-7, 4e-7, 1e-7], [0.0, 5e-7, 6e-7, 7e-7]]
}

pub fn whole((w, h): (usize, usize)) -> Region {
    Region { x: 0.0, y: 0.0, width: w as f32, height: h as f32 }
}

#[test]
fn every_format_is_painted_within_one_level_of_8_bits_or_two_of_10_of_the_oracle() {
    for format in Format::all() {
        for size in SIZES {
            let (w, h) = (size.0 as f32, size.1 as f32);
            let regions = [
                whole(size),
                Region { x: w * 0.21, y: 0.0, width: w * 0.58, height: h },
                Region { x: -w * 0.3, y: -h * 0.1, width: w * 1.6, height: h * 1.2 },
            ];
            // Large pictures are dear to the oracle: one is enough.
            for (i, region) in regions.into_iter().enumerate().filter(|(i, _)| size.0 < 33 || *i == 1) {
                for (color, pad) in COLORS.into_iter().zip([0, 1, 13, 32]).skip(i % 2).step_by(2) {
                    let before = Picture::noise(format, size, color, pad);
                    let colormap = Colormap::all().filter(|c| !c.is_signed()).nth((i + pad) % 6).unwrap();
                    let smooth = Smooth::ALL[(i + size.0) % 3];
                    let alpha_mode = AlphaMode::ALL[(pad + i + size.1) % 2];
                    let alpha = [STYLE.alpha, 1.0][pad % 2];
                    let style = Style { colormap, smooth, alpha_mode, alpha, ..STYLE };
                    let expected = oracle(&before, &map(), region, style);
                    let got = painted(&before, &map(), region, style);
                    assert_within(
                        &got,
                        &expected,
                        &format!("{} {size:?} {region:?} {color:?} pad {pad} {style:?}", format.name()),
                    );
                }
            }
        }
    }
}

/// Long ramps, which no small picture has, steep ones, and each instruction set of this CPU.
#[test]
fn every_instruction_set_agrees_with_the_oracle_on_every_format() {
    let levels = Painter::levels();
    println!("{levels:?}");
    let steep = Array2::from_shape_fn((9, 70), |(y, x)| ((x * 37 + y * 11) % 8) as f32 / 7.0);
    for format in Format::all() {
        for (i, (map, size)) in [(&map(), (701, 4)), (&steep, (211, 5)), (&steep, (83, 3))].into_iter().enumerate() {
            let before = Picture::noise(format, size, COLORS[i], 3);
            let style = Style { smooth: Smooth::ALL[i], alpha_mode: AlphaMode::ALL[i % 2], ..STYLE };
            let expected = oracle(&before, map, whole(size), style);
            for level in &levels {
                let mut got = before.clone();
                let mut painter = Painter::new(style);
                painter.set_level(*level);
                painter.paint(&mut got.frame_mut(), map.view(), whole(size)).unwrap();
                assert_within(&got, &expected, &format!("{} {size:?} {level:?} {style:?}", format.name()));
            }
        }
    }
}

/// A step of 8 bits a pixel: half a pixel off is seen.
#[test]
fn chroma_is_painted_where_it_sits() {
    let (size, slope) = ((33, 20), array![[0.0f32, 0.3], [0.7, 1.0]]);
    for format in Format::all() {
        for (left, top) in [(true, false), (true, true), (false, false), (false, true)] {
            let siting = Siting { left, top };
            let before = Picture::noise(format, size, COLORS[1], 3);
            let mut got = before.clone();
            let style = Style { colormap: Colormap::Jet, alpha: 1.0, ..Style::DEFAULT };
            let frame = got.frame_mut();
            Painter::new(style).paint(&mut frame.sited(siting), slope.view(), whole(size)).unwrap();
            let want = blended_sited(&before, siting, whole(size), |x, y| {
                (style.colormap.rgb(heat(&slope, style.smooth, whole(size), x, y) as f32).map(f64::from), 1.0)
            });
            assert_within(&got, &want, &format!("{} {siting:?}", format.name()));
        }
    }
}

#[test]
fn padding_and_alpha_are_not_touched_to_the_bit() {
    for format in Format::all() {
        for size in SIZES {
            let before = Picture::noise(format, size, COLORS[0], 13);
            let style = Style { colormap: Colormap::Turbo, alpha: 1.0, ..Style::DEFAULT };
            let mut after = painted(&before, &map(), whole(size), style);
            Painter::new(style).write(&mut after.frame_mut(), &Words::plain(["words"])).unwrap();
            for (c, x, y) in before.samples() {
                after.set(c, x, y, before.get(c, x, y));
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
            let mut painter = Painter::new(Style { alpha, ..Style::DEFAULT });
            painter.paint(&mut after.frame_mut(), array![[2.5f32]].view(), whole((17, 13))).unwrap();
            after
        };
        assert_eq!(paint(0.0), before);
        assert_eq!(paint(f32::NAN), before);
        let hot = encode(Colormap::Jet.rgb(1.0).map(f64::from), format, COLORS[1]);
        let after = paint(1.0);
        for (c, x, y) in before.samples() {
            let (got, off) = (after.get(c, x, y), (f64::from(after.get(c, x, y)) - hot[c]).abs());
            assert!(off <= 0.6, "{}: component {c} is {got}, not {}", format.name(), hot[c]);
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
        let mut painter = Painter::new(Style::DEFAULT);
        assert!(!painter.paint(&mut after.frame_mut(), map.view(), region).unwrap(), "{map} {region:?}");
        assert_eq!(after, before);
    }
}

#[test]
fn the_scale_of_the_map_does_not_matter_however_small() {
    let before = Picture::noise(Format::Rgb, (33, 20), COLORS[2], 0);
    let style = Style { colormap: Colormap::Inferno, ..STYLE };
    let reference = painted(&before, &map(), whole((33, 20)), style);
    for factor in [1e6, 1e30, 2f32.powi(-110)] {
        let scaled = map().mapv(|v| v * factor);
        let got = painted(&before, &scaled, whole((33, 20)), style);
        assert_within(&got, &reference, &format!("times {factor}"));
    }
}

#[test]
fn one_painter_follows_changes_of_format_size_and_style() {
    let mut painter = Painter::new(STYLE);
    for (format, size, color, colormap) in [
        (Format::Nv12, (33, 20), COLORS[0], Colormap::Jet),
        (Format::Nv12, (33, 20), COLORS[1], Colormap::Jet),
        (Format::Bgra, (17, 13), COLORS[1], Colormap::Jet),
        (Format::Bgra, (64, 48), COLORS[2], Colormap::Magma),
        (Format::I420, (3, 3), COLORS[2], Colormap::Magma),
    ] {
        let before = Picture::noise(format, size, color, 5);
        let mut after = before.clone();
        let style = Style { colormap, ..STYLE };
        painter.set_style(style);
        painter.paint(&mut after.frame_mut(), map().view(), whole(size)).unwrap();
        assert_eq!(after, painted(&before, &map(), whole(size), style));
    }
}

#[test]
fn colour_maps_have_their_known_stops() {
    // Turbo by its makers' polynomial; the others by their tables.
    let stops: [(Colormap, [[u8; 3]; 3]); 8] = [
        (Colormap::Jet, [[0, 0, 128], [128, 255, 128], [128, 0, 0]]),
        (Colormap::Turbo, [[35, 23, 27], [150, 250, 80], [144, 13, 0]]),
        (Colormap::Viridis, [[68, 1, 84], [33, 145, 140], [253, 231, 37]]),
        (Colormap::Inferno, [[0, 0, 4], [188, 55, 84], [252, 255, 164]]),
        (Colormap::Magma, [[0, 0, 4], [183, 55, 121], [252, 253, 191]]),
        (Colormap::Gray, [[0, 0, 0], [128, 128, 128], [255, 255, 255]]),
        // ColorBrewer's RdBu and PuOr, turned round.
        (Colormap::BlueRed, [[5, 48, 97], [242, 239, 238], [103, 0, 31]]),
        (Colormap::PurpleOrange, [[45, 0, 75], [243, 238, 234], [127, 59, 8]]),
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
        "colormap=rainbow: no such colour map; use one of jet, turbo, viridis, inferno, magma, gray, blue-red, purple-orange"
    );
}

/// Straight pieces stand for curves that others have published.
#[test]
fn colour_maps_are_within_four_levels_of_the_published_ones() {
    let published = [
        (Colormap::Turbo, colorous::TURBO),
        (Colormap::Viridis, colorous::VIRIDIS),
        (Colormap::Inferno, colorous::INFERNO),
        (Colormap::Magma, colorous::MAGMA),
    ];
    for (colormap, gradient) in published {
        for i in 0..=2000 {
            let t = f64::from(i) / 2000.0;
            let (got, want) = (colormap.rgb(t as f32), gradient.eval_continuous(t).as_array());
            let off = got.iter().zip(want).map(|(g, w)| (g - f32::from(w)).abs()).fold(0.0, f32::max);
            assert!(off <= 4.0, "{colormap:?} at {t}: {got:?}, published {want:?}");
        }
    }
}

/// The hand-written layout must not send two components to one byte, else the oracle would prove nothing.
#[test]
fn the_oracle_has_every_component_in_a_byte_of_its_own() {
    for format in Format::all() {
        let mut places: Vec<_> = (0..components(format)).map(|component| locate(format, component, 0, 0)).collect();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), components(format));
    }
}
