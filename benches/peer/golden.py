#!/usr/bin/env python3
"""Golden values from PyTorch, for the tests of asap-kernels and asap-space.

    python golden.py            # writes crates/asap-{kernels,space}/tests/golden/*.safetensors

Everything is computed in float64. Images are stored as [N, H, W, C], weights in PyTorch's order. A file of
a kernel holds several cases, `CASE.TENSOR`; the name of a case says its window and sizes:
`k5_d2_s1_2x5x7x3` is kernel 5, dilation 2, stride 1 on [2, 5, 7, 3]. `gradient` is the gradient of some loss
in the output, `TENSOR.gradient` the gradient of that loss in an input.

Needs torch, numpy, safetensors, and `supernet.py`, `golden_networks.py` and `golden_regularised.py` beside it.
"""
import pathlib

import numpy
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional

import golden_networks
import golden_regularised
import supernet

CRATES = pathlib.Path(__file__).resolve().parents[2] / "crates"
ORIGIN = {"origin": f"benches/peer/golden.py, PyTorch {torch.__version__}, float64, CPU"}

WINDOWS = [(kernel, dilation, stride) for kernel in (3, 5) for dilation in (1, 2) for stride in (1, 2)]


def random(*shape):
    return torch.randn(shape, dtype=torch.float64)


def images(n, h, w, c):
    """Random images that need a gradient, as PyTorch wants them: [N, C, H, W]."""
    return random(n, c, h, w).requires_grad_()


def ties(n, h, w, c):
    """Images of three values only: most windows have several largest values, many values are 0."""
    return torch.randint(-1, 2, (n, c, h, w)).double().requires_grad_()


def stored(tensor):
    """As the Rust tests read it: images as [N, H, W, C]; every other shape as it is."""
    tensor = tensor.detach()
    return numpy.ascontiguousarray(tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor)


class Cases:
    """The cases of one kernel."""

    def __init__(self):
        self.tensors = {}

    def add(self, name, function, inputs, weights=None):
        """Runs a function of the inputs and the weights, and keeps it all with every gradient."""
        weights = weights or {}
        # Weights are told apart from images by being stored flat.
        output = function(*inputs.values(), *weights.values())
        gradient = random(*output.shape)
        leaves = [t for t in (*inputs.values(), *weights.values()) if t.requires_grad]
        gradients = dict(zip(map(id, leaves), torch.autograd.grad(output, leaves, gradient)))
        self.keep(name, output=output, gradient=gradient)
        for key, tensor in (*inputs.items(), *weights.items()):
            flat = (lambda t: t.flatten()) if key in weights else (lambda t: t)
            self.keep(name, **{key: flat(tensor), f"{key}.gradient": flat(gradients[id(tensor)])})

    def keep(self, name, **tensors):
        for key, tensor in tensors.items():
            self.tensors[f"{name}.{key}"] = stored(tensor)

    def write(self, kernel):
        path = CRATES / "asap-kernels/tests/golden" / f"{kernel}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(self.tensors, path, ORIGIN)
        print(f"{path.stat().st_size:8} {path}")


def sizes(n, h, w, c):
    return f"{n}x{h}x{w}x{c}"


def weight(*shape):
    return random(*shape).requires_grad_()


def golden_relu():
    cases = Cases()
    for values, shape in ((images, (2, 5, 3, 3)), (ties, (1, 3, 3, 5))):
        cases.add(f"{values.__name__}_{sizes(*shape)}", functional.relu, {"input": values(*shape)})
    cases.write("relu")


