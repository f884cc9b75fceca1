//! What else is painted than an overlay of one map, against the same oracle.

use gstgradcam::frame::{Format, Region};
use gstgradcam::render::{AlphaMode, Colormap, OutputMode, Painter, Smooth, Style, beside, hue};
use ndarray::{Array2, array};

use crate::paint::{assert_within, assert_within_coats, blended, heat, map, whole};
use crate::picture::{COLORS, Picture, SIZES, pixels};

/// One format of each family.
const FAMILIES: [Format; 7] =
    [Format::I420, Format::Nv12, Format::Yuy2, Format::Rgb, Format::Bgrx, Format::Gray8, Format::P01010le];

const ALPHA: f32 = 0.75;

fn style(output_mode: OutputMode) -> Style {
    Style { output_mode, alpha: ALPHA, colormap: Colormap::Viridis, ..Style::DEFAULT }
}

#[test]
fn a_heatmap_takes_the_place_of_the_picture() {
    for format in FAMILIES {
        for size in SIZES {
            let (w, h) = (size.0 as f32, size.1 as f32);
            let inside = Region { x: w * 0.2, y: h * 0.1, width: w * 0.6, height: h * 0.8 };
            for region in [whole(size), inside] {
                let before = Picture::noise(format, size, COLORS[1], 3);
                let mut got = before.clone();
                let mut painter = Painter::new(style(OutputMode::Heatmap));
                painter.paint(&mut got.frame_mut(), map().view(), region).unwrap();
                let cold = Colormap::Viridis.rgb(0.0).map(f64::from);
                let ground = blended(&before, whole(size), |_, _| (cold, 1.0));
                let hot = |x, y| heat(&map(), Smooth::Bilinear, region, x, y) as f32;
                let want = blended(&ground, region, |x, y| (Colormap::Viridis.rgb(hot(x, y)).map(f64::from), 1.0));
                assert_within(&got, &want, &format!("{} {size:?} {region:?}", format.name()));
            }
        }
        // Nothing was found: the picture does not come back for a frame.
        let mut got = Picture::noise(format, (17, 13), COLORS[1], 3);
        let mut painter = Painter::new(style(OutputMode::Heatmap));
        assert!(!painter.paint(&mut got.frame_mut(), Array2::zeros((2, 2)).view(), whole((17, 13))).unwrap());
        let cold = blended(&got, whole((17, 13)), |_, _| (Colormap::Viridis.rgb(0.0).map(f64::from), 1.0));
        assert_within(&got, &cold, format.name());
    }
}

#[test]
fn a_mask_darkens_what_did_not_matter() {
    for format in FAMILIES {
        for (threshold, size) in [(0.5, (33, 20)), (0.25, (64, 48)), (1.0, (17, 13))] {
            let before = Picture::noise(format, size, COLORS[2], 1);
            let mut got = before.clone();
            let mut painter = Painter::new(Style { threshold, ..style(OutputMode::Mask) });
            painter.paint(&mut got.frame_mut(), map().view(), whole(size)).unwrap();
            // The map is cut off at the threshold before it is upsampled.
            let cut = map().mapv(|v| (v / 8e-7 / threshold).min(1.0));
            let want = blended(&before, whole(size), |x, y| {
                ([0.0; 3], f64::from(ALPHA) * (1.0 - heat(&cut, Smooth::Bilinear, whole(size), x, y)))
            });
            assert_within(&got, &want, &format!("{} {threshold}", format.name()));
        }
    }
}

#[test]
fn a_contour_is_a_line_of_even_width_where_heat_crosses_the_threshold() {
    // Heat grows with x alone, from 0 at 100 to 1 at 300.
    let (size, map) = ((400, 540), array![[0.0f32, 1.0], [0.0, 1.0]]);
    for format in FAMILIES {
        for threshold in [0.25, 0.5, 0.8] {
            let before = Picture::of(format, size, COLORS[0], 0, |_, _| [10.0; 3]);
            let mut got = before.clone();
            let style = Style { threshold, colormap: Colormap::Gray, ..style(OutputMode::Contour) };
            Painter::new(style).paint(&mut got.frame_mut(), map.view(), whole(size)).unwrap();
            let (middle, bright) = (100.0 + 200.0 * f64::from(threshold), 255.0 * f64::from(threshold));
            for (x, y) in pixels(size).filter(|(_, y)| y % 61 == 0) {
                let (off, level) = ((x as f64 + 0.5 - middle).abs(), got.rgb(x, y)[1]);
                // Two pixels wide at 540 lines; a chroma cell more, where there is one.
                if off <= 0.5 {
                    assert!((level - bright).abs() < 12.0, "{} {threshold}: {level} at {x},{y}", format.name());
                } else if off >= 3.0 {
                    assert!((level - 10.0).abs() < 3.0, "{} {threshold}: {level} at {x},{y}", format.name());
                }
            }
        }
    }
}

