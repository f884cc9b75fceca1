//! Reads a recording back: what was seen on the frame at a time, as the model gave it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::maps::{MapReader, beside};
use super::recorder::{FRAMES, MAP, SCENE};
use super::{Header, Record, Seen};
use crate::error::{Error, Result};
use crate::explain::{ClassMap, Explanation, Scores};
use crate::frame::{Part, Region};

/// A line that is longer is none.
const LONGEST: u64 = 64 << 20;
/// How near a frame must be to one of the recording, where that has one only.
const NEAR: Duration = Duration::from_millis(20);

/// A sidecar and its maps, open for reading. Lines are read when they are asked for; what is kept of each is where it lies.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    header: Header,
    lines: BufReader<File>,
    maps: MapReader,
    /// By time.
    frames: Vec<Place>,
    near: Duration,
    remark: Option<String>,
}

/// Where the line of a frame lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    time: Duration,
    at: u64,
}

/// The pictures of a frame: all of it, or regions with their ids.
pub type Pictures = Vec<(Option<(Part, i32)>, Explanation)>;

/// What was seen on one frame.
#[derive(Debug)]
pub struct Told {
    /// What was told of it.
    pub record: Record,
    /// The number of its first map: frames with the same one bear the same maps.
    pub map: Option<u64>,
    /// How many cuts there were before the picture that these maps are of.
    pub scene: u64,
    /// What was explained: `None` stands for the whole frame, else a detector's region and its id. Empty where there was no map.
    pub pictures: Pictures,
}

/// What a line is.
enum Line {
    /// With the number of its first map, and of the scene.
    Frame(Box<Record>, Option<(u64, u64)>),
    End,
    Damaged,
}

impl Recording {
    /// Opens a sidecar, and the maps beside it. What is whole is taken, of which [`remark`](Self::remark) tells.
    ///
    /// # Errors
    /// [`Error::Recording`]: no such file, another one, or none with maps.
    pub fn open(path: &Path) -> Result<Recording> {
        let refuse = |why: String| Error::Recording { path: path.into(), why };
        let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
        let mut lines = BufReader::new(file);
        let head = next(&mut lines).map_err(|error| refuse(error.to_string()))?;
        let header = Header::from_json(&object(&head).unwrap_or_default()).map_err(refuse)?;
        let beside = beside(path);
        if !beside.exists() {
            return Err(refuse(format!("its maps, {beside:?}, are not there; record with --maps (sidecar-maps=true)")));
        }
        let maps = MapReader::open(beside)?;

        let (mut frames, mut lost, mut closed, mut at) = (Vec::new(), 0u64, false, head.len() as u64);
        loop {
            let line = next(&mut lines).map_err(|error| refuse(error.to_string()))?;
            if line.is_empty() {
                break;
            }
            match read(&line) {
                Line::End => closed = true,
                Line::Frame(record, map) => {
                    let whole = map.is_none_or(|(first, _)| first.saturating_add(count(&record)) <= maps.count);
                    frames.extend(record.stream_time.filter(|_| whole).map(|time| Place { time, at }));
                    (lost, closed) = (lost + u64::from(!whole), false);
                }
                Line::Damaged => (lost, closed) = (lost + 1, false),
            }
            at += line.len() as u64;
        }
        let whole = frames.len();
        if whole == 0 {
            return Err(refuse("it tells of no frame with a time; record anew".into()));
        }
        let remark = match (lost, closed) {
            (0, true) => None,
            (0, false) => Some(format!("{path:?} was broken off: its {whole} frames are used")),
            _ => Some(format!(
                "{path:?} is damaged or cut off: {whole} of its {} frames are whole, and used",
                whole as u64 + lost
            )),
        };
        frames.sort_by_key(|place| place.time);
        Ok(Recording { path: path.into(), header, lines, maps, near: near(&frames), frames, remark })
    }

