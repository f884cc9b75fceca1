//! The file of raw maps beside a sidecar (`.gcm`): records of one size one after the other, so that each is found by its number, and
//! what was cut off in the middle is whole up to there. `docs/recording.md` has the layout.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ndarray::Array2;

use crate::error::{Error, Result};

/// What the file begins with; the last letter is the form.
const MAGIC: &[u8; 8] = b"GradCAM1";
/// Bytes before the first record: the magic, rows and columns, and room for more.
const HEAD: usize = 32;
/// Bytes of a record before its values: time, class, checksum.
const LEAD: usize = 16;
/// More values than this no map has.
const MOST: usize = 1 << 26;

/// Writes maps.
#[derive(Debug)]
pub(super) struct MapWriter {
    path: PathBuf,
    file: File,
    /// Of each map, from the first one on.
    size: Option<(usize, usize)>,
    count: u64,
}

impl MapWriter {
    /// # Errors
    /// [`Error::Unwritable`].
    pub(super) fn create(path: PathBuf) -> Result<MapWriter> {
        let file = File::create(&path).map_err(|error| Error::unwritable(&path, error))?;
        Ok(MapWriter { path, file, size: None, count: 0 })
    }

    /// Appends a class's map of the frame at that time; its number comes back.
    ///
    /// # Errors
    /// [`Error::Unwritable`], also for a map of another size than the first.
    pub(super) fn add(&mut self, time: Option<Duration>, class: usize, map: &Array2<f32>) -> Result<u64> {
        let (rows, columns) = *self.size.get_or_insert(map.dim());
        if map.dim() != (rows, columns) {
            let why = format!(
                "the maps change from {rows}x{columns} to {}x{} values, and a file holds maps of one size; give input-size, or record \
                 without maps",
                map.nrows(),
                map.ncols()
            );
            return Err(Error::Unwritable { path: self.path.clone(), full: false, why });
        }
        let mut bytes = Vec::with_capacity(HEAD + LEAD + 4 * map.len());
        if self.count == 0 {
            bytes.extend_from_slice(MAGIC);
            bytes.extend([rows, columns].iter().flat_map(|side| (*side as u32).to_le_bytes()));
            bytes.resize(HEAD, 0);
        }
        let start = bytes.len();
        let nanoseconds = time.and_then(|time| u64::try_from(time.as_nanos()).ok());
        bytes.extend(nanoseconds.unwrap_or(u64::MAX).to_le_bytes());
        bytes.extend((class as u32).to_le_bytes());
        let values: Vec<u8> = map.iter().flat_map(|value| value.to_le_bytes()).collect();
        let sum = crc32(&[&bytes[start..], &values]);
        bytes.extend(sum.to_le_bytes());
        bytes.extend(values);
        // In one piece and past any buffer of ours: whoever is killed has lost no whole record.
        self.file.write_all(&bytes).map_err(|error| Error::unwritable(&self.path, error))?;
        self.count += 1;
        Ok(self.count - 1)
    }
}

/// Reads maps by their numbers.
#[derive(Debug)]
pub(super) struct MapReader {
    path: PathBuf,
    file: File,
    size: (usize, usize),
    /// How many are whole.
    pub(super) count: u64,
}

impl MapReader {
    /// # Errors
    /// [`Error::Recording`]: no such file, or another one.
    pub(super) fn open(path: PathBuf) -> Result<MapReader> {
        let refuse = |why: String| Error::Recording { path: path.clone(), why };
        let mut file = File::open(&path).map_err(|error| refuse(error.to_string()))?;
        let length = file.metadata().map_err(|error| refuse(error.to_string()))?.len();
        if length == 0 {
            // No map was seen.
            return Ok(MapReader { path, file, size: (0, 0), count: 0 });
        }
        let mut head = [0; HEAD];
        let read = file.read_exact(&mut head);
        if read.is_err() || head[..8] != MAGIC[..] {
            return Err(refuse("it is no file of maps; name one that was written with the sidecar".into()));
        }
        let side = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let size = (side(8), side(12));
        if size.0 == 0 || size.1 == 0 || size.0.checked_mul(size.1).is_none_or(|values| values > MOST) {
            return Err(refuse(format!("its maps cannot be of {}x{} values; record anew", size.0, size.1)));
        }
        let count = (length - HEAD as u64) / record(size) as u64;
        Ok(MapReader { path, file, size, count })
    }

