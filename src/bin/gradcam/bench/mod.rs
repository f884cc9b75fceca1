//! `gradcam bench`: plain against explained, at load and in inference, in strict alternation; batches, and each stage of a frame.

mod batches;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gstgradcam::engine::{Config, Engine, Input, Place};
use gstgradcam::frame::{Color, Format, Frame, FrameMut, Matrix, Plane, Range};
use gstgradcam::onnx::Model;
use gstgradcam::render::{Painter, Words};
use gstgradcam::{Explainer, ModelInfo};
use ndarray::{Array1, ArrayD, IxDyn};
use serde_json::json;

use crate::options::{ModelOptions, PaintOptions};
use crate::{Failure, Result, say, warn};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ONNX model
    model: PathBuf,
    /// Timed runs of each kind (fewer than 30 say little)
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Numbers of pictures that are explained in one run
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "1,4,8")]
    batch: Vec<usize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: ModelOptions,
    #[command(flatten)]
    paint: PaintOptions,
}

/// Untimed runs before the timed ones, at most.
const WARM_UP: u32 = 10;
/// A model is loaded so often, at most.
const LOADS: u32 = 5;
const WIDTH: usize = 1920;
const HEIGHT: usize = 1080;

/// What else the process does while inference is timed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Company {
    Alone,
    Idle,
    Busy,
}

impl Company {
    fn name(self) -> &'static str {
        match self {
            Company::Alone => "alone in the process",
            Company::Idle => "another engine alive, idle",
            Company::Busy => "another engine alive, busy",
        }
    }
}

pub fn run(args: &Args) -> Result<()> {
    let (contest, shape) = Contest::open(args, 1)?;
    warn(&contest.info);
    let say = |line: String| {
        if !args.json {
            say!("{line}");
        }
    };
    let (model, provider) = (args.model.display(), contest.config.place.provider.name());
    say(format!(
        "{model} at layer {:?}, input {shape:?}, on {provider}, median of {} runs each",
        contest.info.layer, args.runs
    ));
    say(format!("\n{:<34} {:>7} {:>10} {:>13} {:>7}", "inference", "threads", "plain ms", "explained ms", "ratio"));
    let threads = if args.options.threads == 0 { vec![1, 2] } else { vec![args.options.threads] };
    let (mut inference, mut frame) = (Vec::new(), Vec::new());
    for &count in &threads {
        for company in [Company::Alone, Company::Idle, Company::Busy] {
            let (plain, explained) = contest.hold(count, company, args.runs)?;
            let (plain, explained, name) = (milliseconds(plain), milliseconds(explained), company.name());
            say(format!("{name:<34} {count:>7} {plain:>10.3} {explained:>13.3} {:>7.3}", explained / plain));
            inference.push(json!({ "company": name, "threads": count, "plain-ms": plain, "explained-ms": explained }));
        }
    }
    let (plain, explained) = contest.load(args)?;
    let (plain, explained) = (milliseconds(plain), milliseconds(explained));
    say(format!("{:<34} {:>7} {plain:>10.1} {explained:>13.1} {:>7.3}", "load", "", explained / plain));
    let batches = batches::run(args, &threads, say)?;
    say(format!("\n{:<34} {:>7} {:>10}", format!("a frame, {WIDTH}x{HEIGHT} NV12"), "threads", "ms"));
    for &count in &threads {
        for (stage, time) in stages(args, count)? {
            let time = milliseconds(time);
            say(format!("{stage:<34} {count:>7} {time:>10.3}"));
            frame.push(json!({ "stage": stage, "threads": count, "ms": time }));
        }
    }
    if args.json {
        let load = json!({ "plain-ms": plain, "explained-ms": explained });
        let what = json!({ "model": model.to_string(), "provider": provider, "layer": contest.info.layer, "input": shape, "runs": args.runs });
        say!("{:#}", json!({ "of": what, "inference": inference, "load": load, "batches": batches, "frame": frame }));
    }
    Ok(())
}

/// Both models, and what they are run on.
struct Contest {
    plain: Vec<u8>,
    explained: Vec<u8>,
    info: ModelInfo,
    values: ArrayD<f32>,
    target: String,
    versus: Option<String>,
    plain_outputs: Vec<String>,
    explained_outputs: Vec<String>,
    config: Config,
}

