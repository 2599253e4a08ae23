#!/usr/bin/env python3
"""The supernet of asap in PyTorch: the peer that `asap bench step` is measured against.

One JSON line with the fields of `asap bench step`. A step is

* `weight`: SGD on the weights (momentum 0.9, weight decay 3e-4, gradient clipped to norm 5);
* `alpha`: Adam on the alphas (learning rate 3e-4, betas 0.5 and 0.999, L2 1e-3) on a second batch;
* `search`: an alpha step, then a weight step.

The program is PyTorch at its best on a CPU: channels_last, float32, and only the gradients that a step
uses. Every edge computes its own operations, as DARTS and its descendants do.

    python supernet.py --channels 8 --cells 5 --size 28 --batch 32 --threads 2 --step search

`--weights FILE` and `--inputs FILE` write what the run starts from, as safetensors: the weights under
asap's own names, and the batches (`weight.pixels` [N, H, W, C], `weight.labels` [N], `alpha.pixels`,
`alpha.labels`) with the alphas (`alphas.normal`, `alphas.reduction` [edges, operations]).
`asap bench step --weights FILE --inputs FILE` starts from the same numbers.

Needs torch, numpy, safetensors. Fastest with tcmalloc preloaded (`LD_PRELOAD=libtcmalloc_minimal.so.4`).
"""
import argparse
import json
import re
import resource
import statistics
import time

import numpy
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional

OPERATIONS = ("max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5",
              "dil_conv_3x3", "dil_conv_5x5")
KINDS = ("normal", "reduction")
# Edges in asap's order: by the node they enter, then by the node they leave.
EDGES = tuple((source, node) for node in range(2, 6) for source in range(node))

# Published cells: per intermediate node, the operations and the nodes they read.
GENOTYPES = {
    "ASAP": {
        "normal": [[("sep_conv_3x3", 0), ("sep_conv_3x3", 1)], [("sep_conv_3x3", 1), ("skip_connect", 0)],
                   [("skip_connect", 0), ("skip_connect", 2)], [("skip_connect", 1), ("skip_connect", 2)]],
        "reduction": [[("avg_pool_3x3", 0), ("sep_conv_3x3", 1)], [("avg_pool_3x3", 0), ("dil_conv_5x5", 2)],
                      [("max_pool_3x3", 1), ("skip_connect", 2)], [("max_pool_3x3", 0), ("skip_connect", 2)]],
    },
    "DARTS_V2": {
        "normal": [[("sep_conv_3x3", 0), ("sep_conv_3x3", 1)], [("sep_conv_3x3", 0), ("sep_conv_3x3", 1)],
                   [("sep_conv_3x3", 1), ("skip_connect", 0)], [("skip_connect", 0), ("dil_conv_3x3", 2)]],
        "reduction": [[("max_pool_3x3", 0), ("max_pool_3x3", 1)], [("skip_connect", 2), ("max_pool_3x3", 1)],
                      [("max_pool_3x3", 0), ("skip_connect", 2)], [("skip_connect", 2), ("max_pool_3x3", 1)]],
    },
}


def full_topology():
    """Every operation on every edge of both kinds of cell."""
    return {kind: {edge: OPERATIONS for edge in EDGES} for kind in KINDS}


def genotype_topology(name):
    """The one operation on each of the two edges into every node of a published cell."""
    return {kind: {(source, node): (operation,)
                   for node, inputs in enumerate(GENOTYPES[name][kind], start=2)
                   for operation, source in inputs}
            for kind in KINDS}


class ReluConvNorm(nn.Module):
    def __init__(self, inputs, channels, affine):
        super().__init__()
        self.conv = nn.Conv2d(inputs, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x):
        return self.norm(self.conv(functional.relu(x)))


