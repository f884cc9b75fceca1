//! `gradcam evaluate`: how faithful the maps of one or several methods are, and whether they lie on the objects, over a folder of
//! pictures and beside baselines that know nothing.

mod baselines;
mod cases;
mod faithfulness;
mod fill;
mod heat;
mod impute;
mod json;
mod localise;
mod metrics;
mod pictures;
mod random;
mod report;
mod statistics;
mod summary;
mod table;
mod tensor;

use std::path::PathBuf;

use gstgradcam::frame::Region;
use image::RgbImage;
use ndarray::Array2;

use baselines::Baseline;
use cases::{Case, Contender, Explained};
use faithfulness::Faithful;
use fill::Fill;
use localise::{Located, Place};
use metrics::Metric;
use pictures::{Outline, Picture};
use random::Random;
use tensor::Shape;

use crate::explain::{frame, read_image};
use crate::export::not_the_same;
use crate::options::{ModelOptions, choice};
use crate::progress::Progress as Bar;
use crate::{Result, say};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ONNX model
    model: PathBuf,
    /// A folder with PNG or JPEG pictures, or with a JSON file that lists them
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Methods beside each other, each at the target layer or at one of its own: METHOD or METHOD@LAYER [default: --method]
    #[arg(long, value_name = "METHOD[@LAYER],...", value_delimiter = ',')]
    compare: Vec<Contender>,
    /// Boxes or masks of objects [default: images.json or annotations.json in DIR]. A list of
    /// {"file": "a.png", "objects": [{"class": 281, "box": [0.1, 0.2, 0.9, 0.8]}]}: class an index or a name (left out: the
    /// class explained), box in fractions of width and height, or "mask": a picture that is bright on the object; paths are
    /// relative to the JSON file
    #[arg(long, value_name = "FILE.json", verbatim_doc_comment)]
    annotations: Option<PathBuf>,
    /// The class that faithfulness is measured for: `best` = the best one of each whole picture, `annotated` = those of its objects,
    /// or a class or rank. Localisation is always measured for the objects' own classes
    #[arg(long, default_value = "best", value_name = "best|annotated|CLASS", allow_hyphen_values = true)]
    target_class: String,
    /// What is measured [default: all]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = choice(Metric::all(), Metric::name))]
    metrics: Vec<Metric>,
    /// Steps of deletion and insertion
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// What deletion leaves behind and insertion starts from: `zero` of the input tensor, which is the mean colour of the training
    /// pictures for most models; the picture's own `mean` colour; a `blur` of it
    #[arg(long, default_value = "zero", value_parser = choice(Fill::ALL, Fill::name))]
    fill: Fill,
    /// What insertion starts from, if not from that; RISE used `--fill zero --insertion-fill blur`
    #[arg(long, value_parser = choice(Fill::ALL, Fill::name))]
    insertion_fill: Option<Fill>,
    /// Pixels of the model's input that a peak may be beside its object in the pointing game
    #[arg(long, default_value_t = 15.0, value_name = "PIXELS", value_parser = pixels)]
    tolerance: f64,
    /// Pictures that the model takes at a time, where its graph can
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    batch: u32,
    /// Of the baseline `random` and of ROAD's noise
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a report to look at, one file with all pictures in it
    #[arg(long, value_name = "OUT.html")]
    html: Option<PathBuf>,
    #[command(flatten)]
    options: ModelOptions,
}

fn pixels(text: &str) -> Result<f64, String> {
    let fits = |pixels: &f64| pixels.is_finite() && *pixels >= 0.0;
    text.parse().ok().filter(fits).ok_or_else(|| "give a number of pixels, 0 or more".into())
}

/// How it is measured.
#[derive(Debug, Clone)]
pub struct Settings {
    shape: Shape,
    metrics: Vec<Metric>,
    steps: usize,
    fill: Fill,
    insertion_fill: Fill,
    tolerance: f64,
    seed: u64,
    threads: usize,
}

/// A line of the tables: a method at a layer, or a baseline.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: String,
    /// Rows and columns of its maps.
    pub grid: (usize, usize),
    /// Of a method: where, and median milliseconds.
    pub method: Option<Ran>,
}

/// How a method ran.
#[derive(Debug, Clone)]
pub struct Ran {
    pub method: &'static str,
    pub layer: String,
    pub milliseconds: f64,
}

