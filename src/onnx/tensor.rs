//! Constant tensors: ONNX `TensorProto` to plain vectors and back.

use half::{bf16, f16};

use super::node::Node;
use super::proto::{NodeProto, TensorProto, tensor_proto};

/// Element types by their ONNX number (onnx.proto, `TensorProto.DataType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DType(pub i32);

impl DType {
    /// float32
    pub const F32: DType = DType(1);
    /// uint8
    pub const U8: DType = DType(2);
    /// int32
    pub const I32: DType = DType(6);
    /// int64
    pub const I64: DType = DType(7);
    /// int8
    pub const I8: DType = DType(3);
    /// bool
    pub const BOOL: DType = DType(9);
    /// float16
    pub const F16: DType = DType(10);
    /// float64
    pub const F64: DType = DType(11);
    /// bfloat16
    pub const BF16: DType = DType(16);

    const NAMES: [&'static str; 24] = [
        "undefined",
        "float32",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "int32",
        "int64",
        "string",
        "bool",
        "float16",
        "float64",
        "uint32",
        "uint64",
        "complex64",
        "complex128",
        "bfloat16",
        "float8e4m3fn",
        "float8e4m3fnuz",
        "float8e5m2",
        "float8e5m2fnuz",
        "uint4",
        "int4",
        "float4e2m1",
    ];

    /// ONNX's name of the type.
    pub fn name(self) -> &'static str {
        usize::try_from(self.0).ok().and_then(|i| Self::NAMES.get(i)).copied().unwrap_or("an unknown type")
    }

    /// Whether it is a floating-point type that a Cast brings to float32.
    pub fn is_float(self) -> bool {
        matches!(self.0, 1 | 10 | 11 | 16)
    }

    /// Least and largest value of an integer type that activations and weights are quantised to.
    pub fn quantised(self) -> Option<(f32, f32)> {
        Some(match self.name() {
            "uint4" => (0.0, 15.0),
            "int4" => (-8.0, 7.0),
            "uint8" => (0.0, 255.0),
            "int8" => (-128.0, 127.0),
            "uint16" => (0.0, 65535.0),
            "int16" => (-32768.0, 32767.0),
            _ => return None,
        })
    }

    /// The type of that name; the undefined type if there is none.
    pub fn named(name: &str) -> DType {
        DType(Self::NAMES.iter().position(|n| *n == name).unwrap_or(0) as i32)
    }

    /// Bytes of one element in `raw_data`; 0 for strings, sub-byte and unknown types.
    pub fn size(self) -> usize {
        match self.0 {
            2 | 3 | 9 | 17..=20 => 1,
            4 | 5 | 10 | 16 => 2,
            1 | 6 | 12 => 4,
            7 | 11 | 13 | 14 => 8,
            15 => 16,
            _ => 0,
        }
    }
}

/// The values of a tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Data {
    /// float32 (float16 and bfloat16 are widened, float64 is rounded)
    F32(Vec<f32>),
    /// int64 (int32 is widened)
    I64(Vec<i64>),
    /// bool
    Bool(Vec<bool>),
    /// To write only: any other type, and the elements' bytes, little-endian.
    Raw(DType, Vec<u8>),
}

/// A constant: shape and values.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Axis lengths; empty for a scalar.
    pub shape: Vec<usize>,
    /// `shape.product()` values.
    pub data: Data,
}

impl Tensor {
    /// A float32 tensor.
    pub fn f32(shape: &[usize], data: Vec<f32>) -> Tensor {
        Tensor { shape: shape.to_vec(), data: Data::F32(data) }
    }

    /// A one-axis int64 tensor.
    pub fn i64s(data: &[i64]) -> Tensor {
        Tensor { shape: vec![data.len()], data: Data::I64(data.to_vec()) }
    }

    /// Its type.
    pub fn dtype(&self) -> DType {
        match self.data {
            Data::F32(_) => DType::F32,
            Data::I64(_) => DType::I64,
            Data::Bool(_) => DType::BOOL,
            Data::Raw(dtype, _) => dtype,
        }
    }

    /// The values, if they are float32.
    pub fn as_f32(&self) -> Option<&[f32]> {
        if let Data::F32(v) = &self.data { Some(v) } else { None }
    }

    /// The values, if they are int64 or int32.
    pub fn as_i64(&self) -> Option<&[i64]> {
        if let Data::I64(v) = &self.data { Some(v) } else { None }
    }

