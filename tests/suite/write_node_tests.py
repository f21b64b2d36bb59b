#!/usr/bin/env python3
"""Writes the ONNX project's backend node tests as files: one folder a case, with `model.onnx` and
`test_data_set_0/{input,output}_N.pb`.

Usage: write_node_tests.py FOLDER

The cases come from the PyPI package `onnx`, which builds them in memory. A file `complete` marks a folder that was
written to its end.
"""
import pathlib
import sys
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases


def proto(value, value_info):
    """A value as the message of its type; None stays None."""
    if value is None or isinstance(value, onnx.TensorProto):
        return value
    kind = value_info.type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.from_list(value)
    if kind == "optional_type":
        inner = value_info.type.optional_type.elem_type.WhichOneof("value")
        dtype = onnx.OptionalProto.SEQUENCE if inner == "sequence_type" else onnx.OptionalProto.TENSOR
        return numpy_helper.from_optional(value, dtype=dtype)
    return numpy_helper.from_array(np.asarray(value))


def main(folder):
    folder = pathlib.Path(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    written = 0
    for case in cases:
        if case.model is None or not case.data_sets:
            continue
        place = folder / case.name
        data = place / "test_data_set_0"
        data.mkdir(parents=True, exist_ok=True)
        onnx.save(case.model, place / "model.onnx")
        inputs, outputs = case.data_sets[0]
        graph = case.model.graph
        for what, values, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
            for index, (value, info) in enumerate(zip(values, infos)):
                message = proto(value, info)
                if message is not None:
                    (data / f"{what}_{index}.pb").write_bytes(message.SerializeToString())
        written += 1
    (folder / "complete").write_text(f"{written} cases of onnx {onnx.__version__}\n")
    print(f"{written} node tests written to {folder}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