/// Only some places of a row are looked at: none that the line crosses may be missed, and it strays nowhere.
#[test]
fn a_contour_is_closed_and_lies_where_heat_crosses_the_threshold() {
    let (size, threshold) = ((240, 270), 0.4);
    let map = Array2::from_shape_fn((7, 6), |(y, x)| {
        let bump = |cx: f32, cy: f32| (-((x as f32 - cx).powi(2) + (y as f32 - cy).powi(2)) / 2.0).exp();
        bump(1.3, 4.6) + 0.8 * bump(4.2, 1.4)
    });
    let peak = f64::from(map.iter().copied().fold(0.0, f32::max));
    for smooth in [Smooth::Bilinear, Smooth::Bicubic] {
        let hot: Vec<f64> = pixels(size)
            .map(|(x, y)| heat(&map, smooth, whole(size), x as f64 + 0.5, y as f64 + 0.5) - threshold)
            .collect();
        let at = |x: usize, y: usize| hot[y * size.0 + x];
        let steps =
            pixels((size.0 - 1, size.1 - 1)).map(|(x, y)| (at(x + 1, y) - at(x, y)).hypot(at(x, y + 1) - at(x, y)));
        let steepest = steps.fold(0.0, f64::max);
        for format in FAMILIES {
            let before = Picture::noise(format, size, COLORS[2], 3);
            let style = Style { smooth, threshold: threshold as f32, alpha: 1.0, ..style(OutputMode::Contour) };
            for level in Painter::levels() {
                let mut got = before.clone();
                let mut painter = Painter::new(style);
                painter.set_level(level);
                assert!(painter.paint(&mut got.frame_mut(), map.view(), whole(size)).unwrap());
                let (mut own, mut crossings) = (got.clone(), 0);
                // What may be painted is put back.
                for (c, x, y) in before.samples() {
                    if at(x, y).abs() < 4.0 * steepest {
                        own.set(c, x, y, before.get(c, x, y));
                    }
                }
                assert!(own == before, "{} {smooth:?} {level:?}: painted far from the line", format.name());
                // The luma of the line's colour, which noise does not hit each time.
                let full = Picture::of(format, (1, 1), COLORS[2], 0, |_, _| style.colormap.rgb(0.4).map(f64::from));
                let (want, unit) = (full.get(0, 0, 0), full.get(0, 0, 0).max(1) as i32);
                for (x, y) in pixels((size.0 - 1, size.1 - 1)) {
                    let next = [(x + 1, y), (x, y + 1)].into_iter().find(|&(u, v)| at(x, y) * at(u, v) < 0.0);
                    let Some((u, v)) = next else { continue };
                    let (x, y) = if at(x, y).abs() < at(u, v).abs() { (x, y) } else { (u, v) };
                    let off = |of: &Picture| (i32::from(of.get(0, x, y)) - i32::from(want)).abs();
                    crossings += 1;
                    let what = (format.name(), smooth, level, x, y, off(&got), off(&before), unit);
                    assert!(off(&got) <= off(&before) * 3 / 4 + 2, "{what:?}: the line has a gap");
                }
                assert!(crossings > 200, "{crossings} crossings");
            }
        }
    }
    // As hot as the map gets: no line runs, and nothing is touched.
    let before = Picture::noise(Format::Nv12, size, COLORS[0], 3);
    let mut got = before.clone();
    let painter = &mut Painter::new(Style { threshold: 0.999, ..style(OutputMode::Contour) });
    let cold = map.mapv(|v| v / peak as f32 * 0.9);
    painter.paint_scaled(&mut got.frame_mut(), cold.view(), whole(size)).unwrap();
    assert_eq!(got, before);
}

