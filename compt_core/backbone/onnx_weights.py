"""The weights in a file of the ONNX format, as arrays; nothing of its graph is run. Loads no torch.

Such a file is a protobuf message. The `protobuf` library reads it by the few fields that are declared here, with the
numbers that https://github.com/onnx/onnx/blob/main/onnx/onnx.proto gives them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

_KINDS = {1: "<f4", 2: "<u1", 3: "<i1"}  # TensorProto.DataType: FLOAT, UINT8 and INT8
_CODES, _SCALE, _ZERO = "_quantized", "_scale", "_zero_point"  # endings of the three parts of a weight in 8 bits


def read_weights(content: bytes) -> dict[str, np.ndarray]:
    """The weights (ONNX: initializers) of a file's `content` by name, as float32 of their shapes.

    A weight in 8 bits stands there as whole numbers, a scale and a zero point: it is (number - zero point) * scale.
    Raises ValueError where the content is not of this format or has weights of another type.
    """
    found = {one.name: _array(one) for one in _read(content)}
    weights = {name: values for name, values in found.items() if not name.endswith((_CODES, _SCALE, _ZERO))}
    for name in [name.removesuffix(_CODES) for name in found if name.endswith(_CODES)]:
        codes, zero, scale = (found[name + ending].astype(np.float32) for ending in (_CODES, _ZERO, _SCALE))
        weights[name] = (codes - zero) * scale
    return weights


def _read(content: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return _message().FromString(content).graph.initializer
    except DecodeError as error:
        raise ValueError(f"This is not a file of the ONNX format: {error}") from None


def _array(tensor: Any) -> np.ndarray:
    """The values of a TensorProto, which stand as bytes or, where they are few, as numbers."""
    if tensor.data_type not in _KINDS:
        raise ValueError(f"The weight {tensor.name} has type {tensor.data_type}; only {sorted(_KINDS)} can be read.")
    kind = np.dtype(_KINDS[tensor.data_type])
    values = np.frombuffer(tensor.raw_data, kind) if tensor.raw_data else \
        np.array(tensor.float_data or tensor.int32_data, kind)
    return values.reshape(tuple(tensor.dims))


@lru_cache(maxsize=1)
def _message() -> Any:
    """The class of an ONNX ModelProto with the fields on the way to its weights; the library skips all others."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="weights_of_onnx.proto", package="weights_of_onnx", syntax="proto2")
    for message, fields in {
        "Tensor": (("dims", 1, field.TYPE_INT64), ("data_type", 2, field.TYPE_INT32),
                   ("float_data", 4, field.TYPE_FLOAT), ("int32_data", 5, field.TYPE_INT32),
                   ("name", 8, field.TYPE_STRING), ("raw_data", 9, field.TYPE_BYTES)),
        "Graph": (("initializer", 5, "Tensor"),),
        "Model": (("graph", 7, "Graph"),),
    }.items():
        described = file.message_type.add(name=message)
        for name, number, kind in fields:
            many = name in ("dims", "float_data", "int32_data", "initializer")
            own = {"type": kind} if isinstance(kind, int) else \
                {"type": field.TYPE_MESSAGE, "type_name": f".{file.package}.{kind}"}
            described.field.add(name=name, number=number,
                                label=field.LABEL_REPEATED if many else field.LABEL_OPTIONAL, **own)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.Model"))
