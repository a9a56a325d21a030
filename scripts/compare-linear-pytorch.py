#!/usr/bin/env python3
"""Times PyTorch's classifier head on the shapes of `cargo bench --features linear --bench linear`.

Needs torch, and two minutes. `F.linear` and `F.cross_entropy` hold the logits; where the version has
`F.linear_cross_entropy` with chunks, that is timed too. Prints medians, over those of the first.

    scripts/compare-linear-pytorch.py [--threads 2] [--rounds 5]
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F


def unfused(x, w, y):
    return F.cross_entropy(F.linear(x, w), y)


def contenders():
    yield "F.linear + F.cross_entropy", unfused
    if hasattr(F, "linear_cross_entropy"):
        yield "F.linear_cross_entropy", lambda x, w, y: F.linear_cross_entropy(x, w, y)


def timed(loss, x, w, y, train):
    start = time.perf_counter()
    if train:
        x.grad = w.grad = None
        loss(x, w, y).backward()
    else:
        with torch.no_grad():
            loss(x, w, y)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    print(f"torch {torch.__version__}, {args.threads} threads, median of {args.rounds}")
    for n, d, c in [(2048, 512, 32_000), (2048, 512, 128_256)]:
        x = (2 * torch.rand(n, d) - 1).requires_grad_()
        w = (0.3 * (2 * torch.rand(c, d) - 1)).requires_grad_()
        y = torch.randint(c, (n,))
        for train in [False, True]:
            what = "loss and gradients" if train else "loss"
            base = None
            for name, loss in contenders():
                timed(loss, x, w, y, train)  # warm
                seconds = statistics.median(
                    timed(loss, x, w, y, train) for _ in range(args.rounds)
                )
                base = base or seconds
                print(
                    f"{what:19} {n} x {d} to {c}: {name:28}"
                    f"{1e3 * seconds:9.1f} ms {seconds / base:6.3f}"
                )


if __name__ == "__main__":
    main()
