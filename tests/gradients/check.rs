//! What is checked of a case: against finite differences, against itself with several classes, lazy seeds and class seeds.

use std::collections::{BTreeSet, HashMap};

use gstgradcam::autodiff;
use gstgradcam::engine::{Config, Engine, Input, Output};
use gstgradcam::onnx::{DType, Emit, Fact, Facts, Graph, Model, Patch, Val};
use gstgradcam::{Error, Result};
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn};

use crate::case::Case;
use crate::random::Random;

/// Classes in one pass.
const K: usize = 3;
/// Step of the central difference.
const STEP: f32 = 4e-3;

/// A model from `x` to `y` at a point.
pub struct Bench {
    pub model: Model,
    facts: Facts,
    pub x: ArrayD<f32>,
    y_shape: Vec<usize>,
    forward: Engine,
    /// Largest error against a finite difference so far.
    pub worst: f64,
}

fn engine(model: &Model) -> Result<Engine> {
    let config = Config { library: crate::support::runtime(), threads: 1, ..Config::default() };
    Engine::new(&model.to_bytes()?, &config)
}

fn array(shape: &[usize], data: Vec<f32>) -> ArrayD<f32> {
    ArrayD::from_shape_vec(IxDyn(shape), data).expect("as many values as the shape has")
}

fn floats(output: Output) -> ArrayD<f32> {
    match output {
        Output::F32(a) => a,
        other => panic!("float32 was expected: {other:?}"),
    }
}

impl Bench {
    pub fn new(case: &Case, random: &mut Random) -> Result<Bench> {
        let model = case.model(random);
        let x = array(&case.shape, case.point(random));
        let facts = measure(&model, &x)?;
        let y_shape = facts.shape("y").expect("every case makes y").to_vec();
        let mut plain = model.clone();
        plain.keep_outputs(&["y"]);
        let forward = engine(&plain)?;
        Ok(Bench { model, facts, x, y_shape, forward, worst: 0.0 })
    }

    fn y(&mut self, x: &ArrayD<f32>) -> Result<ArrayD<f32>> {
        Ok(floats(self.forward.run(&[("x", Input::F32(x.view()))], &["y"])?.remove(0)))
    }

    /// The shape of K covectors, with `lazy` axes as 1.
    fn covectors(&self, lazy: &[usize]) -> Vec<usize> {
        let dim = |(a, &d): (usize, &usize)| if lazy.contains(&a) { 1 } else { d };
        [K].into_iter().chain(self.y_shape.iter().enumerate().map(dim)).collect()
    }

    /// A model that gives the gradient of `<u, y>` for the covectors `u`, which the graph gets unexpanded along `lazy`; and
    /// the operators that were emitted.
    fn explained(&self, lazy: &[usize]) -> Result<(Model, BTreeSet<String>)> {
        let shape = &self.covectors(lazy)[1..];
        let dims: Vec<Option<usize>> = [None].into_iter().chain(shape.iter().map(|&d| Some(d))).collect();
        self.write("u", DType::F32, &dims, |emit| emit.per_class("u", shape))
    }

    fn write(
        &self,
        input: &str,
        dtype: DType,
        dims: &[Option<usize>],
        seed: impl for<'g> Fn(&'g Emit<'g>) -> Val<'g>,
    ) -> Result<(Model, BTreeSet<String>)> {
        let graph = Graph::new(&self.model)?;
        let emit = Emit::new(&self.model, &self.facts);
        let patch = write_gradient(emit, &graph, self.x.shape(), seed)?;
        let mut model = self.model.clone();
        let before = model.nodes().len();
        model.apply(patch);
        let ops = model.nodes().skip(before).map(|n| n.op()).collect();
        model.add_input(input, dtype, dims);
        model.keep_outputs(&["gradient"]);
        Ok((model, ops))
    }

    /// The gradient of `<u, y>` for one covector of y's shape.
    pub fn gradient_of(&self, u: &ArrayD<f32>) -> Result<ArrayD<f32>> {
        let (model, _) = self.explained(&[])?;
        self.gradient(&mut engine(&model)?, &u.view().insert_axis(Axis(0)).to_owned())
    }

    fn gradient(&self, engine: &mut Engine, u: &ArrayD<f32>) -> Result<ArrayD<f32>> {
        let inputs = [("x", Input::F32(self.x.view())), ("u", Input::F32(u.view()))];
        Ok(floats(engine.run(&inputs, &["gradient"])?.remove(0)))
    }

