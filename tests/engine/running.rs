//! Sessions: what goes in, what comes out, what is said where it does not fit, and how a run is stopped.

use std::thread;
use std::time::Duration;

use gstgradcam::Error;
use gstgradcam::engine::{Config, Engine, Input, Output};
use ndarray::{ArrayD, arr0, arr1, arr2};

const ENDLESS: &[u8] = include_bytes!("../data/endless.onnx");
const TYPES: &[u8] = include_bytes!("../data/types.onnx");

fn engine(model: &[u8], threads: usize) -> Engine {
    Engine::new(model, &Config { library: Some(crate::library()), threads, ..Config::default() }).unwrap()
}

fn x() -> ArrayD<f32> {
    arr2(&[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]).into_dyn()
}

#[test]
fn every_type_comes_back_as_what_it_is_and_in_the_order_asked_for() {
    let mut engine = engine(TYPES, 1);
    let (x, k) = (x(), arr0(21_i64).into_dyn());
    let inputs = [("k", Input::I64(k.view())), ("x", Input::F32(x.view()))];
    let made = engine.run(&inputs, &["seq", "bool", "i32", "i64", "f16", "u8", "f32"]).unwrap();
    let [seq, bits, i32s, i64s, f16s, u8s, f32s] = made.try_into().unwrap();
    assert!(matches!(seq, Output::Other(name, _) if name == "sequence"));
    assert!(matches!(bits, Output::Bool(a) if a == x.mapv(|v| v != 0.0)));
    assert!(matches!(i32s, Output::I32(a) if a == x.mapv(|v| v as i32)));
    assert!(matches!(i64s, Output::I64(a) if a == arr0(42).into_dyn()));
    assert!(matches!(f16s, Output::F32(values) if values.shape() == [2, 3]));
    assert!(matches!(u8s, Output::I32(values) if values.shape() == [2, 3]));
    assert!(matches!(f32s, Output::F32(a) if a == &x * 2.0));
}

#[test]
fn inputs_and_outputs_are_told_with_type_and_shape() {
    let engine = engine(TYPES, 1);
    let told = |infos: &[gstgradcam::engine::Info]| {
        infos.iter().map(|i| format!("{} {} {:?}", i.name, i.kind, i.shape)).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(told(engine.inputs()), "x float32 [-1, 3]; k int64 []");
    assert!(told(engine.outputs()).starts_with("f32 float32 [-1, 3]; f16 float16 [-1, 3]; i32 int32 [-1, 3]"));
    assert_eq!(engine.library(), crate::library());
}

#[test]
fn what_does_not_fit_is_told_with_name_type_and_shape() {
    let mut engine = engine(TYPES, 1);
    let (x, k, wrong) = (x(), arr0(1_i64).into_dyn(), arr1(&[1.0_f32, 2.0]).into_dyn());
    let mut why = |inputs: &[(&str, Input)], outputs: &[&str]| match engine.run(inputs, outputs) {
        Err(Error::Inference { why }) => why,
        other => panic!("{other:?}"),
    };
    let k = || ("k", Input::I64(k.view()));
    let shape = r#"the input "x" is float32 [-1, 3], but float32 [2] was given"#;
    assert_eq!(why(&[("x", Input::F32(wrong.view())), k()], &["f32"]), shape);
    let bytes = x.mapv(|v| v as u8);
    let kind = r#"the input "x" is float32 [-1, 3], but uint8 [2, 3] was given"#;
    assert_eq!(why(&[("x", Input::U8(bytes.view())), k()], &["f32"]), kind);
    assert_eq!(why(&[k()], &["f32"]), r#"the input "x" was not given"#);
    assert_eq!(why(&[("x", Input::F32(x.view())), k()], &["z"]), r#"the model has no output "z""#);
    assert!(why(&[("x", Input::F32(x.view())), k(), ("q", Input::F32(x.view()))], &["f32"]).contains('q'));
    let square = ArrayD::<f32>::zeros(vec![3, 3]);
    assert!(why(&[("x", Input::F32(square.t())), k()], &["f32"]).contains("contiguous"));
}

#[test]
fn a_model_that_the_runtime_refuses_and_an_absurd_setting_are_errors() {
    let config = Config { library: Some(crate::library()), threads: 1, unoptimized: true, ..Config::default() };
    let cut = Engine::new(&TYPES[..TYPES.len() / 2], &config);
    assert!(matches!(cut, Err(Error::Session { why }) if !why.is_empty() && !why.contains('\n')));
    let many = Engine::new(TYPES, &Config { threads: 1_000_000, ..config });
    assert!(matches!(many, Err(Error::Setting { name: "threads", .. })));
}

#[test]
fn an_endless_run_is_interrupted_and_the_next_one_works() {
    for threads in [1, 2] {
        let mut engine = engine(ENDLESS, threads);
        let interrupter = engine.interrupter();
        // Nothing runs yet: this must not touch the runs that follow.
        interrupter.interrupt();
        let (ends, never) = (arr1(&[-1.0_f32]).into_dyn(), arr1(&[1.0_f32]).into_dyn());
        let mut run = |x: &ArrayD<f32>| engine.run(&[("x", Input::F32(x.view()))], &["y"]);
        assert!(run(&ends).is_ok());
        let (done, over) = std::sync::mpsc::channel::<()>();
        let stopper = thread::spawn(move || {
            // The run may not have begun at the first call: go on until it has ended.
            while over.recv_timeout(Duration::from_millis(20)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                interrupter.interrupt();
            }
        });
        assert!(matches!(run(&never), Err(Error::Interrupted)));
        drop(done);
        stopper.join().unwrap();
        assert!(matches!(run(&ends).unwrap()[0], Output::F32(ref y) if *y == ends));
    }
}

#[test]
fn engines_live_side_by_side_in_threads() {
    let threads: Vec<_> = (0..4_i64)
        .map(|k| {
            thread::spawn(move || {
                let mut engine = engine(TYPES, 1);
                let (x, k) = (x(), arr0(k).into_dyn());
                let made = engine.run(&[("x", Input::F32(x.view())), ("k", Input::I64(k.view()))], &["i64"]).unwrap();
                assert!(matches!(made[0], Output::I64(ref a) if *a == &k * 2));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
