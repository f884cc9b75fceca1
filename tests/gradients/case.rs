//! A model of one operator (or a few) from `x` to `y`, and where its `x` may lie.

use gstgradcam::onnx::{Attr, DType, Data, Model, Tensor};

use crate::random::Random;

/// A node to build.
#[derive(Debug, Clone)]
pub struct Step {
    pub op: &'static str,
    reads: Vec<String>,
    makes: Vec<String>,
    attrs: Vec<(&'static str, Attr)>,
}

/// One row of the table of cases. Settings apply to the step named last.
#[derive(Debug, Clone)]
pub struct Case {
    pub note: &'static str,
    pub opset: i64,
    pub shape: Vec<usize>,
    pub steps: Vec<Step>,
    /// Operators that the seed's backward pass must be made of, if that is what the case is about.
    pub seed_ops: Option<&'static [&'static str]>,
    range: (f32, f32),
    kinks: &'static [f32],
    apart: bool,
    weights: Vec<(String, Option<Tensor>, Vec<usize>)>,
}

/// `y = op(x)`, x in [-2, 2] of shape [1, 4, 6, 6], opset 17.
pub fn op(op: &'static str) -> Case {
    let step = Step { op, reads: vec!["x".into()], makes: vec!["y".into()], attrs: Vec::new() };
    Case {
        note: "",
        opset: 17,
        shape: vec![1, 4, 6, 6],
        steps: vec![step],
        seed_ops: None,
        range: (-2.0, 2.0),
        kinks: &[],
        apart: false,
        weights: Vec::new(),
    }
}

impl Case {
    pub fn note(mut self, note: &'static str) -> Case {
        self.note = note;
        self
    }

    pub fn opset(mut self, opset: i64) -> Case {
        self.opset = opset;
        self
    }

    pub fn x(mut self, shape: &[usize]) -> Case {
        self.shape = shape.to_vec();
        self
    }

    pub fn range(mut self, low: f32, high: f32) -> Case {
        self.range = (low, high);
        self
    }

    /// Points where the operator has no derivative.
    pub fn kinks(mut self, kinks: &'static [f32]) -> Case {
        self.kinks = kinks;
        self
    }

    /// No two elements of x alike: for maxima.
    pub fn apart(mut self) -> Case {
        self.apart = true;
        self
    }

    pub fn seed_ops(mut self, ops: &'static [&'static str]) -> Case {
        self.seed_ops = Some(ops);
        self
    }

    fn last(&mut self) -> &mut Step {
        self.steps.last_mut().expect("a case begins with a step")
    }

    fn input(mut self, value: Option<Tensor>, shape: &[usize]) -> Case {
        let name = format!("w{}", self.weights.len());
        self.weights.push((name.clone(), value, shape.to_vec()));
        self.last().reads.push(name);
        self
    }

    /// One more input: a random weight.
    pub fn weight(self, shape: &[usize]) -> Case {
        self.input(None, shape)
    }

    /// One more input: these floats.
    pub fn floats(self, shape: &[usize], values: &[f32]) -> Case {
        self.input(Some(Tensor::f32(shape, values.to_vec())), shape)
    }

    /// One more input: these integers on one axis.
    pub fn places(self, values: &[i64]) -> Case {
        self.input(Some(Tensor::i64s(values)), &[values.len()])
    }

    /// One more input: a constant.
    pub fn constant(self, shape: &[usize], data: Data) -> Case {
        self.input(Some(Tensor { shape: shape.to_vec(), data }), shape)
    }

    /// One more input: none.
    pub fn nothing(mut self) -> Case {
        self.last().reads.push(String::new());
        self
    }

    /// What it reads, in this order, from here on.
    pub fn reads(mut self, names: &[&str]) -> Case {
        self.last().reads = names.iter().map(|n| n.to_string()).collect();
        self
    }

    pub fn makes(mut self, names: &[&str]) -> Case {
        self.last().makes = names.iter().map(|n| n.to_string()).collect();
        self
    }

    /// The next step; it reads nothing yet and makes `y`.
    pub fn then(mut self, op: &'static str) -> Case {
        self.steps.push(Step { op, reads: Vec::new(), makes: vec!["y".into()], attrs: Vec::new() });
        self
    }

    fn attr(mut self, name: &'static str, value: Attr) -> Case {
        self.last().attrs.push((name, value));
        self
    }

    pub fn int(self, name: &'static str, value: i64) -> Case {
        self.attr(name, Attr::Int(value))
    }

    pub fn ints(self, name: &'static str, values: &[i64]) -> Case {
        self.attr(name, Attr::Ints(values.to_vec()))
    }

    pub fn float(self, name: &'static str, value: f32) -> Case {
        self.attr(name, Attr::Float(value))
    }

    pub fn str(self, name: &'static str, value: &str) -> Case {
        self.attr(name, Attr::Str(value.into()))
    }

    /// How failures name it.
    pub fn title(&self) -> String {
        let ops: Vec<&str> = self.steps.iter().map(|s| s.op).collect();
        format!("{} opset {} {:?} {}", ops.join("+"), self.opset, self.shape, self.note)
    }

    /// The model, with weights of this seed.
    pub fn model(&self, random: &mut Random) -> Model {
        let mut model = Model::new(self.opset);
        let dims: Vec<Option<usize>> = self.shape.iter().map(|&d| Some(d)).collect();
        model.add_input("x", DType::F32, &dims);
        for (name, value, shape) in &self.weights {
            let drawn = || Tensor::f32(shape, random.floats(shape.iter().product(), -1.0, 1.0));
            model.add_initializer(name, &value.clone().unwrap_or_else(drawn));
        }
        for (i, step) in self.steps.iter().enumerate() {
            let (reads, makes): (Vec<&str>, Vec<&str>) =
                (step.reads.iter().map(String::as_str).collect(), step.makes.iter().map(String::as_str).collect());
            model.add_node(step.op, &format!("node{i}"), &reads, &makes, &step.attrs);
        }
        model
    }

    /// A point to differentiate at.
    pub fn point(&self, random: &mut Random) -> Vec<f32> {
        let n = self.shape.iter().product();
        let (low, high) = self.range;
        if self.apart {
            let order = random.order(n);
            return order.into_iter().map(|i| low + (high - low) * (i as f32 + 0.5) / n as f32).collect();
        }
        let draw = |random: &mut Random| loop {
            let x = random.float(low, high);
            if self.kinks.iter().all(|k| (x - k).abs() > 0.03) {
                return x;
            }
        };
        (0..n).map(|_| draw(random)).collect()
    }
}
