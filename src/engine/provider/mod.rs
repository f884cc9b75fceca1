//! THE TABLE of execution providers: what each is called, how it joins a session, what it is told, what it needs.

mod options;
mod placed;
mod plugin;

use ort::ep::{self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider};
use ort::session::builder::SessionBuilder;

pub use options::{Place, Precision, Range, parse_options};
pub(super) use placed::Log;
pub use placed::Placed;

use super::runtime::Loaded;
use crate::error::{Error, Result as Done};

/// What computes a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Provider {
    /// The first that works, of all that there are; never where a session runs.
    Auto,
    /// NVIDIA GPUs, through TensorRT; what that does not take, through CUDA
    TensorRt,
    /// NVIDIA GPUs, operator by operator
    Cuda,
    /// Intel's CPUs, GPUs and NPUs, where the runtime was built with OpenVINO
    OpenVino,
    /// The runtime's own operators
    #[default]
    Cpu,
    /// A library of its own, loaded beside the runtime
    Plugin,
}

/// Option and value, as the provider names them.
type Options = Vec<(String, String)>;

/// What a provider is asked for.
pub(super) struct Ask<'a> {
    pub place: &'a Place,
    /// Threads within an operator; 0 = its choice.
    pub threads: usize,
    pub options: Options,
}

/// One provider.
pub(super) struct Row {
    provider: Provider,
    name: &'static str,
    /// What the runtime calls it; empty where a library says.
    runtime: &'static str,
    /// Whether the runtime was built with it.
    built_in: fn() -> bool,
    /// What it is told, and why a wish cannot be met.
    options: fn(&Place, threads: usize) -> Result<Options, String>,
    join: fn(SessionBuilder, &Loaded, &Ask) -> Result<SessionBuilder, String>,
    /// What to do where it cannot be used.
    needs: &'static str,
    /// Builds something of its own from all nodes that it takes, which can be kept; what is left is one node.
    builds: bool,
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    Row { provider: Provider::TensorRt, name: "tensorrt", runtime: ep::TensorRT::NAME, built_in: has::<ep::TensorRT>,
          options: options::tensorrt, join: join_tensorrt, builds: true,
          needs: "it takes the runtime library of onnxruntime-gpu, TensorRT's and CUDA's libraries where the loader finds them, and an \
                  NVIDIA GPU (docs/tensorrt.md); execution-provider=auto takes what there is" },
    Row { provider: Provider::Cuda, name: "cuda", runtime: ep::CUDA::NAME, built_in: has::<ep::CUDA>,
          options: options::cuda, join: join_cuda, builds: false,
          needs: "it takes the runtime library of onnxruntime-gpu, CUDA's and cuDNN's libraries where the loader finds them, and an \
                  NVIDIA GPU (docs/tensorrt.md); execution-provider=auto takes what there is" },
    Row { provider: Provider::OpenVino, name: "openvino", runtime: ep::OpenVINO::NAME, built_in: has::<ep::OpenVINO>,
          options: options::openvino, join: join_openvino, builds: true,
          needs: "it takes the library of onnxruntime-openvino in runtime-library, or that of onnxruntime-ep-openvino in provider-library \
                  (`make openvino` fetches it), and a device that is there; execution-provider=auto takes what there is" },
    Row { provider: Provider::Cpu, name: "cpu", runtime: ep::CPU::NAME, built_in: || true,
          options: options::cpu, join: |builder, runtime, _| plugin::join_cpu(builder, runtime), builds: false,
          needs: "leave device, precision and provider-options alone with it" },
    Row { provider: Provider::Plugin, name: "plugin", runtime: "", built_in: || true,
          options: |_, _| Ok(Vec::new()), join: plugin::join, builds: true,
          needs: "name a provider's shared library in provider-library, such as \
                  libonnxruntime_providers_openvino_plugin.so of onnxruntime-ep-openvino (`make openvino` fetches it)" },
];

impl Provider {
    /// All of them, [`Provider::Auto`] first.
    pub fn all() -> impl Iterator<Item = Provider> {
        std::iter::once(Provider::Auto).chain(TABLE.iter().map(|row| row.provider))
    }