#[test]
fn none_is_the_picture_as_it_is() {
    let before = Picture::noise(Format::Nv12, (33, 20), COLORS[0], 3);
    let mut after = before.clone();
    let mut painter = Painter::new(style(OutputMode::None));
    assert!(!painter.paint(&mut after.frame_mut(), map().view(), whole((33, 20))).unwrap());
    assert!(!painter.paint_classes(&mut after.frame_mut(), &[map().view()], whole((33, 20))).unwrap());
    assert_eq!(after, before);
}

#[test]
fn side_by_side_is_the_picture_and_the_painted_picture() {
    for format in Format::all() {
        for size in [(2, 1), (18, 13), (64, 48)] {
            let picture = Picture::noise(format, size, COLORS[1], 5);
            let mut got = Picture::noise(format, (2 * size.0, size.1), COLORS[1], 0);
            beside(&picture.frame(), &mut got.frame_mut()).unwrap();
            let region = Region { x: -3.0, y: 0.0, width: size.0 as f32 + 6.0, height: size.1 as f32 };
            let mut painter = Painter::new(style(OutputMode::SideBySide));
            assert!(painter.paint(&mut got.frame_mut(), map().view(), region).unwrap());
            let mut painted = picture.clone();
            let mut painter = Painter::new(style(OutputMode::Overlay));
            painter.paint(&mut painted.frame_mut(), map().view(), region).unwrap();
            for (c, x, y) in picture.samples() {
                assert_eq!(got.get(c, x, y), picture.get(c, x, y), "{} {size:?}", format.name());
                let (right, want) = (got.get(c, x + size.0, y), painted.get(c, x, y));
                assert!(right.abs_diff(want) <= 1, "{} {size:?}: {right} at {x},{y}, not {want}", format.name());
            }
        }
        for size in [(1, 1), (17, 13)] {
            let picture = Picture::noise(format, size, COLORS[1], 5);
            let mut got = Picture::noise(format, (2 * size.0, size.1), COLORS[1], 0);
            beside(&picture.frame(), &mut got.frame_mut()).unwrap();
            assert_eq!(got.get(0, 0, 0), picture.get(0, 0, 0));
        }
    }
    let picture = Picture::noise(Format::I420, (17, 13), COLORS[1], 5);
    let error = beside(&picture.frame(), &mut picture.clone().frame_mut()).unwrap_err().to_string();
    assert!(error.contains("I420 17x13 cannot hold I420 17x13 side by side"), "{error}");
}

#[test]
fn a_mask_of_a_signed_map_lets_through_what_speaks_for_it_or_against_it() {
    let (size, threshold, map) = ((33, 20), 0.5, array![[-2.0f32, 0.0, 1.0]]);
    for format in FAMILIES {
        // Where no colour tells for from against, what is below zero is nothing.
        for (colormap, strength) in [(Colormap::BlueRed, [1.0, 0.0, 0.5]), (Colormap::Viridis, [0.0, 0.0, 1.0])] {
            let before = Picture::noise(format, size, COLORS[2], 1);
            let mut got = before.clone();
            let mut painter = Painter::new(Style { threshold, colormap, ..style(OutputMode::Mask) });
            assert!(painter.paint(&mut got.frame_mut(), map.view(), whole(size)).unwrap());
            let cut = Array2::from_shape_fn((1, 3), |(_, x)| (strength[x] as f32 / threshold).min(1.0));
            let want = blended(&before, whole(size), |x, y| {
                ([0.0; 3], f64::from(ALPHA) * (1.0 - heat(&cut, Smooth::Bilinear, whole(size), x, y)))
            });
            assert_within(&got, &want, &format!("{} {colormap:?}", format.name()));
        }
    }
}

