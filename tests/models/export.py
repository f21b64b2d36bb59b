"""Exports the checkpoints of `train.py` with both ONNX exporters of PyTorch.

    python export.py

Each network becomes `<name>__legacy_op17.onnx` (the TorchScript exporter) and `<name>__dynamo_op20.onnx` (the
`torch.export` one). The batch dimension is symbolic in all of them and the weights are inside the file.
"""

import onnx
import torch
from torch import nn

from train import HERE, RECIPES, SIDE


def export_legacy(net: nn.Module, images: torch.Tensor, path: str) -> None:
    """Keeps BatchNormalization in the graph: the mode that means "inference" would fold it into the convolutions.

    The network is in eval mode and PRESERVE leaves it there, so the nodes use the trained statistics all the same.
    """
    torch.onnx.export(
        net,
        (images,),
        path,
        dynamo=False,
        opset_version=17,
        training=torch.onnx.TrainingMode.PRESERVE,
        input_names=["images"],
        output_names=["logits"],
        dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}},
    )


def export_dynamo(net: nn.Module, images: torch.Tensor, path: str) -> None:
    """As the exporter writes it, less the Python stack trace of each node, which names folders of this machine."""
    torch.onnx.export(
        net,
        (images,),
        path,
        dynamo=True,
        opset_version=20,
        external_data=False,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    model = onnx.load(path)
    for node in model.graph.node:
        kept = [entry for entry in node.metadata_props if not entry.key.endswith("stack_trace")]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    onnx.save(model, path)


def main() -> None:
    images = torch.zeros(2, 1, SIDE, SIDE)  # two, because a traced batch of one would be taken for a constant
    for name, (network, _, _) in RECIPES.items():
        net = network()
        net.load_state_dict(torch.load(HERE / f"{name}.pt", weights_only=True))
        net.eval()
        export_legacy(net, images, str(HERE / f"{name}__legacy_op17.onnx"))
        export_dynamo(net, images, str(HERE / f"{name}__dynamo_op20.onnx"))


if __name__ == "__main__":
    main()