    pub(super) fn to_proto(&self, name: &str) -> TensorProto {
        let mut proto = TensorProto::new();
        proto.set_name(name.into());
        proto.dims = self.shape.iter().map(|&d| d as i64).collect();
        proto.set_data_type(self.dtype().0);
        proto.set_raw_data(match &self.data {
            Data::F32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::I64(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::Bool(v) => v.iter().map(|&x| x as u8).collect(),
            Data::Raw(_, bytes) => bytes.clone().into(),
        });
        proto
    }

    /// `None` for types that are not read here (quantised, strings).
    pub(super) fn from_proto(proto: &TensorProto) -> Option<Tensor> {
        let shape: Vec<usize> = proto.dims.iter().map(|&d| d as usize).collect();
        let raw = proto.has_raw_data().then(|| proto.raw_data());
        let data = match DType(proto.data_type()) {
            DType::F32 => {
                Data::F32(raw.map_or_else(|| proto.float_data.clone(), |raw| decode(raw, f32::from_le_bytes)))
            }
            // halves without raw data lie in int32_data, bit by bit
            DType::F16 => Data::F32(raw.map_or_else(
                || proto.int32_data.iter().map(|&x| f16::from_bits(x as u16).to_f32()).collect(),
                |raw| decode(raw, |b| f16::from_le_bytes(b).to_f32()),
            )),
            DType::BF16 => Data::F32(raw.map_or_else(
                || proto.int32_data.iter().map(|&x| bf16::from_bits(x as u16).to_f32()).collect(),
                |raw| decode(raw, |b| bf16::from_le_bytes(b).to_f32()),
            )),
            DType::F64 => Data::F32(raw.map_or_else(
                || proto.double_data.iter().map(|&x| x as f32).collect(),
                |raw| decode(raw, |b| f64::from_le_bytes(b) as f32),
            )),
            DType::I64 => {
                Data::I64(raw.map_or_else(|| proto.int64_data.clone(), |raw| decode(raw, i64::from_le_bytes)))
            }
            DType::I32 => Data::I64(raw.map_or_else(
                || proto.int32_data.iter().map(|&x| x.into()).collect(),
                |raw| decode(raw, |b| i32::from_le_bytes(b).into()),
            )),
            DType::BOOL => Data::Bool(raw.map_or_else(
                || proto.int32_data.iter().map(|&x| x != 0).collect(),
                |raw| raw.iter().map(|&x| x != 0).collect(),
            )),
            _ => return None,
        };
        Some(Tensor { shape, data })
    }
}

fn decode<const N: usize, T>(raw: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
    raw.as_chunks::<N>().0.iter().map(|&chunk| from(chunk)).collect()
}

/// Most axes of a tensor; the operators that there are take no more than six or so.
const MAX_AXES: usize = 64;

/// What to call a tensor in a message; those in a node's attribute often have no name.
pub(super) fn place(tensor: &TensorProto, node: Option<&NodeProto>) -> String {
    let name = if tensor.name().is_empty() { "a tensor".into() } else { format!("tensor {:?}", tensor.name()) };
    let inside = node.map(|n| format!(" in the {} node {:?}", n.op_type(), Node { proto: n }.name()));
    name + &inside.unwrap_or_default()
}

/// Why a tensor is refused whose sizes do not fit its data. Nothing is ever allocated by what a file merely claims.
pub(super) fn check(proto: &TensorProto) -> Result<(), String> {
    let dtype = DType(proto.data_type());
    if proto.dims.len() > MAX_AXES {
        return Err(format!("has {} axes", proto.dims.len()));
    }
    let mut count = 1usize;
    for &dim in &proto.dims {
        let Some(next) = usize::try_from(dim).ok().and_then(|d| count.checked_mul(d)) else {
            return Err(format!("has the impossible shape {:?}", proto.dims));
        };
        count = next;
    }
    if proto.data_location() == tensor_proto::DataLocation::EXTERNAL {
        return Ok(());
    }
    let held = match dtype.0 {
        _ if proto.has_raw_data() && dtype.size() > 0 => {
            if !proto.raw_data().len().is_multiple_of(dtype.size()) {
                return Err(format!("has {} bytes of data, not a multiple of its type's size", proto.raw_data().len()));
            }
            proto.raw_data().len() / dtype.size()
        }
        1 | 14 => proto.float_data.len() / if dtype.0 == 14 { 2 } else { 1 },
        7 => proto.int64_data.len(),
        2..=6 | 9 | 10 | 16..=20 => proto.int32_data.len(),
        8 => proto.string_data.len(),
        11 | 15 => proto.double_data.len() / if dtype.0 == 15 { 2 } else { 1 },
        12 | 13 => proto.uint64_data.len(),
        21..=26 => return Ok(()), // sub-byte types pack several values; the runtime checks them
        other => return Err(format!("has the unknown type number {other}")),
    };
    if held != count {
        return Err(format!("claims shape {:?} = {count} values but holds {held}", proto.dims));
    }
    Ok(())
}
