//! In which numbers a model computes, and keeps its weights.

use std::collections::HashMap;
use std::fmt;

use crate::autodiff;
use crate::onnx::{DType, Facts, Graph, Model};

/// A model's number format. In words: "float32", "float16", "int8 QDQ", "float32, weights stored as int8".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberFormat {
    /// Type of the activations that are explained.
    pub computed: DType,
    /// Type that activations are quantised to on their way, if they are.
    pub quantised: Option<DType>,
    /// Type of most of the weights.
    pub stored: DType,
    /// Type that the file computes in, where the runtime has no operators for it and float32 takes its place.
    pub replaced: Option<DType>,
}

impl NumberFormat {
    /// Brings a model to float32 where the runtime has no operators for its type; tells which type that was.
    pub(super) fn replace(model: &mut Model) -> Option<DType> {
        let found = [DType::BF16, DType::F64].into_iter().find(|dtype| model.computes_in(*dtype))?;
        model.compute_in_float32(&[found]);
        Some(found)
    }

    /// `input` is the picture, `layer` what is explained, `score` the logits.
    pub(super) fn of(
        model: &Model,
        facts: &Facts,
        (input, layer, score): (&str, &str, &str),
        replaced: Option<DType>,
    ) -> crate::Result<NumberFormat> {
        let dtype = |name: &str| facts.get(name).map(|fact| fact.dtype);
        let graph = Graph::new(model)?;
        let path = autodiff::path(&graph, input, score);
        let quantisers = path.iter().map(|&i| graph.order[i]).filter(|node| node.op().ends_with("QuantizeLinear"));
        let made = quantisers.filter_map(|node| dtype(node.outputs().first()?)).find(|d| d.quantised().is_some());
        let mut elements: HashMap<DType, usize> = HashMap::new();
        for (_, fact) in model.initializers() {
            *elements.entry(fact.dtype).or_default() += fact.shape.iter().product::<usize>();
        }
        let computed = dtype(layer).unwrap_or(DType::F32);
        let stored = elements.into_iter().max_by_key(|&(_, n)| n).map_or(computed, |(dtype, _)| dtype);
        Ok(NumberFormat { computed, quantised: made, stored, replaced })
    }
}

impl fmt::Display for NumberFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let main = self.quantised.unwrap_or(self.computed);
        match (self.replaced, self.quantised) {
            (Some(own), _) => write!(f, "{}, computed in float32", own.name())?,
            (None, Some(_)) => write!(f, "{} QDQ", main.name())?,
            (None, None) => f.write_str(main.name())?,
        }
        if self.stored != main {
            write!(f, ", weights stored as {}", self.stored.name())?;
        }
        Ok(())
    }
}