    /// Finite differences, one covector at a time, several at once. Returns the operators emitted.
    pub fn gradients(&mut self, random: &mut Random) -> Result<BTreeSet<String>, String> {
        let say = |e: Error| e.to_string();
        let (model, ops) = self.explained(&[]).map_err(say)?;
        let mut engine = engine(&model).map_err(say)?;
        let shape = self.covectors(&[]);
        let u = array(&shape, random.floats(shape.iter().product(), -1.0, 1.0));
        let together = self.gradient(&mut engine, &u).map_err(say)?;
        for k in 0..K {
            let one = u.index_axis(Axis(0), k).insert_axis(Axis(0)).to_owned();
            let grad = self.gradient(&mut engine, &one).map_err(say)?;
            let in_pass = together.index_axis(Axis(0), k).insert_axis(Axis(0)).to_owned();
            near(&grad, &in_pass).map_err(|e| format!("covector {k} of {K} in one pass differs from it alone: {e}"))?;
            self.finite_difference(&grad, &one, random)?;
        }
        Ok(ops)
    }

    fn finite_difference(&mut self, grad: &ArrayD<f32>, u: &ArrayD<f32>, random: &mut Random) -> Result<(), String> {
        let v = array(self.x.shape(), random.floats(self.x.len(), -1.0, 1.0));
        let mut score = |sign: f32| -> Result<f64, String> {
            let x = &self.x + &(&v * (sign * STEP));
            Ok(dot(&self.y(&x).map_err(|e| e.to_string())?, u))
        };
        let difference = (score(1.0)? - score(-1.0)?) / (2.0 * f64::from(STEP));
        let exact = dot(&v, grad);
        // what a product with this gradient is expected to be like
        let scale = (dot(grad, grad) * dot(&v, &v) / v.len() as f64).sqrt();
        if scale == 0.0 {
            return Err("the gradient is zero everywhere, which checks nothing".into());
        }
        let error = (difference - exact).abs() / scale;
        self.worst = self.worst.max(error);
        if error.is_nan() || error > 1e-2 {
            return Err(format!("<v, gradient> is {exact}, the central difference {difference}, off by {error:.4}"));
        }
        Ok(())
    }

    /// A covector that is constant along axes gives the same whether the graph sees it expanded or not.
    pub fn lazy(&self, random: &mut Random) -> Result<(), String> {
        let rank = self.y_shape.len();
        let say = |e: Error| e.to_string();
        let (dense, _) = self.explained(&[]).map_err(say)?;
        let mut dense = engine(&dense).map_err(say)?;
        for lazy in
            [(0..rank).collect(), (1..rank).collect(), (2..rank).collect(), vec![1], vec![rank.saturating_sub(1)]]
        {
            let lazy: Vec<usize> = lazy.into_iter().filter(|&a| a < rank && self.y_shape[a] > 1).collect();
            if lazy.is_empty() {
                continue;
            }
            let small = self.covectors(&lazy);
            let u = array(&small, random.floats(small.iter().product(), -1.0, 1.0));
            let whole = u.broadcast(self.covectors(&[])).expect("it broadcasts").as_standard_layout().to_owned();
            let (model, _) = self.explained(&lazy).map_err(|e| format!("unexpanded along {lazy:?}: {e}"))?;
            let mut engine = engine(&model).map_err(say)?;
            let (got, want) = (self.gradient(&mut engine, &u), self.gradient(&mut dense, &whole));
            near(&got.map_err(say)?, &want.map_err(say)?).map_err(|e| format!("unexpanded along {lazy:?}: {e}"))?;
        }
        Ok(())
    }

