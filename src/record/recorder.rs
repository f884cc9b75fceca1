//! Writes what was seen on a video: a sidecar of JSON lines, one a frame, and the raw maps beside it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::maps::{MapWriter, beside};
use super::{Header, Record};
use crate::error::{Error, Result};
use crate::explain::ClassMap;

/// The field of a line that says which the frame's first map is.
pub(super) const MAP: &str = "map";
/// The field that says how many cuts there were before that map's picture.
pub(super) const SCENE: &str = "scene";
/// The field of the last line, which a recording that was broken off has not.
pub(super) const FRAMES: &str = "frames";

/// A recording in the making. Each line goes to the system at once, so that what is lost when all ends suddenly is a part of the last
/// line at most.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    file: File,
    maps: Option<MapWriter>,
    frames: u64,
    begun: bool,
    closed: bool,
}

impl Recorder {
    /// Makes the file, and that for the maps beside it, with the ending `.gcm`, if they are to be kept.
    ///
    /// # Errors
    /// [`Error::Unwritable`], as for all that follows.
    pub fn create(path: &Path, with_maps: bool) -> Result<Recorder> {
        if with_maps && beside(path) == path {
            let why = "its maps would take its name; end it in .jsonl".into();
            return Err(Error::Unwritable { path: path.into(), full: false, why });
        }
        let file = File::create(path).map_err(|error| Error::unwritable(path, error))?;
        let maps = with_maps.then(|| MapWriter::create(beside(path))).transpose()?;
        Ok(Recorder { path: path.into(), file, maps, frames: 0, begun: false, closed: false })
    }

    /// Whether the header is written.
    pub fn is_begun(&self) -> bool {
        self.begun
    }

    /// Writes the header, before all frames.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub fn begin(&mut self, header: &Header) -> Result<()> {
        self.begun = true;
        self.line(&header.to_json())
    }

    /// Writes the maps of a frame: of each class explained, object after object. The first one's number is for
    /// [`frame`](Self::frame); `None` where maps are not kept, or there is none.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub fn maps<'a>(&mut self, record: &Record, maps: impl IntoIterator<Item = &'a ClassMap>) -> Result<Option<u64>> {
        let Some(writer) = &mut self.maps else { return Ok(None) };
        let mut first = None;
        for one in maps {
            let number = writer.add(record.stream_time, one.class, &one.map)?;
            first = first.or(Some(number));
        }
        Ok(first)
    }

    /// Writes a frame's line, with the number of its first map and that of the scene it is of; several frames may bear the same maps.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub fn frame(&mut self, record: &Record, map: Option<(u64, u64)>) -> Result<()> {
        let mut line = record.to_json();
        let named = map.map(|(number, scene)| [(MAP.to_string(), number.into()), (SCENE.to_string(), scene.into())]);
        line.extend(named.into_iter().flatten());
        (self.frames, self.closed) = (self.frames + 1, false);
        self.line(&line)
    }

    /// Writes the last line. More frames may follow all the same, where a stream begins anew, and another last line.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub fn close(&mut self) -> Result<()> {
        if self.closed || !self.begun {
            return Ok(());
        }
        self.closed = true;
        self.line(&std::iter::once((FRAMES.to_string(), self.frames.into())).collect())
    }

    fn line(&mut self, object: &Map<String, Value>) -> Result<()> {
        let cannot = |error: std::io::Error| Error::unwritable(&self.path, error);
        let mut text = serde_json::to_string(object).map_err(|error| cannot(error.into()))?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(cannot)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Where it fails the reader says that the recording was broken off.
        let _ = self.close();
    }
}
