//! A model's input as an .npy file: float32, or another type that models take, as float32.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use half::f16;
use ndarray::ArrayD;
use ndarray_npy::{ReadDataError, ReadNpyExt, ReadableElement};
use py_literal::Value;

use crate::Result;

/// The values of a file, which must have that shape.
pub fn read(path: &Path, shape: &[usize]) -> Result<ArrayD<f32>> {
    let file = File::open(path).map_err(|error| format!("cannot read {path:?}: {error}"))?;
    let tensor = ArrayD::<Number>::read_npy(BufReader::new(file)).map_err(|error| {
        format!(
            "cannot read {path:?}: {error}; write it as float32, float16, float64, uint8 or int8: numpy.save(file, \
             tensor.astype('float32'))"
        )
    })?;
    if tensor.shape() != shape {
        return Err(format!("{path:?} has the shape {:?}, but the model's input is {shape:?}", tensor.shape()).into());
    }
    // A file in Fortran order is read right, but lies in memory as it was written.
    Ok(tensor.map(|Number(x)| *x).as_standard_layout().into_owned())
}

/// One value, of whatever type it was written in.
struct Number(f32);

impl ReadableElement for Number {
    fn read_to_end_exact_vec<R: Read>(mut from: R, kind: &Value, len: usize) -> Result<Vec<Number>, ReadDataError> {
        let mut bytes = Vec::new();
        let mut all = |size: usize| -> Result<Vec<u8>, ReadDataError> {
            let expected = len.saturating_mul(size);
            // the header's word is not taken for how much there is
            from.by_ref().take(expected as u64).read_to_end(&mut bytes)?;
            if bytes.len() < expected {
                return Err(ReadDataError::MissingData);
            }
            match from.read_to_end(&mut Vec::new())? {
                0 => Ok(std::mem::take(&mut bytes)),
                extra => Err(ReadDataError::ExtraBytes(extra)),
            }
        };
        let kind_name = if let Value::String(name) = kind { name.trim_start_matches(['|', '=']) } else { "" };
        let values: Vec<f32> = match kind_name {
            "<f4" | "f4" => chunks(&all(4)?, f32::from_le_bytes),
            ">f4" => chunks(&all(4)?, f32::from_be_bytes),
            "<f2" | "f2" => chunks(&all(2)?, |b| f16::from_le_bytes(b).to_f32()),
            "<f8" | "f8" => chunks(&all(8)?, |b| f64::from_le_bytes(b) as f32),
            "u1" => chunks(&all(1)?, |b| u8::from_le_bytes(b).into()),
            "i1" => chunks(&all(1)?, |b| i8::from_le_bytes(b).into()),
            _ => return Err(ReadDataError::WrongDescriptor(kind.clone())),
        };
        Ok(values.into_iter().map(Number).collect())
    }
}

fn chunks<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| read(chunk)).collect()
}