/// What was measured of one case, with a place for each row.
#[derive(Debug)]
pub struct Record {
    pub case: Case,
    pub maps: Vec<Array2<f32>>,
    /// `None` where the map is the same everywhere, or faithfulness is not about this class.
    pub faithful: Vec<Option<Faithful>>,
    /// `None` where there is no heat, or no object.
    pub located: Vec<Option<Located>>,
    /// The objects' share of what the model sees; `None` where there are none.
    pub area: Option<f64>,
}

impl Record {
    /// A row's figure, if it has one here.
    pub fn figure(&self, row: usize, metric: Metric, metrics: &[Metric]) -> Option<f64> {
        if !matches!(metric, Metric::Pointing | Metric::Energy) {
            return self.faithful[row].as_ref()?.figure(metric, metrics);
        }
        self.area.filter(|_| metrics.contains(&metric))?;
        match metric {
            // a map without heat points at nothing
            Metric::Pointing => Some(if self.located[row].is_some_and(|seen| seen.hit) { 1.0 } else { 0.0 }),
            _ => self.located[row].map(|seen| seen.energy),
        }
    }
}

/// Everything that was found.
pub struct Evaluation {
    pub model: String,
    pub settings: Settings,
    pub batch: usize,
    pub rows: Vec<Row>,
    pub pictures: Vec<Picture>,
    pub records: Vec<Record>,
    pub notes: Vec<String>,
}

/// Steps done, of all; and what the user should know, said at once and kept for the report.
pub struct Progress {
    bar: Bar,
    done: usize,
    all: usize,
    notes: Vec<String>,
}

impl Progress {
    fn step(&mut self, what: &str) {
        self.done += 1;
        self.bar.show(Some(self.done as f64 / self.all.max(1) as f64), what);
    }

    fn note(&mut self, sentence: String) {
        if !self.notes.contains(&sentence) {
            self.bar.say(&sentence);
            self.notes.push(sentence);
        }
    }
}

pub fn run(args: &Args) -> Result<()> {
    if let Some(html) = &args.html {
        not_the_same(&args.model, html)?;
    }
    let options = args.options.to_options();
    let mut progress = Progress { bar: Bar::new(), done: 0, all: 0, notes: Vec::new() };
    let pictures = pictures::gather(&args.folder, args.annotations.as_deref(), &mut progress)?;
    let contenders = if args.compare.is_empty() {
        vec![Contender { method: options.method, layer: None }]
    } else {
        args.compare.clone()
    };
    progress.all = contenders.len() * pictures.len();
    let explained = cases::explain((&args.model, &options, &args.target_class), &contenders, &pictures, &mut progress)?;
    let settings = Settings {
        shape: Shape::of(&explained.base.info().spec),
        metrics: if args.metrics.is_empty() { Metric::all().collect() } else { args.metrics.clone() },
        steps: args.steps as usize,
        fill: args.fill,
        insertion_fill: args.insertion_fill.unwrap_or(args.fill),
        tolerance: args.tolerance,
        seed: args.seed,
        threads: args.options.threads,
    };
    let mut report = args.html.as_ref().map(|_| report::Shots::default());
    let evaluation = evaluate(args, explained, settings, pictures, progress, report.as_mut())?;
    if let (Some(path), Some(shots)) = (&args.html, report) {
        report::write(path, &evaluation, &shots)?;
    }
    if args.json {
        say!("{:#}", json::of(&evaluation));
    } else {
        say!("{}", table::of(&evaluation));
    }
    Ok(())
}

