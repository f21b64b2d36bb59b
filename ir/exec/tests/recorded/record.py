#!/usr/bin/env python3
"""Writes `cases.txt`: one-operator models with random operands and the results that ONNX Runtime gives.

Usage: record.py > cases.txt   (needs onnx, onnxruntime, numpy; the figures committed are those of ONNX Runtime 1.31.1)

Only what ONNX Runtime computes by the specification is recorded; where the two differ, tests elsewhere state the figures.
Everything is drawn from one seed, so a change of a case changes those after it.
"""
import numpy as np
import onnxruntime
from onnx import helper

RNG = np.random.default_rng(2026)


def floats(*shape):
    return RNG.standard_normal(shape).round(3).astype(np.float32)


def scales(*shape):
    return np.asarray(RNG.uniform(0.01, 0.1, shape).round(4), np.float32)


def integers(dtype, *shape):
    info = np.iinfo(dtype)
    return np.asarray(RNG.integers(info.min, info.max, shape, endpoint=True), dtype)


def pick(*choices):
    return choices[int(RNG.integers(len(choices)))]


def between(low, high):
    return int(RNG.integers(low, high + 1))


def run(op, attributes, operands, results, opset):
    names = [f"x{i}" if x is not None else "" for i, x in enumerate(operands)]
    present = [(name, x) for name, x in zip(names, operands) if x is not None]
    outputs = [f"y{i}" for i in range(results)]
    info = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for n, x in present]
    node = helper.make_node(op, names, outputs, **attributes)
    graph = helper.make_graph([node], "case", info, [helper.make_empty_tensor_value_info(y) for y in outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(present))


def tensor(x):
    if x is None:
        return "absent"
    x = np.asarray(x)
    dtype = {"float32": "float", "float64": "double"}.get(x.dtype.name, x.dtype.name)
    values = " ".join(str(v.item()) if x.dtype.kind != "f" else str(v) for v in x.reshape(-1))
    return f"{dtype} [{','.join(map(str, x.shape))}] {values.replace('True', '1').replace('False', '0')}"


def attribute(value):
    several = isinstance(value, list)
    kind = {int: "int", float: "float", str: "string"}[type(value[0] if several else value)]
    return f"{kind}s {' '.join(map(str, value))}" if several else f"{kind} {value}"


def case(op, attributes, operands, results=1, opset=22, tolerance=(1e-4, 1e-5)):
    operands = [None if x is None else np.asarray(x) for x in operands]
    print(f"op {op}\ntolerance {tolerance[0]} {tolerance[1]}")
    for name, value in attributes.items():
        print(f"attribute {name} {attribute(value)}")
    for x in operands:
        print(f"operand {tensor(x)}")
    for y in run(op, attributes, operands, results, opset):
        print(f"result {tensor(y)}")
    print()


EXACT, ONE = (0, 0), (0, 1)


def window(rank):
    """Attributes and a kernel for one convolution or pooling."""
    attributes = {"strides": [between(1, 3) for _ in range(rank)]}
    mode = pick("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    if mode == "NOTSET":
        attributes["pads"] = [between(0, 1) for _ in range(2 * rank)]
        attributes["dilations"] = [between(1, 2) for _ in range(rank)]
    else:
        attributes["auto_pad"] = mode
    return attributes, [between(2, 3) for _ in range(rank)]


def convolutions():
    for i in range(18):
        rank = 1 + i % 3
        groups, channels, filters = between(1, 2), between(1, 2), between(1, 2)
        extents = [between(5, 6 if rank < 3 else 5) for _ in range(rank)]
        attributes, kernel = window(rank)
        attributes["group"] = groups
        bias = [floats(groups * filters)] if i % 2 else []
        x = floats(1, groups * channels, *extents)
        case("Conv", attributes, [x, floats(groups * filters, channels, *kernel), *bias])
        if "SAME" in attributes.get("auto_pad", ""):
            continue
        if i % 4 == 0:
            attributes["output_padding"] = [min(1, stride - 1) for stride in attributes["strides"]]
        x = floats(1, groups * channels, *[min(extent, 4) for extent in extents])
        case("ConvTranspose", attributes, [x, floats(groups * channels, filters, *kernel), *bias])


def poolings():
    for i in range(16):
        rank = 1 + i % 3
        attributes, kernel = window(rank)
        if "auto_pad" in attributes:
            attributes.pop("dilations", None)
        else:
            attributes["ceil_mode"] = i % 2
        attributes["kernel_shape"] = kernel
        x = floats(1, 2, *[between(5, 6) if rank < 3 else 5 for _ in range(rank)])
        case("MaxPool", attributes | {"storage_order": i // 2 % 2}, [x], 2)
        case("AveragePool", attributes | {"count_include_pad": i // 3 % 2}, [x])
        case("LpPool", attributes | {"p": between(1, 3)}, [x])
    case("GlobalAveragePool", {}, [floats(2, 2, 3, 2)])
    case("GlobalMaxPool", {}, [floats(2, 2, 3)])


def normalizations():
    case("BatchNormalization", {"epsilon": 0.001}, [floats(2, 3, 2, 2), *[floats(3) for _ in range(3)], abs(floats(3))])
    case("InstanceNormalization", {"epsilon": 0.001}, [floats(2, 3, 4), floats(3), floats(3)])
    case("GroupNormalization", {"num_groups": 2}, [floats(2, 4, 3), floats(4), floats(4)])
    case("LRN", {"size": 3, "alpha": 0.1, "bias": 0.7}, [floats(1, 5, 2, 2)])
    for axis, p in ((-1, 2), (1, 1)):
        case("LpNormalization", {"axis": axis, "p": p}, [floats(2, 3, 4)])
    case("MeanVarianceNormalization", {"axes": [1, 2]}, [floats(2, 3, 4)], tolerance=(1e-4, 1e-4))
    for axis in (-1, 1):
        shape = (2, 3, 4)
        case("LayerNormalization", {"axis": axis}, [floats(*shape), floats(*shape[axis:]), floats(*shape[axis:])], 3)
        case("RMSNormalization", {"axis": axis}, [floats(*shape), floats(*shape[axis:])], opset=23)


def products():
    for a, b in (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 1, 2, 3), (2, 3, 2)), ((2, 2, 3), (3, 2)), ((2, 0), (0, 2))):
        case("MatMul", {}, [floats(*a), floats(*b)])
        case("MatMul", {}, [integers(np.int32, *a), integers(np.int32, *b)], tolerance=EXACT)
    for i, c in enumerate(((2, 4), (4,), (1, 4), (2, 1), (1,), ())):
        attributes = {"transA": i % 2, "transB": i // 2 % 2, "alpha": 0.5, "beta": 1.5}
        case("Gemm", attributes, [floats(*((3, 2) if i % 2 else (2, 3))), floats(*((4, 3) if i // 2 % 2 else (3, 4))), floats(*c)])
    sizes = {letter: 2 + i % 3 for i, letter in enumerate("abcdehijklnqz")}
    equations = ("ij,jk->ik", "bij,bjk->bik", "ii->i", "ii", "i,j->ij", "ij->ji", "ij->", "...ij,...jk->...ik", "bij,jk,kl->bil",
                 "ab,bc,cd,de", "ijj->i", "bqhc,bkhc->bhqk", "...a->a...", "i,j,k->kji", "n...c,c->n...", "ij,ij->j")
    for equation in equations:
        terms = [t.replace("...", ".") for t in equation.split("->")[0].split(",")]
        shapes = [[s for label in term for s in ([2, 1] if label == "." else [sizes[label]])] for term in terms]
        case("Einsum", {"equation": equation}, [floats(*shape) for shape in shapes])
    case("Det", {}, [floats(2, 3, 3)])


def recurrent():
    gates, functions = {"LSTM": 4, "GRU": 3, "RNN": 1}, {"LSTM": 3, "GRU": 2, "RNN": 1}
    names = ["Sigmoid", "Tanh", "Softsign", "relu", "TANH", "Softplus"]
    scaled = ["HardSigmoid", "ScaledTanh", "Elu", "Affine", "LeakyRelu", "HardSigmoid"]
    time, batch, size, hidden = 3, 3, 2, 2
    for op in gates:
        for variant, direction in enumerate(("forward", "reverse", "bidirectional") * 3):
            lanes = 2 if direction == "bidirectional" else 1
            attributes = {"hidden_size": hidden, "direction": direction}
            operands = [floats(time, batch, size), floats(lanes, gates[op] * hidden, size), floats(lanes, gates[op] * hidden, hidden),
                        floats(lanes, 2 * gates[op] * hidden) if variant else None]
            operands.append(np.array([3, 0, 2], np.int32) if variant > 2 else None)
            operands.append(floats(lanes, batch, hidden) if variant > 1 else None)
            if op == "LSTM":
                operands += [floats(lanes, batch, hidden) if variant > 1 else None, floats(lanes, 3 * hidden) if variant > 3 else None]
            if variant in (3, 5):
                attributes["clip"] = 0.5
            if variant in (4, 8):
                attributes |= {"LSTM": {"input_forget": 1}, "GRU": {"linear_before_reset": 1}, "RNN": {}}[op]
            if variant == 6:
                attributes["activations"] = names[: functions[op] * lanes]
            if variant in (7, 8):
                chosen = scaled[: functions[op] * lanes]
                attributes["activations"] = chosen
                attributes["activation_alpha"] = [0.3 + 0.1 * i for i, n in enumerate(chosen)]
                betas = [0.4 + 0.1 * i for i, n in enumerate(chosen) if n in ("HardSigmoid", "ScaledTanh", "Affine")]
                attributes["activation_beta"] = betas
            if op == "RNN" and variant == 6:
                attributes.pop("activations")
            case(op, attributes, operands, 3 if op == "LSTM" else 2)


def vision():
    modes = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
    for i in range(24):
        mode, transform = ("nearest", "linear", "cubic")[i % 3], modes[i % 5]
        attributes = {"mode": mode, "coordinate_transformation_mode": transform}
        if mode == "nearest":
            attributes["nearest_mode"] = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")[i // 3 % 4]
        elif mode == "cubic":
            attributes |= {"exclude_outside": i // 3 % 2, "cubic_coeff_a": -0.5}
        if mode != "nearest":
            attributes["antialias"] = i // 6 % 2
        x = floats(1, 1, between(3, 5), between(3, 5))
        if i % 2 or transform == "align_corners":
            target = [None, np.array([1, 1, between(1, 8), between(1, 8)])]
        else:
            target = [np.array([1, 1, pick(0.5, 0.75, 2), pick(0.5, 1.5, 2)], np.float32), None]
        case("Resize", attributes, [x, None, *target], opset=19)
    region = np.array([0, 0, 0.1, 0.2, 1, 1, 0.8, 1.2], np.float32)
    attributes = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 3.5}
    case("Resize", attributes, [floats(1, 1, 4, 5), region, None, np.array([1, 1, 3, 6])], opset=19)
    for i in range(12):
        attributes = {"mode": ("linear", "nearest", "cubic")[i % 3], "padding_mode": ("zeros", "border", "reflection")[i // 3 % 3], "align_corners": i // 6}
        case("GridSample", attributes, [floats(1, 2, 3, 4), np.float32(RNG.uniform(-1.6, 1.6, (1, 2, 3, 2)).round(3))])
    case("GridSample", {}, [floats(1, 1, 2, 3, 3), np.float32(RNG.uniform(-1.3, 1.3, (1, 2, 2, 1, 3)).round(3))])
    for i in range(4):
        regions = np.sort(RNG.uniform(-2, 7, (3, 2, 2)).round(2), axis=1).reshape(3, 4).astype(np.float32)
        attributes = {"mode": ("avg", "max")[i % 2], "output_height": 2, "output_width": 1, "sampling_ratio": i // 2,
                      "coordinate_transformation_mode": ("half_pixel", "output_half_pixel")[i // 2]}
        case("RoiAlign", attributes, [floats(2, 1, 5, 6), regions, np.array([0, 1, 1])], opset=16)
    for align in (0, 1):
        case("AffineGrid", {"align_corners": align}, [floats(1, 2, 3), np.array([1, 1, 3, 2])])
        case("AffineGrid", {"align_corners": align}, [floats(1, 3, 4), np.array([1, 1, 2, 3, 2])])


def attention():
    for i in range(8):
        batch, heads, shared, queries, keys, size = 2, 2, 1 + i % 2, 2, 3, 2
        past = 2 if i % 3 == 0 else 0
        attributes = {"softcap": 2.0} if i % 4 == 1 else {}
        if i % 4 == 0:
            attributes["scale"] = 0.3
        if i % 3 == 2:
            attributes["is_causal"] = 1
        packed = i // 2 % 2
        if packed:
            attributes |= {"q_num_heads": heads, "kv_num_heads": shared}
        shape = lambda n, length: (batch, length, n * size) if packed else (batch, n, length, size)
        mask = (None, floats(queries, keys + past), RNG.random((batch, 1, queries, keys + past)) > 0.3)[i % 3]
        operands = [floats(*shape(heads, queries)), floats(*shape(shared, keys)), floats(*shape(shared, keys)), mask]
        if past:
            operands += [floats(batch, shared, past, size), floats(batch, shared, past, size)]
        case("Attention", attributes, operands, 3 if past else 1, opset=23)
    for i in range(4):
        size = 4 if i % 2 else 2
        attributes = {"interleaved": i // 2, "rotary_embedding_dim": 0 if i % 2 else 2}
        case("RotaryEmbedding", attributes, [floats(2, 2, 3, 4), floats(5, size // 2), floats(5, size // 2), RNG.integers(0, 5, (2, 3))], opset=23)
        attributes["num_heads"] = 2
        case("RotaryEmbedding", attributes, [floats(2, 3, 8), floats(2, 3, size // 2), floats(2, 3, size // 2)], opset=23)


def quantized():
    for i, dtype in enumerate((np.uint8, np.int8, np.uint16, np.int16)):
        x = floats(2, 3, 2) * (3 if i % 2 else 300)
        for attributes, shape in (({}, ()), ({"axis": 1}, (3,)), ({"axis": -1, "block_size": 2}, (2, 3, 1))):
            scale, zero = scales(*shape), np.asarray(RNG.integers(0, 100, shape), dtype)
            case("QuantizeLinear", attributes, [x, scale, zero], tolerance=EXACT)
            case("DequantizeLinear", attributes, [integers(dtype, 2, 3, 2), scale, zero], tolerance=(1e-6, 0))
    for x in (floats(7), abs(floats(7)), -abs(floats(7)), np.zeros(3, np.float32)):
        case("DynamicQuantizeLinear", {}, [x], 3, tolerance=EXACT)
    for dtype in (np.uint8, np.int8):
        any8 = lambda *shape: integers(dtype, *shape)
        u8 = lambda *shape: integers(np.uint8, *shape)
        case("MatMulInteger", {}, [u8(2, 3), any8(3, 4), u8(), any8()], tolerance=EXACT)
        case("QLinearMatMul", {}, [u8(2, 2, 3), scales(), u8(), any8(3, 4), scales(), any8(), scales() * 30, u8()], tolerance=ONE)
        attributes = {"pads": [1, 0, 1, 1], "strides": [1, 2]}
        case("ConvInteger", attributes, [u8(1, 2, 4, 5), u8(2, 2, 3, 2), u8(), u8()], tolerance=EXACT)
        for shape, bias in (((), []), ((2,), [np.array([-400, 900], np.int32)])):
            operands = [u8(1, 2, 4, 5), scales(), u8(), any8(2, 2, 3, 2), scales(*shape), any8(*shape), scales() * 50, u8(), *bias]
            case("QLinearConv", attributes, operands, tolerance=ONE)


def signals():
    for i, (size, length) in enumerate(((8, 8), (5, 5), (6, 4), (7, 9))):
        attributes = {"inverse": i // 2, "onesided": i % 2 if i < 2 else 0}
        parts = 1 if i == 1 else 2
        case("DFT", attributes, [floats(2, size, 2, parts), np.array(length), np.array(1)])
        case("STFT", {"onesided": i % 2}, [floats(1, 12, 1), np.array(3), floats(size), np.array(size)])
    for op in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        for periodic in (0, 1):
            case(op, {"periodic": periodic}, [np.array(6)])
    case("MelWeightMatrix", {}, [np.array(4), np.array(16), np.array(8192), np.float32(20), np.float32(4000)])


if __name__ == "__main__":
    for family in (convolutions, poolings, normalizations, products, recurrent, vision, attention, quantized, signals):
        family()