    /// A seed that is a class gives what the same seed as a tensor gives. `None` where y is no row of classes.
    pub fn seed(&self) -> Result<Option<BTreeSet<String>>, String> {
        let [pictures, classes, rest @ ..] = self.y_shape.as_slice() else { return Ok(None) };
        if rest.iter().any(|&d| d != 1) {
            return Ok(None);
        }
        let say = |e: Error| e.to_string();
        let chosen: Vec<i64> = (0..K).map(|k| ((classes - 1) * k / (K - 1)) as i64).collect();
        let shape = self.y_shape.clone();
        // classes of one picture, or of several one each
        let columns = if *pictures == 1 { K } else { 1 };
        let dims = [Some(*pictures), Some(columns)];
        let hot = self.write("class", DType::I64, &dims, |emit| {
            emit.one_hot(emit.named("class", &[*pictures, 1]).unstacked(), &shape)
        });
        let (model, ops) = hot.map_err(say)?;
        let class = |k: usize, n: usize| chosen[(k + n) % K];
        let row = ndarray::Array2::from_shape_fn((*pictures, columns), |(n, k)| class(k, n)).into_dyn();
        let inputs = [("x", Input::F32(self.x.view())), ("class", Input::I64(row.view()))];
        let got = floats(engine(&model).and_then(|mut e| e.run(&inputs, &["gradient"])).map_err(say)?.remove(0));
        let one = |k: usize| {
            (0..pictures * classes).map(move |i| ((i % classes) as i64 == class(k, i / classes)) as u8 as f32)
        };
        let hot = (0..K).flat_map(one).collect();
        let (dense, _) = self.explained(&[]).map_err(say)?;
        let mut dense = engine(&dense).map_err(say)?;
        let want = self.gradient(&mut dense, &array(&self.covectors(&[]), hot)).map_err(say)?;
        let want = if *pictures == 1 { want } else { want.index_axis_move(ndarray::Axis(0), 0) };
        near(&got, &want)?;
        Ok(Some(ops))
    }
}

impl Bench {
    /// The reader and the surgery on a damaged file, with what was measured on the sound one: whether all went well. What
    /// matters is that it comes back.
    pub fn survive(&self, bytes: &[u8]) -> Result<()> {
        let model = Model::from_bytes(bytes)?;
        let graph = Graph::new(&model)?;
        let emit = Emit::new(&model, &self.facts);
        let patch = write_gradient(emit, &graph, self.x.shape(), |emit| emit.per_class("u", &self.y_shape))?;
        let mut model = model.clone();
        model.apply(patch);
        model.to_bytes().map(drop)
    }
}

fn write_gradient(
    emit: Emit<'_>,
    graph: &Graph<'_>,
    shape: &[usize],
    seed: impl for<'g> Fn(&'g Emit<'g>) -> Val<'g>,
) -> Result<Patch> {
    let grad = autodiff::gradient(&emit, graph, "y", seed(&emit), "x")?;
    emit.publish(grad.expand(shape).before(), "gradient");
    emit.finish()
}

/// Every tensor's type and shape at a point.
fn measure(model: &Model, x: &ArrayD<f32>) -> Result<Facts> {
    let names: Vec<String> = model.nodes().flat_map(|n| n.outputs().to_vec()).filter(|n| !n.is_empty()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut probe = model.clone();
    probe.keep_outputs(&names);
    let mut engine = engine(&probe)?;
    let outputs = engine.run(&[("x", Input::F32(x.view()))], &names)?;
    let fact = |dtype, shape: &[usize]| Fact { dtype, shape: shape.to_vec(), value: None };
    let mut facts = HashMap::from([("x".to_string(), fact(DType::F32, x.shape()))]);
    facts.extend(model.initializers().map(|(name, own)| (name.to_string(), fact(own.dtype, &own.shape))));
    for (info, output) in engine.outputs().iter().zip(outputs) {
        let shape = match &output {
            Output::F32(a) => a.shape(),
            Output::I64(a) => a.shape(),
            Output::I32(a) => a.shape(),
            Output::Bool(a) => a.shape(),
            other => panic!("no case makes {other:?}"),
        };
        facts.insert(info.name.clone(), fact(DType::named(&info.kind), shape));
    }
    Ok(Facts(facts))
}

fn dot(a: &ArrayD<f32>, b: &ArrayD<f32>) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// Equal but for the order of additions.
fn near(a: &ArrayD<f32>, b: &ArrayD<f32>) -> Result<(), String> {
    if a.shape() != b.shape() {
        return Err(format!("shape {:?} is not {:?}", a.shape(), b.shape()));
    }
    let largest = b.iter().fold(0f32, |m, x| m.max(x.abs()));
    let off = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    if off.is_nan() || off > 1e-4 * largest.max(1e-6) {
        return Err(format!("values differ by up to {off}, the largest is {largest}"));
    }
    Ok(())
}

/// `y` at a point, of whatever type: for operators without a gradient.
pub fn outputs(case: &Case, x: &ArrayViewD<f32>, random: &mut Random) -> Result<String> {
    let mut model = case.model(random);
    model.keep_outputs(&["y"]);
    Ok(format!("{:?}", engine(&model)?.run(&[("x", Input::F32(x.view()))], &["y"])?))
}
