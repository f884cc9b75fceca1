//! What a provider is told: device, precision, shapes and caches, in its own words. Only documented options:
//! TensorRT <https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html>, CUDA and OpenVINO in the pages beside it;
//! OpenVINO's own names <https://docs.openvino.ai/2025/openvino-workflow/running-inference/inference-devices-and-modes.html>.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::Provider;
use crate::error::names;

/// GPU memory that TensorRT may use while it builds an engine.
const WORKSPACE: usize = 1 << 30;

/// Where and how a session runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// What computes.
    pub provider: Provider,
    /// Which of its devices, in its own words: "0" for TensorRT and CUDA, "CPU", "GPU.1" for OpenVINO and plugins; `None` = its choice.
    pub device: Option<String>,
    /// More options in the provider's own words; they override ours.
    pub options: Vec<(String, String)>,
    /// Numbers that it computes in.
    pub precision: Precision,
    /// The model is quantised to 8 bits, in QDQ form.
    pub quantised: bool,
    /// The shared library of [`Provider::Plugin`].
    pub library: Option<PathBuf>,
    /// The folder for what the provider builds, where it can keep that.
    pub cache: Option<PathBuf>,
    /// Inputs whose shape is free, with the shapes that they will have; for providers that build for a range of shapes.
    pub shapes: Vec<Range>,
}

/// Numbers that a provider computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// As the model says
    #[default]
    Fp32,
    /// float16 where the provider finds it faster
    Fp16,
    /// bfloat16 where the provider finds it faster
    Bf16,
}

names!(Precision, "precision": Fp32 = "fp32", Fp16 = "fp16", Bf16 = "bf16");

/// The shapes that an input may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The input.
    pub name: String,
    /// The smallest shape.
    pub least: Vec<usize>,
    /// The shape to be fast at.
    pub usual: Vec<usize>,
    /// The largest shape.
    pub most: Vec<usize>,
}

type Told = Result<Vec<(String, String)>, String>;

pub(super) fn tensorrt(place: &Place, _: usize) -> Told {
    let mut told = vec![("device_id", gpu(place)?), ("trt_max_workspace_size", WORKSPACE.to_string())];
    let on = || "1".to_string();
    match place.precision {
        Precision::Fp32 => {}
        // sums of squares overflow float16
        Precision::Fp16 => told.extend([("trt_fp16_enable", on()), ("trt_layer_norm_fp32_fallback", on())]),
        Precision::Bf16 => told.push(("trt_bf16_enable", on())),
    }
    if place.quantised {
        told.push(("trt_int8_enable", on()));
    }
    if let Some(cache) = &place.cache {
        let path = cache.to_string_lossy().into_owned();
        told.extend([("trt_engine_cache_enable", on()), ("trt_engine_cache_path", path)]);
        // shared by all models: kernels' times are the GPU's
        if let Some(root) = cache.parent() {
            told.extend([
                ("trt_timing_cache_enable", on()),
                ("trt_timing_cache_path", root.to_string_lossy().into_owned()),
            ]);
        }
    }
    let profile = |shape: fn(&Range) -> &Vec<usize>| {
        let one = |range: &Range| {
            format!("{}:{}", range.name, shape(range).iter().map(usize::to_string).collect::<Vec<_>>().join("x"))
        };
        place.shapes.iter().map(one).collect::<Vec<_>>().join(",")
    };
    // a name with one of its marks would be read wrongly: then the engine is built at the first run
    if !place.shapes.is_empty() && !place.shapes.iter().any(|range| range.name.contains([':', ','])) {
        told.extend([
            ("trt_profile_min_shapes", profile(|range| &range.least)),
            ("trt_profile_opt_shapes", profile(|range| &range.usual)),
            ("trt_profile_max_shapes", profile(|range| &range.most)),
        ]);
    }
    Ok(owned(told))
}

pub(super) fn cuda(place: &Place, _: usize) -> Told {
    if place.precision != Precision::Fp32 {
        return Err(own_numbers(place.precision));
    }
    // TensorFloat-32 would keep ten bits of each float32
    Ok(owned(vec![("device_id", gpu(place)?), ("use_tf32", "0".into())]))
}