    /// The class and map of a number.
    ///
    /// # Errors
    /// [`Error::Recording`] where its bytes have changed since it was written, or cannot be read.
    pub(super) fn get(&mut self, number: u64) -> Result<(usize, Array2<f32>)> {
        let refuse = |why: String| Error::Recording { path: self.path.clone(), why };
        let length = record(self.size);
        let mut bytes = vec![0; length];
        let at = number.checked_mul(length as u64).and_then(|at| at.checked_add(HEAD as u64));
        let at = at.filter(|_| number < self.count).ok_or_else(|| refuse(format!("it has no map {number}")))?;
        let read = self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|error| refuse(format!("map {number} cannot be read: {error}")))?;
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if word(12) != crc32(&[&bytes[..12], &bytes[LEAD..]]) {
            return Err(refuse(format!(
                "map {number} is damaged (its checksum differs); copy the file again, or record anew"
            )));
        }
        let values = bytes[LEAD..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let map = Array2::from_shape_vec(self.size, values).map_err(|error| refuse(error.to_string()))?;
        Ok((word(8) as usize, map))
    }
}

/// Bytes of a record of maps of (rows, columns).
fn record((rows, columns): (usize, usize)) -> usize {
    LEAD + 4 * rows * columns
}

/// Where the maps of a sidecar lie: beside it, under its name.
pub(super) fn beside(sidecar: &Path) -> PathBuf {
    sidecar.with_extension("gcm")
}

/// The checksum of zlib, PNG and Python's `zlib.crc32`.
fn crc32(parts: &[&[u8]]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    parts.iter().for_each(|part| sum.update(part));
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn written(count: usize) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gcm");
        let mut writer = MapWriter::create(path.clone()).unwrap();
        for i in 0..count {
            let map = array![[i as f32, 0.5, f32::MIN_POSITIVE], [-1.25, 1e30, 0.1]];
            assert_eq!(writer.add(Some(Duration::from_millis(40 * i as u64)), 7 + i, &map).unwrap(), i as u64);
        }
        (folder, path)
    }

    #[test]
    fn maps_come_back_to_the_bit_in_any_order() {
        let (_folder, path) = written(3);
        let mut reader = MapReader::open(path).unwrap();
        assert_eq!(reader.count, 3);
        for i in [2, 0, 1] {
            let (class, map) = reader.get(i).unwrap();
            assert_eq!((class, map[(0, 0)], map[(0, 2)]), (7 + i as usize, i as f32, f32::MIN_POSITIVE));
        }
        assert!(reader.get(3).unwrap_err().to_string().contains("no map 3"));
        assert!(reader.get(u64::MAX).is_err());
    }

    #[test]
    fn what_is_cut_off_is_whole_up_to_there_and_what_is_damaged_is_noticed() {
        let (_folder, path) = written(3);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), HEAD + 3 * (LEAD + 24));
        for (length, count) in [(bytes.len() - 1, 2), (HEAD + LEAD + 24, 1), (HEAD + 39, 0), (HEAD, 0), (0, 0)] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert_eq!(MapReader::open(path.clone()).unwrap().count, count, "{length} bytes");
        }
        let mut changed = bytes.clone();
        changed[HEAD + LEAD + 24 + LEAD + 3] ^= 1;
        std::fs::write(&path, changed).unwrap();
        let mut reader = MapReader::open(path.clone()).unwrap();
        assert!(reader.get(0).is_ok() && reader.get(2).is_ok());
        assert!(reader.get(1).unwrap_err().to_string().contains("map 1 is damaged"));
        for wrong in [&b"GradCAM2........................"[..], b"Grad", &[&MAGIC[..], &[0xff; 24]].concat()] {
            std::fs::write(&path, wrong).unwrap();
            assert!(MapReader::open(path.clone()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn maps_of_two_sizes_are_refused() {
        let (_folder, path) = written(0);
        let mut writer = MapWriter::create(path).unwrap();
        writer.add(None, 0, &array![[1.0, 2.0]]).unwrap();
        let error = writer.add(None, 0, &array![[1.0], [2.0]]).unwrap_err().to_string();
        assert!(error.contains("1x2 to 2x1"), "{error}");
    }
}
