//! What is asked for: a provider that is named works or is refused with the way out, `auto` takes what there is and says what not.

use gstgradcam::frame::Region;
use gstgradcam::{Error, Explainer, Options, Precision, Provider, Target};
use ndarray::ArrayD;

use super::{network, open, options};

fn refusal(options: &Options, words: &[&str]) -> Error {
    let error = open(&network(false), options).expect_err("it cannot be met");
    let text = error.to_string();
    println!("{text}");
    assert!(!text.contains('\n') && words.iter().all(|word| text.contains(word)), "{words:?} are not in: {text}");
    error
}

#[test]
fn b42_a_provider_that_is_named_works_or_is_refused() {
    // the plain runtime has neither
    for (provider, name) in
        [(Provider::TensorRt, "tensorrt"), (Provider::Cuda, "cuda"), (Provider::OpenVino, "openvino")]
    {
        let asked = Options { execution_provider: provider, ..options() };
        let way = if name == "openvino" { "make openvino" } else { "docs/tensorrt.md" };
        let error =
            refusal(&asked, &[&format!("execution-provider={name}"), "not", way, "execution-provider=auto takes what"]);
        assert!(matches!(error, Error::Provider { name: told, .. } if told == name));
    }
    let asked = Options { execution_provider: Provider::Plugin, ..options() };
    refusal(&asked, &["execution-provider=plugin", "provider-library is not set", "make openvino"]);
    let missing = Options { provider_library: Some("nowhere.so".into()), ..asked };
    refusal(&missing, &["nowhere.so does not exist"]);
}

#[test]
fn b42_auto_takes_the_cpu_where_there_is_nothing_else_and_warns_of_nothing() {
    let explainer = open(&network(false), &options()).unwrap();
    let provider = &explainer.info().provider;
    assert_eq!((provider.kind.name(), provider.nodes, provider.cache), ("cpu", Some(provider.of), None));
    assert!(provider.agreement.is_none(), "the CPU is not held against itself");
    let tried: Vec<&str> = provider.tried.iter().map(|(kind, _)| kind.name()).collect();
    assert_eq!(tried, ["tensorrt", "cuda", "openvino"]);
    assert!(provider.tried.iter().all(|(_, why)| why.contains("built without it")));
    assert!(explainer.info().warnings.is_empty(), "{:?}", explainer.info().warnings);
}

#[test]
fn b42_what_takes_its_place_on_the_cpu_is_stopped_by_what_stops_it() {
    let explainer = open(&network(false), &options()).unwrap();
    let stop = explainer.interrupter();
    let (mut heir, mut other) = (explainer.in_place_on_cpu().unwrap(), explainer.on_cpu().unwrap());
    let input = ArrayD::zeros(heir.input_shape());
    let everywhere = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
    // one class and, by the engine that is made for it then, several
    for targets in [&[Target::Class(0)][..], &[Target::Class(0), Target::Class(1)]] {
        let run = |explainer: &mut Explainer| explainer.explain_tensor(input.view(), targets, everywhere);
        stop.bar(true);
        assert!(matches!(run(&mut heir), Err(Error::Interrupted)));
        assert!(run(&mut other).is_ok(), "it is another's");
        stop.bar(false);
        assert!(run(&mut heir).is_ok());
    }
}

#[test]
fn b42_auto_warns_once_of_a_library_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.so");
    std::fs::write(&text, "this is not a library, only a text\n").unwrap();
    let explainer = open(&network(false), &Options { provider_library: Some(text), ..options() }).unwrap();
    let info = explainer.info();
    assert_eq!((info.provider.kind.name(), info.provider.tried[0].0.name()), ("cpu", "plugin"));
    let [warning] = &info.warnings[..] else { panic!("one warning, not {:?}", info.warnings) };
    assert!(warning.contains("auto runs on cpu") && warning.contains("text.so is not a shared library"), "{warning}");
}

#[test]
fn wishes_that_cannot_be_met_are_refused_before_anything_is_opened() {
    let on = |provider| Options { execution_provider: provider, ..options() };
    let pairs = vec![("a".to_string(), "b".to_string())];
    let library = Some("some.so".into());
    refusal(&Options { provider_library: library, ..on(Provider::Cuda) }, &["provider-library=some.so", "plugin"]);
    refusal(&Options { provider_options: pairs.clone(), ..options() }, &["provider-options=a=b", "execution-provider"]);
    refusal(&Options { provider_options: pairs, ..on(Provider::Cpu) }, &["execution-provider=cpu", "provider-options"]);
    refusal(&Options { device: Some("GPU".into()), ..on(Provider::TensorRt) }, &["device=GPU", "0 for the first"]);
    refusal(&Options { precision: Precision::Fp16, ..on(Provider::Cuda) }, &["precision=fp16", "export the model"]);
    let graph = vec![("enable_cuda_graph".to_string(), "1".to_string())];
    refusal(&Options { provider_options: graph, ..on(Provider::Cuda) }, &["enable_cuda_graph", "each frame"]);
}

#[test]
fn what_only_others_could_do_is_said_to_be_left_out() {
    let asked = Options { precision: Precision::Bf16, device: Some("GPU".into()), ..options() };
    let explainer = open(&network(false), &asked).unwrap();
    let [warning] = &explainer.info().warnings[..] else { panic!("one warning") };
    assert!(warning.contains("device=GPU and precision=bf16 not used"), "{warning}");
}
