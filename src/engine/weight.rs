//! Weights outside of a model's bytes: in memory once, read there by the model and by every session on it.

use std::sync::Arc;

use bytemuck::Pod;
use bytes::Bytes;
use ort::value::{DynValue, PrimitiveTensorElementType, Tensor};

use super::{Config, runtime};
use crate::error::Result;

/// One weight, in memory that sessions use where it lies. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Weight(pub(super) Arc<DynValue>);

/// The bytes of a weight, which stays as long as they do.
struct View(Arc<DynValue>, fn(&DynValue) -> &[u8]);

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        self.1(&self.0)
    }
}

impl Weight {
    /// Moves a weight's bytes (little-endian, `kind` as ONNX names the type) to memory aligned for its type; returns them as they
    /// lie there, too. `None` for a type that stays in the model.
    ///
    /// # Errors
    /// As [`super::Engine::new`], where the runtime is not loaded yet.
    pub fn new(kind: &str, shape: &[usize], bytes: &[u8], config: &Config) -> Result<Option<(Weight, Bytes)>> {
        runtime::load(config.library.as_deref())?;
        let made = match kind {
            "float32" => hold(shape, bytes, f32::from_le_bytes),
            "float16" => hold(shape, bytes, half::f16::from_le_bytes),
            "int8" => hold(shape, bytes, i8::from_le_bytes),
            "uint8" => hold(shape, bytes, u8::from_le_bytes),
            "int16" => hold(shape, bytes, i16::from_le_bytes),
            "uint16" => hold(shape, bytes, u16::from_le_bytes),
            "int32" => hold(shape, bytes, i32::from_le_bytes),
            _ => None,
        };
        Ok(made.map(|(value, view)| (Weight(value.clone()), Bytes::from_owner(View(value, view)))))
    }
}

type Held = (Arc<DynValue>, fn(&DynValue) -> &[u8]);

/// `None` where the runtime does not take the shape with so many bytes.
fn hold<T, const SIZE: usize>(shape: &[usize], bytes: &[u8], read: fn([u8; SIZE]) -> T) -> Option<Held>
where
    T: PrimitiveTensorElementType + Pod + std::fmt::Debug,
{
    let (elements, []) = bytes.as_chunks() else { return None };
    let values: Vec<T> = elements.iter().map(|element| read(*element)).collect();
    let tensor = Tensor::from_array((shape, values)).ok()?;
    Some((Arc::new(tensor.into_dyn()), view::<T>))
}

fn view<T: PrimitiveTensorElementType + Pod>(value: &DynValue) -> &[u8] {
    value.try_extract_tensor::<T>().map_or(&[], |(_, values)| bytemuck::cast_slice(values))
}
