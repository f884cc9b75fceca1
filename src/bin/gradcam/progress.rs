//! How far a long command is: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Plain lines come this far apart.
const LINE: Duration = Duration::from_secs(10);
/// The bar has so many steps.
const STEPS: u64 = 1000;

pub struct Progress {
    bar: Option<ProgressBar>,
    start: Instant,
    last_line: Instant,
}

impl Progress {
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{wide_bar} {percent:>3} %  {msg}").expect("the template is well-formed");
            ProgressBar::new(STEPS).with_style(style)
        });
        Self { bar, start: Instant::now(), last_line: Instant::now() }
    }

    /// Since it began.
    pub fn spent(&self) -> Duration {
        self.start.elapsed()
    }

    /// Shows what is done; the share, 0 to 1, is not always known.
    pub fn show(&mut self, share: Option<f64>, what: &str) {
        let share = share.map(|share| share.min(1.0));
        let left = share.filter(|share| *share > 0.0).map(|share| self.spent().as_secs_f64() * (1.0 - share) / share);
        let left = left.map_or_else(String::new, |seconds| format!(", {} left", clock(seconds)));
        match &self.bar {
            Some(bar) => {
                bar.set_position(share.map_or(0, |share| (share * STEPS as f64) as u64));
                bar.set_message(format!("{what}{left}"));
            }
            None if self.last_line.elapsed() >= LINE => {
                let percent = share.map_or_else(String::new, |share| format!("{:.0} %, ", share * 100.0));
                eprintln!("gradcam: {percent}{what}{left}");
                self.last_line = Instant::now();
            }
            None => {}
        }
    }

    /// A line that stays, above the bar.
    pub fn say(&self, line: &str) {
        let line = format!("gradcam: {line}");
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    format!("{}:{:02}", whole / 60, whole % 60)
}
