"""What `passes/sparsity` does and what the report says it lost, computed once more in numpy and ONNX Runtime.

    edgesmith optimize MODEL --pipeline P --calibration C --labelled L -o OUT.onnx --report R.json
    python sparsity.py MODEL C L --sparsity 0.5 --result OUT.onnx --report R.json

where P is the one pass `sparsity`. Prints sparsity and loss by layer, and top-1. With `--result` every weight must be the
same bit by bit, with `--report` every figure must agree to 1e-5; else it exits with an error. Data of another form than the
model's input are described as in a pipeline: `--stored nhwc --divide 255 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225`.
"""

import argparse
import copy
import json
import math
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

TOLERANCE = 1e-5
BATCH = 16
RECURRENT = ("LSTM", "GRU", "RNN")


def weights(graph) -> list[tuple[str, list]]:
    """(initializer, its readers as (node, axis of the inputs, groups)), in the order in which they are read first."""
    constants = {t.name: list(t.dims) for t in graph.initializer}
    found: dict[str, list] = {}
    other: set[str] = {v.name for v in graph.output}
    for node in graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        slots: dict[int, tuple[int, int]] = {}
        sides = [name in constants for name in node.input[:2]]
        if node.op_type == "Conv":
            slots[1] = (1, 1)
        elif node.op_type == "ConvTranspose":
            slots[1] = (0, attributes.get("group", 1))
        elif node.op_type == "Gemm" and sides == [False, True]:
            slots[1] = (1 if attributes.get("transB", 0) else 0, 1)
        elif node.op_type == "Gemm" and sides == [True, False]:
            slots[0] = (0 if attributes.get("transA", 0) else 1, 1)
        elif node.op_type == "MatMul" and sides == [False, True]:
            slots[1] = (max(len(constants[node.input[1]]) - 2, 0), 1)
        elif node.op_type == "MatMul" and sides == [True, False]:
            slots[0] = (len(constants[node.input[0]]) - 1, 1)
        elif node.op_type in RECURRENT:
            slots = {1: (2, 1), 2: (2, 1)}
        for slot, name in enumerate(node.input):
            if slot in slots and name in constants:
                found.setdefault(name, []).append((node, *slots[slot]))
            else:
                other.add(name)
    return [(name, readers) for name, readers in found.items() if name not in other]


def cut_share(arrays: list[np.ndarray], share: float) -> list[np.ndarray]:
    """The smallest of all arrays taken together; of equals the first."""
    flat = np.concatenate([np.abs(a.ravel().astype(np.float64)) for a in arrays])
    cut = np.zeros(flat.size, bool)
    cut[np.argsort(flat, kind="stable")[: math.floor(share * flat.size + 0.5)]] = True
    return [part.reshape(a.shape) for part, a in zip(np.split(cut, np.cumsum([a.size for a in arrays])[:-1]), arrays)]


def cut_pattern(array: np.ndarray, axis: int, groups: int, keep: int, group: int) -> np.ndarray:
    """All but the `keep` largest of every `group` along the axis, within each of the groups of channels."""
    moved = np.moveaxis(np.abs(array.astype(np.float64)), axis, -1)
    parts = moved.reshape(*moved.shape[:-1], groups, -1)
    cut = np.zeros(parts.shape, bool)
    for start in range(0, parts.shape[-1] - group + 1, group):
        order = np.argsort(parts[..., start : start + group], axis=-1, kind="stable")
        np.put_along_axis(cut[..., start : start + group], order[..., : group - keep], True, axis=-1)
    return np.moveaxis(cut.reshape(moved.shape), -1, axis)


