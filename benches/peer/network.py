#!/usr/bin/env python3
"""The networks of the reference implementation of DARTS in PyTorch, under its own names.

`state_dict()` of a `Network` (CIFAR and ImageNet form) or of a `SearchNetwork` has the names, shapes and order of the
reference (github.com/quark0/darts, cnn/model.py and cnn/model_search.py), so a file of either program fits the
other. As a program it is the peer that a training step of a derived network is measured against: SGD (momentum
0.9, weight decay 3e-4, gradient clipped to norm 5), on a CPU channels_last, float32. It prints one JSON line.

    python network.py --genotype ASAP --channels 36 --cells 20 --batch 32 --threads 2
    python network.py --device cuda --mode compile --precision bf16 --genotype ASAP --batch 96

Needs torch; on a CPU it is fastest with tcmalloc preloaded (`LD_PRELOAD=libtcmalloc_minimal.so.4`).
"""
import argparse
import ast
import json
import pathlib

import torch
from torch import nn
from torch.nn import functional

import device as devices
import supernet

OPERATIONS = ("none", *supernet.OPERATIONS)
AUXILIARY_WEIGHT = 0.4

# Published cells as their authors list them: two inputs for each node, an operation and the node it reads. The
# order is that of `_ops` in the state dict.
GENOTYPES = {
    "ASAP": {
        "normal": [("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 1), ("skip_connect", 0),
                   ("skip_connect", 0), ("skip_connect", 2), ("skip_connect", 1), ("skip_connect", 2)],
        "reduce": [("avg_pool_3x3", 0), ("sep_conv_3x3", 1), ("avg_pool_3x3", 0), ("dil_conv_5x5", 2),
                   ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 0), ("skip_connect", 2)],
    },
    "DARTS_V2": {
        "normal": [("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
                   ("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2)],
        "reduce": [("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1),
                   ("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1)],
    },
    "XNAS": {
        "normal": [("sep_conv_3x3", 1), ("skip_connect", 0), ("sep_conv_3x3", 0), ("sep_conv_3x3", 2),
                   ("sep_conv_3x3", 3), ("sep_conv_3x3", 1), ("dil_conv_5x5", 4), ("sep_conv_3x3", 0)],
        "reduce": [("max_pool_3x3", 0), ("avg_pool_3x3", 1), ("avg_pool_3x3", 0), ("skip_connect", 2),
                   ("dil_conv_3x3", 3), ("max_pool_3x3", 0), ("dil_conv_5x5", 4), ("avg_pool_3x3", 0)],
    },
}


def read_genotype(text):
    """Cells by a published name, or from a file with DARTS text or with JSON of asap."""
    if text.upper() in GENOTYPES:
        return GENOTYPES[text.upper()]
    content = pathlib.Path(text).read_text()
    if content.lstrip().startswith("{"):
        cells = json.loads(content)
        return {name: [tuple(one) for node in cells[kind]["nodes"] for one in node]
                for name, kind in (("normal", "normal"), ("reduce", "reduction"))}
    call = ast.parse(content.strip()).body[0].value
    return {field.arg: ast.literal_eval(field.value) for field in call.keywords if field.arg in ("normal", "reduce")}


def batch_norm(channels, affine=True):
    return nn.BatchNorm2d(channels, affine=affine)


def convolution(inputs, outputs, kernel, **options):
    return nn.Conv2d(inputs, outputs, kernel, bias=False, **options)


class ReLUConvBN(nn.Module):
    def __init__(self, inputs, channels, affine):
        super().__init__()
        self.op = nn.Sequential(nn.ReLU(), convolution(inputs, channels, 1), batch_norm(channels, affine))

    def forward(self, x):
        return self.op(x)


class FactorizedReduce(nn.Module):
    """Halves the resolution, which has to be even: the second convolution starts one pixel down and right."""

    def __init__(self, inputs, channels, affine):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = convolution(inputs, channels // 2, 1, stride=2)
        self.conv_2 = convolution(inputs, channels // 2, 1, stride=2)
        self.bn = batch_norm(channels, affine)

    def forward(self, x):
        x = self.relu(x)
        return self.bn(torch.cat((self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])), 1))


class DepthwiseChains(nn.Module):
    """ReLU, depthwise, pointwise, BN: once with dilation 2, or twice without."""

    def __init__(self, channels, kernel, stride, affine, chains, dilation):
        super().__init__()
        layers = []
        for step in (stride, 1)[:chains]:
            padding = dilation * (kernel - 1) // 2
            layers += [nn.ReLU(),
                       convolution(channels, channels, kernel, stride=step, padding=padding, dilation=dilation,
                                   groups=channels),
                       convolution(channels, channels, 1), batch_norm(channels, affine)]
        self.op = nn.Sequential(*layers)

    def forward(self, x):
        return self.op(x)


class Zero(nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return x[:, :, ::self.stride, ::self.stride] * 0.0


def build_operation(name, channels, stride, affine):
    if name == "none":
        return Zero(stride)
    if name == "max_pool_3x3":
        return nn.MaxPool2d(3, stride, padding=1)
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)
    chains, dilation = {"sep": (2, 1), "dil": (1, 2)}[name[:3]]
    return DepthwiseChains(channels, int(name[-1]), stride, affine, chains, dilation)


class Preprocessed(nn.Module):
    """What both kinds of cell do to their inputs."""

    def __init__(self, inputs, channels, after_reduction, affine):
        super().__init__()
        self.preprocess0 = (FactorizedReduce if after_reduction else ReLUConvBN)(inputs[0], channels, affine)
        self.preprocess1 = ReLUConvBN(inputs[1], channels, affine)


class Cell(Preprocessed):
    def __init__(self, listed, inputs, channels, reduction, after_reduction):
        super().__init__(inputs, channels, after_reduction, affine=True)
        self._ops = nn.ModuleList(build_operation(name, channels, 2 if reduction and source < 2 else 1, True)
                                  for name, source in listed)
        self.sources = [source for _, source in listed]

    def forward(self, before_last, last):
        states = [self.preprocess0(before_last), self.preprocess1(last)]
        terms = list(zip(self._ops, self.sources))
        for (left, a), (right, b) in zip(terms[::2], terms[1::2]):
            states.append(left(states[a]) + right(states[b]))
        return torch.cat(states[2:], 1)


class AuxiliaryHead(nn.Module):
    """Made for 8 x 8 (CIFAR form) or 7 x 7 (ImageNet form, where the second BN is left out)."""

    def __init__(self, channels, classes, imagenet):
        super().__init__()
        layers = [nn.ReLU(inplace=True), nn.AvgPool2d(5, 2 if imagenet else 3, count_include_pad=False),
                  convolution(channels, 128, 1), batch_norm(128), nn.ReLU(inplace=True), convolution(128, 768, 2)]
        if not imagenet:
            layers.append(batch_norm(768))
        self.features = nn.Sequential(*layers, nn.ReLU(inplace=True))
        self.classifier = nn.Linear(768, classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Body(nn.Module):
    """Stem, cells and head. `build_cell(reduction, inputs, channels, after_reduction)` makes a cell."""

    def __init__(self, channels, cells, classes, build_cell, auxiliary=False, image_channels=3, imagenet=False):
        super().__init__()
        self.imagenet = imagenet
        if imagenet:
            half = channels // 2
            self.stem0 = nn.Sequential(
                convolution(image_channels, half, 3, stride=2, padding=1), batch_norm(half), nn.ReLU(inplace=True),
                convolution(half, channels, 3, stride=2, padding=1), batch_norm(channels))
            self.stem1 = nn.Sequential(nn.ReLU(inplace=True),
                                       convolution(channels, channels, 3, stride=2, padding=1), batch_norm(channels))
            inputs = [channels, channels]
        else:
            self.stem = nn.Sequential(convolution(image_channels, 3 * channels, 3, padding=1),
                                      batch_norm(3 * channels))
            inputs = [3 * channels, 3 * channels]
        self.cells = nn.ModuleList()
        self.reductions = (cells // 3, 2 * cells // 3)
        after_reduction = imagenet
        for i in range(cells):
            reduction = i in self.reductions
            channels *= 2 if reduction else 1
            self.cells.append(build_cell(reduction, inputs, channels, after_reduction))
            inputs, after_reduction = [inputs[1], 4 * channels], reduction
            if auxiliary and i == self.reductions[1]:
                self.auxiliary_head = AuxiliaryHead(inputs[1], classes, imagenet)
        self.auxiliary = auxiliary
        # In the reference the classifier comes last.
        self.classifier = nn.Linear(inputs[1], classes)

    def stems(self, x):
        if self.imagenet:
            first = self.stem0(x)
            return first, self.stem1(first)
        first = self.stem(x)
        return first, first


class Network(Body):
    """A derived network. In training mode it gives the logits and, if it has the head, the auxiliary ones."""

    def __init__(self, genotype, channels, cells, classes=10, **options):
        def build_cell(reduction, inputs, width, after_reduction):
            return Cell(genotype["reduce" if reduction else "normal"], inputs, width, reduction, after_reduction)
        super().__init__(channels, cells, classes, build_cell, **options)

    def forward(self, x):
        before_last, last = self.stems(x)
        auxiliary = None
        for i, cell in enumerate(self.cells):
            before_last, last = last, cell(before_last, last)
            if self.auxiliary and self.training and i == self.reductions[1]:
                auxiliary = self.auxiliary_head(last)
        return self.classifier(last.mean((2, 3))), auxiliary

    def loss(self, images, labels):
        """Mean cross-entropy, and 0.4 times that of the auxiliary head."""
        logits, auxiliary = self(images)
        loss = functional.cross_entropy(logits, labels)
        if auxiliary is not None:
            loss = loss + AUXILIARY_WEIGHT * functional.cross_entropy(auxiliary, labels)
        return loss


class MixedOp(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self._ops = nn.ModuleList()
        for name in OPERATIONS:
            operation = build_operation(name, channels, stride, affine=False)
            if "pool" in name:
                operation = nn.Sequential(operation, batch_norm(channels, affine=False))
            self._ops.append(operation)

    def forward(self, x, weights):
        return sum(weight * operation(x) for weight, operation in zip(weights, self._ops))


class SearchCell(Preprocessed):
    def __init__(self, inputs, channels, reduction, after_reduction):
        super().__init__(inputs, channels, after_reduction, affine=False)
        self._ops = nn.ModuleList(MixedOp(channels, 2 if reduction and source < 2 else 1)
                                  for source, _ in supernet.EDGES)

    def forward(self, before_last, last, weights):
        states = [self.preprocess0(before_last), self.preprocess1(last)]
        for node in range(2, 6):
            states.append(sum(self._ops[edge](states[source], weights[edge])
                              for edge, (source, target) in enumerate(supernet.EDGES) if target == node))
        return torch.cat(states[2:], 1)


class SearchNetwork(Body):
    """The supernet of the reference. Alphas are no part of its state dict: they are given with the images."""

    def __init__(self, channels, cells, classes=10, **options):
        def build_cell(reduction, inputs, width, after_reduction):
            return SearchCell(inputs, width, reduction, after_reduction)
        super().__init__(channels, cells, classes, build_cell, **options)

    def forward(self, x, alphas_normal, alphas_reduce):
        weights = torch.softmax(alphas_normal, -1), torch.softmax(alphas_reduce, -1)
        before_last, last = self.stems(x)
        for i, cell in enumerate(self.cells):
            before_last, last = last, cell(before_last, last, weights[i in self.reductions])
        return self.classifier(last.mean((2, 3)))


def count_macs(model, images):
    """Multiply-accumulates of the convolutions and the classifier for one image, without the auxiliary head."""
    macs = 0

    def count(module, _inputs, output):
        nonlocal macs
        pixels = output[0, 0].numel() if output.dim() == 4 else 1
        macs += pixels * module.weight.numel()

    hooks = [layer.register_forward_hook(count) for layer in model.modules()
             if isinstance(layer, (nn.Conv2d, nn.Linear))]
    model.eval()
    with torch.no_grad():
        model(images)
    model.train()
    for hook in hooks:
        hook.remove()
    return macs


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genotype", metavar="NAME|FILE", default="ASAP")
    parser.add_argument("--channels", type=int, default=36, help="channels of the first cell")
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--height", type=int, default=32, help="pixels")
    parser.add_argument("--width", type=int, default=32, help="pixels")
    parser.add_argument("--image-channels", type=int, default=3)
    parser.add_argument("--imagenet", action="store_true", help="the stem of three convolutions")
    parser.add_argument("--auxiliary", action="store_true", help="with the auxiliary head")
    parser.add_argument("--batch", type=int, default=32, help="images in a batch")
    devices.add_arguments(parser)
    options = parser.parse_args()
    return options, devices.Device(parser, options)


def main():
    options, device = arguments()
    model = Network(read_genotype(options.genotype), options.channels, options.cells, options.classes,
                    auxiliary=options.auxiliary, image_channels=options.image_channels, imagenet=options.imagenet)
    macs = count_macs(model, torch.zeros(1, options.image_channels, options.height, options.width))
    layout = devices.LAYOUTS[options.layout]
    model = model.to(device.device, memory_format=layout)
    images = torch.randn(options.batch, options.image_channels, options.height, options.width)
    images = images.to(device.device, memory_format=layout)
    labels = torch.randint(0, options.classes, (options.batch,)).to(device.device)
    weights = list(model.parameters())
    optimizer = torch.optim.SGD(weights, 0.025, momentum=0.9, weight_decay=3e-4, **device.optimizer_options())

    def plain_loss(images, labels):
        with device.autocast():
            return model.loss(images, labels)

    loss_of = device.prepared(plain_loss)

    def step():
        optimizer.zero_grad()
        loss = loss_of(images, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 5.0)
        optimizer.step()
        # A copy: the next CUDA graph writes where this one wrote.
        return loss.detach().clone()

    measured = device.time(step, weights, options)
    devices.print_line({
        "genotype": options.genotype, "channels": options.channels, "cells": options.cells,
        "height": options.height, "width": options.width, "auxiliary": options.auxiliary,
        "imagenet": options.imagenet, "step": "weight",
        "macs_per_image": macs, "weights": sum(p.numel() for p in weights), **measured,
    })


if __name__ == "__main__":
    main()
