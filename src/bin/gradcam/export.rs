//! `gradcam export`: writes the explained model.

use std::path::{Path, PathBuf};

use gstgradcam::{Explainer, Options};

use crate::options::ModelOptions;
use crate::{Result, say, warn};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ONNX model
    model: PathBuf,
    /// Where to write the explained model
    #[arg(value_name = "OUT.onnx")]
    output: PathBuf,
    /// Pictures that the explained model takes in one run, a class for each
    #[arg(long, default_value_t = 1, value_name = "N")]
    batch_size: usize,
    #[command(flatten)]
    options: ModelOptions,
}

pub fn run(args: &Args) -> Result<()> {
    not_the_same(&args.model, &args.output)?;
    let options = Options { batch_size: args.batch_size, ..args.options.to_options() };
    let explainer = Explainer::open(&args.model, &options)?;
    warn(explainer.info());
    let bytes = explainer.explained_model()?;
    let part = part(&args.output);
    std::fs::write(&part, &bytes).and_then(|()| std::fs::rename(&part, &args.output)).map_err(|error| {
        let _ = std::fs::remove_file(&part);
        format!("cannot write {:?}: {error}", args.output)
    })?;
    let size = bytes.len() as f64 / 1e6;
    say!("{} ({size:.1} MB): layer {:?}", args.output.display(), explainer.info().layer);
    Ok(())
}

/// Where a file is written before it is whole: `out.part.mp4` for `out.mp4`, so that what there is of it opens as what it is.
pub fn part(output: &Path) -> PathBuf {
    let mut ending = std::ffi::OsString::from("part");
    if let Some(own) = output.extension() {
        ending.push(".");
        ending.push(own);
    }
    output.with_extension(ending)
}

/// Refuses to write over what is being read.
pub fn not_the_same(input: &Path, output: &Path) -> Result<()> {
    match (input.canonicalize(), output.canonicalize()) {
        (Ok(one), Ok(other)) if one == other => {
            Err(format!("{output:?} is the input itself; name another file for the output").into())
        }
        _ => Ok(()),
    }
}
