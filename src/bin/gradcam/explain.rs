//! `gradcam explain`: one picture, or one input tensor.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gstgradcam::frame::{Color, Format, Frame, FrameMut, Matrix, Plane, Range, Region};
use gstgradcam::render::{OutputMode, Painter, Scaler, Seen, beside};
use gstgradcam::{ClassMap, Explainer, Explanation, Options};
use image::{DynamicImage, ImageDecoder, ImageReader, RgbImage};
use ndarray::Array4;
use ndarray_npy::WriteNpyExt;
use serde_json::json;

use crate::export::not_the_same;
use crate::options::{ModelOptions, PaintOptions};
use crate::{Result, say, tensor, warn};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ONNX model
    model: PathBuf,
    /// A PNG or JPEG picture, or the model's input itself as an .npy file of its own type or float32
    #[arg(value_name = "IMAGE|TENSOR.npy")]
    input: PathBuf,
    /// Classes to explain: a comma list of indices, names and ranks (-1 = best) [default: the best class]
    #[arg(long, default_value = "", hide_default_value = true, value_name = "CLASS,...", allow_hyphen_values = true)]
    target_class: String,
    /// Write the maps, unscaled, float32 [N, classes, height, width]
    #[arg(long, value_name = "MAP.npy")]
    raw: Option<PathBuf>,
    /// Write the picture with the map painted on it (of several classes, each in a colour of its own)
    #[arg(long, value_name = "OUT.png")]
    overlay: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: ModelOptions,
    #[command(flatten)]
    paint: PaintOptions,
}

/// A decoded picture is full-range RGB; the matrix is not used.
const COLOR: Color = Color { matrix: Matrix::Bt601, range: Range::Full };

pub fn run(args: &Args) -> Result<()> {
    for output in [&args.raw, &args.overlay].into_iter().flatten() {
        not_the_same(&args.input, output)?;
        not_the_same(&args.model, output)?;
    }
    let is_tensor = args.input.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("npy"));
    if is_tensor && args.overlay.is_some() {
        return Err(
            format!("--overlay needs a picture, and {:?} is a tensor; give the picture itself", args.input).into()
        );
    }
    let picture = if is_tensor { None } else { Some(read_image(&args.input)?) };
    let frame_size = picture.as_ref().map(|picture| (picture.width() as usize, picture.height() as usize));
    let options = Options { frame_size, ..args.options.to_options() };
    let mut explainer = Explainer::open(&args.model, &options)?;
    warn(explainer.info());
    let targets = explainer.targets(&args.target_class)?;
    let explanation = if let Some(mut picture) = picture {
        let explanation = explainer.explain(&frame(&picture)?, &targets)?;
        if let Some(path) = &args.overlay {
            if args.paint.style(args.options.signed).output_mode == OutputMode::SideBySide {
                let mut double = RgbImage::new(2 * picture.width(), picture.height());
                beside(&frame(&picture)?, &mut frame_mut(&mut double)?)?;
                picture = double;
            }
            paint(&mut picture, &explanation, &args.paint)?;
            picture.save_with_format(path, image::ImageFormat::Png).map_err(|error| cannot_write(path, &error))?;
        }
        explanation
    } else {
        let values = tensor::read(&args.input, explainer.input_shape())?;
        let whole = explainer.info().spec.clone();
        let region = Region { x: 0.0, y: 0.0, width: whole.width as f32, height: whole.height as f32 };
        explainer.explain_tensor(values.view(), &targets, region)?
    };
    if let Some(path) = &args.raw {
        write_maps(path, &explanation)?;
    }
    if args.json {
        say!("{:#}", as_json(args, &explainer, &explanation));
    } else {
        print(&explanation);
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("cannot write {path:?}: {error}")
}

/// A decoded picture as the library takes it.
pub fn frame(picture: &RgbImage) -> Result<Frame<'_>> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let planes = vec![Plane { data: picture.as_raw().as_slice(), stride: width * 3 }];
    Ok(Frame::new(Format::Rgb, width, height, COLOR, planes)?)
}

/// The same, to be painted on.
pub fn frame_mut(picture: &mut RgbImage) -> Result<FrameMut<'_>> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let data: &mut [u8] = picture;
    Ok(FrameMut::new(Format::Rgb, width, height, COLOR, vec![Plane { data, stride: width * 3 }])?)
}

