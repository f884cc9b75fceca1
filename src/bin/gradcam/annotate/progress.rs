//! How far the annotation is: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Plain lines come this far apart.
const LINE: Duration = Duration::from_secs(10);

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
            ProgressBar::new(0).with_style(style)
        });
        Self { bar, start: Instant::now(), last_line: Instant::now() }
    }

    /// Shows how far it is; `duration` is unknown for some streams.
    pub fn show(&mut self, position: Duration, duration: Option<Duration>, frames: u64) {
        let spent = self.start.elapsed();
        let fps = frames as f64 / spent.as_secs_f64().max(1e-3);
        let share = duration.map(|all| (position.as_secs_f64() / all.as_secs_f64().max(1e-9)).min(1.0));
        let left = share.filter(|share| *share > 0.0).map(|share| spent.as_secs_f64() * (1.0 - share) / share);
        let left = left.map_or_else(String::new, |seconds| format!(", {} left", clock(seconds)));
        let message = format!("{frames} frames, {fps:.1} a second{left}");
        match &self.bar {
            Some(bar) => {
                if let Some(all) = duration {
                    bar.set_length(all.as_millis() as u64);
                }
                bar.set_position(position.as_millis() as u64);
                bar.set_message(message);
            }
            None if self.last_line.elapsed() >= LINE => {
                let percent = share.map_or_else(String::new, |share| format!("{:.0} %, ", share * 100.0));
                eprintln!("gradcam: {percent}{message}");
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
