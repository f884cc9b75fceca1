//! External data: weights beside the model file, checked and read into memory before anybody else sees them.
//!
//! The checks are the ones that ONNX's own advisories teach (CVE-2022-25882, CVE-2024-27318, CVE-2025-51480): no absolute
//! path, no `..`, no link out of the model's folder, regular files only, offset and length inside the file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use super::proto::{TensorProto, tensor_proto::DataLocation};
use super::tensor::DType;
use crate::error::{Error, Result};

/// Replaces an external tensor's reference by its bytes; `folder` is the model's.
pub(super) fn inline(tensor: &mut TensorProto, folder: Option<&Path>) -> Result<()> {
    if tensor.data_location() != DataLocation::EXTERNAL {
        return Ok(());
    }
    let name = tensor.name().to_string();
    let bad = |why: String| Error::ModelDamaged { why: format!("tensor {name:?} keeps its data outside, {why}") };
    let entry = |key: &str| tensor.external_data.iter().find(|e| e.key() == key).map(|e| e.value().to_string());
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| bad(format!("but its {key} is {text:?}"))),
    };
    let location = entry("location").ok_or_else(|| bad("but names no file".into()))?;
    let Some(folder) = folder else {
        return Err(bad(format!("in {location:?}; open the model by its path, not from memory")));
    };
    let path = Path::new(&location);
    let inside = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if location.contains("_ORT_MEM_ADDR_") || location.contains('\0') || !inside {
        return Err(bad(format!("in {location:?}, which is not a plain path inside the model's folder: refused")));
    }
    let unreadable = |path: &Path, why: String| Error::ModelUnreadable { path: path.into(), why };
    let root = folder.canonicalize().map_err(|e| unreadable(folder, e.to_string()))?;
    let real = root.join(path).canonicalize().map_err(|e| {
        unreadable(&root.join(path), format!("{e}; the model keeps the weights of {name:?} there, copy that file too"))
    })?;
    if !real.starts_with(&root) {
        return Err(bad(format!("in {location:?}, a link that leads out of the model's folder: refused")));
    }
    if !real.metadata().map_err(|e| unreadable(&real, e.to_string()))?.is_file() {
        return Err(bad(format!("in {location:?}, which is not a regular file")));
    }
    let mut file = File::open(&real).map_err(|e| unreadable(&real, e.to_string()))?;
    let size = file.metadata().map_err(|e| unreadable(&real, e.to_string()))?.len();
    let offset = number("offset")?.unwrap_or(0);
    let count = tensor.dims.iter().try_fold(1u64, |n, &d| n.checked_mul(u64::try_from(d).ok()?));
    let expected = count.and_then(|n| n.checked_mul(DType(tensor.data_type()).size() as u64));
    let length = match (number("length")?, expected) {
        (Some(length), Some(expected)) if expected > 0 && length != expected => {
            return Err(bad(format!("but claims {length} bytes where its shape needs {expected}")));
        }
        (Some(length), _) => length,
        (None, Some(expected)) if expected > 0 => expected,
        _ => return Err(bad("but does not say how long it is".into())),
    };
    if offset.checked_add(length).is_none_or(|end| end > size) {
        return Err(bad(format!("at bytes {offset}+{length} of {location:?}, which has only {size} bytes")));
    }
    let mut data = vec![0; usize::try_from(length).map_err(|_| bad("too long for this machine".into()))?];
    file.seek(SeekFrom::Start(offset))
        .and_then(|_| file.read_exact(&mut data))
        .map_err(|e| unreadable(&real, e.to_string()))?;
    tensor.set_raw_data(data);
    tensor.external_data.clear();
    tensor.clear_data_location();
    Ok(())
}
