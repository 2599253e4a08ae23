"""Golden networks with all that a final network has beside its cells: auxiliary head, dropped paths, smoothed labels,
and the stem for large images.

Which paths are lost follows from counters, as in asap (`Regularisation::path_scale`). The largest kernel of the
auxiliary head is not in the file but made by `drawn`, and the file has the first values of its gradient only.

Run by `golden.py`.
"""
import numpy
import torch
from safetensors.numpy import load_file, save_file
from torch import nn
from torch.nn import functional

import golden_networks
import supernet

ORIGIN = {"origin": f"benches/peer/golden_regularised.py, PyTorch {torch.__version__}, float64, CPU"}
LABEL_SMOOTHING = numpy.float32(0.1)
AUXILIARY_WEIGHT = numpy.float32(0.4)
DROP_PATH = numpy.float32(0.3)
SEED = 5
# Of the kernel that is not stored.
DRAWN = "auxiliary.conv2"
KEPT_GRADIENTS = 4096
BITS = (1 << 64) - 1


def mixed(counter):
    """SplitMix64."""
    bits = (counter + 0x9E3779B97F4A7C15) & BITS
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & BITS
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & BITS
    return bits ^ (bits >> 31)


def path_scale(image, cell, weight):
    """What an operation's output is multiplied by for an image: operation `weight` of all, in cell `cell`."""
    bits = mixed(mixed(mixed(SEED) ^ image) ^ (cell << 32 | weight))
    share = numpy.float32((bits >> 40) / (1 << 24))
    return 0.0 if share < DROP_PATH else float(numpy.float32(1) / (numpy.float32(1) - DROP_PATH))


def drawn(shape):
    """Numbers between -1/16 and 1/16 without an order, each a float32."""
    counters = numpy.arange(numpy.prod(shape), dtype=numpy.uint32) * numpy.uint32(2654435761)
    values = ((counters >> 8).astype(numpy.float32) / 2**24 - 0.5) / 8
    return torch.from_numpy(values.reshape(shape))


class AuxiliaryHead(nn.Module):
    """Of CIFAR; where more than one pixel is left at the end, their mean is taken."""

    def __init__(self, inputs, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, 128, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(128)
        self.conv2 = nn.Conv2d(128, 768, 2, bias=False)
        self.norm2 = nn.BatchNorm2d(768)
        self.classifier = nn.Linear(768, classes)
        with torch.no_grad():
            self.conv2.weight.copy_(drawn(self.conv2.weight.shape))

    def forward(self, x):
        x = functional.avg_pool2d(functional.relu(x), 5, stride=3, padding=0, count_include_pad=False)
        x = functional.relu(self.norm1(self.conv1(x)))
        x = functional.relu(self.norm2(self.conv2(x)))
        return self.classifier(x.mean((2, 3)))


class ImageStem(nn.Module):
    """Three convolutions that each halve the resolution; the first cell reads the last two."""

    def __init__(self, channels, image_channels):
        super().__init__()
        self.stem0, self.stem1 = nn.Module(), nn.Module()
        self.stem0.conv1 = nn.Conv2d(image_channels, channels // 2, 3, stride=2, padding=1, bias=False)
        self.stem0.norm1 = nn.BatchNorm2d(channels // 2)
        self.stem0.conv2 = nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1, bias=False)
        self.stem0.norm2 = nn.BatchNorm2d(channels)
        self.stem1.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False)
        self.stem1.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        x = functional.relu(self.stem0.norm1(self.stem0.conv1(x)))
        first = self.stem0.norm2(self.stem0.conv2(x))
        return first, self.stem1.norm(self.stem1.conv(functional.relu(first)))


class Network(nn.Module):
    """A published cell's network in final form; with the stem for large images, without an auxiliary head."""

    def __init__(self, name, channels, cells, classes, image_channels, image_stem):
        super().__init__()
        topology = supernet.genotype_topology(name)
        plain = supernet.Supernet(channels, cells, topology, classes, image_channels, final=True)
        self.discrete, self.kinds, self.cells = True, plain.kinds, plain.cells
        self.classifier, self.auxiliary_logits = plain.classifier, None
        if image_stem:
            stem = ImageStem(channels, image_channels)
            self.stem0, self.stem1 = stem.stem0, stem.stem1
            self.image_stem = [stem]
            first = supernet.Cell([channels, channels], channels, topology["normal"], False, True, True)
            second = supernet.Cell([channels, 4 * channels], 2 * channels, topology["reduction"], True, False, True)
            self.cells[0], self.cells[1] = first, second
        else:
            self.stem = plain.stem
            self.auxiliary = AuxiliaryHead(4 * 4 * channels, classes)
            for index, (kind, cell) in enumerate(zip(self.kinds, self.cells)):
                self.drop_paths(index, kind, cell, topology)

    def drop_paths(self, index, kind, cell, topology):
        first = 0 if kind == "normal" else len(topology["normal"])
        # Operations are numbered edge by edge, in the order of `supernet.EDGES`.
        edges = [edge for edge in supernet.EDGES if edge in topology[kind]]
        for number, (source, node) in enumerate(edges, start=first):
            for operation in cell.edges[f"{source}-{node}"].values():
                if isinstance(operation, nn.Identity):
                    continue

                def lose(module, _inputs, output, number=number):
                    if not module.training:
                        return output
                    scales = [path_scale(image, index, number) for image in range(output.shape[0])]
                    return output * torch.tensor(scales, dtype=output.dtype).view(-1, 1, 1, 1)
                operation.register_forward_hook(lose)

    def forward(self, x, _op_weights=None):
        if hasattr(self, "stem"):
            before_last = last = self.stem.norm(self.stem.conv(x))
        else:
            before_last, last = self.image_stem[0](x)
        for index, cell in enumerate(self.cells):
            before_last, last = last, cell(before_last, last, None)
            if index == 2 * len(self.cells) // 3 and self.training and hasattr(self, "auxiliary"):
                self.auxiliary_logits = self.auxiliary(last)
        return self.classifier(last.mean((2, 3)))


class RegularisedStart(golden_networks.Start):
    """Its loss has smoothed labels and the auxiliary head's share."""

    def loss(self):
        def entropy(logits):
            return functional.cross_entropy(logits, self.labels, label_smoothing=float(LABEL_SMOOTHING))
        logits = self.logits()
        return entropy(logits) + float(AUXILIARY_WEIGHT) * entropy(self.model.auxiliary_logits)


def shorten(name):
    """Leaves out what `drawn` makes, and most of its gradient."""
    path = golden_networks.FOLDER / f"{name}.safetensors"
    tensors = load_file(path)
    kernel = tensors.pop(f"before.{DRAWN}")
    assert numpy.array_equal(kernel, drawn(kernel.shape).numpy())
    tensors[f"gradient.{DRAWN}"] = tensors[f"gradient.{DRAWN}"].flatten()[:KEPT_GRADIENTS]
    save_file(tensors, path, ORIGIN)
    print(f"{path.stat().st_size:8} {path}")


def write_all():
    # Four pixels are left for the mean in the auxiliary head.
    golden_networks.golden_network(
        "regularised",
        golden_networks.start_with_margin(lambda: Network("DARTS_V2", 2, 4, 10, 3, False), start=RegularisedStart,
                                          classes=10, image_channels=3, size=41, batch=4),
        ("",))
    shorten("regularised")
    golden_networks.golden_network(
        "image_stem",
        golden_networks.start_with_margin(lambda: Network("ASAP", 5, 3, 7, 3, True),
                                          classes=7, image_channels=3, size=35, batch=6),
        ("",))