    /// As the property `execution-provider` spells it.
    pub fn name(self) -> &'static str {
        self.row().map_or("auto", |row| row.name)
    }

    /// What to try in turn. A library that was named was named to be used; OpenVINO may be such a library.
    pub fn candidates(self, library: bool) -> Vec<Provider> {
        match self {
            Provider::Auto => {
                let named = TABLE.iter().map(|row| row.provider).filter(|&one| one != Provider::Plugin);
                std::iter::once(Provider::Plugin).filter(|_| library).chain(named).collect()
            }
            Provider::OpenVino if library => vec![Provider::Plugin],
            one => vec![one],
        }
    }

    /// Whether the loaded runtime was built with it; for a library of its own, always.
    ///
    /// # Errors
    /// As [`super::runtime`].
    pub fn built_in(self, library: Option<&std::path::Path>) -> Done<bool> {
        super::runtime::load(library)?;
        Ok(self.row().is_some_and(|row| (row.built_in)()))
    }

    /// As an error, with what to do.
    pub(crate) fn failed(self, why: String) -> Error {
        // the runtime puts places in its own source, and codes, before what it has to say
        let said = why.rsplit_once("[ONNXRuntimeError] : ").and_then(|(_, rest)| rest.splitn(3, " : ").nth(2));
        let why = said.unwrap_or(&why).trim_end_matches('.').to_string();
        Error::Provider { name: self.name(), why, needs: self.row().map_or("", |row| row.needs) }
    }

    /// Whether it builds something of its own from all nodes that it takes, of which one node is left.
    pub(crate) fn builds(self) -> bool {
        self.row().is_some_and(|row| row.builds)
    }

    /// What it is told; the user's options override ours.
    pub(super) fn options(self, place: &Place, threads: usize) -> Result<Options, String> {
        let Some(row) = self.row() else {
            return Err("which provider is meant is for the model's opener to say".into());
        };
        options::admit(&place.options)?;
        let mut told = (row.options)(place, threads)?;
        told.retain(|(key, _)| place.options.iter().all(|(given, _)| given != key));
        told.extend(place.options.iter().cloned());
        Ok(told)
    }

    /// # Errors
    /// [`Error::Provider`] where it cannot do what it is asked for, as far as that shows beforehand.
    pub(crate) fn check(self, place: &Place, threads: usize) -> Done<()> {
        let needs = "correct that property";
        self.options(place, threads).map(drop).map_err(|why| Error::Provider { name: self.name(), why, needs })
    }

    /// Adds it to a session to be made.
    pub(super) fn join(
        self,
        builder: SessionBuilder,
        runtime: &Loaded,
        place: &Place,
        threads: usize,
    ) -> Result<SessionBuilder, String> {
        let ask = Ask { place, threads, options: self.options(place, threads)? };
        self.row().map_or_else(|| Err("no provider".into()), |row| (row.join)(builder, runtime, &ask))
    }

    /// What the runtime calls it.
    pub(super) fn runtime_name(self) -> &'static str {
        self.row().map_or("", |row| row.runtime)
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.provider == self)
    }
}

fn has<E: ExecutionProvider>() -> bool {
    E::is_available().unwrap_or(false)
}

/// The providers of the runtime itself: registered by hand, since a builder told to try them only logs where one fails.
fn register<E>(ep: E, builder: &mut SessionBuilder, options: &Options) -> Result<(), String>
where
    E: ExecutionProvider + ArbitrarilyConfigurableExecutionProvider,
{
    let ep = options.iter().fold(ep, |ep, (key, value)| ep.with_arbitrary_config(key, value));
    super::guarded(|| ep.register(builder))
}

fn join_tensorrt(mut builder: SessionBuilder, _: &Loaded, ask: &Ask) -> Result<SessionBuilder, String> {
    register(ep::TensorRT::default(), &mut builder, &ask.options)?;
    // behind it, for the nodes that it leaves
    let bare = Place { device: ask.place.device.clone(), ..Place::default() };
    register(ep::CUDA::default(), &mut builder, &options::cuda(&bare, 0)?)?;
    Ok(builder)
}

fn join_cuda(mut builder: SessionBuilder, _: &Loaded, ask: &Ask) -> Result<SessionBuilder, String> {
    register(ep::CUDA::default(), &mut builder, &ask.options).map(|()| builder)
}

fn join_openvino(mut builder: SessionBuilder, _: &Loaded, ask: &Ask) -> Result<SessionBuilder, String> {
    register(ep::OpenVINO::default(), &mut builder, &ask.options).map(|()| builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_tries_the_fastest_first_and_a_named_library_before_all() {
        let names = |library| Provider::Auto.candidates(library).into_iter().map(Provider::name).collect::<Vec<_>>();
        assert_eq!(names(false), ["tensorrt", "cuda", "openvino", "cpu"]);
        assert_eq!(names(true), ["plugin", "tensorrt", "cuda", "openvino", "cpu"]);
        assert_eq!(Provider::OpenVino.candidates(true), [Provider::Plugin]);
        assert_eq!(Provider::Cuda.candidates(true), [Provider::Cuda]);
    }

    #[test]
    fn what_the_runtime_says_is_told_without_places_in_its_source() {
        let said = "/src/bridge.cc:2043 Provider& Get() [ONNXRuntimeError] : 1 : FAIL : no libcublas.so.13 : none.";
        let Error::Provider { name, why, needs } = Provider::Cuda.failed(said.into()) else { panic!("another error") };
        assert_eq!((name, why.as_str()), ("cuda", "no libcublas.so.13 : none"));
        assert!(needs.contains("onnxruntime-gpu") && needs.contains("auto"));
    }

    #[test]
    fn each_name_is_one_providers() {
        let names: Vec<_> = Provider::all().map(Provider::name).collect();
        assert_eq!(names, ["auto", "tensorrt", "cuda", "openvino", "cpu", "plugin"]);
    }
}
