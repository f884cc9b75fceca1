//! The format table, the checks of a frame, and the colour arithmetic.

use gstgradcam::frame::format::Space;
use gstgradcam::frame::{Color, Format, Frame, Matrix, Plane, Range};

use crate::picture::{COLORS, Kind, SIZES, bits, components, decode, encode, extents, kind, locate};

#[test]
fn every_row_agrees_with_the_hand_written_layout() {
    for format in Format::all() {
        let row = format.row();
        assert_eq!(row.format, format);
        assert_eq!(format.name().parse::<Format>().unwrap(), format);
        let space = match row.space {
            Space::Yuv => Kind::Yuv,
            Space::Rgb => Kind::Rgb,
            Space::Gray => Kind::Gray,
        };
        assert_eq!((space, (row.depth, row.shift)), (kind(format), bits(format)), "{}", row.name);
        for (w, h) in SIZES {
            let sizes: Vec<_> = (0..row.planes()).map(|plane| row.plane_size(plane, w, h).unwrap()).collect();
            assert_eq!(sizes, extents(format, w, h), "{} {w}x{h}", row.name);
        }
        for component in 0..components(format) {
            let holds = |grid: &&gstgradcam::frame::format::Grid| grid.lanes.contains(&Some(component));
            let grid = row.grids.iter().find(holds).unwrap();
            let lane = grid.lanes.iter().position(|lane| *lane == Some(component)).unwrap();
            for (x, y) in [(0, 0), (1, 0), (4, 3), (7, 6)] {
                let sample = x / grid.sub_x * grid.lanes.len() + lane;
                let here = (grid.plane, y / grid.sub_y, sample * row.sample());
                assert_eq!(here, locate(format, component, x, y), "{} component {component}", row.name);
            }
        }
    }
    assert!("P016_LE".parse::<Format>().unwrap_err().to_string().contains("NV12"));
}

#[test]
fn a_short_last_row_is_enough_and_one_byte_less_is_not() {
    for format in Format::all() {
        for (w, h) in SIZES {
            let sizes = extents(format, w, h);
            let exact: Vec<Vec<u8>> =
                sizes.iter().map(|(bytes, rows)| vec![0; (bytes + 5) * (rows - 1) + bytes]).collect();
            let planes = |cut: usize| -> Vec<Plane<&[u8]>> {
                let plane = |(data, (bytes, _)): (_, &(usize, usize))| {
                    let data: &Vec<u8> = data;
                    Plane { data: &data[..data.len() - cut], stride: bytes + 5 }
                };
                exact.iter().zip(&sizes).map(plane).collect()
            };
            assert!(Frame::new(format, w, h, COLORS[0], planes(0)).is_ok());
            let error = Frame::new(format, w, h, COLORS[0], planes(1)).unwrap_err().to_string();
            assert!(error.contains(format.name()) && error.contains("plane 0"), "{error}");
        }
    }
}

#[test]
fn frames_that_cannot_be_are_refused_with_the_reason() {
    let data = [0u8; 64];
    let plane = |stride| Plane { data: &data[..], stride };
    let refused = |format, w, h, planes| Frame::new(format, w, h, COLORS[0], planes).unwrap_err().to_string();
    assert!(refused(Format::Rgb, 0, 4, vec![plane(16)]).contains("no pixel"));
    assert!(refused(Format::Rgb, 4, 4, vec![plane(11)]).contains("stride of 11"));
    assert!(refused(Format::Nv12, 4, 4, vec![plane(4)]).contains("1 planes where the format has 2"));
    assert!(refused(Format::Rgba, usize::MAX / 2, 4, vec![plane(usize::MAX)]).contains("addressed"));
    assert!(refused(Format::Rgba, 4, 4, vec![plane(usize::MAX)]).contains("addressed"));
    assert!(Frame::new(Format::Rgb, 4, 1, COLORS[0], vec![plane(0)]).is_ok(), "one row needs no stride");
}

#[test]
fn samples_and_rgb_convert_as_the_recommendations_say() {
    let matrices = [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020, Matrix::Smpte240m, Matrix::Fcc];
    for matrix in matrices {
        for range in [Range::Limited, Range::Full] {
            let color = Color { matrix, range };
            for (space, format) in [
                (Space::Yuv, Format::I420),
                (Space::Rgb, Format::Rgb),
                (Space::Yuv, Format::P01010le),
                (Space::Gray, Format::Gray8),
            ] {
                for rgb in [[0.0, 0.0, 0.0], [255.0; 3], [255.0, 0.0, 0.0], [10.0, 200.0, 90.0], [3.0, 4.0, 250.0]] {
                    let depth = bits(format).0;
                    let samples = color.encode(space, depth).apply(rgb.map(|v: f64| v as f32));
                    let expected = encode(rgb, format, color);
                    let back = color.decode(space, depth).apply(samples);
                    let check = decode(expected, format, color);
                    let gray = expected[0];
                    for c in 0..3 {
                        let off = match space {
                            Space::Gray => {
                                (f64::from(back[c]) - check[c]).abs().max((f64::from(samples[0]) - gray).abs())
                            }
                            _ => {
                                assert!((f64::from(samples[c]) - expected[c]).abs() < 4e-3, "{color:?} {rgb:?}");
                                assert!((check[c] - rgb[c]).abs() < 1e-9);
                                (f64::from(back[c]) - rgb[c]).abs()
                            }
                        };
                        assert!(off < 1e-2, "{color:?} {space:?} {rgb:?} {back:?}");
                    }
                }
            }
        }
    }
    // BT.709 red as every table of it has it, and 10 bits are four times as fine.
    let red = COLORS[1].encode(Space::Yuv, 8).apply([255.0, 0.0, 0.0]).map(|v| v.round());
    assert_eq!(red, [63.0, 102.0, 240.0]);
    assert_eq!(COLORS[1].encode(Space::Yuv, 10).apply([255.0; 3]).map(|v| v.round()), [940.0, 512.0, 512.0]);
}
