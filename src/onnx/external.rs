//! External data: weights beside the model file, checked and read into memory before anybody else sees them.
//!
//! The checks are the ones that ONNX's own advisories teach (CVE-2022-25882, CVE-2024-27318, CVE-2025-51480): no absolute
//! path, no `..`, no link out of the model's folder, regular files only, offset and length inside the file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use super::proto::{GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, tensor_proto::DataLocation};
use super::tensor::{self, DType};
use crate::error::{Error, Result};

/// Replaces every reference to a file by the bytes that it means: in weights, attributes, sub-graphs and functions, wherever
/// the runtime would follow one. `folder` is the model's, `room` the bytes that may be added.
pub(super) fn inline(model: &mut ModelProto, folder: Option<&Path>, room: u64) -> Result<()> {
    let mut reader = Reader { folder, room };
    model.graph.as_mut().map_or(Ok(()), |graph| reader.graph(graph))?;
    model.functions.iter_mut().flat_map(|f| &mut f.node).try_for_each(|node| reader.node(node))
}

struct Reader<'a> {
    folder: Option<&'a Path>,
    room: u64,
}

impl Reader<'_> {
    /// How deep graphs nest was checked before.
    fn graph(&mut self, graph: &mut GraphProto) -> Result<()> {
        graph.initializer.iter_mut().try_for_each(|t| self.tensor(t, None))?;
        graph.sparse_initializer.iter_mut().try_for_each(|s| self.sparse(s, None))?;
        graph.node.iter_mut().try_for_each(|n| self.node(n))
    }

    fn node(&mut self, node: &mut NodeProto) -> Result<()> {
        let mut attributes = std::mem::take(&mut node.attribute);
        for attr in &mut attributes {
            attr.t.as_mut().into_iter().chain(&mut attr.tensors).try_for_each(|t| self.tensor(t, Some(node)))?;
            let sparse = attr.sparse_tensor.as_mut().into_iter().chain(&mut attr.sparse_tensors);
            sparse.into_iter().try_for_each(|s| self.sparse(s, Some(node)))?;
            attr.g.as_mut().into_iter().chain(&mut attr.graphs).try_for_each(|g| self.graph(g))?;
        }
        node.attribute = attributes;
        Ok(())
    }

    fn sparse(&mut self, sparse: &mut SparseTensorProto, node: Option<&NodeProto>) -> Result<()> {
        let parts = sparse.values.as_mut().into_iter().chain(sparse.indices.as_mut());
        parts.into_iter().try_for_each(|t| self.tensor(t, node))
    }

    fn tensor(&mut self, tensor: &mut TensorProto, node: Option<&NodeProto>) -> Result<()> {
        if tensor.data_location() != DataLocation::EXTERNAL {
            return Ok(());
        }
        let place = tensor::place(tensor, node);
        let bad = |why: String| Error::ModelDamaged { why: format!("{place} keeps its data outside, {why}") };
        let entry = |key: &str| tensor.external_data.iter().find(|e| e.key() == key).map(|e| e.value().to_string());
        let number = |key: &str| match entry(key) {
            None => Ok(None),
            Some(text) => text.parse::<u64>().map(Some).map_err(|_| bad(format!("but its {key} is {text:?}"))),
        };
        let location = entry("location").ok_or_else(|| bad("but names no file".into()))?;
        let Some(folder) = self.folder else {
            return Err(Error::ModelUnusable {
                why: format!("{place} keeps its data in {location:?}; open the model by its path, not from memory"),
            });
        };
        let path = Path::new(&location);
        let inside = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        let named = path.file_name().is_some();
        if location.contains("_ORT_MEM_ADDR_") || location.contains('\0') || !inside || !named {
            return Err(bad(format!("in {location:?}, which is not a plain path inside the model's folder: refused")));
        }
        let unreadable = |path: &Path, why: String| Error::ModelUnreadable { path: path.into(), why };
        let root = folder.canonicalize().map_err(|e| unreadable(folder, e.to_string()))?;
        let real = root.join(path).canonicalize().map_err(|e| {
            unreadable(&root.join(path), format!("{e}; the model keeps {place} there, copy that file too"))
        })?;
        if !real.starts_with(&root) {
            return Err(bad(format!("in {location:?}, a link that leads out of the model's folder: refused")));
        }
        if !real.metadata().map_err(|e| unreadable(&real, e.to_string()))?.is_file() {
            return Err(bad(format!("in {location:?}, which is not a regular file")));
        }
        let mut file = File::open(&real).map_err(|e| unreadable(&real, format!("{e}; check its permissions")))?;
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
        self.room = self.room.checked_sub(length).ok_or_else(|| Error::ModelUnusable {
            why: "with its external weights it has more than 2 GiB, which is not supported yet".into(),
        })?;
        let mut data = vec![0; usize::try_from(length).map_err(|_| bad("too long for this machine".into()))?];
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(&mut data))
            .map_err(|e| unreadable(&real, e.to_string()))?;
        tensor.set_raw_data(data.into());
        tensor.external_data.clear();
        tensor.clear_data_location();
        Ok(())
    }
}