/// A picture the right way up: a camera's JPEG may say that it lies on its side.
pub fn read_image(path: &Path) -> Result<RgbImage> {
    let cannot =
        |error: &dyn std::fmt::Display| format!("cannot read the picture {path:?}: {error}; give a PNG or a JPEG");
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(|error| cannot(&error))?;
    let mut decoder = reader.into_decoder().map_err(|error| cannot(&error))?;
    let orientation = decoder.orientation().map_err(|error| cannot(&error))?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| cannot(&error))?;
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

fn write_maps(path: &Path, explanation: &Explanation) -> Result<()> {
    let maps = &explanation.maps;
    let (height, width) = maps.first().map_or((0, 0), |first| first.map.dim());
    let all = Array4::from_shape_fn((1, maps.len(), height, width), |(_, k, y, x)| maps[k].map[[y, x]]);
    let file = File::create(path).map_err(|error| cannot_write(path, &error))?;
    let mut file = BufWriter::new(file);
    all.write_npy(&mut file).map_err(|error| cannot_write(path, &error))?;
    std::io::Write::flush(&mut file).map_err(|error| cannot_write(path, &error).into())
}

fn paint(picture: &mut RgbImage, explanation: &Explanation, options: &PaintOptions) -> Result<()> {
    let signed = explanation.maps.iter().any(|one| one.signed);
    let style = options.style(signed);
    if let (Some(remark), [_]) = (style.colormap.remark(signed), &explanation.maps[..]) {
        eprintln!("gradcam: {remark}");
    }
    let is_likely = |one: &ClassMap| one.score >= options.confidence_threshold;
    if style.output_mode == OutputMode::None || !explanation.maps.iter().any(is_likely) {
        return Ok(());
    }
    let mut frame = frame_mut(picture)?;
    let mut painter = Painter::new(style);
    let seen: Vec<Seen> = explanation
        .maps
        .iter()
        .map(|one| Seen { class: one.class, score: one.score, map: one.map.view(), signed: one.signed })
        .collect();
    let mut maps = Scaler::new(options.calm()).scale(&seen, Duration::ZERO);
    // A class that is left out keeps its place, and so the others their hues.
    for (map, _) in maps.iter_mut().zip(&explanation.maps).filter(|(_, one)| !is_likely(one)) {
        map.fill(0.0);
    }
    painter.paint_maps(&mut frame, &maps.iter().map(|map| map.view()).collect::<Vec<_>>(), explanation.region)?;
    let words = options.words(&explanation.maps);
    if !words.is_empty() {
        painter.set_font(options.font()?);
        painter.write(&mut frame, &words)?;
    }
    Ok(())
}

/// Where a map is hottest, as fractions of the region's width and height.
fn peak(map: &ndarray::Array2<f32>) -> Option<(f32, f32, f32)> {
    let (height, width) = map.dim();
    let ((y, x), value) = map.indexed_iter().max_by(|one, other| one.1.total_cmp(other.1))?;
    (*value > 0.0).then(|| ((x as f32 + 0.5) / width as f32, (y as f32 + 0.5) / height as f32, *value))
}

fn print(explanation: &Explanation) {
    let region = explanation.region;
    for one in &explanation.maps {
        let place = match (peak(&one.map), &one.reason) {
            (Some((x, y, _)), _) => {
                let (x, y) = (region.x + x * region.width, region.y + y * region.height);
                format!("looks at ({x:.0}, {y:.0})")
            }
            (None, None) if one.signed => "nothing speaks for it".into(),
            (None, reason) => format!("the map is zero: {}", reason.as_deref().unwrap_or("it has no cells")),
        };
        let (height, width) = one.map.dim();
        say!("{:>5}  {:>6.2} %  {}: {place}, map {width}x{height}", one.class, one.score * 100.0, one.label);
    }
}

fn as_json(args: &Args, explainer: &Explainer, explanation: &Explanation) -> serde_json::Value {
    let info = explainer.info();
    let region = explanation.region;
    let maps: Vec<_> = explanation
        .maps
        .iter()
        .map(|one| {
            let rows: Vec<_> = one.map.rows().into_iter().map(|row| row.to_vec()).collect();
            json!({ "class": one.class, "label": one.label, "score": one.score, "map": rows, "reason": one.reason })
        })
        .collect();
    json!({
        "model": args.model.to_string_lossy(),
        "input": args.input.to_string_lossy(),
        "method": info.method.name(),
        "layer": info.layer,
        "layers": info.layers,
        "signed": info.signed,
        "region": [region.x, region.y, region.width, region.height],
        "milliseconds": explanation.took.as_secs_f64() * 1e3,
        "maps": maps,
        "warnings": info.warnings,
    })
}
