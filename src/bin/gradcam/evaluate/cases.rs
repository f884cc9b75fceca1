//! Which classes of which pictures are looked at, and every method's map of each.

use std::path::Path;

use gstgradcam::{Explainer, Explanation, Method, ModelInfo, Options, Target};
use image::RgbImage;
use ndarray::Array2;

use super::Progress;
use super::pictures::{Class, Object, Picture};
use crate::Result;
use crate::explain::{frame, read_image};

/// A method, at a layer or at the one that `--target-layer` names.
#[derive(Debug, Clone, PartialEq)]
pub struct Contender {
    pub method: Method,
    pub layer: Option<String>,
}

impl std::str::FromStr for Contender {
    type Err = gstgradcam::Error;

    fn from_str(text: &str) -> gstgradcam::Result<Contender> {
        let (method, layer) = text.split_once('@').map_or((text, None), |(method, layer)| (method, Some(layer)));
        Ok(Contender { method: method.trim().parse()?, layer: layer.map(|layer| layer.trim().into()) })
    }
}

/// Which class the faithfulness figures are about (option `--target-class`).
#[derive(Debug, Clone)]
pub enum Wanted {
    /// One for every picture: a class or a rank.
    One(Target),
    /// Those of each picture's objects.
    Annotated,
}

/// One class of one picture.
#[derive(Debug, Clone)]
pub struct Case {
    pub picture: usize,
    pub class: usize,
    pub label: String,
    /// Its probability.
    pub score: f32,
    /// Whether the figures of faithfulness are about it; else only those of localisation.
    pub faithful: bool,
    /// Which of the picture's objects are of this class.
    pub objects: Vec<usize>,
    /// A map of each contender.
    pub maps: Vec<Array2<f32>>,
}

/// What a contender turned out to be.
#[derive(Debug, Clone)]
pub struct Seen {
    pub name: String,
    pub method: &'static str,
    pub layer: String,
    /// Rows and columns of its maps.
    pub grid: (usize, usize),
    /// Milliseconds of each run that explains one class.
    pub times: Vec<f64>,
}

/// Everything that is explained before anything is measured.
pub struct Explained {
    pub seen: Vec<Seen>,
    pub cases: Vec<Case>,
    /// The model as the first contender has it.
    pub base: Explainer,
}

/// Explains all pictures by all contenders, one contender after the other, so that only one more model is in memory.
pub fn explain(
    (model, options, wanted): (&Path, &Options, &str),
    contenders: &[Contender],
    pictures: &[Picture],
    progress: &mut Progress,
) -> Result<Explained> {
    let layer = |contender: &Contender| contender.layer.clone().or_else(|| options.target_layer.clone());
    let first = &contenders[0];
    let opened = Options { method: first.method, target_layer: layer(first), ..options.clone() };
    let mut base = Explainer::open(model, &opened)?;
    let wanted = wanted_of(wanted, base.info())?;
    let mut seen: Vec<Seen> = Vec::new();
    let mut cases: Vec<Case> = Vec::new();
    for (at, contender) in contenders.iter().enumerate() {
        let mut other = if at == 0 { None } else { Some(base.with(contender.method, layer(contender).as_deref())?) };
        let explainer = other.as_mut().unwrap_or(&mut base);
        explainer.info().warnings.iter().for_each(|sentence| progress.note(sentence.clone()));
        let mut times = Vec::new();
        for (number, picture) in pictures.iter().enumerate() {
            progress.step(&format!("{} of {}", explainer.info().method.name(), picture.name));
            let done = if at == 0 {
                let asked = asked(picture, &wanted, explainer.info(), progress);
                begin(explainer, picture, number, asked, &mut times).map(|found| cases.extend(found))
            } else {
                let of_it: Vec<&mut Case> = cases.iter_mut().filter(|case| case.picture == number).collect();
                go_on(explainer, picture, of_it, &mut times)
            };
            if let Err(crate::Failure(why)) = done {
                cases.retain(|case| case.picture != number);
                progress.note(format!("{:?} is left out: {why}", picture.name));
            }
        }
        let info = explainer.info();
        let layer = info.layers.join(",");
        let method = info.method.name();
        let name = contender.layer.as_ref().map_or(method.to_string(), |layer| format!("{method}@{layer}"));
        let grid = cases.first().map_or((0, 0), |case| case.maps[at].dim());
        seen.push(Seen { name, method, layer, grid, times });
    }
    if cases.is_empty() {
        return Err("nothing is left to evaluate: every picture was left out".to_string().into());
    }
    Ok(Explained { seen, cases, base })
}