#[test]
fn a_signed_map_has_an_outline_of_each_sign_in_its_colour() {
    // From -1 at 100 to 1 at 300.
    let (size, map) = ((400, 540), array![[-1.0f32, 1.0], [-1.0, 1.0]]);
    for format in FAMILIES.into_iter().filter(|format| *format != Format::Gray8) {
        let before = Picture::of(format, size, COLORS[0], 0, |_, _| [10.0; 3]);
        let mut got = before.clone();
        let style = Style { threshold: 0.5, colormap: Colormap::BlueRed, ..style(OutputMode::Contour) };
        Painter::new(style).paint(&mut got.frame_mut(), map.view(), whole(size)).unwrap();
        for (x, y) in pixels(size).filter(|(_, y)| y % 61 == 0) {
            let (rgb, place) = (got.rgb(x, y), x as f64 + 0.5);
            let near = |value: f64| (place - (200.0 + 100.0 * value)).abs();
            let at = format!("{}: {rgb:?} at {x},{y}", format.name());
            // On the left pixel of a chroma cell, whose colour is its own.
            if x == 250 {
                assert!(rgb[0] > rgb[2] + 50.0, "{at}");
            } else if x == 150 {
                assert!(rgb[2] > rgb[0] + 50.0, "{at}");
            } else if near(0.5).min(near(-0.5)) >= 3.0 {
                assert!(rgb.iter().all(|v| (v - 10.0).abs() < 3.0), "{at}");
            }
        }
    }
}

#[test]
fn signed_maps_have_two_colours_and_nothing_between_them() {
    let map = array![[-2.0f32, 0.0, 1.0]];
    for format in FAMILIES {
        for alpha_mode in AlphaMode::ALL {
            let style = Style {
                colormap: Colormap::BlueRed,
                alpha_mode: *alpha_mode,
                smooth: Smooth::Nearest,
                ..style(OutputMode::Overlay)
            };
            let before = Picture::noise(format, (30, 10), COLORS[0], 2);
            let mut got = before.clone();
            assert!(Painter::new(style).paint(&mut got.frame_mut(), map.view(), whole((30, 10))).unwrap());
            let want = blended(&before, whole((30, 10)), |x, _| {
                let value = [-1.0f32, 0.0, 0.5][(x / 10.0) as usize];
                let strength = if *alpha_mode == AlphaMode::Heat { value.abs() } else { 1.0 };
                (Colormap::BlueRed.rgb((value + 1.0) / 2.0).map(f64::from), f64::from(ALPHA * strength))
            });
            assert_within(&got, &want, &format!("{} {alpha_mode:?}", format.name()));
        }
    }
    let mut picture = Picture::noise(Format::Rgb, (8, 8), COLORS[2], 0);
    let against = array![[-1.0f32]];
    let mut painter = Painter::new(Style { colormap: Colormap::PurpleOrange, ..Style::DEFAULT });
    assert!(
        painter.paint(&mut picture.frame_mut(), against.view(), whole((8, 8))).unwrap(),
        "negative alone is something"
    );
    assert!(!Painter::new(Style::DEFAULT).paint(&mut picture.frame_mut(), against.view(), whole((8, 8))).unwrap());
}

#[test]
fn each_class_has_a_hue_of_its_own() {
    let (one, two) = (array![[1.0f32, 0.0], [0.0, 0.0]], array![[0.0f32, 0.25], [0.5, 1.0]]);
    let nothing = Array2::zeros((2, 2));
    for format in FAMILIES {
        for size in SIZES {
            let before = Picture::noise(format, size, COLORS[3], 2);
            let mut got = before.clone();
            let maps = [one.view(), nothing.view(), two.view()];
            assert!(
                Painter::new(style(OutputMode::Overlay))
                    .paint_classes(&mut got.frame_mut(), &maps, whole(size))
                    .unwrap()
            );
            let coat = |picture: &Picture, map: &Array2<f32>, class| {
                blended(picture, whole(size), |x, y| {
                    let hot = heat(map, Smooth::Bilinear, whole(size), x, y);
                    (hue(class).map(f64::from), f64::from(ALPHA) * hot)
                })
            };
            let want = coat(&coat(&before, &one, 0), &two, 2);
            assert_within_coats(&got, &want, 2, &format!("{} {size:?}", format.name()));
        }
    }
    let hues: std::collections::BTreeSet<_> = (0..7).map(hue).collect();
    assert_eq!((hues.len(), hue(7)), (7, hue(0)));
    let mut picture = Picture::noise(Format::Rgb, (8, 8), COLORS[2], 0);
    let mut painter = Painter::new(style(OutputMode::Mask));
    assert!(!painter.paint_classes(&mut picture.frame_mut(), &[], whole((8, 8))).unwrap());
    assert!(!painter.paint_classes(&mut picture.frame_mut(), &[nothing.view()], whole((8, 8))).unwrap());
    assert!(painter.paint_classes(&mut picture.frame_mut(), &[nothing.view(), two.view()], whole((8, 8))).unwrap());
}
