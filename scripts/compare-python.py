"""PyTorch, JAX and ONNX Runtime on the shapes of benches/compare, those of them that are installed.

One CPU, one thread. Every one of them allocates its outputs in each call. What is compared takes turns;
medians. Results are checked against float64 before the clock starts. A table on stdout, and the rows of
benches/compare in python.json.
"""

import json
import os
import platform
import statistics
import sys
import time

# Before they look for CPUs.
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

SHAPES = [
    (1_000_000, 2),
    (65_536, 10),
    (16_384, 100),
    (4_096, 1_000),
    (1_024, 32_000),
    (1, 128_256),
    (8, 128_256),
    (256, 128_256),
]
LOSS, GRADIENT, LOG_SOFTMAX = OPS = "cross_entropy", "cross_entropy_gradient", "log_softmax"
BUFFERS = "its own, allocated in each call"


class Pace:
    """Rounds at least and at most, seconds for an operation on a shape, seconds for a turn."""

    FULL = (3, 15, 1.2, 0.008)
    QUICK = (1, 3, 0.1, 0.002)


def torch_eager():
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(1)

    def loss_and_gradient(x, y):
        loss = F.cross_entropy(x, y)
        return loss, torch.autograd.grad(loss, x)[0]

    def arguments(x, y):
        return torch.from_numpy(x).requires_grad_(True), torch.from_numpy(y)

    def without_gradient(function):
        def call(x, y):
            with torch.no_grad():
                return function(x, y)

        return call

    functions = {
        LOSS: without_gradient(F.cross_entropy),
        GRADIENT: loss_and_gradient,
        LOG_SOFTMAX: without_gradient(lambda x, y: F.log_softmax(x, 1)),
    }
    return "PyTorch", torch.__version__, arguments, functions, lambda out: out.detach().numpy()


def torch_compiled():
    import torch
    import torch.nn.functional as F

    _, version, arguments, _, numpy = torch_eager()
    loss = torch.compile(F.cross_entropy, dynamic=False)
    log_softmax = torch.compile(lambda x: F.log_softmax(x, 1), dynamic=False)

    def without_gradient(function):
        def call(x, y):
            with torch.no_grad():
                return function(x, y)

        return call

    def loss_and_gradient(x, y):
        value = loss(x, y)
        return value, torch.autograd.grad(value, x)[0]

    functions = {
        LOSS: without_gradient(loss),
        GRADIENT: loss_and_gradient,
        LOG_SOFTMAX: without_gradient(lambda x, y: log_softmax(x)),
    }
    return "PyTorch, compiled", version, arguments, functions, numpy


def jax():
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import jax.numpy as jnp

    def loss(x, y):
        log_p = jax.nn.log_softmax(x, axis=1)
        return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()

    def waiting(function):
        compiled = jax.jit(function)
        return lambda x, y: jax.block_until_ready(compiled(x, y))

    functions = {
        LOSS: waiting(loss),
        GRADIENT: waiting(jax.value_and_grad(loss)),
        LOG_SOFTMAX: waiting(lambda x, y: jax.nn.log_softmax(x, axis=1)),
    }
    arguments = lambda x, y: (jnp.asarray(x), jnp.asarray(y.astype(np.int32)))
    return "JAX", jax.__version__, arguments, functions, np.asarray


