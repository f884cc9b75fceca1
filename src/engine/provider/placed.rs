//! Which provider took how many nodes: the runtime says so in its log while it makes a session, and nowhere else that is safe to ask.

use std::sync::{Arc, Mutex, PoisonError};

use ort::logging::LoggerFunction;

use super::Provider;

/// What became of a model on its provider.
#[derive(Debug, Clone, Default)]
pub struct Placed {
    /// Nodes by provider, as the runtime names them; empty where it did not say.
    pub nodes: Vec<(String, usize)>,
    /// What the provider built was there from before (`true`), or is there for the next time; `None` = nothing is kept.
    pub cache: Option<bool>,
    /// What the user should know, a sentence each.
    pub remarks: Vec<String>,
}

impl Placed {
    /// What the runtime calls a provider that took nodes.
    pub fn runtime(&self, provider: Provider) -> Option<&str> {
        self.nodes.iter().map(|(name, _)| name.as_str()).find(|name| is_own(provider, name))
    }

    /// How many of how many nodes a provider took; `of` are the model's. The runtime fuses nodes on the CPU: it leaves no more than are told.
    pub fn share(&self, provider: Provider, of: usize) -> Option<(usize, usize)> {
        let sum = |wanted: bool| -> usize {
            self.nodes.iter().filter(|(one, _)| is_own(provider, one) == wanted).map(|(_, nodes)| nodes).sum()
        };
        let (taken, left) = (sum(true), sum(false));
        match (self.nodes.is_empty(), taken, provider.builds()) {
            (true, ..) => None,
            (_, 0, _) => Some((0, of)),
            (.., true) => Some((of.saturating_sub(left), of)),
            _ => Some((taken, taken + left)),
        }
    }
}

/// Whether the runtime's name of a provider is this one's; a plugin's may be any.
fn is_own(provider: Provider, name: &str) -> bool {
    let own = provider.runtime_name();
    if own.is_empty() { name != Provider::Cpu.runtime_name() } else { name == own }
}

/// The lines of the log that tell it.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

/// How a line begins that names a provider and counts its nodes.
const PLACED: &str = "placed on [";
/// Nodes that the runtime adds to carry tensors between devices.
const COPY: &str = "Memcpy";

impl Log {
    /// What the runtime calls with each line.
    pub fn listener(&self) -> LoggerFunction {
        let lines = self.0.clone();
        Arc::new(move |_, _, _, _, line| {
            if line.contains(PLACED) || line.trim_start().starts_with(COPY) {
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_string());
            }
        })
    }

    /// Each provider, by the runtime's name, with its nodes; empty where the log says nothing.
    pub fn placed(&self) -> Vec<(String, usize)> {
        count(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn count(lines: &[String]) -> Vec<(String, usize)> {
    let mut placed: Vec<(String, usize)> = Vec::new();
    for line in lines {
        let told = line.split_once(PLACED).and_then(|(_, rest)| rest.split_once("]. Number of nodes: "));
        match told {
            Some((provider, nodes)) => placed.push((provider.to_string(), nodes.trim().parse().unwrap_or(0))),
            None if line.trim_start().starts_with(COPY) => {
                if let Some((_, nodes)) = placed.last_mut() {
                    *nodes = nodes.saturating_sub(1);
                }
            }
            None => {}
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_builds_counts_as_all_that_is_not_left() {
        let placed = |nodes: &[(&str, usize)]| Placed {
            nodes: nodes.iter().map(|(name, nodes)| (name.to_string(), *nodes)).collect(),
            ..Placed::default()
        };
        let (cpu, cuda, trt) = ("CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider");
        assert_eq!(placed(&[(trt, 1)]).share(Provider::TensorRt, 118), Some((118, 118)));
        assert_eq!(placed(&[(cpu, 2), (cuda, 3), (trt, 4)]).share(Provider::TensorRt, 118), Some((113, 118)));
        assert_eq!(placed(&[(cpu, 90)]).share(Provider::TensorRt, 118), Some((0, 118)));
        assert_eq!(placed(&[(cpu, 2), (cuda, 90)]).share(Provider::Cuda, 118), Some((90, 92)));
        assert_eq!(placed(&[("VendorExecutionProvider", 1), (cpu, 3)]).share(Provider::Plugin, 20), Some((17, 20)));
        assert_eq!(placed(&[]).share(Provider::Plugin, 20), None);
        assert_eq!(placed(&[(cpu, 2), (cuda, 3), (trt, 4)]).runtime(Provider::TensorRt), Some(trt));
        assert_eq!(
            placed(&[(cpu, 3), ("VendorExecutionProvider", 1)]).runtime(Provider::Plugin),
            Some("VendorExecutionProvider")
        );
    }

    #[test]
    fn nodes_are_counted_by_provider_without_copies() {
        let lines = [
            " Node(s) placed on [CPUExecutionProvider]. Number of nodes: 3",
            "  MemcpyToHost (Memcpy)",
            " Node(s) placed on [CUDAExecutionProvider]. Number of nodes: 118",
        ]
        .map(String::from);
        let want = [("CPUExecutionProvider", 2), ("CUDAExecutionProvider", 118)];
        assert_eq!(count(&lines), want.map(|(name, nodes)| (name.to_string(), nodes)));
        let whole = " All nodes placed on [TensorrtExecutionProvider]. Number of nodes: 1".to_string();
        assert_eq!(count(&[whole]), [("TensorrtExecutionProvider".to_string(), 1)]);
        assert_eq!(count(&["something else".into()]), []);
    }
}
