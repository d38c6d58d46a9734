#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes PyTorch's numbers for the tests of models and engines.

  make_model_goldens.py OUT_DIR [NAME]...

NAME is initial, ops, optimizers, schedules, loss or a network; without it, all
are made.

Images, values and signs come from a hash, computed here and in
tests/engine/hashed_values.h alike, so that the files hold results only. Logits,
loss and gradients are those of float64; the ten training losses are float32's,
with one thread and with two.
"""
import json
import pathlib
import re
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from torch_networks import NETWORKS, OTHERS, map_norm

MASK = (1 << 64) - 1
PROJECTIONS = 8
SAMPLES = 8


def mix(x):
    """SplitMix64's output function, on a uint64 array."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def hashes(seed, count):
    start = mix(np.array([seed], np.uint64))
    with np.errstate(over="ignore"):
        return mix(start + np.arange(count, dtype=np.uint64))


def values(seed, shape):
    """float32 in [-1, 1), 24 bits each."""
    bits = hashes(seed, int(np.prod(shape))) >> np.uint64(40)
    x = bits.astype(np.float64) * 2.0**-23 - 1
    return torch.from_numpy(x.astype(np.float32)).reshape(shape)


def images(first, count, size):
    """Slanted waves with a disc, and some noise, in bytes."""
    n = np.arange(first, first + count).reshape(-1, 1, 1, 1)
    c = np.arange(3).reshape(1, 3, 1, 1)
    h = np.arange(size).reshape(1, 1, -1, 1) * 32 // size
    w = np.arange(size).reshape(1, 1, 1, -1) * 32 // size
    wave = (h * (3 + n % 5) + w * (2 + 3 * c) + 29 * n) % 64
    wave = 3 * np.minimum(wave, 63 - wave)
    disc = (h - 10 - n % 7) ** 2 + (w - 20 + n % 10) ** 2 < 40 + 10 * (n % 4)
    base = np.where(disc, 220 - 60 * c, 60 + wave)
    noise = hashes(1000 + first, base.size) & np.uint64(31)
    return (base + noise.astype(np.int64).reshape(base.shape)).astype(np.uint8)


def network_input(pixels):
    x = torch.from_numpy(pixels).to(torch.float32)
    return x.div(255).sub(0.5).div(0.5)


def summary(tensor):
    """Norm, sums under pseudo-random signs, and some values."""
    flat = tensor.detach().double().flatten().numpy()
    h = hashes(7, flat.size)
    sums = [float(np.where(h >> np.uint64(j) & np.uint64(1), -flat, flat).sum())
            for j in range(PROJECTIONS)]
    at = hashes(11, SAMPLES) % np.uint64(flat.size)
    return {"norm": float(np.linalg.norm(flat)), "projections": sums,
            "samples": [float(flat[int(i)]) for i in at]}


def make_initial():
    result = []
    for arch in ("note", "lenet5", "torchvision"):
        make = (NETWORKS | OTHERS)[arch][0]
        for seed in (0, 1, 42):
            torch.manual_seed(seed)
            parameters = []
            for name, p in make().named_parameters():
                bits = p.detach().numpy().view(np.uint32).flatten()
                with np.errstate(over="ignore"):
                    check = (bits * hashes(3, bits.size)).sum(dtype=np.uint64)
                parameters.append({"name": name, "shape": list(p.shape),
                                   "first": p.flatten()[0].item(),
                                   "bits": f"{int(check):016x}"})
            result.append({"arch": arch, "seed": seed,
                           "parameters": parameters})
    return {"networks": result}


