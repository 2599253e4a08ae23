#!/usr/bin/env python3
"""Golden state dicts: small networks of the reference implementation with random numbers, and what they compute.

    python golden_darts.py      # writes crates/asap-space/tests/golden/darts_*.safetensors

In a file, `state.KEY` is an entry of the state dict, `images` [N, C, H, W] and `labels` the batch, `logits` those of
evaluation with the running statistics of the state dict, `loss` that of one pass in training mode (cross-entropy,
and 0.4 times that of the auxiliary head), `gradient.KEY` its gradient in a parameter. A search network also has
`alphas_normal` and `alphas_reduce`, and their gradients. Weights are float32; everything is computed in float64.

The largest kernel of the auxiliary head would be most of the file. Its values come from a formula that the test
knows, `FORMULA` below, and of its gradient the file has every 1009th value (`sampled.KEY`).

Needs torch, numpy, safetensors, and `network.py`, `supernet.py` and `golden_networks.py` beside it.
"""
import numpy
import torch
from safetensors.numpy import save_file
from torch.nn import functional

import golden_networks
import network

FORMULA = "value i is ((2654435761 i mod 2^32) / 2^32 - 0.5) * 0.2, i in row-major order"
FROM_FORMULA = "auxiliary_head.features.5.weight"
SAMPLE = 1009
SEEDS = 60


def formula(shape):
    index = numpy.arange(numpy.prod(shape), dtype=numpy.uint64)
    share = (index * numpy.uint64(2654435761) % numpy.uint64(2 ** 32)) / 2.0 ** 32
    return torch.from_numpy(((share - 0.5) * 0.2).astype(numpy.float32).reshape(shape))


def randomise(model, generator):
    """Numbers for scales, shifts and running statistics, which start trivial."""
    state = model.state_dict()
    for key, value in state.items():
        uniform = torch.rand(value.shape, generator=generator)
        if key.endswith("running_mean"):
            value.copy_(uniform - 0.5)
        elif key.endswith("running_var"):
            value.copy_(uniform + 0.5)
        elif key.endswith("num_batches_tracked"):
            value.fill_(7)
        elif key == FROM_FORMULA:
            value.copy_(formula(value.shape))
        elif value.dim() == 1 and key.replace("weight", "running_var") in state:
            value.copy_(uniform + 0.5)
        elif value.dim() == 1:
            value.copy_(uniform - 0.5)


class Case:
    """A network with its numbers, and a batch."""

    def __init__(self, seed, build, batch, classes, image):
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        self.model = build()
        randomise(self.model, generator)
        self.state = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.images = torch.randn(batch, *image, generator=generator)
        self.labels = torch.randint(0, classes, (batch,), generator=generator)
        self.alphas = {}
        if isinstance(self.model, network.SearchNetwork):
            self.alphas = {name: torch.randn(14, 8, generator=generator)
                           for name in ("alphas_normal", "alphas_reduce")}
        self.model.double()
        self.wide_alphas = [alphas.double().requires_grad_() for alphas in self.alphas.values()]

    def logits(self):
        self.model.eval()
        with torch.no_grad():
            output = self.model(self.images.double(), *self.wide_alphas)
        return output if self.alphas else output[0]

    def loss(self):
        self.model.train()
        if self.alphas:
            return functional.cross_entropy(self.model(self.images.double(), *self.wide_alphas), self.labels)
        return self.model.loss(self.images.double(), self.labels)


def far_from_kinks(build, **sizes):
    """Of the first seeds, the case that keeps the largest distance from the kinks of ReLU and max pool."""
    def margin(seed):
        with golden_networks.Margin() as found, torch.no_grad():
            Case(seed, build, **sizes).loss()
        return found.smallest
    seed = max(range(SEEDS), key=margin)
    return Case(seed, build, **sizes), margin(seed)


def write(name, build, **sizes):
    case, margin = far_from_kinks(build, **sizes)
    tensors = {"images": numpy_of(case.images), "labels": case.labels.numpy(), "logits": numpy_of(case.logits())}
    for key, value in case.state.items():
        if key != FROM_FORMULA:
            tensors[f"state.{key}"] = value.numpy()
    loss = case.loss()
    loss.backward()
    tensors["loss"] = numpy.array([loss.item()], dtype=numpy.float32)
    for key, parameter in case.model.named_parameters():
        gradient = numpy_of(parameter.grad)
        if key == FROM_FORMULA:
            tensors[f"sampled.{key}"] = gradient.flatten()[::SAMPLE].copy()
        else:
            tensors[f"gradient.{key}"] = gradient
    for (key, value), wide in zip(case.alphas.items(), case.wide_alphas):
        tensors[key] = value.numpy()
        tensors[f"gradient.{key}"] = numpy_of(wide.grad)
    origin = {"origin": f"benches/peer/golden_darts.py, PyTorch {torch.__version__}, float64, CPU"}
    path = golden_networks.FOLDER / f"darts_{name}.safetensors"
    save_file(tensors, path, origin)
    path.chmod(0o644)
    print(f"{path.stat().st_size:8} {path}, {margin:.1e} from the nearest kink")


def derived(genotype, channels, cells, classes, **options):
    return lambda: network.Network(network.GENOTYPES[genotype], channels, cells, classes, **options)


def main():
    write("asap", derived("ASAP", 4, 4, 10), batch=3, classes=10, image=(3, 12, 12))
    # Grey images that are not square; what a last reduction halves may be odd.
    write("darts_v2", derived("DARTS_V2", 4, 3, 5, image_channels=1), batch=3, classes=5, image=(1, 10, 14))
    # As large as the auxiliary head needs.
    write("xnas", derived("XNAS", 4, 4, 10, auxiliary=True), batch=5, classes=10, image=(3, 32, 32))
    # Small enough for the file: the auxiliary head of this form needs 193 pixels.
    write("imagenet", derived("ASAP", 4, 3, 10, imagenet=True), batch=3, classes=10, image=(3, 48, 48))
    # Running statistics are random for every edge: no training leaves such, but a state dict may hold them.
    write("search", lambda: network.SearchNetwork(2, 3), batch=3, classes=10, image=(3, 12, 12))


def numpy_of(tensor):
    return numpy.ascontiguousarray(tensor.detach().float().numpy())


if __name__ == "__main__":
    main()