def sparse(model, target: str, across_all: bool) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """The model with its weights cut, and the cut weights by name."""
    after = copy.deepcopy(model)
    tensors = {t.name: t for t in after.graph.initializer}
    chosen = weights(after.graph)
    arrays = [numpy_helper.to_array(tensors[name]).copy() for name, _ in chosen]
    if ":" in target:
        keep, group = map(int, target.split(":"))
        cuts = [cut_pattern(a, readers[0][1], readers[0][2], keep, group) for a, (_, readers) in zip(arrays, chosen)]
    elif across_all:
        cuts = cut_share(arrays, float(target))
    else:
        cuts = [cut_share([a], float(target))[0] for a in arrays]
    edited = {}
    for (name, _), array, cut in zip(chosen, arrays, cuts):
        array[cut] = 0
        tensors[name].CopyFrom(numpy_helper.from_array(array, name))
        edited[name] = array
    return after, edited


def samples(path: str, limit: int | None, args, name: str) -> np.ndarray:
    data = np.load(path)
    images = data[name] if name in data else data["images"]
    images = images[:limit]
    if args.divide or args.mean or args.std:
        numbers = lambda text, otherwise: np.array([float(x) for x in text.split(",")] if text else [otherwise])
        channels_last = args.stored == "nhwc"
        shape = (-1,) if channels_last else (-1,) + (1,) * (images.ndim - 2)
        mean, std = numbers(args.mean, 0.0).reshape(shape), numbers(args.std, 1.0).reshape(shape)
        images = (images.astype(np.float64) / (args.divide or 1.0) - mean) / std
    if args.stored == "nhwc":
        images = np.moveaxis(images, -1, 1)
    return np.ascontiguousarray(images, dtype=np.float32)


def session(model, outputs: list[str]) -> ort.InferenceSession:
    """The model with these values as its outputs."""
    model = copy.deepcopy(model)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class Sums:
    def __init__(self):
        self.reference = self.found = self.product = self.noise = 0.0

    def add(self, a: np.ndarray, b: np.ndarray):
        a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
        self.reference += a @ a
        self.found += b @ b
        self.product += a @ b
        self.noise += (a - b) @ (a - b)

    def figures(self) -> tuple[float, float]:
        if self.noise == 0:
            return math.inf, 1.0
        return 10 * math.log10(self.reference / self.noise), self.product / math.sqrt(self.reference * self.found)


def losses(before, after, edited: dict[str, np.ndarray], images: np.ndarray) -> tuple[list[dict], list[dict]]:
    """By layer (alone and in the model) and by output."""
    old = {t.name: numpy_helper.to_array(t) for t in before.graph.initializer}
    changed = {name for name, array in edited.items() if not np.array_equal(array, old[name])}
    layers = [node for node in before.graph.node if changed & set(node.input)]
    results = [next(o for o in node.output if o) for node in layers]
    probe = copy.deepcopy(before)
    for name in changed:
        probe.graph.initializer.append(numpy_helper.from_array(edited[name], name + "__after"))
    for node, result in zip(layers, results):
        twin = copy.deepcopy(node)
        twin.name = ""
        for k, name in enumerate(node.input):
            twin.input[k] = name + "__after" if name in changed else name
        for k, name in enumerate(node.output):
            twin.output[k] = name + "__twin" if name else ""
        # Behind the node itself, so that the order stays topological.
        at = next(k for k, other in enumerate(probe.graph.node) if result in other.output)
        probe.graph.node.insert(at + 1, twin)
    outputs = [v.name for v in before.graph.output]
    first = session(probe, list(dict.fromkeys(outputs + results + [r + "__twin" for r in results])))
    second = session(after, list(dict.fromkeys(outputs + results)))
    alone, together = {r: Sums() for r in results}, {r: Sums() for r in results}
    ends = {o: Sums() for o in outputs}
    feed = before.graph.input[0].name
    for start in range(0, len(images), BATCH):
        batch = {feed: images[start : start + BATCH]}
        expected = dict(zip((o.name for o in first.get_outputs()), first.run(None, batch)))
        found = dict(zip((o.name for o in second.get_outputs()), second.run(None, batch)))
        for r in results:
            alone[r].add(expected[r], expected[r + "__twin"])
            together[r].add(expected[r], found[r])
        for o in outputs:
            ends[o].add(expected[o], found[o])
    rows = []
    for node, r in zip(layers, results):
        rows.append({"layer": node.name or r, "isolated": alone[r].figures(), "accumulated": together[r].figures()})
    rows.sort(key=lambda row: row["isolated"][0])
    return rows, [{"output": o, "figures": ends[o].figures()} for o in outputs]