def training_losses(arch, threads):
    make, size, rate = NETWORKS[arch]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = make()
    adam = torch.optim.Adam(net.parameters(), lr=rate)
    losses = []
    for step in range(10):
        x = network_input(images(4 * step, 4, size))
        y = torch.arange(4 * step, 4 * step + 4) % 10
        loss = F.cross_entropy(net(x), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    return losses


def make_network(arch):
    result = forward_and_backward(arch, *(NETWORKS | OTHERS)[arch][:2])
    if arch not in NETWORKS:
        return result
    result["learning_rate"] = NETWORKS[arch][2]
    one, two = training_losses(arch, 1), training_losses(arch, 2)
    spread = max(abs(a - b) / a for a, b in zip(one, two))
    print(f"{arch}: ten losses, PyTorch {torch.__version__} with 1 thread "
          f"against 2: at most {spread:.1e} apart")
    result["losses"] = one
    result["losses_2_threads"] = two
    result["losses_spread"] = spread
    return result


def run_network(make, size, first, dtype, shake=None):
    """Logits, loss and gradients; with `shake`, a seed, of parameters and
    inputs that are each off by some 1e-6, as no rounding of float32 is."""
    torch.manual_seed(0)
    net = make().to(dtype)
    x = network_input(images(first, 4, size)).to(dtype)
    if shake is not None:
        random = torch.Generator().manual_seed(shake)
        with torch.no_grad():
            for t in [*net.parameters(), x]:
                t.mul_(1 + 1e-6 * torch.randn(t.shape, generator=random,
                                              dtype=dtype))
    logits = net(x)
    loss = F.cross_entropy(logits, torch.arange(first, first + 4) % 10)
    loss.backward()
    return logits, loss, {n: p.grad for n, p in net.named_parameters()}


def is_at_a_kink(make, size, first, exact):
    """Whether a ReLU's input is so near to 0, or two values of a pooling window
    so near to each other, that float32 may take another side than float64. The
    gradients then differ by 1e-4 and more; without, by 4e-6 at most."""
    trials = [(torch.float32, None)]
    trials += [(torch.float64, shake) for shake in range(1, 6)]
    for trial in trials:
        _, _, other = run_network(make, size, first, *trial)
        off = max(((other[n] - g).norm() / g.norm()).item()
                  for n, g in exact.items())
        print(f"images from {first}: {off:.1e} off", flush=True)
        if not off <= 1e-5:  # nor NaN
            return True
    return False


def forward_and_backward(arch, make, size):
    """Of the first four images that no trial finds at a kink, so that another
    order of sums hardly will."""
    first = 0
    while True:
        logits, loss, exact = run_network(make, size, first, torch.float64)
        if not is_at_a_kink(make, size, first, exact):
            break
        first += 4
    return {"arch": arch, "first_image": first,
            "logits": logits.flatten().tolist(), "loss": loss.item(),
            "gradients": {name: summary(g) for name, g in exact.items()}}


def conv_case(name, x, k, kernel, stride=(1, 1), pad=(0, 0, 0, 0), groups=1,
              ceil=False):
    return {"name": name, "op": "Conv2d", "input": x, "out_channels": k,
            "kernel": kernel, "stride": stride, "padding": pad,
            "groups": groups, "ceil_mode": ceil}


def pool_case(name, x, kernel, stride, pad=(0, 0, 0, 0), ceil=False):
    return {"name": name, "op": "MaxPool2d", "input": x, "kernel": kernel,
            "stride": stride, "padding": pad, "ceil_mode": ceil}


def lrn_case(name, x, size, alpha, beta, k):
    return {"name": name, "op": "LocalResponseNorm", "input": x, "size": size,
            "alpha": alpha, "beta": beta, "k": k}


# Padding is top, left, bottom, right.
OP_CASES = [
    conv_case("conv_plain", (3, 7, 6), 4, (3, 2)),
    conv_case("conv_stride_pad", (2, 9, 8), 3, (3, 3), (2, 3), (1, 1, 1, 1)),
    conv_case("conv_asymmetric", (2, 6, 7), 3, (3, 4), (2, 1), (0, 1, 2, 3)),
    conv_case("conv_groups", (6, 5, 5), 4, (3, 3), (1, 1), (1, 1, 1, 1), 2),
    conv_case("conv_ceil", (2, 10, 9), 3, (3, 3), (4, 4), ceil=True),
    conv_case("conv_depthwise", (3, 4, 4), 3, (2, 2), groups=3),
    {"name": "linear", "op": "Linear", "input": (11, 1, 1), "out_features": 5},
    pool_case("pool_overlapping", (2, 9, 7), (3, 3), (2, 2)),
    pool_case("pool_ceil", (2, 6, 8), (3, 3), (2, 2), ceil=True),
    pool_case("pool_ceil_padded", (1, 5, 6), (2, 3), (3, 2), (1, 1, 1, 1), True),
    pool_case("pool_asymmetric", (2, 5, 4), (3, 3), (2, 1), (0, 1, 1, 0)),
    lrn_case("lrn_paper", (7, 3, 2), 5, 1e-4, 0.75, 2.0),
    lrn_case("lrn_strong", (6, 2, 3), 3, 2.0, 0.6, 0.5),
    lrn_case("lrn_even", (5, 2, 2), 4, 1.5, 0.75, 1.0),
    lrn_case("lrn_wide", (3, 2, 2), 9, 1.0, 0.5, 1.0),
    {**lrn_case("map_norm", (2, 7, 6), 5, 1e-3, 0.75, 1.0),
     "op": "MapResponseNorm"},
    {**lrn_case("map_norm_strong", (3, 4, 5), 3, 9.0, 0.6, 0.5),
     "op": "MapResponseNorm"},
]


def run_op(case, x, parameters):
    if case["op"] == "Linear":
        return F.linear(x.flatten(1), *parameters)
    if case["op"] == "MapResponseNorm":
        return map_norm(x, case["size"], case["alpha"], case["beta"], case["k"])
    if case["op"] == "LocalResponseNorm":
        return F.local_response_norm(x, case["size"], case["alpha"],
                                     case["beta"], case["k"])
    top, left, bottom, right = case["padding"]
    if case["op"] == "MaxPool2d":
        if top == bottom and left == right:
            return F.max_pool2d(x, case["kernel"], case["stride"],
                                (top, left), ceil_mode=case["ceil_mode"])
        x = F.pad(x, (left, right, top, bottom), value=-np.inf)
        return F.max_pool2d(x, case["kernel"], case["stride"],
                            ceil_mode=case["ceil_mode"])
    if case["ceil_mode"]:
        sh, sw = case["stride"]
        bottom += -(x.shape[2] + top + bottom - case["kernel"][0]) % sh
        right += -(x.shape[3] + left + right - case["kernel"][1]) % sw
    x = F.pad(x, (left, right, top, bottom))
    return F.conv2d(x, *parameters, stride=case["stride"],
                    groups=case["groups"])


def make_ops():
    result = []
    for case in OP_CASES:
        x = values(1, (2, *case["input"])).double().requires_grad_()
        shapes = []
        if case["op"] == "Conv2d":
            shapes = [(case["out_channels"],
                       case["input"][0] // case["groups"], *case["kernel"]),
                      (case["out_channels"],)]
        if case["op"] == "Linear":
            shapes = [(case["out_features"], case["input"][0]),
                      (case["out_features"],)]
        parameters = [values(2 + i, s).double().requires_grad_()
                      for i, s in enumerate(shapes)]
        y = run_op(case, x, parameters)
        y.backward(values(5, tuple(y.shape)).double())
        y3 = (*y.shape[1:], 1, 1)[:3]
        result.append({**case, "output": y3, "y": y.flatten().tolist(),
                       "dx": x.grad.flatten().tolist(),
                       "dw": [p.grad.flatten().tolist() for p in parameters]})
    return {"cases": result}


def run_optimizer(name, make, clip=0.0):
    """Ten steps; from the sixth on at a tenth of the rate."""
    w = values(20, (16,)).requires_grad_()
    optimizer = make([w])
    norms = []
    for step in range(10):
        if step == 5:
            optimizer.param_groups[0]["lr"] /= 10
        w.grad = values(21 + step, (16,)) * 10.0 ** (step % 4 - 2)
        if clip:
            norms.append(nn.utils.clip_grad_norm_([w], clip).item())
        optimizer.step()
    state = optimizer.state[w]
    run = {"name": name, "lr": optimizer.defaults["lr"], "clip": clip,
           "norms": norms, "w": w.tolist()}
    for key, stored in (("m", "exp_avg"), ("v", "exp_avg_sq"),
                        ("m", "momentum_buffer")):
        if stored in state:
            run[key] = state[stored].tolist()
    group = optimizer.param_groups[0]
    run["weight_decay"] = group["weight_decay"]
    run["momentum"] = group.get("momentum", 0.0)
    run["nesterov"] = group.get("nesterov", False)
    return run


def make_optimizers():
    optim = torch.optim
    sgd = lambda **o: lambda p: optim.SGD(p, lr=1e-2, **o)
    return {"runs": [
        run_optimizer("adam", lambda p: optim.Adam(p, lr=1e-3)),
        run_optimizer("adam",
                      lambda p: optim.Adam(p, lr=1e-3, weight_decay=0.01)),
        run_optimizer("adamw",
                      lambda p: optim.AdamW(p, lr=1e-2, weight_decay=0.1)),
        run_optimizer("sgd", sgd()),
        run_optimizer("sgd", sgd(momentum=0.9, weight_decay=0.01)),
        run_optimizer("sgd", sgd(momentum=0.9, weight_decay=0.01,
                                 nesterov=True)),
        run_optimizer("sgd", sgd(momentum=0.9), clip=0.5)]}


def rates(make, steps, metrics=None):
    """The rate of each step under a scheduler that is told after each."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1,
                                momentum=0.9)
    scheduler = make(optimizer)
    result = []
    for step in range(steps):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([metrics[step]] if metrics else []))
    return result


PLATEAU_LOSSES = [2.0, 1.5, 1.5, 1.5, 1.49, 1.4899, 1.5, 1.49, 1.2, 1.3, 1.25,
                  1.21, 1.2, 1.1, 1.0, 1.0]


def make_schedules():
    lr = torch.optim.lr_scheduler
    return {"steps": 40, "losses": PLATEAU_LOSSES,
            "step": rates(lambda o: lr.StepLR(o, 12, 0.3), 40),
            "multistep": rates(lambda o: lr.MultiStepLR(o, [10, 15, 32], 0.1),
                               40),
            "cosine": rates(lambda o: lr.CosineAnnealingLR(o, 40, 0.001), 40),
            "onecycle": rates(lambda o: lr.OneCycleLR(
                o, 0.1, total_steps=40, pct_start=0.25, div_factor=20,
                final_div_factor=50, cycle_momentum=False), 40),
            "poly": rates(lambda o: lr.PolynomialLR(o, 40, 2.0), 40),
            "plateau": rates(lambda o: lr.ReduceLROnPlateau(
                o, factor=0.5, patience=2), 16, PLATEAU_LOSSES)}


def make_loss():
    z = (values(40, (5, 7)) * 20).double().requires_grad_()
    labels = [0, 6, 3, 1, 5]
    t = torch.softmax(values(41, (5, 7)).double() * 3, 1).float()
    result = {"labels": labels, "targets": t.flatten().tolist()}
    for name, target, smoothing in (
            ("class", torch.tensor(labels), 0.0),
            ("probability", t.double(), 0.0),
            ("class_smoothed", torch.tensor(labels), 0.1),
            ("probability_smoothed", t.double(), 0.3)):
        z.grad = None
        loss = F.cross_entropy(z, target, label_smoothing=smoothing)
        loss.backward()
        result[name] = {"loss": loss.item(),
                        "gradient": z.grad.flatten().tolist()}
    return result


MAKERS = {"initial": make_initial, "ops": make_ops,
          "optimizers": make_optimizers, "schedules": make_schedules,
          "loss": make_loss}
for network in NETWORKS | OTHERS:
    MAKERS[network] = lambda arch=network: make_network(arch)


def main():
    if len(sys.argv) < 2 or any(a not in MAKERS for a in sys.argv[2:]):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or MAKERS:
        golden = {"made_by": "tools/make_model_goldens.py",
                  "torch": torch.__version__, **MAKERS[name]()}
        path = folder / f"{name}.json"
        text = re.sub(r"\[\s+([^][{}]*?)\s+\]",  # a list of numbers: one line
                      lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]",
                      json.dumps(golden, indent=1))
        path.write_text(text + "\n")
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