class FactorisedReduce(nn.Module):
    """Two 1x1 convolutions of stride 2, the second one pixel down and right; zeros beyond an odd edge."""

    def __init__(self, inputs, channels, affine):
        super().__init__()
        self.conv_a = nn.Conv2d(inputs, channels // 2, 1, stride=2, bias=False)
        self.conv_b = nn.Conv2d(inputs, channels - channels // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x):
        x = functional.relu(x)
        height, width = x.shape[2:]
        shifted = functional.pad(x[:, :, 1:, 1:], (0, width % 2, 0, height % 2))
        return self.norm(torch.cat((self.conv_a(x), self.conv_b(shifted)), 1))


class Pool(nn.Module):
    """3x3 pool; batch norm without affine follows it in the search form only."""

    def __init__(self, operation, channels, stride, final):
        super().__init__()
        self.pool = (nn.MaxPool2d(3, stride, padding=1) if operation == "max_pool_3x3"
                     else nn.AvgPool2d(3, stride, padding=1, count_include_pad=False))
        self.norm = nn.Identity() if final else nn.BatchNorm2d(channels, affine=False)

    def forward(self, x):
        return self.norm(self.pool(x))


class DilConv(nn.Module):
    def __init__(self, channels, kernel, stride, affine):
        super().__init__()
        self.depthwise = depthwise(channels, kernel, stride, dilation=2)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x):
        return self.norm(self.pointwise(self.depthwise(functional.relu(x))))


class SepConv(nn.Module):
    def __init__(self, channels, kernel, stride, affine):
        super().__init__()
        self.depthwise1 = depthwise(channels, kernel, stride, dilation=1)
        self.pointwise1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels, affine=affine)
        self.depthwise2 = depthwise(channels, kernel, 1, dilation=1)
        self.pointwise2 = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x):
        x = self.norm1(self.pointwise1(self.depthwise1(functional.relu(x))))
        return self.norm2(self.pointwise2(self.depthwise2(functional.relu(x))))


def depthwise(channels, kernel, stride, dilation):
    return nn.Conv2d(channels, channels, kernel, stride, padding=dilation * (kernel - 1) // 2,
                     dilation=dilation, groups=channels, bias=False)


def build_operation(operation, channels, stride, final):
    if operation.endswith("pool_3x3"):
        return Pool(operation, channels, stride, final)
    if operation == "skip_connect":
        return nn.Identity() if stride == 1 else FactorisedReduce(channels, channels, final)
    convolution = {"sep": SepConv, "dil": DilConv}[operation[:3]]
    return convolution(channels, int(operation[-1]), stride, final)


class Cell(nn.Module):
    def __init__(self, inputs, channels, topology, reduction, after_reduction, final):
        super().__init__()
        self.input0 = (FactorisedReduce if after_reduction else ReluConvNorm)(inputs[0], channels, final)
        self.input1 = ReluConvNorm(inputs[1], channels, final)
        self.edges = nn.ModuleDict({
            f"{source}-{node}": nn.ModuleDict({
                operation: build_operation(operation, channels, 2 if reduction and source < 2 else 1, final)
                for operation in operations})
            for (source, node), operations in topology.items()})

    def forward(self, before_last, last, op_weights):
        """The concat of the intermediate nodes; `op_weights` has one vector per edge, or is None for ones."""
        states = [self.input0(before_last), self.input1(last)]
        for node in range(2, 6):
            value = None
            for source in range(node):
                edge = f"{source}-{node}"
                if edge not in self.edges:
                    continue
                for i, operation in enumerate(self.edges[edge].values()):
                    term = operation(states[source])
                    if op_weights is not None:
                        term = op_weights[edge][i] * term
                    value = term if value is None else value + term
            states.append(value)
        return torch.cat(states[2:], 1)