def depthwise(kernel, dilation, stride):
    def function(x, w):
        return functional.conv2d(x, w, None, stride, dilation * (kernel - 1) // 2, dilation, groups=x.shape[1])
    return function


def golden_depthwise():
    cases = Cases()
    for window in WINDOWS:
        # The last image is smaller than most windows.
        for shape in ((2, 5, 7, 3), (1, 8, 6, 1), (1, 2, 1, 9)):
            kernel, channels = window[0], shape[3]
            cases.add("k{}_d{}_s{}_".format(*window) + sizes(*shape), depthwise(*window),
                      {"input": images(*shape)}, {"weights": weight(channels, 1, kernel, kernel)})
    cases.write("depthwise")


def golden_pointwise():
    cases = Cases()
    for outputs, shape in ((5, (2, 3, 5, 7)), (1, (1, 1, 1, 1)), (20, (1, 4, 3, 13))):
        cases.add(f"o{outputs}_{sizes(*shape)}", functional.conv2d,
                  {"input": images(*shape)}, {"weights": weight(outputs, shape[3], 1, 1)})
    cases.write("pointwise")


def golden_dense():
    cases = Cases()
    for outputs, shape in ((9, (2, 5, 7, 1)), (4, (1, 8, 6, 3)), (2, (1, 1, 2, 3))):
        cases.add(f"k3_d1_s1_o{outputs}_{sizes(*shape)}", lambda x, w: functional.conv2d(x, w, padding=1),
                  {"input": images(*shape)}, {"weights": weight(outputs, shape[3], 3, 3)})
    cases.write("dense")


def golden_batch_norm():
    """Also the running statistics after two batches alike, and what evaluation makes of them."""
    cases = Cases()
    for affine, shape in ((False, (2, 5, 3, 3)), (True, (3, 2, 3, 5)), (False, (2, 1, 1, 4))):
        norm = nn.BatchNorm2d(shape[3], affine=affine).double()
        name = ("affine_" if affine else "plain_") + sizes(*shape)
        x = images(*shape)
        with torch.no_grad():
            x.mul_(3).add_(2)
            x[:, 0] = 0.7  # a channel without variance
        weights = {}
        if affine:
            norm.weight, norm.bias = nn.Parameter(random(shape[3])), nn.Parameter(random(shape[3]))
            weights = {"scale": norm.weight, "shift": norm.bias}
        cases.add(name, lambda x, *_: norm(x), {"input": x}, weights)
        norm(x)
        cases.keep(name, running_mean=norm.running_mean, running_variance=norm.running_var)
        norm.eval()
        cases.keep(name, evaluated=norm(x))
    cases.write("batch_norm")


def golden_pools():
    pools = {
        "max_pool": lambda stride: lambda x: functional.max_pool2d(x, 3, stride, 1),
        "average_pool": lambda stride: lambda x: functional.avg_pool2d(x, 3, stride, 1, count_include_pad=False),
    }
    for kernel, pool in pools.items():
        cases = Cases()
        for stride in (1, 2):
            for shape in ((2, 5, 7, 3), (1, 8, 6, 2), (1, 2, 1, 4)):
                for values in (images, ties) if kernel == "max_pool" else (images,):
                    cases.add(f"{values.__name__}_s{stride}_{sizes(*shape)}", pool(stride),
                              {"input": values(*shape)})
        cases.write(kernel)


def golden_module(cases, name, module, shape, weights, values=images):
    """A module of the supernet in training mode; `weights` maps the names to keep to its parameters."""
    module = module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    parameters = dict(module.named_parameters())
    kept = {key: parameters[path] for key, path in weights.items() if path in parameters}
    cases.add(name, lambda x, *_: module(x), {"input": values(*shape)}, kept)


AFFINE = {"scale": "norm.weight", "shift": "norm.bias"}


def golden_factorised_reduce():
    cases = Cases()
    for affine in (False, True):
        for outputs, shape in ((5, (2, 5, 7, 3)), (4, (1, 8, 6, 4)), (7, (2, 4, 3, 2))):
            golden_module(cases, f"{'affine' if affine else 'plain'}_o{outputs}_{sizes(*shape)}",
                          supernet.FactorisedReduce(shape[3], outputs, affine), shape,
                          {"even": "conv_a.weight", "shifted": "conv_b.weight", **AFFINE})
    cases.write("factorised_reduce")


def golden_preprocess():
    cases = Cases()
    for affine, outputs, shape in ((False, 5, (2, 3, 5, 7)), (True, 3, (2, 4, 3, 2))):
        golden_module(cases, f"{'affine' if affine else 'plain'}_o{outputs}_{sizes(*shape)}",
                      supernet.ReluConvNorm(shape[3], outputs, affine), shape,
                      {"pointwise": "conv.weight", **AFFINE})
    cases.write("preprocess")


class Chain(nn.Module):
    """ReLU, depthwise, pointwise, batch norm: a dil_conv, or half of a sep_conv."""

    def __init__(self, channels, window, affine):
        super().__init__()
        self.window = window
        self.depthwise = nn.Parameter(torch.empty(channels, 1, window[0], window[0]))
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x):
        return self.norm(self.pointwise(depthwise(*self.window)(functional.relu(x), self.depthwise)))


