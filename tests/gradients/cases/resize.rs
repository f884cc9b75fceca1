//! Resize and Upsample, in every mode that the runtime's CPU provider takes.

use crate::case::{Case, op};

const COORDINATES: [&str; 5] =
    ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"];

/// By scales; the output's size is rounded down.
fn scaled(mode: &str, coordinates: &str, scales: &[f32]) -> Case {
    let whole = [&[1.0, 1.0], scales].concat();
    op("Resize")
        .opset(19)
        .x(&[1, 2, 5, 6])
        .nothing()
        .floats(&[4], &whole)
        .str("mode", mode)
        .str("coordinate_transformation_mode", coordinates)
}

/// To sizes.
fn sized(mode: &str, sizes: &[i64]) -> Case {
    let whole = [&[1, 2], sizes].concat();
    op("Resize").opset(19).x(&[1, 2, 5, 6]).nothing().nothing().places(&whole).str("mode", mode)
}

pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for coordinates in COORDINATES {
        for mode in ["nearest", "linear", "cubic"] {
            cases.extend([[2.0, 3.0], [1.7, 0.6], [0.5, 1.3]].map(|scales| scaled(mode, coordinates, &scales)));
        }
    }
    for rounding in ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"] {
        cases.push(scaled("nearest", "half_pixel", &[1.6, 0.7]).str("nearest_mode", rounding));
        cases.push(scaled("nearest", "asymmetric", &[2.0, 0.5]).str("nearest_mode", rounding));
    }
    for mode in ["nearest", "linear", "cubic"] {
        cases.extend([sized(mode, &[9, 4]), sized(mode, &[1, 7]).note("one row"), sized(mode, &[10, 12]).opset(13)]);
        cases.push(
            sized(mode, &[7, 5])
                .opset(11)
                .reads(&["x", "w1", "w1", "w0"])
                .floats(&[0], &[])
                .reads(&["x", "w1", "w1", "w0"]),
        );
        cases.push(
            op("Resize")
                .opset(11)
                .x(&[1, 2, 5, 6])
                .floats(&[8], &[0.0, 0.0, 0.1, 0.2, 1.0, 1.0, 0.8, 1.1])
                .floats(&[4], &[1.0, 1.0, 1.4, 1.5])
                .str("mode", mode)
                .str("coordinate_transformation_mode", "tf_crop_and_resize")
                .float("extrapolation_value", 0.5),
        );
    }
    for mode in ["linear", "cubic"] {
        let antialias = |scales: &[f32]| scaled(mode, "half_pixel", scales).int("antialias", 1);
        cases.extend([
            antialias(&[0.5, 0.4]),
            antialias(&[0.7, 1.5]),
            antialias(&[0.4, 0.6]).int("exclude_outside", 1),
        ]);
    }
    cases.extend([
        scaled("cubic", "half_pixel", &[1.5, 2.0]).float("cubic_coeff_a", -0.5).int("exclude_outside", 1),
        scaled("nearest", "tf_half_pixel_for_nn", &[2.0, 0.6])
            .opset(11)
            .reads(&["x", "w1", "w0"])
            .floats(&[0], &[])
            .reads(&["x", "w1", "w0"]),
        op("Resize")
            .opset(18)
            .x(&[1, 2, 5, 6])
            .nothing()
            .floats(&[2], &[2.0, 1.5])
            .ints("axes", &[3, 2])
            .str("mode", "linear"),
        op("Resize")
            .opset(18)
            .x(&[1, 2, 5, 6])
            .nothing()
            .nothing()
            .places(&[8, 8])
            .ints("axes", &[2, 3])
            .str("keep_aspect_ratio_policy", "not_larger")
            .str("mode", "linear"),
        op("Resize")
            .opset(18)
            .x(&[1, 2, 5, 6])
            .nothing()
            .nothing()
            .places(&[8, 8])
            .ints("axes", &[2, 3])
            .str("keep_aspect_ratio_policy", "not_smaller"),
        op("Resize").opset(10).x(&[1, 2, 5, 6]).floats(&[4], &[1.0, 1.0, 1.7, 0.6]),
        op("Resize").opset(10).x(&[1, 2, 5, 6]).floats(&[4], &[1.0, 1.0, 2.0, 2.0]),
        op("Resize").opset(10).x(&[1, 2, 5, 6]).floats(&[4], &[1.0, 1.0, 1.7, 0.6]).str("mode", "linear"),
        op("Resize")
            .opset(13)
            .x(&[1, 5, 6, 2])
            .nothing()
            .floats(&[4], &[1.0, 2.0, 1.5, 1.0])
            .str("mode", "linear")
            .note("channels last"),
        op("Resize").opset(13).x(&[5, 6]).nothing().floats(&[2], &[2.0, 1.5]).str("mode", "linear").note("two axes"),
        op("Resize").opset(13).x(&[1, 3, 7]).nothing().floats(&[3], &[1.0, 1.0, 2.0]).note("one axis"),
        op("Resize")
            .opset(13)
            .x(&[1, 1, 3, 4, 3])
            .nothing()
            .floats(&[5], &[1.0, 1.0, 2.0, 0.5, 1.5])
            .str("mode", "linear")
            .note("three axes"),
        op("Upsample").opset(9).x(&[1, 2, 5, 6]).floats(&[4], &[1.0, 1.0, 2.0, 2.0]),
        op("Upsample").opset(9).x(&[1, 2, 5, 6]).floats(&[4], &[1.0, 1.0, 1.5, 3.0]),
        op("Upsample").opset(9).x(&[1, 2, 5, 6]).floats(&[4], &[1.0, 1.0, 2.0, 1.5]).str("mode", "linear"),
    ]);
    cases
}
