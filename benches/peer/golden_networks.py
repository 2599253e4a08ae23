"""Golden networks: one step, evaluation after it and the first losses of training, in float64.

The weights are float32 numbers, as asap's are. In a file, `before.NAME` is a parameter under asap's name,
`gradient.NAME` the gradient of the loss in it, `after.NAME` a running statistic after the step (from mean 0
and variance 1); `op_weights.KIND` has a row per edge and a column per operation; `logits` are those of
evaluation after the step; `losses` those of five SGD steps from the start, the batch being the same.

Run by `golden.py`.
"""
import pathlib

import numpy
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional

import supernet

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "crates/asap-space/tests/golden"
ORIGIN = {"origin": f"benches/peer/golden_networks.py, PyTorch {torch.__version__}, float64, CPU"}
# Ten times the rounding error of float32 that these networks gather.
WANTED_MARGIN = 1e-5


class Margin:
    """How near the network comes to a kink: the smallest |x| before a ReLU, the smallest lead in a max pool.

    In float32 a value within rounding of a kink may fall to its other side, and then a gradient differs
    by far more than rounding. Golden values with a margin have no such value.
    """

    def __init__(self):
        self.smallest = float("inf")
        self.relu, self.max_pool = functional.relu, functional.max_pool2d

    def __enter__(self):
        def relu(x, *args, **kwargs):
            self.note(x.detach().abs())
            return self.relu(x, *args, **kwargs)

        def max_pool(x, *args, **kwargs):
            padded = functional.pad(x.detach(), (1, 1, 1, 1), value=-1e9)
            windows = padded.unfold(2, 3, args[1]).unfold(3, 3, args[1]).flatten(4)
            largest = windows.topk(2).values
            self.note(largest[..., 0] - largest[..., 1])
            return self.max_pool(x, *args, **kwargs)
        functional.relu, functional.max_pool2d = relu, max_pool
        return self

    def __exit__(self, *_):
        functional.relu, functional.max_pool2d = self.relu, self.max_pool

    def note(self, distances):
        # Exact zeros and ties are decided by rule, alike in every precision.
        distances = distances[distances > 0]
        if distances.numel():
            self.smallest = min(self.smallest, distances.min().item())


def randomise(model, generator):
    """Numbers for the affines, which start trivial. Running statistics keep their start (mean 0, variance 1)."""
    for name, parameter in model.named_parameters():
        key = supernet.project_name(name)
        if ".norm" in key:
            uniform = torch.rand(parameter.shape, generator=generator)
            with torch.no_grad():
                parameter.copy_(uniform + 0.5 if key.endswith(".scale") else uniform - 0.5)


class Start:
    """A network, a batch and op weights, from a seed."""

    def __init__(self, seed, build, classes, image_channels, size, batch):
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        self.model = build()
        randomise(self.model, generator)
        self.model.double()
        self.state = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.pixels = torch.randn(batch, image_channels, size, size, generator=generator)
        self.labels = torch.randint(0, classes, (batch,), generator=generator)
        self.op_weights = {kind: (0.05 + 0.3 * torch.rand(14, 7, generator=generator)).double()
                           for kind in supernet.KINDS}
        if self.model.discrete:
            self.op_weights = None

    def reset(self):
        """Back to the first weights and running statistics, in training mode."""
        self.model.load_state_dict(self.state)
        self.model.train()

    def logits(self):
        rows = self.op_weights and {kind: supernet.edge_weights(w) for kind, w in self.op_weights.items()}
        return self.model(self.pixels.double(), rows)

    def loss(self):
        return functional.cross_entropy(self.logits(), self.labels)


def start_with_margin(build, start=Start, **sizes):
    for seed in range(1000):
        found = start(seed, build, **sizes)
        with Margin() as margin, torch.no_grad():
            found.loss()
        if margin.smallest > WANTED_MARGIN:
            found.reset()
            return found
    raise SystemExit("no seed has a margin")


def training_losses(start, steps=5):
    """Losses of SGD as the search sets it: 0.025, momentum 0.9, weight decay 3e-4, norm clipped to 5."""
    parameters = list(start.model.parameters())
    optimizer = torch.optim.SGD(parameters, 0.025, momentum=0.9, weight_decay=3e-4)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = start.loss()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def golden_network(name, start, selected):
    """Writes the file of a network; the gradients and statistics whose names begin with one of `selected`."""
    parameters = {supernet.project_name(key): value for key, value in start.model.named_parameters()}
    tensors = {f"before.{key}": float32(value) for key, value in parameters.items()}
    tensors["pixels"] = float32(start.pixels.permute(0, 2, 3, 1))
    tensors["labels"] = start.labels.numpy().astype(numpy.uint32)

    op_weights = start.op_weights or {}
    for weights in op_weights.values():
        weights.requires_grad_()
    loss = start.loss()
    loss.backward()
    tensors["loss"] = numpy.array([loss.item()])
    for key, value in parameters.items():
        if key.startswith(selected):
            tensors[f"gradient.{key}"] = float32(value.grad)
    for kind, weights in op_weights.items():
        tensors[f"op_weights.{kind}.gradient"] = weights.grad.numpy()
        weights.requires_grad_(False)
        tensors[f"op_weights.{kind}"] = weights.numpy()
    for key, value in supernet.project_tensors(start.model.state_dict().items()).items():
        if key.endswith((".mean", ".variance")) and key.startswith(selected):
            tensors[f"after.{key}"] = float32(value)
    start.model.eval()
    with torch.no_grad():
        tensors["logits"] = start.logits().numpy()

    start.reset()
    tensors["losses"] = numpy.array(training_losses(start))
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.safetensors"
    save_file(tensors, path, ORIGIN)
    print(f"{path.stat().st_size:8} {path}")


def float32(tensor):
    return numpy.ascontiguousarray(tensor.detach().float())


def write_all():
    # Odd channels and sizes; a normal cell, two reductions in a row, a normal cell after them.
    golden_network(
        "supernet",
        start_with_margin(lambda: supernet.Supernet(3, 4, supernet.full_topology()),
                          classes=10, image_channels=3, size=11, batch=4),
        ("stem", "cells.0.input", "cells.0.edges.0-2", "cells.0.nodes.", "cells.0.edges.4-5", "cells.1.input",
         "cells.1.edges.1-3", "cells.1.nodes", "cells.2.input", "cells.2.edges.0-5", "cells.3.input",
         "cells.3.edges.2-4", "cells.3.nodes", "classifier"))
    # Grey images, an even size, no batch norm after pools, affine everywhere.
    golden_network(
        "final",
        start_with_margin(lambda: supernet.Supernet(4, 5, supernet.genotype_topology("DARTS_V2"), classes=3,
                                                    image_channels=1, final=True),
                          classes=3, image_channels=1, size=10, batch=3),
        ("",))
