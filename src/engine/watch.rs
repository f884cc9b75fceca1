//! The watch over one engine's runs: ends those that take longer than they may.

use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::{Interrupter, Stop};
use crate::error::{Error, Result};

/// Looks this many times within the limit; a run costs it nothing.
const LOOKS: u32 = 4;
/// Looks no more often than this, however short the limit.
const PAUSE: Duration = Duration::from_millis(1);

/// A thread that looks after the runs until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    /// `None` only while dropping: closing it is what ends the thread.
    open: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// A run of more than `limit` is ended before a quarter more of it has passed.
    pub fn start(runs: Interrupter, limit: Duration) -> Result<Watch> {
        let (open, closed) = bounded::<()>(0);
        let look = move || {
            while closed.recv_timeout((limit / LOOKS).max(PAUSE)) == Err(RecvTimeoutError::Timeout) {
                runs.end(|taken| (taken > limit).then_some(Stop::Late(limit)));
            }
        };
        let thread = std::thread::Builder::new().name("gradcam-watch".into()).spawn(look);
        let thread = thread.map_err(|e| Error::Inference { why: format!("its watch cannot be started: {e}") })?;
        Ok(Watch { open: Some(open), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.open = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing in it that panics.
            let _ = thread.join();
        }
    }
}
