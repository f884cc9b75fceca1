//! Every gradient rule, checked on ONNX Runtime against finite differences. No GStreamer in it.

mod case;
mod cases;
mod check;
mod mutants;
#[path = "../support/mutate.rs"]
mod mutate;
mod random;
#[allow(dead_code)]
#[path = "../models/raw.rs"]
mod raw;
mod steps;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use case::{Case, op};
use check::Bench;
use gstgradcam::autodiff::{RULES, Rule};
use gstgradcam::onnx::tensorrt;
use random::Random;

const SEED: u64 = 2_024;

/// Runs a check on every case and tells all failures at once.
fn on_every_case(mut check: impl FnMut(&mut Bench, &mut Random, &Case) -> Result<(), String>) {
    let mut failures = Vec::new();
    for case in cases::all() {
        let mut random = Random(SEED);
        let bench = Bench::new(&case, &mut random).map_err(|e| e.to_string());
        if let Err(why) = bench.and_then(|mut bench| check(&mut bench, &mut random, &case)) {
            failures.push(format!("{}: {why}", case.title()));
        }
    }
    assert!(failures.is_empty(), "seed {SEED}, {} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn gradients_agree_with_finite_differences_and_do_not_mix_classes() {
    let mut worst = (0.0, String::new());
    on_every_case(|bench, random, case| {
        let ops = bench.gradients(random)?;
        if bench.worst > worst.0 {
            worst = (bench.worst, case.title());
        }
        match ops.iter().find(|op| !tensorrt::takes(op)) {
            Some(op) => Err(format!("{op} was emitted, which is not in src/onnx/tensorrt.txt")),
            None => Ok(()),
        }
    });
    println!("largest error against finite differences: {:.1e} ({})", worst.0, worst.1);
}

#[test]
fn unexpanded_gradients_count_as_expanded_ones() {
    on_every_case(|bench, random, _| bench.lazy(random));
}

#[test]
fn a_class_as_seed_is_its_unit_vector() {
    let mut rows = 0;
    on_every_case(|bench, _, case| {
        let ops = bench.seed()?;
        let Some(want) = case.seed_ops else { return Ok(()) };
        rows += 1;
        match ops.iter().flatten().find(|op| !want.contains(&op.as_str())) {
            Some(op) => Err(format!("a {op} was emitted where a Gather of the class's row was to do")),
            None => Ok(()),
        }
    });
    assert!(rows >= 5, "cases that prescribe a seed's operators");
}

#[test]
fn every_rule_has_a_case() {
    let covered: BTreeSet<&str> = cases::all().iter().flat_map(|c| c.steps.iter().map(|s| s.op)).collect();
    let steps: BTreeSet<&str> = steps::all().iter().flat_map(|c| c.steps.iter().map(|s| s.op)).collect();
    for row in RULES {
        let covered = if matches!(row.rule, Rule::Zero) { &steps } else { &covered };
        assert!(covered.contains(row.op), "{} has a rule and no case", row.op);
    }
}

#[test]
fn every_operator_stands_once_in_the_table() {
    let names: BTreeSet<&str> = RULES.iter().map(|row| row.op).collect();
    assert_eq!(names.len(), RULES.len());
}

#[test]
fn operators_with_zero_gradient_are_constant_between_their_steps() {
    for case in steps::all() {
        let random = Random(SEED);
        let at = case.point(&mut random.clone());
        let beside: Vec<f32> =
            at.iter().zip(random.clone().floats(at.len(), -0.01, 0.01)).map(|(x, d)| x + d).collect();
        let run = |x: Vec<f32>| {
            let x = ndarray::ArrayD::from_shape_vec(case.shape.clone(), x).expect("as many values as the shape has");
            check::outputs(&case, &x.view(), &mut random.clone()).unwrap_or_else(|e| panic!("{}: {e}", case.title()))
        };
        assert_eq!(run(at), run(beside), "{}", case.title());
    }
}

/// The steps of int8 are too coarse for finite differences: the formula, where nothing lies near an end of the range.
#[test]
fn a_coarse_quantiser_passes_what_lies_inside_its_range() {
    let (scale, zero) = (0.01f32, 5.0f32);
    let ends = [(-127.5 - zero) * scale, (126.5 - zero) * scale];
    let case = op("QuantizeLinear")
        .floats(&[], &[scale])
        .constant(&[], gstgradcam::onnx::Data::Raw(gstgradcam::onnx::DType::I8, vec![5]))
        .makes(&["q"])
        .then("DequantizeLinear")
        .reads(&["q", "w0", "w1"])
        .makes(&["d"])
        .then("Neg")
        .reads(&["d"])
        .kinks(&[-1.325, 1.215]);
    let bench = Bench::new(&case, &mut Random(SEED)).expect("it runs");
    let u = bench.x.mapv(|x| (x * 7.0).sin());
    let wanted = ndarray::Zip::from(&bench.x).and(&u).map_collect(|&x, &u| {
        let level = (x / scale).round_ties_even() * scale;
        if ends[0] < level && level < ends[1] { -u } else { 0.0 }
    });
    let outside = wanted.iter().filter(|&&g| g == 0.0).count();
    assert!(outside > 20 && outside < wanted.len() / 2, "{outside} of {} saturate", wanted.len());
    let got = bench.gradient_of(&u).expect("it runs");
    assert!(got.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{got} is not {wanted}");
}

/// As in torch: the first of a window's largest, row by row, against the plain loop over windows with many of them.
#[test]
fn the_first_of_equal_maxima_takes_the_gradient() {
    let (channels, height, width) = (2, 7, 8);
    let shape = [1, channels, height, width];
    let levels: Vec<f32> = (0..channels * height * width).map(|i| (i * i % 7 / 3) as f32 - 1.0).collect();
    for (kernel, stride, pad) in
        [(3, 1, 1), (3, 2, 1), (3, 2, 0), (5, 1, 2), (4, 1, 1), (2, 2, 0), (2, 1, 0), (3, 3, 1)]
    {
        let case =
            op("Add").x(&shape).range(0.0, 0.0).floats(&shape, &levels).makes(&["a"]).then("MaxPool").reads(&["a"]);
        let case = case.ints("kernel_shape", &[kernel as i64; 2]).ints("strides", &[stride as i64; 2]);
        let bench = Bench::new(&case.ints("pads", &[pad as i64; 4]), &mut Random(SEED)).expect("it runs");
        let count = |length: usize| (length + 2 * pad - kernel) / stride + 1;
        let mut wanted = ndarray::ArrayD::<f32>::zeros(shape.to_vec());
        let u = ndarray::ArrayD::from_shape_fn(vec![1, channels, count(height), count(width)], |at| {
            (at[1] * 100 + at[2] * 10 + at[3] + 1) as f32
        });
        for (at, &u) in u.indexed_iter() {
            let window = (0..kernel * kernel).filter_map(|k| {
                let (row, column) =
                    ((at[2] * stride + k / kernel).checked_sub(pad)?, (at[3] * stride + k % kernel).checked_sub(pad)?);
                (row < height && column < width).then_some([0, at[1], row, column])
            });
            let value = |at: &[usize; 4]| levels[(at[1] * height + at[2]) * width + at[3]];
            let first = window.reduce(|best, next| if value(&next) > value(&best) { next } else { best });
            wanted[first.expect("a window has samples")] += u;
        }
        let got = bench.gradient_of(&u).expect("it runs");
        let close = got.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-3);
        assert!(close, "kernel {kernel}, stride {stride}, pad {pad}: {got} is not {wanted}");
    }
}

#[test]
fn a_use_without_a_rule_is_refused_by_name() {
    let refused = [
        (op("Einsum").x(&[3, 3]).str("equation", "ii->i"), "one axis of an operand twice"),
        (
            op("Pad").str("mode", "reflect").places(&[0, 0, 1, 1, 0, 0, 1, 1]).makes(&["a"]).then("Det").reads(&["a"]),
            "Det",
        ),
        (
            op("LpNormalization")
                .int("p", 2)
                .makes(&["a"])
                .then("LayerNormalization")
                .weight(&[6])
                .reads(&["a", "w0"])
                .makes(&["n", "y"]),
            "output of it other than the first",
        ),
        (op("ScatterElements").x(&[3]).places(&[1, 1]).weight(&[2]), "one place twice"),
        (
            op("GlobalAveragePool")
                .makes(&["s"])
                .then("Conv")
                .weight(&[5, 4, 1, 1])
                .reads(&["x", "w0"])
                .makes(&["z"])
                .then("Det")
                .reads(&["z"]),
            "Det",
        ),
    ];
    for (case, reason) in refused {
        let mut random = Random(SEED);
        let mut bench = Bench::new(&case, &mut random).expect("the model itself runs");
        let why = bench.gradients(&mut random).expect_err("it has no rule");
        assert!(why.contains(reason), "{}: {why}", case.title());
    }
}
