//! Arrays to and from the runtime's values, and its types by the names that ONNX users know.

use ndarray::ArrayViewD;
use ort::session::SessionInputValue;
use ort::value::{DynValue, Outlet, PrimitiveTensorElementType, TensorElementType, TensorRef, ValueType};

use super::{Info, Input, Output};

/// An array as a value that borrows it.
pub fn feed<'v>(input: &'v Input<'_>) -> ort::Result<SessionInputValue<'v>> {
    Ok(match input {
        Input::F32(array) => borrow(array)?,
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
        TensorElementType::Int64 => Output::I64(value.try_extract_array::<i64>()?.into_owned()),
        TensorElementType::Int32 => Output::I32(value.try_extract_array::<i32>()?.into_owned()),
        TensorElementType::Bool => Output::Bool(value.try_extract_array::<bool>()?.into_owned()),
        _ => outline(value),
    })
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