def onnx_runtime():
    import onnxruntime
    from onnx import TensorProto, helper

    tensor = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "c"])
    node = helper.make_node("LogSoftmax", ["x"], ["out"], axis=1)
    graph = helper.make_graph([node], "log_softmax", [tensor("x")], [tensor("out")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    functions = {LOG_SOFTMAX: lambda x, y: session.run(None, {"x": x})[0]}
    return "ONNX Runtime", onnxruntime.__version__, lambda x, y: (x, y), functions, np.asarray


def installed():
    found = []
    for prepare in (torch_eager, torch_compiled, jax, onnx_runtime):
        try:
            found.append(prepare())
        except ImportError as error:
            print(f"left out: {error}")
    return found


def expected(x, y):
    """The loss, the gradient and the log-probabilities in float64."""
    x = x.astype(np.float64)
    log_p = x - x.max(axis=1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    rows = np.arange(len(y))
    gradient = np.exp(log_p)
    gradient[rows, y] -= 1
    return -log_p[rows, y].mean(), gradient / len(y), log_p


def check(name, op, out, truth, shape):
    """Raises unless a plain float32 implementation may give this: see Data::check in benches/compare."""
    loss, gradient, log_p = truth
    rows, classes = shape
    rounding = np.finfo(np.float32).eps / 2
    row, batch = (classes + 64) * rounding, rows * rounding

    def close(what, actual, truth, bound):
        error = np.abs(np.asarray(actual, np.float64) - truth)
        if actual.shape != truth.shape or not np.all(error <= bound):
            raise SystemExit(f"{name}: {op} of {rows}x{classes}: wrong {what}")

    if op == LOG_SOFTMAX:
        return close("output", out, log_p, row * (1 + np.abs(log_p)))
    value = out[0] if op == GRADIENT else out
    close("loss", value, np.asarray(loss), (row + batch) * (1 + loss))
    if op == GRADIENT:
        close("gradient", out[1], gradient, (row * np.exp(log_p) + 4 * rounding) / rows)


def clock(function, arguments, calls):
    start = time.perf_counter()
    for _ in range(calls):
        function(*arguments)
    return time.perf_counter() - start


def measure(contenders, op, shape, x, y, truth, pace):
    """A row for each contender."""
    least, most, seconds, turn = pace
    turns = []
    for name, version, arguments, functions, numpy in contenders:
        if op not in functions:
            continue
        function, arguments = functions[op], arguments(x, y)
        out = function(*arguments)
        out = tuple(map(numpy, out)) if op == GRADIENT else numpy(out)
        check(name, op, out, truth, shape)
        del out
        once = clock(function, arguments, 1)
        turns.append((name, version, function, arguments, max(1, int(turn / once)), []))
    start = time.perf_counter()
    for number in range(most):
        if number >= least and time.perf_counter() - start > seconds:
            break
        for _, _, function, arguments, calls, samples in turns:
            if calls > 1:
                clock(function, arguments, 1)
            samples.append(clock(function, arguments, calls) / calls / x.size * 1e9)
    rows = []
    for name, version, _, _, _, samples in turns:
        quartiles = np.quantile(samples, [0.25, 0.75]).tolist()
        rows.append({
            "suite": "shapes", "op": op, "dtype": "f32", "rows": shape[0], "classes": shape[1],
            "threads": 1, "contender": name, "version": version, "buffers": BUFFERS,
            "median": statistics.median(samples), "quartiles": quartiles, "samples": len(samples),
        })
    return rows


def cpu():
    try:
        with open("/proc/cpuinfo") as info:
            return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    if sys.argv[1:] not in ([], ["--quick"]):
        raise SystemExit("usage: compare-python.py [--quick]")
    quick = sys.argv[1:] == ["--quick"]
    contenders = installed()
    print(f"ns per logit, one thread, median of the turns; outputs: {BUFFERS}")
    print(f"{'operation':24}{'rows x classes':>15}" + "".join(f"{name:>20}" for name, *_ in contenders))
    rows = []
    for shape in SHAPES:
        random = np.random.default_rng(1)
        x = (3 * random.standard_normal(shape)).clip(-10, 10).astype(np.float32)
        y = random.integers(0, shape[1], shape[0])
        truth = expected(x, y)
        for op in OPS:
            new = measure(contenders, op, shape, x, y, truth, Pace.QUICK if quick else Pace.FULL)
            rows += new
            times = {row["contender"]: f"{row['median']:.3f}" for row in new}
            cells = "".join(f"{times.get(name, '-'):>20}" for name, *_ in contenders)
            print(f"{op:24}{f'{shape[0]}x{shape[1]}':>15}" + cells, flush=True)
    directory = os.environ.get("XENT_BENCH_DIR", "target/xent-bench")
    os.makedirs(directory, exist_ok=True)
    file = os.path.join(directory, "python.json")
    with open(file, "w") as out:
        json.dump({"machine": {"cpu": cpu()}, "quick": quick, "unit": "ns per element", "rows": rows}, out, indent=2)
    print(f"The same as JSON: {file}")


main()