class Supernet(nn.Module):
    """A supernet, or with a discrete topology the network derived from it."""

    def __init__(self, channels, cells, topology, classes=10, image_channels=3, final=False):
        super().__init__()
        self.discrete = all(len(operations) == 1 for cell in topology.values() for operations in cell.values())
        self.kinds = ["reduction" if i in (cells // 3, 2 * cells // 3) else "normal" for i in range(cells)]
        self.stem = nn.Module()
        self.stem.conv = nn.Conv2d(image_channels, 3 * channels, 3, padding=1, bias=False)
        self.stem.norm = nn.BatchNorm2d(3 * channels)
        inputs = [3 * channels, 3 * channels]
        self.cells = nn.ModuleList()
        for i, kind in enumerate(self.kinds):
            channels *= 2 if kind == "reduction" else 1
            after_reduction = i > 0 and self.kinds[i - 1] == "reduction"
            self.cells.append(Cell(inputs, channels, topology[kind], kind == "reduction", after_reduction, final))
            inputs = [inputs[1], 4 * channels]
        self.classifier = nn.Linear(inputs[1], classes)

    def forward(self, x, op_weights=None):
        before_last = last = self.stem.norm(self.stem.conv(x))
        for kind, cell in zip(self.kinds, self.cells):
            weights = None if op_weights is None else op_weights[kind]
            before_last, last = last, cell(before_last, last, weights)
        return self.classifier(last.mean((2, 3)))


ENDINGS = {"running_mean": "mean", "running_var": "variance"}


def project_name(name):
    """asap's name of an entry of `state_dict`, or None for what asap does not keep."""
    owner, ending = name.rsplit(".", 1)
    if ending == "num_batches_tracked":
        return None
    # asap keeps one set of running statistics for all pools of one kind that read one node.
    owner = re.sub(r"edges\.(\d)-\d\.((?:max|avg)_pool_3x3)", r"nodes.\1.\2", owner)
    if "norm" in owner.rsplit(".", 1)[-1]:
        ending = {"weight": "scale", "bias": "shift"}.get(ending) or ENDINGS[ending]
    elif not owner.endswith("classifier"):
        return owner
    return f"{owner}.{ending}"


def project_tensors(named):
    """Tensors by asap's names, from `(name in PyTorch, tensor)` pairs; all copies of one name must agree."""
    result = {}
    for name, tensor in named:
        key = project_name(name)
        if key is None:
            continue
        values = tensor.detach().contiguous().numpy()
        if key in result:
            assert numpy.array_equal(result[key], values), f"{name} differs from the other pools of {key}"
        result[key] = values
    return result


def edge_weights(rows):
    """One row per edge, in asap's order, by the names that cells use."""
    return {f"{source}-{node}": row for (source, node), row in zip(EDGES, rows)}


def count_macs(model, size):
    """Multiply-accumulates of the convolutions and the classifier for one image, by kind of layer."""
    macs = {"dense": 0, "depthwise": 0, "pointwise": 0, "linear": 0}

    def count(module, _inputs, output):
        if isinstance(module, nn.Linear):
            macs["linear"] += module.weight.numel()
            return
        pixels = output.shape[2] * output.shape[3]
        kind = ("dense" if module is model.stem.conv
                else "pointwise" if module.kernel_size == (1, 1) else "depthwise")
        macs[kind] += pixels * module.weight.numel()

    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    model.eval()
    with torch.no_grad():
        model(torch.zeros(1, 3, size, size))
    model.train()
    for hook in hooks:
        hook.remove()
    return macs


class Search:
    """A model, its alphas, their optimizers and two batches."""

    def __init__(self, model, alphas, batches):
        self.model, self.batches = model, batches
        self.weights = list(model.parameters())
        self.alphas = alphas
        self.weight_optimizer = torch.optim.SGD(self.weights, 0.025, momentum=0.9, weight_decay=3e-4)
        self.alpha_optimizer = alphas and torch.optim.Adam(
            list(alphas.values()), 3e-4, betas=(0.5, 0.999), weight_decay=1e-3)

    def loss(self, pixels, labels):
        op_weights = self.alphas and {kind: edge_weights(torch.softmax(alphas, -1))
                                      for kind, alphas in self.alphas.items()}
        return functional.cross_entropy(self.model(pixels, op_weights), labels)

    def update(self, batch, optimizer):
        moved = [p for group in optimizer.param_groups for p in group["params"]]
        # Gradients that nobody reads are not computed.
        for parameter in self.weights + list((self.alphas or {}).values()):
            parameter.grad = None
            parameter.requires_grad_(False)
        for parameter in moved:
            parameter.requires_grad_(True)
        loss = self.loss(*batch)
        loss.backward()
        nn.utils.clip_grad_norm_(moved, 5.0)
        optimizer.step()
        return loss.item()

    def step(self, which):
        loss = None
        if which in ("alpha", "search"):
            loss = self.update(self.batches["alpha"], self.alpha_optimizer)
        if which in ("weight", "search"):
            loss = self.update(self.batches["weight"], self.weight_optimizer)
        return loss


def synthetic_batches(batch, size, generator):
    """Normal pixels and uniform labels: one batch for weight steps, another for alpha steps."""
    return {name: (torch.randn(batch, 3, size, size, generator=generator)
                   .contiguous(memory_format=torch.channels_last),
                   torch.randint(0, 10, (batch,), generator=generator))
            for name in ("weight", "alpha")}


def write_inputs(path, search):
    tensors = {}
    for name, (pixels, labels) in search.batches.items():
        tensors[f"{name}.pixels"] = numpy.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy())
        tensors[f"{name}.labels"] = labels.numpy().astype(numpy.uint32)
    for kind, alphas in (search.alphas or {}).items():
        tensors[f"alphas.{kind}"] = alphas.detach().numpy()
    save_file(tensors, path)


def peak_rss_mib():
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--channels", type=int, default=16, help="channels of the first cell")
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--size", type=int, default=32, help="pixels along one side")
    parser.add_argument("--batch", type=int, default=64, help="images in a batch")
    parser.add_argument("--steps", type=int, default=5, help="timed steps")
    parser.add_argument("--warmup", type=int, default=2, help="steps before the clock starts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--step", choices=("weight", "alpha", "search"), default="weight")
    parser.add_argument("--genotype", choices=sorted(GENOTYPES), help="time a derived network instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", metavar="FILE", help="write the first weights")
    parser.add_argument("--inputs", metavar="FILE", help="write the batches and the first alphas")
    options = parser.parse_args()
    if options.genotype and options.step != "weight":
        parser.error("a derived network has no alphas: --genotype takes --step weight only")
    return options


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    base_rss = peak_rss_mib()  # the interpreter and PyTorch, before any network

    topology = genotype_topology(options.genotype) if options.genotype else full_topology()
    model = Supernet(options.channels, options.cells, topology)
    macs = count_macs(model, options.size)
    model = model.to(memory_format=torch.channels_last)
    alphas = None if options.genotype else {
        kind: nn.Parameter(1e-3 * torch.randn(len(EDGES), len(OPERATIONS))) for kind in KINDS}
    batches = synthetic_batches(options.batch, options.size, torch.Generator().manual_seed(options.seed))
    search = Search(model, alphas, batches)
    if options.weights:
        save_file(project_tensors(model.state_dict().items()), options.weights)
    if options.inputs:
        write_inputs(options.inputs, search)

    losses, wall, cpu = [], [], []
    started = time.perf_counter()
    for _ in range(options.warmup):
        losses.append(search.step(options.step))
    warmup = time.perf_counter() - started
    for _ in range(options.steps):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        losses.append(search.step(options.step))
        wall.append(time.perf_counter() - wall_start)
        cpu.append(time.process_time() - cpu_start)

    median = statistics.median(wall)
    print(json.dumps({
        "channels": options.channels, "cells": options.cells, "size": options.size,
        "batch": options.batch, "device": "cpu", "step": options.step,
        "threads": torch.get_num_threads(), "compile": False, "channels_last": True, "amp": "none",
        "torch": torch.__version__, "genotype": options.genotype,
        "median_step_s": round(median, 5), "min_step_s": round(min(wall), 5),
        "median_cpu_s": round(statistics.median(cpu), 5), "min_cpu_s": round(min(cpu), 5),
        "images_per_s": round(options.batch / median, 2), "warmup_s": round(warmup, 2),
        "macs_per_image": sum(macs.values()), "macs_split": macs,
        "weights": sum(p.numel() for p in search.weights), "loss": round(losses[-1], 5),
        "losses": [round(loss, 5) for loss in losses],
        "peak_rss_mib": peak_rss_mib(), "base_rss_mib": base_rss,
    }))


if __name__ == "__main__":
    main()