impl Contest {
    /// For so many pictures in one run; the shape of its input.
    fn open(args: &Args, pictures: usize) -> Result<(Contest, Vec<usize>)> {
        let frame_size = Some((WIDTH, HEIGHT));
        let options = gstgradcam::Options { frame_size, batch_size: pictures, ..args.options.to_options() };
        let explainer = Explainer::open(&args.model, &options)?;
        let mut shape = explainer.input_shape().to_vec();
        shape[0] = pictures;
        let values = noise(&shape);
        let plain = explainer.original_model()?;
        let plain_outputs: Vec<String> =
            Model::from_bytes(&plain)?.outputs().into_iter().map(|output| output.name).collect();
        let explained = explainer.explained_model_as_run()?;
        let metadata = Model::from_bytes(&explained)?.metadata();
        let named = |what: &str| -> Result<String> {
            let key = format!("gradcam.name.{what}");
            metadata.get(&key).cloned().ok_or_else(|| Failure(format!("the explained model does not say its {key}")))
        };
        let mut explained_outputs = plain_outputs.clone();
        for what in ["class", "score", "map"] {
            explained_outputs.push(named(what)?);
        }
        let contest = Contest {
            plain,
            target: named("target")?,
            versus: explainer.info().versus.then(|| named("versus")).transpose()?,
            info: explainer.info().clone(),
            config: Config { library: options.runtime_library, place: explainer.placement(), ..Config::default() },
            explained,
            values,
            plain_outputs,
            explained_outputs,
        };
        Ok((contest, shape))
    }

    /// On the provider that explains; a plain model has no input of a free shape.
    fn engine(&self, model: &[u8], threads: usize) -> Result<Engine> {
        let mut place = self.config.place.clone();
        if model != self.explained {
            place = Place { shapes: Vec::new(), ..place };
        }
        Ok(Engine::new(model, &Config { threads, place, ..self.config.clone() })?)
    }

    /// Median times of a plain session's creation and of all that opening a model to explain it takes, turn by turn; the file
    /// is read in both.
    fn load(&self, args: &Args) -> Result<(Duration, Duration)> {
        let options = args.options.to_options();
        let (mut plain, mut explained) = (Vec::new(), Vec::new());
        for _ in 0..args.runs.min(LOADS) {
            let read = || std::fs::read(&args.model).map_err(|error| format!("cannot read {:?}: {error}", args.model));
            plain.push(timed(|| self.engine(&read()?, options.threads).map(drop))?);
            explained.push(timed(|| Explainer::open(&args.model, &options).map(drop).map_err(Failure::from))?);
        }
        Ok((median(plain), median(explained)))
    }

    /// Median times of a plain and an explained run, turn by turn.
    fn hold(&self, threads: usize, company: Company, runs: u32) -> Result<(Duration, Duration)> {
        let mut plain = self.engine(&self.plain, threads)?;
        let mut explained = self.engine(&self.explained, threads)?;
        let other = if company == Company::Alone { None } else { Some(self.engine(&self.plain, threads)?) };
        let stop = Arc::new(AtomicBool::new(false));
        let warm_up = runs.min(WARM_UP);
        std::thread::scope(|scope| {
            let _stop = Stop(stop.clone());
            if let (Company::Busy, Some(mut other)) = (company, other) {
                let stop = stop.clone();
                scope.spawn(move || while !stop.load(Ordering::Acquire) && self.run_plain(&mut other).is_ok() {});
            }
            let (mut one, mut two) = (Vec::new(), Vec::new());
            for turn in 0..warm_up + runs {
                // Who goes first changes, lest the second always finds a warmer cache.
                let (a, b) = if turn % 2 == 0 {
                    let a = timed(|| self.run_plain(&mut plain))?;
                    (a, timed(|| self.run_explained(&mut explained))?)
                } else {
                    let b = timed(|| self.run_explained(&mut explained))?;
                    (timed(|| self.run_plain(&mut plain))?, b)
                };
                if turn >= warm_up {
                    one.push(a);
                    two.push(b);
                }
            }
            Ok((median(one), median(two)))
        })
    }

    fn run_plain(&self, engine: &mut Engine) -> Result<()> {
        let outputs: Vec<&str> = self.plain_outputs.iter().map(String::as_str).collect();
        engine.run(&[(&self.info.input, Input::F32(self.values.view()))], &outputs)?;
        Ok(())
    }

