//! `gradcam`, the command line over the library: looks into a model, explains a picture, rewrites a model, annotates
//! videos and paints recordings anew, measures how faithful the maps are and what they cost.

mod annotate;
mod bench;
mod clips;
mod evaluate;
mod explain;
mod export;
mod inspect;
mod named;
mod options;
mod progress;
mod render;
mod tensor;
#[cfg(feature = "plugin")]
mod video;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Shows where an ONNX image classifier looks (Grad-CAM).
#[derive(Debug, Parser)]
#[command(name = "gradcam", version, about, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what is resolved for a model: input, score, layer, operators, self-check
    Inspect(inspect::Args),
    /// Explain one picture, or one input tensor
    Explain(explain::Args),
    /// Write the explained model, an ordinary ONNX file with the maps as outputs
    Export(export::Args),
    /// Annotate whole video files
    Annotate(annotate::Args),
    /// Paint a recording anew, without the model
    Render(render::Args),
    /// Keep the seconds before and after a class is seen, of a camera or a file
    Clips(clips::Args),
    /// Measure how faithful the maps are, over a folder of pictures
    Evaluate(evaluate::Args),
    /// Time plain against explained inference, and each stage of a frame
    Bench(bench::Args),
}

/// Why a command failed: one sentence for the user.
#[derive(Debug)]
struct Failure(String);

impl From<gstgradcam::Error> for Failure {
    fn from(error: gstgradcam::Error) -> Self {
        Failure(error.to_string())
    }
}

impl From<String> for Failure {
    fn from(sentence: String) -> Self {
        Failure(sentence)
    }
}

type Result<T, E = Failure> = std::result::Result<T, E>;

/// Prints a line of results. A reader that went away (`gradcam ... | head`) is no reason to fail.
macro_rules! say {
    ($($word:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($word)*);
    }};
}
use say;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no errors: clap prints them on stdout.
        Err(asked) if !asked.use_stderr() => asked.exit(),
        Err(wrong) => {
            let text = wrong.to_string();
            eprint!("gradcam: {}", text.strip_prefix("error: ").unwrap_or(&text));
            return ExitCode::from(2);
        }
    };
    let done = match cli.command {
        Command::Inspect(args) => inspect::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Annotate(args) => annotate::run(&args),
        Command::Render(args) => render::run(&args),
        Command::Clips(args) => clips::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(sentence)) => {
            eprintln!("gradcam: {sentence}");
            ExitCode::from(1)
        }
    }
}

/// Prints what the user should know of a model.
fn warn(info: &gstgradcam::ModelInfo) {
    for sentence in &info.warnings {
        eprintln!("gradcam: {sentence}");
    }
}
