"""PyTorch's side of bench/gpu_check: the note's network on the GPU, tuned
(bf16 autocast, channels_last, torch.compile, fused Adam, data already there).
Prints one JSON object."""

import json
import statistics
import time

import torch
from torch import nn


def network():
    def conv(*args, **kwargs):
        return [nn.Conv2d(*args, **kwargs), nn.ReLU(inplace=True)]

    return nn.Sequential(
        *conv(3, 96, 11, stride=4, padding=1), nn.MaxPool2d(3, 2),
        *conv(96, 256, 5, padding=2), nn.MaxPool2d(3, 2),
        *conv(256, 384, 3, padding=1), *conv(384, 384, 3, padding=1),
        *conv(384, 256, 3, padding=1), nn.MaxPool2d(3, 2), nn.Flatten(),
        nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU(inplace=True),
        nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(inplace=True),
        nn.Linear(4096, 10))


def measure(batch, runs=7, steps=50):
    torch.manual_seed(0)
    net = network().cuda().to(memory_format=torch.channels_last)
    net = torch.compile(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True)
    x = torch.randn(batch, 3, 227, 227, device="cuda").to(
        memory_format=torch.channels_last)
    y = torch.arange(batch, device="cuda") % 10

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()

    for _ in range(20):
        step()
    rates = []
    for _ in range(runs):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(steps):
            step()
        torch.cuda.synchronize()
        rates.append(batch * steps / (time.perf_counter() - begin))
    return {"images_per_s": statistics.median(rates), "low": min(rates),
            "high": max(rates)}


torch.backends.cudnn.benchmark = True
print(json.dumps({"torch": torch.__version__,
                  "bf16 batch 32": measure(32),
                  "bf16 batch 128": measure(128)}))