    fn run_explained(&self, engine: &mut Engine) -> Result<()> {
        let outputs: Vec<&str> = self.explained_outputs.iter().map(String::as_str).collect();
        let best = Array1::from_elem(1, -1_i64).into_dyn();
        // which class is held against it makes no difference to the time
        let second = Array1::from_elem(1, -2_i64).into_dyn();
        let mut inputs =
            vec![(self.info.input.as_str(), Input::F32(self.values.view())), (&self.target, Input::I64(best.view()))];
        inputs.extend(self.versus.iter().map(|versus| (versus.as_str(), Input::I64(second.view()))));
        engine.run(&inputs, &outputs)?;
        Ok(())
    }
}

/// Ends the busy engine however the contest ends.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Median time of each stage of a frame.
fn stages(args: &Args, threads: usize) -> Result<Vec<(&'static str, Duration)>> {
    let frame_size = Some((WIDTH, HEIGHT));
    let options = gstgradcam::Options { threads, frame_size, self_check: false, ..args.options.to_options() };
    let mut explainer = Explainer::open(&args.model, &options)?;
    let mut preparer = explainer.preparer();
    let targets = explainer.targets("")?;
    let shape = explainer.input_shape().to_vec();
    let mut input = ArrayD::<f32>::zeros(IxDyn(&shape));
    let mut painter = Painter::new(args.paint.style(args.options.signed));
    let color = Color { matrix: Matrix::Bt709, range: Range::Limited };
    let (mut luma, mut chroma) = (vec![0_u8; WIDTH * HEIGHT], vec![128_u8; WIDTH * HEIGHT / 2]);
    for (at, value) in luma.iter_mut().enumerate() {
        *value = 16 + ((at % WIDTH * 109 / WIDTH) + (at / WIDTH * 110 / HEIGHT)) as u8;
    }
    let (mut prepare, mut infer, mut paint, mut write) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let warm_up = args.runs.min(WARM_UP);
    for turn in 0..warm_up + args.runs {
        let planes = vec![Plane { data: &luma[..], stride: WIDTH }, Plane { data: &chroma[..], stride: WIDTH }];
        let frame = Frame::new(Format::Nv12, WIDTH, HEIGHT, color, planes)?;
        let buffer = input.as_slice_mut().expect("a fresh array lies in one piece");
        let start = Instant::now();
        let region = preparer.prepare(&frame, buffer)?;
        let prepared = Instant::now();
        let explanation = explainer.explain_tensor(input.view(), &targets, region)?;
        let inferred = Instant::now();
        let planes = vec![Plane { data: &mut luma[..], stride: WIDTH }, Plane { data: &mut chroma[..], stride: WIDTH }];
        let mut frame = FrameMut::new(Format::Nv12, WIDTH, HEIGHT, color, planes)?;
        let [best] = &explanation.maps[..] else {
            return Err(format!("one map was asked for, {} came back", explanation.maps.len()).into());
        };
        // A map of our own where the model found nothing on this picture, so that painting is always timed.
        let map =
            ndarray::Array2::from_shape_fn(best.map.dim(), |(y, x)| best.map[[y, x]] + (x + y) as f32 * 1e-6 + 1e-6);
        let start_paint = Instant::now();
        painter.paint(&mut frame, map.view(), region)?;
        let painted = Instant::now();
        if args.paint.labels() {
            painter.write(&mut frame, &Words::plain([best.caption()]))?;
        }
        let written = Instant::now();
        if turn >= warm_up {
            prepare.push(prepared - start);
            infer.push(inferred - prepared);
            paint.push(painted - start_paint);
            write.push(written - painted);
        }
    }
    let stages = [
        ("prepare the input", prepare),
        ("run the model", infer),
        ("paint the map", paint),
        ("write the label", write),
    ];
    Ok(stages.into_iter().map(|(name, times)| (name, median(times))).collect())
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    match times.len() {
        0 => Duration::ZERO,
        count if count % 2 == 1 => times[count / 2],
        count => (times[count / 2 - 1] + times[count / 2]) / 2,
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The same numbers on every machine, of a picture's usual size.
fn noise(shape: &[usize]) -> ArrayD<f32> {
    let mut state = 1_u64;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    })
}
