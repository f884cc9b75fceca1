//! The runtime for NVIDIA GPUs (`make gpu-runtime`, or ORT_DYLIB_PATH): without a GPU the order of fall-back and what is said of it, with one
//! that it is used (`make check-gpu`). Both say so where they are not run.

mod support;

use std::path::{Path, PathBuf};

use gstgradcam::frame::Region;
use gstgradcam::{Error, Explainer, Options, Precision, Provider, Target};
use ndarray::ArrayD;
use support::{cosine, demo_model, root};

/// The library, where it was built with CUDA.
fn gpu_runtime() -> Option<PathBuf> {
    let folder = std::fs::read_dir(root().join("runtime/gpu")).into_iter().flatten().flatten().map(|e| e.path());
    let ours = folder.filter(|p| p.to_string_lossy().contains("libonnxruntime.so")).max();
    let library = ours.or_else(|| std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from))?;
    let built_in = Provider::Cuda.built_in(Some(&library)).expect("a runtime");
    if !built_in {
        println!("not run: {} was built without CUDA; `make gpu-runtime` fetches one", library.display());
    }
    built_in.then_some(library)
}

/// NVIDIA's driver, on a PC and on a Jetson.
fn has_gpu() -> bool {
    ["/dev/nvidia0", "/dev/nvhost-gpu", "/dev/nvgpu"].iter().any(|path| Path::new(path).exists())
}

/// Options for the wanted kind of machine, if it is one.
fn options(with_gpu: bool) -> Option<Options> {
    let library = gpu_runtime()?;
    if has_gpu() != with_gpu {
        println!("not run: this machine has {} NVIDIA GPU", if with_gpu { "no" } else { "an" });
        return None;
    }
    Some(Options { runtime_library: Some(library), engine_cache_dir: Some("none".into()), ..Options::default() })
}

fn open(options: &Options) -> Explainer {
    Explainer::open(&demo_model(), options).expect("the demo model opens")
}

fn map(explainer: &mut Explainer, targets: &[Target]) -> Vec<f32> {
    let shape = explainer.input_shape().to_vec();
    let input = ArrayD::from_shape_fn(shape, |i| ((i[1] * 7 + i[2] * 3 + i[3] * 5) % 23) as f32 / 11.5 - 1.0);
    let everywhere = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
    let seen = explainer.explain_tensor(input.view(), targets, everywhere).expect("it runs");
    seen.maps.iter().flat_map(|one| one.map.iter().copied()).collect()
}

#[test]
fn b42_without_a_gpu_auto_falls_back_in_order_and_says_why() {
    let Some(options) = options(false) else { return };
    let mut explainer = open(&options);
    let (provider, warnings) = (&explainer.info().provider, &explainer.info().warnings);
    let tried: Vec<&str> = provider.tried.iter().map(|(kind, _)| kind.name()).collect();
    assert_eq!((provider.kind.name(), &tried[..]), ("cpu", &["tensorrt", "cuda", "openvino"][..]));
    for (kind, why) in &provider.tried[..2] {
        println!("{}: {why}", kind.name());
        assert!(why.contains("lib") && why.contains(".so") && !why.contains("[ONNXRuntimeError]"), "{why}");
    }
    let [warning] = &warnings[..] else { panic!("one warning, not {warnings:?}") };
    println!("{warning}");
    for words in ["execution-provider=auto runs on cpu", "tensorrt failed: ", "cuda failed: "] {
        assert!(warning.contains(words), "{warning}");
    }
    let mut own = open(&Options { execution_provider: Provider::Cpu, ..options });
    let best = [Target::Rank(0), Target::Rank(1)];
    assert_eq!(map(&mut explainer, &best), map(&mut own, &best), "the CPU's maps, to the bit");
}

#[test]
fn b42_without_a_gpu_those_that_are_named_are_refused() {
    let Some(options) = options(false) else { return };
    for provider in [Provider::TensorRt, Provider::Cuda] {
        for precision in [Precision::Fp32, Precision::Fp16] {
            let asked = Options { execution_provider: provider, precision, ..options.clone() };
            let error = Explainer::open(&demo_model(), &asked).expect_err("there is no GPU");
            println!("{error}");
            assert!(matches!(&error, Error::Provider { name, .. } if *name == provider.name()));
            assert!(error.to_string().contains("docs/tensorrt.md"));
        }
    }
}

#[test]
fn with_a_gpu_what_is_named_is_taken_and_kept() {
    let Some(options) = options(true) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let many: Vec<Target> = (0..8).map(Target::Class).collect();
    let wanted = map(&mut open(&Options { execution_provider: Provider::Cpu, ..options.clone() }), &many);
    for provider in [Provider::TensorRt, Provider::Cuda] {
        let cache = Some(folder.path().to_path_buf());
        let asked = Options { execution_provider: provider, engine_cache_dir: cache, ..options.clone() };
        for (start, hit) in [(1, false), (2, true)] {
            let mut explainer = open(&asked);
            let info = explainer.info().clone();
            println!("start {start}: {}; {:?}", info.provider, info.warnings);
            assert_eq!(info.provider.kind, provider);
            assert!(info.provider.nodes.is_some_and(|nodes| nodes * 10 > info.provider.of * 9), "most of the nodes");
            assert_eq!(info.provider.cache, (provider == Provider::TensorRt).then_some(hit));
            assert!(cosine(&map(&mut explainer, &many), &wanted) > 0.9999);
            assert!(cosine(&map(&mut explainer, &many[..1]), &wanted[..wanted.len() / 8]) > 0.9999);
        }
    }
    let half = Options { execution_provider: Provider::TensorRt, precision: Precision::Fp16, ..options };
    let mut explainer = open(&half);
    println!("fp16: {}; {:?}", explainer.info().provider, explainer.info().warnings);
    assert!(cosine(&map(&mut explainer, &many), &wanted) > 0.99);
}
