"""Trains the three digit classifiers and writes their data.

    python train.py                  # all three, a few minutes on one core
    python train.py digits_vit       # one of them

Writes `digits_test.npz`, `digits_calibration.npz` and one `<name>.pt` checkpoint per network, which `export.py` turns
into ONNX files. Everything is seeded and runs on one thread, so a second run on the same machine gives the same bits.
The recipe is fixed beforehand: the weights after the last epoch are kept, and the test split is only read to report.
"""

import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

HERE = Path(__file__).resolve().parent
CLASSES = 10
SIDE = 16  # images are [1, SIDE, SIDE]
TEST_IMAGES = 450
CALIBRATION_IMAGES = 256
SPLIT_SEED = 2024


# --- data -------------------------------------------------------------------------------------------------------------


def double_last_axis(x: np.ndarray) -> np.ndarray:
    """Bilinear interpolation to twice the length: each new sample lies a quarter of the way to the next old one."""
    padded = np.concatenate([x[..., :1], x, x[..., -1:]], axis=-1)
    before, here, after = padded[..., :-2], x, padded[..., 2:]
    pairs = np.stack([0.75 * here + 0.25 * before, 0.75 * here + 0.25 * after], axis=-1)
    return pairs.reshape(*x.shape[:-1], 2 * x.shape[-1])


def load_split() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The scans as float32 [n, 1, 16, 16] in [-1, 1] with int64 labels, under `train` and `test`.

    Grey levels are sixteenths and the interpolation weights quarters, so every value is exact in float32.
    """
    digits = load_digits()
    images = digits.images.astype(np.float32)[:, None] / 8 - 1  # 0..16 becomes -1..1
    images = double_last_axis(double_last_axis(images).swapaxes(2, 3)).swapaxes(2, 3)
    labels = digits.target.astype(np.int64)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_IMAGES, stratify=labels, random_state=SPLIT_SEED
    )
    return {"train": (images[train], labels[train]), "test": (images[test], labels[test])}


def write_data(split: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Saves the test split, and the first training images (the split is already shuffled) for calibration."""
    images, labels = split["test"]
    np.savez_compressed(HERE / "digits_test.npz", images=images, labels=labels)
    images, labels = (part[:CALIBRATION_IMAGES] for part in split["train"])
    np.savez_compressed(HERE / "digits_calibration.npz", images=images, labels=labels)


def augment(images: Tensor, rng: torch.Generator) -> Tensor:
    """Turns, scales and shifts each image a little, and adds noise."""

    def uniform(limit: float) -> Tensor:
        return (torch.rand(len(images), generator=rng) * 2 - 1) * limit

    angle, zoom = uniform(math.radians(15)), 1 + uniform(0.12)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift_x, shift_y = uniform(0.15), uniform(0.15)  # in half widths: up to 1.2 pixels
    affine = torch.stack([cos, -sin, shift_x, sin, cos, shift_y], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return moved + 0.05 * torch.randn(images.shape, generator=rng)


# --- networks ---------------------------------------------------------------------------------------------------------


def conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias and the BatchNorm that follows it."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.main = nn.Sequential(*conv_norm(inputs, outputs, stride=stride), nn.ReLU(), *conv_norm(outputs, outputs))
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_norm(inputs, outputs, kernel=1, stride=stride))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.main(x) + self.shortcut(x))


class ResNet(nn.Module):
    """ResNet-14: three stages of two blocks."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64), blocks: int = 2):
        super().__init__()
        self.stem = nn.Sequential(*conv_norm(1, widths[0]), nn.ReLU())
        stages: list[nn.Module] = []
        channels = widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                stages.append(ResidualBlock(channels, width, stride=2 if stage > 0 and block == 0 else 1))
                channels = width
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.pool(self.stages(self.stem(images))).flatten(1))


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise convolution, linear 1x1 projection; a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int):
        super().__init__()
        hidden = inputs * expansion
        expand = [] if expansion == 1 else [*conv_norm(inputs, hidden, kernel=1), nn.ReLU6()]
        depthwise = [*conv_norm(hidden, hidden, stride=stride, groups=hidden), nn.ReLU6()]
        self.layers = nn.Sequential(*expand, *depthwise, *conv_norm(hidden, outputs, kernel=1))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.shortcut else self.layers(x)


class MobileNet(nn.Module):
    """MobileNetV2 in small."""

    # expansion, output channels, stride of the first block, blocks
    STAGES = ((1, 16, 1, 1), (4, 24, 2, 2), (4, 40, 2, 3), (4, 56, 1, 2))

    def __init__(self, head: int = 160):
        super().__init__()
        self.stem = nn.Sequential(*conv_norm(1, 16), nn.ReLU6())
        stages: list[nn.Module] = []
        channels = 16
        for expansion, width, stride, blocks in self.STAGES:
            for block in range(blocks):
                stages.append(InvertedResidual(channels, width, stride if block == 0 else 1, expansion))
                channels = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(*conv_norm(channels, head, kernel=1), nn.ReLU6())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(head, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.pool(self.head(self.stages(self.stem(images)))).flatten(1))


class Attention(nn.Module):
    """Multi-head self-attention with one projection for queries, keys and values, as timm writes it."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))


class EncoderBlock(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class ViT(nn.Module):
    """Vision transformer: 4x4 patches, a class token, learned positions."""

    def __init__(self, width: int = 64, depth: int = 4, heads: int = 8, hidden: int = 128, patch: int = 4):
        super().__init__()
        self.patches = nn.Conv2d(1, width, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, (SIDE // patch) ** 2 + 1, width))
        self.blocks = nn.Sequential(*(EncoderBlock(width, heads, hidden) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        # `shape[0]` and not `len`: an exporter would freeze the latter as a plain number.
        tokens = torch.cat([self.class_token.expand(images.shape[0], -1, -1), tokens], dim=1) + self.positions
        return self.classifier(self.norm(self.blocks(tokens))[:, 0])


# Network, epochs, highest learning rate.
RECIPES: dict[str, tuple[type[nn.Module], int, float]] = {
    "digits_resnet": (ResNet, 30, 3e-3),
    "digits_mobilenet": (MobileNet, 40, 3e-3),
    "digits_vit": (ViT, 100, 1.5e-3),
}


# --- training ---------------------------------------------------------------------------------------------------------


def accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Top-1."""
    net.eval()
    with torch.no_grad():
        return (net(images).argmax(1) == labels).double().mean().item()


def train(name: str, images: Tensor, labels: Tensor, batch: int = 64) -> nn.Module:
    """Trains one network from scratch."""
    network, epochs, rate = RECIPES[name]
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(1)
    net = network()
    steps = len(labels) // batch
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * steps, pct_start=0.15)
    net.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels), generator=rng)[: steps * batch].split(batch):
            loss = F.cross_entropy(net(augment(images[chosen], rng)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    split = load_split()
    write_data(split)
    train_set, test_set = (tuple(map(torch.from_numpy, split[part])) for part in ("train", "test"))
    for name in names or RECIPES:
        start = time.monotonic()
        net = train(name, *train_set)
        torch.save(net.state_dict(), HERE / f"{name}.pt")
        parameters = sum(p.numel() for p in net.parameters())
        seconds = time.monotonic() - start
        top1 = accuracy(net, *test_set)
        print(f"{name}: {parameters} parameters, test top-1 {top1:.4f}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
