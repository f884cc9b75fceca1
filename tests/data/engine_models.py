"""Writes endless.onnx and types.onnx, the two models of tests/engine: python3 tests/data/engine_models.py"""

from pathlib import Path

import onnx
from onnx import TensorProto as T
from onnx import helper as h

HERE = Path(__file__).parent


def save(name, nodes, inputs, outputs, initializers=()):
    graph = h.make_graph(nodes, name, inputs, outputs, list(initializers))
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())


def endless():
    """Runs for ever where the input is positive, ends at once where it is not."""
    info = h.make_tensor_value_info
    body = h.make_graph(
        [h.make_node("Identity", ["go_on"], ["still"]), h.make_node("Identity", ["v"], ["w"])],
        "body",
        [info("i", T.INT64, []), info("go_on", T.BOOL, []), info("v", T.FLOAT, [1])],
        [info("still", T.BOOL, []), info("w", T.FLOAT, [1])],
    )
    nodes = [
        h.make_node("Greater", ["x", "zero"], ["positive"]),
        h.make_node("Squeeze", ["positive"], ["go"]),
        h.make_node("Loop", ["", "go", "x"], ["y"], body=body),
    ]
    zero = h.make_tensor("zero", T.FLOAT, [1], [0.0])
    save("endless", nodes, [info("x", T.FLOAT, [1])], [info("y", T.FLOAT, [1])], [zero])


def types():
    """One output of each kind from x [N, 3] and a count k."""
    info = h.make_tensor_value_info
    cast = {"f16": T.FLOAT16, "i32": T.INT32, "bool": T.BOOL, "u8": T.UINT8}
    nodes = [h.make_node("Add", ["x", "x"], ["f32"]), h.make_node("Add", ["k", "k"], ["i64"])]
    nodes += [h.make_node("Cast", ["x"], [name], to=kind) for name, kind in cast.items()]
    nodes += [h.make_node("SequenceConstruct", ["x", "f32"], ["seq"])]
    shaped = {"f32": T.FLOAT, **cast}
    outputs = [info(name, kind, ["N", 3]) for name, kind in shaped.items()] + [info("i64", T.INT64, [])]
    outputs += [h.make_tensor_sequence_value_info("seq", T.FLOAT, ["N", 3])]
    save("types", nodes, [info("x", T.FLOAT, ["N", 3]), info("k", T.INT64, [])], outputs)


endless()
types()