fn wanted_of(text: &str, info: &ModelInfo) -> Result<Wanted> {
    match text {
        "annotated" => Ok(Wanted::Annotated),
        "best" => Ok(Wanted::One(Target::Rank(0))),
        text => match info.targets(text)?[..] {
            [one] => Ok(Wanted::One(one)),
            _ => {
                Err(format!("target-class={text}: one class is evaluated at a time; give one, best, or annotated")
                    .into())
            }
        },
    }
}

/// A class to explain, whether it is the one that faithfulness is about, and which objects are of it.
type Asked = (Target, bool, Vec<usize>);

fn asked(picture: &Picture, wanted: &Wanted, info: &ModelInfo, progress: &mut Progress) -> Vec<Asked> {
    let mut asked: Vec<Asked> = Vec::new();
    let mut add = |target, faithful, object: Option<usize>| {
        let at = asked.iter().position(|(known, ..)| *known == target).unwrap_or_else(|| {
            asked.push((target, faithful, Vec::new()));
            asked.len() - 1
        });
        asked[at].2.extend(object);
    };
    let default = match wanted {
        Wanted::One(target) => {
            add(*target, true, None);
            *target
        }
        Wanted::Annotated => Target::Rank(0),
    };
    for (number, object) in picture.objects.iter().enumerate() {
        match class_of(object, info) {
            Ok(class) => {
                add(class.map_or(default, Target::Class), matches!(wanted, Wanted::Annotated), Some(number));
            }
            Err(why) => progress.note(format!("object {number} of {:?} is left out: {why}", picture.name)),
        }
    }
    asked
}

fn class_of(object: &Object, info: &ModelInfo) -> Result<Option<usize>, String> {
    let known = |target: Target| match target {
        Target::Class(class) if target.exists(info.classes) => Ok(Some(class)),
        _ => Err(format!("its class is none of the model's {}", info.classes)),
    };
    match &object.class {
        None => Ok(None),
        Some(Class::Index(index)) => known(Target::Class(*index)),
        Some(Class::Name(name)) => match info.targets(name).map_err(|error| error.to_string())?[..] {
            [one] => known(one),
            _ => Err(format!("its class {name:?} is several")),
        },
    }
}

/// The first contender's maps of a picture, by which ranks become classes; of equal classes there is one case.
fn begin(
    explainer: &mut Explainer,
    picture: &Picture,
    number: usize,
    asked: Vec<Asked>,
    times: &mut Vec<f64>,
) -> Result<Vec<Case>> {
    let image = read_image(&picture.path)?;
    let targets: Vec<Target> = asked.iter().map(|(target, ..)| *target).collect();
    let mut cases: Vec<Case> = Vec::new();
    let seen = maps(explainer, &image, &targets, times)?;
    for ((_, faithful, objects), one) in asked.into_iter().zip(seen) {
        match cases.iter_mut().find(|case| case.class == one.class) {
            Some(case) => {
                case.faithful |= faithful;
                case.objects.extend(objects);
            }
            None => cases.push(Case {
                picture: number,
                class: one.class,
                label: one.label,
                score: one.score,
                faithful,
                objects,
                maps: vec![one.map],
            }),
        }
    }
    Ok(cases)
}

/// Another contender's maps of the same classes.
fn go_on(explainer: &mut Explainer, picture: &Picture, cases: Vec<&mut Case>, times: &mut Vec<f64>) -> Result<()> {
    let targets: Vec<Target> = cases.iter().map(|case| Target::Class(case.class)).collect();
    if targets.is_empty() {
        return Ok(());
    }
    let seen = maps(explainer, &read_image(&picture.path)?, &targets, times)?;
    cases.into_iter().zip(seen).for_each(|(case, one)| case.maps.push(one.map));
    Ok(())
}

/// The first class in a run of its own, whose time is kept; the others together.
fn maps(
    explainer: &mut Explainer,
    image: &RgbImage,
    targets: &[Target],
    times: &mut Vec<f64>,
) -> Result<Vec<gstgradcam::ClassMap>> {
    let Some((first, rest)) = targets.split_first() else { return Ok(Vec::new()) };
    let frame = frame(image)?;
    let Explanation { mut maps, took, .. } = explainer.explain(&frame, &[*first])?;
    times.push(took.as_secs_f64() * 1e3);
    if !rest.is_empty() {
        maps.extend(explainer.explain(&frame, rest)?.maps);
    }
    Ok(maps)
}
