"""Where and how a peer computes: the device, the precision, PyTorch's mode; and how its steps are timed.

On a processor a step is timed by the clock. On a GPU it is timed by CUDA events and nothing waits between steps, so
that the processor may run ahead, as it does in training; memory is what PyTorch's allocator reserved at most once all
is warm, CUDA graphs included. All of it but the events and the memory runs on a processor too.
"""
import contextlib
import json
import math
import resource
import statistics
import time

import torch

MODES = ("eager", "graph", "compile", "max-autotune")
PRECISIONS = ("f32", "tf32", "bf16")
LAYOUTS = {"channels-last": torch.channels_last, "nchw": torch.contiguous_format}


def add_arguments(parser):
    parser.add_argument("--device", default="cpu", metavar="cpu|cuda[:N]")
    parser.add_argument("--mode", choices=MODES, default="eager",
                        help="graph: the whole step as one CUDA graph; compile: torch.compile of the forward pass and the "
                             "loss; max-autotune: that with CUDA graphs")
    parser.add_argument("--precision", choices=PRECISIONS, default="f32", help="tf32 on a GPU only")
    parser.add_argument("--layout", choices=sorted(LAYOUTS), default="channels-last", help="of images in memory")
    parser.add_argument("--steps", type=int, default=5, help="timed steps")
    parser.add_argument("--warmup", type=int, default=2, help="steps before the clock starts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)


def peak_rss_mib():
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


class Device:
    """The device of the options, ready to compute in their mode and precision."""

    def __init__(self, parser, options):
        self.device = torch.device(options.device)
        self.mode, self.precision = options.mode, options.precision
        self.on_gpu = self.device.type == "cuda"
        if self.device.type not in ("cpu", "cuda"):
            parser.error(f"--device: expected cpu or cuda[:N], found {options.device}")
        if self.precision == "tf32" and not self.on_gpu:
            parser.error("--precision tf32: a processor has no such products")
        if self.mode == "graph" and not (self.on_gpu and options.warmup):
            parser.error("--mode graph: expected --device cuda and a --warmup of 1 or more")
        torch.set_num_threads(options.threads)
        torch.manual_seed(options.seed)
        if self.on_gpu:
            # Also makes the context, which is not the network's memory.
            torch.cuda.set_device(self.device.index or 0)
            allow_tf32(self.precision == "tf32")
            torch.backends.cudnn.benchmark = True
        self.base_rss = peak_rss_mib()  # the interpreter and PyTorch, before any network

    def name(self):
        return torch.cuda.get_device_name() if self.on_gpu else "cpu"

    def autocast(self):
        if self.precision != "bf16":
            return contextlib.nullcontext()
        # What a graph records must not be kept for what is not in it.
        return torch.autocast(self.device.type, dtype=torch.bfloat16, cache_enabled=self.mode != "graph")

    def prepared(self, function):
        """A function of tensors with the loss, as the mode runs it."""
        if self.mode in ("eager", "graph"):
            return function
        if self.mode == "compile":
            return torch.compile(function)
        compiled = torch.compile(function, mode="max-autotune")

        def marked(*tensors):
            # What the graphs of the update before wrote, gradients above all, is not needed any more.
            torch.compiler.cudagraph_mark_step_begin()
            return compiled(*tensors)
        return marked

    def optimizer_options(self):
        """One kernel for all weights: the fastest there is on a GPU."""
        return {"fused": True} if self.on_gpu else {}

    def adam_options(self):
        return self.optimizer_options() | ({"capturable": True} if self.mode == "graph" else {})

    def warm_up(self, step, count):
        """Losses of so many steps, in which algorithms are chosen; beside the stream that a graph is recorded for."""
        if self.mode != "graph":
            return [step().item() for _ in range(count)]
        stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            losses = [step().item() for _ in range(count)]
        current.wait_stream(stream)
        return losses

    def repeated(self, step):
        """A warm step, as the mode repeats it."""
        if self.mode != "graph":
            return step
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = step()

        def replay():
            graph.replay()
            # The next one writes where this one wrote.
            return loss.clone()
        return replay

    def forget(self, parameters):
        """Gives back what warm steps hold and the next do not need: memory is that of a step."""
        if self.mode == "graph":
            # The graph has gradients and workspaces of its own.
            for parameter in parameters:
                parameter.grad = None
            torch._C._cuda_clearCublasWorkspaces()
        # What choosing algorithms took is not what a step takes.
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def time(self, step, parameters, options):
        """The fields of the JSON line that every peer has. `step` returns its loss as a tensor of its own."""
        started = time.perf_counter()
        losses = self.warm_up(step, options.warmup)
        warmup = time.perf_counter() - started
        if self.on_gpu and options.warmup:
            self.forget(parameters)
            step = self.repeated(step)
            losses.append(step().item())
        timed, wall, cpu = (self.on_events if self.on_gpu else on_clock)(step, options.steps)
        losses += timed
        median = statistics.median(wall)
        return {
            "batch": options.batch, "device": self.name(), "mode": self.mode, "precision": self.precision,
            "device_bytes": torch.cuda.max_memory_reserved() if self.on_gpu else None,
            "threads": torch.get_num_threads(), "compile": self.mode in ("compile", "max-autotune"), "torch": torch.__version__,
            "layout": options.layout, "channels_last": options.layout == "channels-last",
            "amp": "bf16" if self.precision == "bf16" else "none",
            "median_step_s": round(median, 6), "min_step_s": round(min(wall), 6),
            "median_cpu_s": round(statistics.median(cpu), 6), "min_cpu_s": round(min(cpu), 6),
            "images_per_s": round(options.batch / median, 2), "warmup_s": round(warmup, 2),
            "loss": round(losses[-1], 6), "losses": [round(loss, 6) for loss in losses],
            "peak_rss_mib": peak_rss_mib(), "base_rss_mib": self.base_rss,
        }

    def on_events(self, step, count):
        """Losses, seconds between CUDA events, and CPU seconds of so many steps."""
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
        losses, cpu = [], []
        torch.cuda.synchronize()
        marks[0].record()
        for mark in marks[1:]:
            started = time.process_time()
            losses.append(step())
            mark.record()
            cpu.append(time.process_time() - started)
        torch.cuda.synchronize()
        wall = [before.elapsed_time(after) / 1e3 for before, after in zip(marks, marks[1:])]
        return [loss.item() for loss in losses], wall, cpu


def on_clock(step, count):
    """Losses, wall seconds and CPU seconds of so many steps."""
    losses, wall, cpu = [], [], []
    for _ in range(count):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        losses.append(step().item())
        wall.append(time.perf_counter() - wall_start)
        cpu.append(time.process_time() - cpu_start)
    return losses, wall, cpu


def allow_tf32(allowed):
    """The switches that PyTorch's compiler reads too; in a PyTorch without them, those that took their place."""
    try:
        torch.backends.cuda.matmul.allow_tf32 = allowed
        torch.backends.cudnn.allow_tf32 = allowed
    except AttributeError:
        torch.backends.cuda.matmul.fp32_precision = "tf32" if allowed else "ieee"
        torch.backends.cudnn.conv.fp32_precision = "tf32" if allowed else "ieee"
    # That of the compiler's own convolutions.
    if hasattr(torch.backends.cudnn, "fp32_precision"):
        torch.backends.cudnn.fp32_precision = "tf32" if allowed else "ieee"


def print_line(fields):
    print(json.dumps({name: written(value) for name, value in fields.items()}, allow_nan=False))


def written(value):
    """JSON has no word for what is no number, or not finite: null stands there."""
    if isinstance(value, list):
        return [written(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