pub(super) fn openvino(place: &Place, threads: usize) -> Told {
    let device = place.device.clone().unwrap_or_else(|| "CPU".into());
    let mut told = vec![("device_type", device.clone())];
    match place.precision {
        Precision::Bf16 => return Err("the OpenVINO of the runtime knows fp32 and fp16, not precision=bf16".into()),
        Precision::Fp16 if device == "CPU" => {
            return Err("the OpenVINO of the runtime has precision=fp16 on GPU and NPU only, which device names".into());
        }
        Precision::Fp16 => told.push(("precision", "FP16".into())),
        // an NPU has its own numbers
        Precision::Fp32 if device.starts_with("NPU") => {}
        Precision::Fp32 => told.push(("precision", "FP32".into())),
    }
    if threads > 0 {
        told.push(("num_of_threads", threads.to_string()));
    }
    if let Some(cache) = &place.cache {
        told.push(("cache_dir", cache.to_string_lossy().into_owned()));
    }
    Ok(owned(told))
}

/// OpenVINO as a library of its own: one option, JSON of OpenVINO's properties by device. It computes in bfloat16 or float16 where the
/// hardware can, unless it is told not to.
pub(super) fn openvino_plugin(place: &Place, device: &str, threads: usize) -> Vec<(String, String)> {
    let hint = match place.precision {
        Precision::Fp32 => "f32",
        Precision::Fp16 => "f16",
        Precision::Bf16 => "bf16",
    };
    let mut told = Map::new();
    // an NPU has its own numbers
    if device != "NPU" || place.precision != Precision::Fp32 {
        told.insert("INFERENCE_PRECISION_HINT".into(), hint.into());
    }
    if threads > 0 && device == "CPU" {
        told.insert("INFERENCE_NUM_THREADS".into(), threads.to_string().into());
    }
    if let Some(cache) = &place.cache {
        told.insert("CACHE_DIR".into(), cache.to_string_lossy().into_owned().into());
    }
    let all = Map::from_iter([(device.to_string(), Value::Object(told))]);
    vec![("load_config".into(), Value::Object(all).to_string())]
}

pub(super) fn cpu(place: &Place, _: usize) -> Told {
    if place.precision != Precision::Fp32 {
        return Err(own_numbers(place.precision));
    }
    let unread = [("device", place.device.is_some()), ("provider-options", !place.options.is_empty())];
    match unread.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(format!("it has nothing to do with {name}")),
        None => Ok(Vec::new()),
    }
}

fn own_numbers(precision: Precision) -> String {
    format!("it computes in the model's own numbers, not in precision={}: export the model in them", precision.name())
}

fn gpu(place: &Place) -> Result<String, String> {
    let device = place.device.as_deref().unwrap_or("0");
    let why = || format!("device={device} is no number of a GPU; give 0 for the first");
    device.parse::<u16>().map(|number| number.to_string()).map_err(|_| why())
}

fn owned(told: Vec<(&str, String)>) -> Vec<(String, String)> {
    told.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}

/// Refuses options that would make maps wrong.
pub(super) fn admit(options: &[(String, String)]) -> Result<(), String> {
    // https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html#using-cuda-graphs-preview
    let graph = |key: &str| matches!(key, "enable_cuda_graph" | "trt_cuda_graph_enable");
    match options.iter().find(|(key, value)| graph(key) && !matches!(value.as_str(), "0" | "false" | "False")) {
        Some((key, _)) => Err(format!(
            "provider-options {key}: a CUDA graph reads its inputs where they lay when it was recorded, and each frame lies elsewhere; leave it out"
        )),
        None => Ok(()),
    }
}

