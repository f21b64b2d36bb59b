"""Checks every .onnx file here with the ONNX checker and ONNX Runtime.

    python check.py

Prints file size, operator count, top-1 on `digits_test.npz` and, per network, the largest difference between the logits
of its two exports. Exits with an error where a file breaks one of the promises in README.md.
"""

import sys
from itertools import groupby
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

HERE = Path(__file__).resolve().parent
LEAST_TOP1 = 0.97
MOST_BYTES = 1 << 20
MOST_DIFFERENCE = 1e-3


def signature(values) -> list[tuple[str, list[str | int]]]:
    """Names and shapes of graph inputs or outputs; a symbolic dimension is a string."""
    return [(v.name, [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]) for v in values]


def check_file(path: Path, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The logits over the test split, and what is wrong."""
    onnx.checker.check_model(str(path), full_check=True)
    graph = onnx.load(path).graph
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], {"images": images})[0]
    # The last images alone: another batch size must work and give the same answer.
    alone = session.run(["logits"], {"images": images[-3:]})[0]
    top1 = float((logits.argmax(1) == labels).mean())
    size = path.stat().st_size
    print(f"{path.name:36} {size / 1024:6.0f} KiB  {len(graph.node):4} nodes  top-1 {top1:.4f}")

    expected = [("images", ["batch", *images.shape[1:]])], [("logits", ["batch", 10])]
    tests = {
        f"top-1 below {LEAST_TOP1}": top1 >= LEAST_TOP1,
        f"more than {MOST_BYTES} bytes": size <= MOST_BYTES,
        f"signature is not {expected}": (signature(graph.input), signature(graph.output)) == expected,
        "logits depend on the batch size": np.allclose(logits[-3:], alone, atol=MOST_DIFFERENCE),
    }
    return logits, [f"{path.name}: {problem}" for problem, ok in tests.items() if not ok]


def main() -> int:
    test, calibration = (np.load(HERE / f"digits_{part}.npz") for part in ("test", "calibration"))
    images, labels = test["images"], test["labels"]
    problems = []

    shared = {image.tobytes() for image in images} & {image.tobytes() for image in calibration["images"]}
    print(f"{len(labels)} test images, {len(calibration['labels'])} for calibration, {len(shared)} in both")
    if shared:
        problems.append("the test and calibration images overlap")

    for name, paths in groupby(sorted(HERE.glob("*.onnx")), key=lambda path: path.name.split("__")[0]):
        exports = []
        for path in paths:
            logits, found = check_file(path, images, labels)
            exports.append(logits)
            problems += found
        difference = float(np.ptp(np.stack(exports), axis=0).max())
        print(f"{name}: exports differ by at most {difference:.1e}")
        if difference > MOST_DIFFERENCE:
            problems.append(f"{name}: exports differ by {difference:.1e}")

    print("\n".join(problems) or "all as promised")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