def golden_chain():
    cases = Cases()
    for i, window in enumerate(WINDOWS):
        affine, shape = i % 3 == 1, (2, 5, 7, 3) if i % 2 else (2, 6, 5, 4)
        golden_module(cases, ("affine" if affine else "plain") + "_k{}_d{}_s{}_".format(*window) + sizes(*shape),
                      Chain(shape[3], window, affine), shape,
                      {"depthwise": "depthwise", "pointwise": "pointwise.weight", **AFFINE})
    cases.write("chain")


def golden_weighted_sum():
    cases = Cases()
    shape = (2, 3, 5, 3)
    inputs = {f"input{i}": images(*shape) for i in range(3)}
    cases.add(f"of3_{sizes(*shape)}", lambda a, b, c, w: w[0] * a + w[1] * b + w[2] * c, inputs,
              {"weights": weight(3)})
    cases.write("weighted_sum")


def golden_head():
    cases = Cases()
    for classes, shape in ((10, (3, 5, 3, 7)), (2, (2, 1, 1, 1))):
        name = f"o{classes}_{sizes(*shape)}"
        labels = torch.randint(0, classes, (shape[0],))
        logits = {}

        def loss(x, w, b, labels=labels, logits=logits):
            logits["logits"] = functional.linear(x.mean((2, 3)), w, b)
            return functional.cross_entropy(logits["logits"], labels)
        cases.add(name, loss, {"input": images(*shape)},
                  {"weights": weight(classes, shape[3]), "bias": weight(classes)})
        cases.keep(name, labels=labels, **logits)
    cases.write("head")


def golden_strided_dense():
    """The later convolutions of the stem for large images, and the 2x2 convolution of the auxiliary head."""
    cases = Cases()
    for kernel, stride in ((3, 2), (2, 1)):
        for outputs, shape in ((5, (2, 5, 7, 3)), (3, (1, 8, 6, 2)), (2, (1, 2, 3, 4))):
            cases.add(f"k{kernel}_d1_s{stride}_o{outputs}_{sizes(*shape)}",
                      lambda x, w, kernel=kernel, stride=stride: functional.conv2d(x, w, None, stride, kernel // 3),
                      {"input": images(*shape)}, {"weights": weight(outputs, shape[3], kernel, kernel)})
    cases.write("strided_dense")


def golden_unpadded_average_pool():
    cases = Cases()
    for stride in (2, 3):
        for shape in ((2, 8, 11, 3), (1, 5, 7, 2)):
            cases.add(f"s{stride}_{sizes(*shape)}",
                      lambda x, stride=stride: functional.avg_pool2d(x, 5, stride, 0, count_include_pad=False),
                      {"input": images(*shape)})
    cases.write("unpadded_average_pool")


def golden_smoothed_head():
    """`p` is the percentage of a label that is spread."""
    cases = Cases()
    for classes, percent, shape in ((10, 10, (3, 2, 3, 7)), (3, 70, (2, 1, 1, 4)), (5, 100, (2, 1, 2, 3))):
        labels, logits = torch.randint(0, classes, (shape[0],)), {}

        def loss(x, w, labels=labels, percent=percent, logits=logits):
            logits["logits"] = functional.linear(x.mean((2, 3)), w)
            return functional.cross_entropy(logits["logits"], labels, label_smoothing=percent / 100)
        name = f"p{percent}_o{classes}_{sizes(*shape)}"
        cases.add(name, loss, {"input": images(*shape)}, {"weights": weight(classes, shape[3])})
        cases.keep(name, labels=labels, **logits)
    cases.write("smoothed_head")


def golden_drop_path():
    """As DARTS drops: the survivors are divided by their share."""
    cases, shape, share = Cases(), (4, 3, 2, 3), 0.75
    mask = torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    name = sizes(*shape)
    cases.add(name, lambda x: x.div(share).mul(mask.view(-1, 1, 1, 1)), {"input": images(*shape)})
    cases.keep(name, scales=mask / share)
    cases.write("drop_path")


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    golden_relu()
    golden_depthwise()
    golden_pointwise()
    golden_dense()
    golden_batch_norm()
    golden_pools()
    golden_factorised_reduce()
    golden_preprocess()
    golden_chain()
    golden_weighted_sum()
    golden_head()
    golden_strided_dense()
    golden_unpadded_average_pool()
    golden_smoothed_head()
    golden_drop_path()
    golden_networks.write_all()
    golden_regularised.write_all()


if __name__ == "__main__":
    main()
