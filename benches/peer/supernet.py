#!/usr/bin/env python3
"""The supernet of asap in PyTorch: the peer that `asap bench step` is measured against.

One JSON line with the fields of `asap bench step`. A step is

* `weight`: SGD on the weights (momentum 0.9, weight decay 3e-4, gradient clipped to norm 5);
* `alpha`: Adam on the alphas (learning rate 3e-4, betas 0.5 and 0.999, L2 1e-3) on a second batch;
* `search`: an alpha step, then a weight step.

The program is PyTorch at its best: on a CPU channels_last, float32; on a GPU whatever `--mode`, `--precision` and
`--layout` say; and only the gradients that a step uses. Every edge computes its own operations, as DARTS and its
descendants do.

    python supernet.py --channels 8 --cells 5 --size 28 --batch 32 --threads 2 --step search
    python supernet.py --device cuda --mode max-autotune --precision bf16 --step search

`--double` computes the same steps in float64, the exact answer that rounding is measured against; cells are computed
again in the backward pass, which leaves the memory of a few.

`--weights FILE` and `--inputs FILE` write what the run starts from, as safetensors: the weights under
asap's own names, and the batches (`weight.pixels` [N, H, W, C], `weight.labels` [N], `alpha.pixels`,
`alpha.labels`) with the alphas (`alphas.normal`, `alphas.reduction` [edges, operations]).
`asap bench step --weights FILE --inputs FILE` starts from the same numbers.

Needs torch. On a CPU it is fastest with tcmalloc preloaded (`LD_PRELOAD=libtcmalloc_minimal.so.4`).
"""
import argparse
import re

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import device as devices
from tensor_file import save_file

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
        values = tensor.detach().contiguous()
        if key in result:
            assert torch.equal(result[key], values), f"{name} differs from the other pools of {key}"
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
    """A model, its alphas, their optimizers and two batches, all on one device."""

    def __init__(self, model, alphas, batches, device):
        self.model, self.batches, self.device = model, batches, device
        self.weights = list(model.parameters())
        self.alphas = alphas
        self.weight_optimizer = torch.optim.SGD(self.weights, 0.025, momentum=0.9, weight_decay=3e-4,
                                                **device.optimizer_options())
        self.alpha_optimizer = alphas and torch.optim.Adam(
            list(alphas.values()), 3e-4, betas=(0.5, 0.999), weight_decay=1e-3, **device.adam_options())
        self.prepared_loss = device.prepared(self.loss)

    def parameters(self):
        return self.weights + list((self.alphas or {}).values())

    def loss(self, pixels, labels):
        op_weights = self.alphas and {kind: edge_weights(torch.softmax(alphas, -1))
                                      for kind, alphas in self.alphas.items()}
        with self.device.autocast():
            return functional.cross_entropy(self.model(pixels, op_weights), labels)

    def update(self, batch, optimizer):
        moved = [p for group in optimizer.param_groups for p in group["params"]]
        # Gradients that nobody reads are not computed.
        for parameter in self.parameters():
            parameter.grad = None
            parameter.requires_grad_(False)
        for parameter in moved:
            parameter.requires_grad_(True)
        loss = self.prepared_loss(*batch)
        loss.backward()
        nn.utils.clip_grad_norm_(moved, 5.0)
        optimizer.step()
        # A copy: the next CUDA graph writes where this one wrote.
        return loss.detach().clone()

    def step(self, which):
        loss = None
        if which in ("alpha", "search"):
            loss = self.update(self.batches["alpha"], self.alpha_optimizer)
        if which in ("weight", "search"):
            loss = self.update(self.batches["weight"], self.weight_optimizer)
        return loss


def recompute_cells(model):
    """Lets a backward pass compute the cells again, one at a time, instead of keeping all they computed."""
    for cell in model.cells:
        forward = cell.forward
        cell.forward = lambda *inputs, forward=forward: checkpoint(forward, *inputs, use_reentrant=False)


def synthetic_batches(batch, size, generator):
    """Normal pixels and uniform labels: one batch for weight steps, another for alpha steps."""
    return {name: (torch.randn(batch, 3, size, size, generator=generator),
                   torch.randint(0, 10, (batch,), generator=generator))
            for name in ("weight", "alpha")}


def write_inputs(path, batches, alphas):
    tensors = {}
    for name, (pixels, labels) in batches.items():
        tensors[f"{name}.pixels"] = pixels.permute(0, 2, 3, 1).contiguous()
        tensors[f"{name}.labels"] = labels.to(torch.int32)
    for kind, values in (alphas or {}).items():
        tensors[f"alphas.{kind}"] = values
    save_file(tensors, path)


def start(options):
    """The model, the alphas if any and the batches that a run starts from, written to files if that is asked for."""
    topology = genotype_topology(options.genotype) if options.genotype else full_topology()
    model = Supernet(options.channels, options.cells, topology)
    macs = count_macs(model, options.size)
    alphas = None if options.genotype else {
        kind: 1e-3 * torch.randn(len(EDGES), len(OPERATIONS)) for kind in KINDS}
    batches = synthetic_batches(options.batch, options.size, torch.Generator().manual_seed(options.seed))
    if options.weights:
        save_file(project_tensors(model.state_dict().items()), options.weights)
    if options.inputs:
        write_inputs(options.inputs, batches, alphas)
    return model, macs, alphas, batches


def placed(options, device, model, alphas, batches):
    """All of it on the device, in the layout and the number format of the options."""
    dtype = torch.float64 if options.double else torch.float32
    layout = devices.LAYOUTS[options.layout]
    model = model.to(device.device, dtype, memory_format=layout)
    if options.double:
        recompute_cells(model)
    alphas = alphas and {kind: nn.Parameter(values.to(device.device, dtype)) for kind, values in alphas.items()}
    batches = {name: (pixels.to(device.device, dtype, memory_format=layout), labels.to(device.device))
               for name, (pixels, labels) in batches.items()}
    return Search(model, alphas, batches, device)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--channels", type=int, default=16, help="channels of the first cell")
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--size", type=int, default=32, help="pixels along one side")
    parser.add_argument("--batch", type=int, default=64, help="images in a batch")
    parser.add_argument("--step", choices=("weight", "alpha", "search"), default="weight")
    parser.add_argument("--genotype", choices=sorted(GENOTYPES), help="time a derived network instead")
    parser.add_argument("--weights", metavar="FILE", help="write the first weights")
    parser.add_argument("--inputs", metavar="FILE", help="write the batches and the first alphas")
    parser.add_argument("--double", action="store_true", help="compute in float64, [N, C, H, W]")
    devices.add_arguments(parser)
    options = parser.parse_args()
    if options.genotype and options.step != "weight":
        parser.error("a derived network has no alphas: --genotype takes --step weight only")
    if options.double:
        if (options.mode, options.precision) != ("eager", "f32"):
            parser.error("--double: float64 has no --precision and no --mode")
        options.layout = "nchw"
    return options, devices.Device(parser, options)


def main():
    options, device = arguments()
    model, macs, alphas, batches = start(options)
    search = placed(options, device, model, alphas, batches)
    measured = device.time(lambda: search.step(options.step), search.parameters(), options)
    devices.print_line({
        "channels": options.channels, "cells": options.cells, "size": options.size, "step": options.step,
        "genotype": options.genotype, "double": options.double,
        "macs_per_image": sum(macs.values()), "macs_split": macs,
        "weights": sum(p.numel() for p in search.weights), **measured,
    })


if __name__ == "__main__":
    main()
