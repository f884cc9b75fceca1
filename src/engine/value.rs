//! Arrays to and from the runtime's values, and its types by the names that ONNX users know.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use ndarray::{ArrayD, ArrayViewD};
use ort::session::SessionInputValue;
use ort::value::{DynValue, Outlet, PrimitiveTensorElementType, TensorElementType, TensorRef, ValueType};

use super::{Info, Input, Output};

/// Where float32 values are brought to the type of a model's input; kept from run to run.
#[derive(Debug)]
pub enum Buffer {
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
    F64(Vec<f64>),
    U8(Vec<u8>),
    I8(Vec<i8>),
}

impl Buffer {
    /// For an input of that type; `None` for those that take what is given.
    pub fn of(kind: &str) -> Option<Buffer> {
        Some(match kind {
            "float16" => Buffer::F16(Vec::new()),
            "bfloat16" => Buffer::Bf16(Vec::new()),
            "float64" => Buffer::F64(Vec::new()),
            "uint8" => Buffer::U8(Vec::new()),
            "int8" => Buffer::I8(Vec::new()),
            _ => return None,
        })
    }

    /// Integers get the nearest value that they have.
    pub fn fill(&mut self, values: &[f32]) {
        fn each<T: Copy + Default>(to: &mut Vec<T>, from: &[f32], convert: impl Fn(f32) -> T) {
            to.resize(from.len(), T::default());
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = convert(from));
        }
        match self {
            Buffer::F16(to) => {
                to.resize(values.len(), f16::ZERO);
                to.convert_from_f32_slice(values);
            }
            Buffer::Bf16(to) => {
                to.resize(values.len(), bf16::ZERO);
                to.convert_from_f32_slice(values);
            }
            Buffer::F64(to) => each(to, values, f64::from),
            Buffer::U8(to) => each(to, values, |x| x.round() as u8),
            Buffer::I8(to) => each(to, values, |x| x.round() as i8),
        }
    }

    /// What was filled in, as a value of that shape that borrows it.
    fn feed<'v>(&'v self, shape: &'v [usize]) -> ort::Result<SessionInputValue<'v>> {
        Ok(match self {
            Buffer::F16(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
            Buffer::Bf16(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
            Buffer::F64(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
            Buffer::U8(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
            Buffer::I8(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
        })
    }
}

/// An array as a value that borrows it, or what it was converted to.
pub fn feed<'v>(input: &'v Input<'_>, converted: Option<&'v Buffer>) -> ort::Result<SessionInputValue<'v>> {
    Ok(match input {
        Input::F32(array) => match converted {
            Some(buffer) => buffer.feed(array.shape())?,
            None => borrow(array)?,
        },
        Input::I64(array) => borrow(array)?,
        Input::U8(array) => borrow(array)?,
    })
}

fn borrow<'v, T>(array: &'v ArrayViewD<'_, T>) -> ort::Result<SessionInputValue<'v>>
where
    T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static,
{
    Ok(TensorRef::from_array_view(array.view())?.into())
}

/// Type and shape of what goes in.
pub fn given<'v>(input: &'v Input<'_>) -> (&'static str, &'v [usize]) {
    match input {
        Input::F32(array) => ("float32", array.shape()),
        Input::I64(array) => ("int64", array.shape()),
        Input::U8(array) => ("uint8", array.shape()),
    }
}

/// A value as an array of its own.
pub fn fetch(value: &DynValue) -> ort::Result<Output> {
    let ValueType::Tensor { ty, .. } = value.dtype() else {
        return Ok(outline(value));
    };
    Ok(match ty {
        TensorElementType::Float32 => Output::F32(value.try_extract_array::<f32>()?.into_owned()),
        TensorElementType::Float16 => Output::F32(widened(value, f16::to_f32)?),
        TensorElementType::Bfloat16 => Output::F32(widened(value, bf16::to_f32)?),
        TensorElementType::Float64 => Output::F32(widened(value, |x: f64| x as f32)?),
        TensorElementType::Int64 => Output::I64(value.try_extract_array::<i64>()?.into_owned()),
        TensorElementType::Int32 => Output::I32(value.try_extract_array::<i32>()?.into_owned()),
        TensorElementType::Int8 => Output::I32(widened(value, <i32 as From<i8>>::from)?),
        TensorElementType::Uint8 => Output::I32(widened(value, <i32 as From<u8>>::from)?),
        TensorElementType::Int16 => Output::I32(widened(value, <i32 as From<i16>>::from)?),
        TensorElementType::Uint16 => Output::I32(widened(value, <i32 as From<u16>>::from)?),
        TensorElementType::Bool => Output::Bool(value.try_extract_array::<bool>()?.into_owned()),
        _ => outline(value),
    })
}

fn widened<T: PrimitiveTensorElementType + Copy, W>(value: &DynValue, to: impl Fn(T) -> W) -> ort::Result<ArrayD<W>> {
    Ok(value.try_extract_array::<T>()?.mapv(to))
}

/// Type and shape of a value.
pub fn outline(value: &DynValue) -> Output {
    let shape = value
        .dtype()
        .tensor_shape()
        .map(|shape| shape.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect());
    Output::Other(kind(value.dtype()), shape.unwrap_or_default())
}

/// What the model declares of an input or output.
pub fn info(outlet: &Outlet) -> Info {
    let shape = outlet.dtype().tensor_shape().map(|shape| shape.to_vec()).unwrap_or_default();
    Info { name: outlet.name().to_owned(), kind: kind(outlet.dtype()), shape }
}

fn kind(kind: &ValueType) -> String {
    match kind {
        ValueType::Tensor { ty, .. } => element(*ty),
        ValueType::Sequence(_) => "sequence".into(),
        ValueType::Map { .. } => "map".into(),
        ValueType::Optional(_) => "optional".into(),
    }
}

/// "f32" is Rust's word; ONNX, NumPy and the error messages of both say "float32".
fn element(ty: TensorElementType) -> String {
    let short = ty.to_string();
    let long = [
        ("bf16", "bfloat16"),
        ("f8", "float8"),
        ("f4", "float4"),
        ("f16", "float16"),
        ("f32", "float32"),
        ("f64", "float64"),
    ];
    let long = long.iter().chain(&[("c64", "complex64"), ("c128", "complex128"), ("String", "string")]);
    if let Some((from, to)) = long.into_iter().find(|(from, _)| short.starts_with(from)) {
        return short.replacen(from, to, 1);
    }
    let digits = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit());
    match short.split_at(1) {
        ("u", rest) if digits(rest) => format!("uint{rest}"),
        ("i", rest) if digits(rest) => format!("int{rest}"),
        _ => short,
    }
}