/// `k=v,k=v`; commas within brackets and quotes belong to the value, as in JSON.
///
/// # Errors
/// What is wrong, and how it is written.
pub fn parse_options(text: &str) -> Result<Vec<(String, String)>, String> {
    let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0i32, false);
    for mark in text.chars() {
        match mark {
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth -= 1,
            ',' if depth == 0 && !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("there is one from the start").push(mark);
    }
    if quoted || depth != 0 {
        return Err(format!("{text:?} has a bracket or quote without its other half; close it, or leave it out"));
    }
    let pair = |part: &String| {
        let split = part.split_once('=').map(|(key, value)| (key.trim().to_string(), value.trim().to_string()));
        split.filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
            format!(
                "{:?} is no option; write key=value, and commas between them, as in trt_builder_optimization_level=5",
                part.trim()
            )
        })
    };
    parts.iter().filter(|part| !part.trim().is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(told: Told) -> String {
        told.unwrap().iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tensorrt_is_told_all_that_it_has_to_know() {
        let mut place = Place { provider: Provider::TensorRt, ..Place::default() };
        assert_eq!(text(tensorrt(&place, 0)), "device_id=0 trt_max_workspace_size=1073741824");
        let range = |name: &str, most| Range { name: name.into(), least: vec![1], usual: vec![1], most: vec![most] };
        place = Place {
            device: Some("1".into()),
            precision: Precision::Fp16,
            quantised: true,
            cache: Some("caches/key".into()),
            shapes: vec![range("gradcam_target", 8), range("gradcam_versus", 8)],
            ..place
        };
        assert_eq!(
            text(tensorrt(&place, 0)),
            "device_id=1 trt_max_workspace_size=1073741824 trt_fp16_enable=1 trt_layer_norm_fp32_fallback=1 trt_int8_enable=1 \
             trt_engine_cache_enable=1 trt_engine_cache_path=caches/key trt_timing_cache_enable=1 trt_timing_cache_path=caches \
             trt_profile_min_shapes=gradcam_target:1,gradcam_versus:1 trt_profile_opt_shapes=gradcam_target:1,gradcam_versus:1 \
             trt_profile_max_shapes=gradcam_target:8,gradcam_versus:8"
        );
        place.shapes = vec![range("target:0", 8)];
        assert!(!text(tensorrt(&place, 0)).contains("profile"), "its parser would cut the name");
        place.precision = Precision::Bf16;
        assert!(text(tensorrt(&place, 0)).contains(" trt_bf16_enable=1 "));
        place.device = Some("GPU".into());
        assert!(tensorrt(&place, 0).unwrap_err().contains("device=GPU is no number"));
    }

    #[test]
    fn the_others_are_told_device_precision_and_cache() {
        let mut place = Place { cache: Some("c".into()), ..Place::default() };
        assert_eq!(text(cuda(&place, 2)), "device_id=0 use_tf32=0");
        assert_eq!(text(openvino(&place, 2)), "device_type=CPU precision=FP32 num_of_threads=2 cache_dir=c");
        let json =
            r#"load_config={"CPU":{"CACHE_DIR":"c","INFERENCE_NUM_THREADS":"2","INFERENCE_PRECISION_HINT":"f32"}}"#;
        assert_eq!(text(Ok(openvino_plugin(&place, "CPU", 2))), json);
        assert_eq!(text(cpu(&place, 2)), "");
        place.precision = Precision::Fp16;
        assert!(openvino(&place, 0).unwrap_err().contains("GPU and NPU"));
        let gpu = Place { device: Some("GPU.1".into()), ..place.clone() };
        assert_eq!(text(openvino(&gpu, 0)), "device_type=GPU.1 precision=FP16 cache_dir=c");
        assert!(cuda(&place, 0).unwrap_err().contains("precision=fp16") && cpu(&place, 0).is_err());
        place = Place { device: Some("0".into()), ..Place::default() };
        assert!(cpu(&place, 0).unwrap_err().contains("device"));
    }

    #[test]
    fn the_users_options_come_last_and_override() {
        let options = parse_options("trt_max_workspace_size=5, a=b").unwrap();
        let place = Place { provider: Provider::TensorRt, options, ..Place::default() };
        assert_eq!(text(place.provider.options(&place, 0)), "device_id=0 trt_max_workspace_size=5 a=b");
        let graph = Place { options: parse_options("trt_cuda_graph_enable=1").unwrap(), ..place };
        assert!(graph.provider.options(&graph, 0).unwrap_err().contains("CUDA graph"));
    }

    #[test]
    fn option_lists_are_read_or_explained() {
        assert_eq!(parse_options("").unwrap(), []);
        let read = parse_options(r#" a = 1 ,load_config={"CPU":{"X":"1","Y":"a,b"}},c="#).unwrap();
        let want = [("a", "1"), ("load_config", r#"{"CPU":{"X":"1","Y":"a,b"}}"#), ("c", "")];
        assert_eq!(read, want.map(|(key, value)| (key.to_string(), value.to_string())));
        for wrong in ["a", "=1", "a=1,b"] {
            assert!(parse_options(wrong).unwrap_err().contains("key=value"), "{wrong}");
        }
        for wrong in ["a=x],b=2", r#"a="x,b=2"#, "a={1,b=2"] {
            assert!(parse_options(wrong).unwrap_err().contains("other half"), "{wrong}");
        }
    }
}