    /// What was recorded, with which settings.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Of how many frames it tells.
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// What is missing of it, in a sentence, if it is not whole.
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// What was seen on the frame at that stream time: of the nearest one, if it is no farther than half of what lies between frames.
    ///
    /// # Errors
    /// [`Error::Recording`]: the line or a map cannot be read any more, or is damaged.
    pub fn at(&mut self, time: Duration) -> Result<Option<Told>> {
        let after = self.frames.partition_point(|place| place.time < time);
        let around = [after.checked_sub(1), Some(after)].into_iter().flatten().filter_map(|i| self.frames.get(i));
        let nearest = around.min_by_key(|place| place.time.abs_diff(time)).copied();
        let Some(place) = nearest.filter(|place| place.time.abs_diff(time) <= self.near) else { return Ok(None) };
        let refuse = |why: String| Error::Recording { path: self.path.clone(), why };
        let here = self.lines.stream_position().map_err(|error| refuse(error.to_string()))?;
        // From line to line nothing that was read ahead is thrown away.
        let way = self.lines.seek_relative(place.at as i64 - here as i64);
        let line = way.and_then(|()| next(&mut self.lines)).map_err(|error| refuse(error.to_string()))?;
        let Line::Frame(record, map) = read(&line) else {
            return Err(refuse(format!("its line at byte {} has changed since it was opened", place.at)));
        };
        let (map, scene) = (map.map(|(first, _)| first), map.map_or(0, |(_, scene)| scene));
        let pictures = map.map_or(Ok(Vec::new()), |first| self.pictures(&record, first))?;
        Ok(Some(Told { record: *record, map, scene, pictures }))
    }

    /// The frame, or its regions, with their maps from this number on.
    fn pictures(&mut self, record: &Record, first: u64) -> Result<Pictures> {
        let (mut number, signed) = (first, self.header.signed);
        let mut explained = |seen: &[Seen],
                             region: Region,
                             best: &[_],
                             took: Option<Duration>|
         -> Result<Explanation> {
            let mut maps = Vec::with_capacity(seen.len());
            for Seen { guess, .. } in seen {
                let (class, map) = self.maps.get(number)?;
                if class != guess.class {
                    let why = format!(
                        "map {number} is one of class {class}, and the sidecar has class {} there; take the files of one recording",
                        guess.class
                    );
                    return Err(Error::Recording { path: self.path.clone(), why });
                }
                maps.push(ClassMap {
                    class,
                    label: guess.label.clone(),
                    score: guess.score,
                    map,
                    signed,
                    reason: None,
                });
                number += 1;
            }
            Ok(Explanation { maps, scores: Scores::listed(best), region, took: took.unwrap_or_default() })
        };
        if let Some(region) = record.region {
            return Ok(vec![(None, explained(&record.seen, region, &record.best, record.inference_time)?)]);
        }
        let regions = record.objects.iter().map(|object| {
            let [x, y, width, height] =
                [object.bounds.x, object.bounds.y, object.bounds.width, object.bounds.height].map(|side| side as usize);
            let part = Part { x, y, width, height }.inside(record.size);
            Ok((Some((part, object.id)), explained(&object.seen, object.region, &object.best, object.inference_time)?))
        });
        regions.collect()
    }
}

/// How many maps a frame has.
fn count(record: &Record) -> u64 {
    (record.seen.len() + record.objects.iter().map(|object| object.seen.len()).sum::<usize>()) as u64
}

/// Half of what lies between most frames.
fn near(frames: &[Place]) -> Duration {
    let mut gaps: Vec<Duration> = frames.windows(2).map(|pair| pair[1].time - pair[0].time).collect();
    let middle = gaps.len() / 2;
    if gaps.is_empty() { NEAR } else { *gaps.select_nth_unstable(middle).1 / 2 }
}

/// The next line with its end; empty behind the last one.
fn next(lines: &mut BufReader<File>) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    lines.take(LONGEST).read_until(b'\n', &mut line)?;
    Ok(line)
}

fn object(line: &[u8]) -> Option<Map<String, Value>> {
    // What has no end was cut off, however well it reads.
    line.strip_suffix(b"\n").and_then(|text| serde_json::from_slice(text).ok())
}

fn read(line: &[u8]) -> Line {
    let Some(object) = object(line) else { return Line::Damaged };
    match Record::from_json(&object) {
        Some(record) => {
            let number = |name: &str| object.get(name).and_then(Value::as_u64);
            Line::Frame(Box::new(record), number(MAP).map(|map| (map, number(SCENE).unwrap_or(0))))
        }
        None if object.contains_key(FRAMES) => Line::End,
        None => Line::Damaged,
    }
}