fn evaluate(
    args: &Args,
    explained: Explained,
    settings: Settings,
    pictures: Vec<Picture>,
    mut progress: Progress,
    mut shots: Option<&mut report::Shots>,
) -> Result<Evaluation> {
    let Explained { seen, cases, base } = explained;
    let mut scorer = base.scorer(args.batch as usize)?;
    let mut preparer = base.preparer();
    drop(base);
    let mut grids: Vec<(usize, usize)> = Vec::new();
    for one in &seen {
        if !grids.contains(&one.grid) {
            grids.push(one.grid);
        }
    }
    let rows = rows(seen, &grids);
    progress.all += cases.iter().filter(|case| case.faithful).count() * faithfulness::count(&settings, rows.len());
    let mut records = Vec::new();
    let mut cases = cases.into_iter().peekable();
    while let Some(number) = cases.peek().map(|case| case.picture) {
        let picture = &pictures[number];
        let image = read_image(&picture.path)?;
        let mut input = vec![0.0; settings.shape.len()];
        let region = preparer.prepare(&frame(&image)?, &mut input)?;
        let mut random = Random::new(settings.seed, number as u64);
        let ignorant: Vec<Array2<f32>> = grids
            .iter()
            .flat_map(|&grid| Baseline::ALL.map(|baseline| (baseline, grid)))
            .map(|(baseline, grid)| baseline.map(grid, &input, settings.shape, &mut random))
            .collect();
        while let Some(case) = cases.next_if(|case| case.picture == number) {
            let maps: Vec<_> = case.maps.iter().chain(&ignorant).cloned().collect();
            let faithful = if case.faithful {
                let of = (case.class, records.len() as u64);
                let step = || progress.step(&picture.name);
                faithfulness::measure(&mut scorer, &settings, of, &input, &maps, step)?
            } else {
                vec![None; maps.len()]
            };
            let covered = covered(picture, &case, &image, region, &settings, &mut progress);
            let locate = |map| localise::locate(map, covered.as_deref()?, settings.shape.size(), settings.tolerance);
            let located = maps.iter().map(locate).collect();
            let share =
                |covered: &Vec<bool>| covered.iter().filter(|covered| **covered).count() as f64 / covered.len() as f64;
            let record = Record { area: covered.as_ref().map(share), case, maps, faithful, located };
            if let Some(shots) = shots.as_mut() {
                shots.take(&record, &image, region)?;
            }
            records.push(record);
        }
    }
    let model = args.model.to_string_lossy().into_owned();
    Ok(Evaluation {
        model,
        settings,
        batch: scorer.batch(),
        rows,
        pictures,
        records,
        notes: std::mem::take(&mut progress.notes),
    })
}

/// The methods, then the baselines on each grid; a grid is named where there are several.
fn rows(seen: Vec<cases::Seen>, grids: &[(usize, usize)]) -> Vec<Row> {
    let methods = seen.into_iter().map(|mut one| {
        one.times.sort_by(f64::total_cmp);
        let milliseconds = one.times.get(one.times.len() / 2).copied().unwrap_or_default();
        let method = Some(Ran { method: one.method, layer: one.layer, milliseconds });
        Row { name: one.name, grid: one.grid, method }
    });
    let several = grids.len() > 1;
    let baselines = grids.iter().flat_map(|&grid| {
        Baseline::ALL.map(|baseline| {
            let on = if several { format!(" {}x{}", grid.0, grid.1) } else { String::new() };
            Row { name: format!("{}{on}", baseline.name()), grid, method: None }
        })
    });
    methods.chain(baselines).collect()
}

/// Where the case's objects are on the model's input; `None` where there are none, or the model sees nothing of them.
fn covered(
    picture: &Picture,
    case: &Case,
    image: &RgbImage,
    region: Region,
    settings: &Settings,
    progress: &mut Progress,
) -> Option<Vec<bool>> {
    let localises = [Metric::Pointing, Metric::Energy].iter().any(|metric| settings.metrics.contains(metric));
    if case.objects.is_empty() || !localises {
        return None;
    }
    let size = (image.width() as usize, image.height() as usize);
    let mut places = Vec::new();
    for &number in &case.objects {
        match &picture.objects[number].outline {
            Outline::Box(corners) => places.push(Place::Box(*corners)),
            Outline::Mask(path) => match read_image(path) {
                Ok(mask) => places.push(Place::Mask(image::imageops::grayscale(&mask))),
                Err(crate::Failure(why)) => {
                    progress.note(format!("object {number} of {:?} is left out: {why}", picture.name));
                }
            },
        }
    }
    if places.is_empty() {
        return None;
    }
    let covered = localise::covered(&places, region, size, settings.shape.size());
    if !covered.contains(&true) {
        progress.note(format!(
            "{:?}: the model sees nothing of class {}, which lies outside of what is taken",
            picture.name, case.class
        ));
        return None;
    }
    Some(covered)
}