def classes(model, images: np.ndarray) -> np.ndarray:
    run = session(model, [model.graph.output[0].name])
    feed = model.graph.input[0].name
    parts = [run.run(None, {feed: images[k : k + BATCH]})[0] for k in range(0, len(images), BATCH)]
    return np.concatenate(parts).argmax(1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("calibration")
    parser.add_argument("labelled")
    parser.add_argument("--sparsity", default="0.5")
    parser.add_argument("--globally", action="store_true")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--stored", default="nchw")
    parser.add_argument("--divide", type=float)
    parser.add_argument("--mean")
    parser.add_argument("--std")
    parser.add_argument("--result")
    parser.add_argument("--report")
    args = parser.parse_args()

    before = onnx.load(args.model)
    after, edited = sparse(before, args.sparsity, args.globally)
    name = before.graph.input[0].name
    images = samples(args.calibration, args.limit, args, name)
    rows, ends = losses(before, after, edited, images)
    test, labels = samples(args.labelled, None, args, name), np.load(args.labelled)["labels"]
    was, now = classes(before, test) == labels, classes(after, test) == labels

    elements = sum(a.size for a in edited.values())
    zeros = sum(int((a == 0).sum()) for a in edited.values())
    print(f"{args.model.split('/')[-1]}, {args.sparsity}: {zeros} of {elements} weights are zero, {len(images)} samples")
    print(f"{'layer':48} {'alone':>13} {'cosine':>11}  {'in the model':>13} {'cosine':>11}")
    for row in rows:
        (a, b), (c, d) = row["isolated"], row["accumulated"]
        print(f"{row['layer']:48} {a:10.6f} dB {b:11.8f}  {c:10.6f} dB {d:11.8f}")
    for end in ends:
        print(f"output {end['output']}: {end['figures'][0]:.6f} dB, cosine {end['figures'][1]:.8f}")
    print(f"top-1 {was.mean() * 100:.2f} % -> {now.mean() * 100:.2f} % on {len(labels)}")

    problems: list[str] = []
    if args.result:
        theirs = {t.name: numpy_helper.to_array(t) for t in onnx.load(args.result).graph.initializer}
        for key, array in edited.items():
            if key not in theirs or theirs[key].tobytes() != array.tobytes():
                problems.append(f"weight {key} differs")
        print(f"{len(edited)} weights compared bit by bit")
    if args.report:
        loss = json.load(open(args.report))["passes"][0]["loss"]
        worst = 0.0

        def compare(what: str, ours: tuple[float, float], theirs: dict):
            nonlocal worst
            for kind, a, b in (("SQNR", ours[0], float(theirs["sqnr"])), ("cosine", ours[1], theirs["cosine"])):
                difference = 0.0 if a == b else abs(a - b) / max(1.0, abs(a))
                worst = max(worst, difference)
                if not difference <= TOLERANCE:
                    problems.append(f"{what}: {kind} {a} here, {b} there")

        by_layer = {layer["layer"]: layer for layer in loss["layers"]}
        if set(by_layer) != {row["layer"] for row in rows}:
            problems.append(f"other layers: {set(by_layer) ^ {row['layer'] for row in rows}}")
        for row in rows:
            for kind in ("isolated", "accumulated"):
                if row["layer"] in by_layer:
                    compare(f"{row['layer']} {kind}", row[kind], by_layer[row["layer"]][kind])
        for end, theirs in zip(ends, loss["outputs"], strict=True):
            compare(end["output"], end["figures"], theirs)
        top1 = loss["top1"]
        if (top1["before"], top1["after"]) != (int(was.sum()), int(now.sum())):
            problems.append(f"top-1: {was.sum()}, {now.sum()} here, {top1['before']}, {top1['after']} there")
        print(f"{2 * len(rows)} figures of layers compared; the largest difference is {worst:.1e}")
    if args.result or args.report:
        print("\n".join(problems) or "agrees")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
