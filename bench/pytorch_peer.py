#!/usr/bin/env python3
"""The note's training step and inference in PyTorch, timed: the peer of `alexnet bench`.

  pytorch_peer.py train|infer --data DIR [--batch-size N] [--steps N] [--threads N]
                  [--tuned] [--precision fp32|bf16]

Prints one JSON object with the same names as `alexnet bench --json`. A training step includes the
resize (Pillow) and all that the script does each step. bf16 is autocast in training and a network
of bf16 weights in inference. --tuned is PyTorch as an expert runs it:
channels_last, fused Adam, torch.compile. DIR holds cifar-10-batches-bin/.
"""
import argparse
import json
import os
import resource
import statistics
import time

import numpy as np
import torch
from PIL import Image
from torch import nn

from torch_note import AlexNet


def read_images(folder):
    rows = np.fromfile(os.path.join(folder, "cifar-10-batches-bin", "data_batch_1.bin"), np.uint8)
    rows = rows.reshape(-1, 3073)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64)


def network_input(pixels, channels_last):
    images = [np.asarray(Image.fromarray(p.transpose(1, 2, 0)).resize((227, 227), Image.BILINEAR))
              for p in pixels]
    x = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).astype(np.float32))
    x = x.div_(255).sub_(0.5).div_(0.5)
    return x.contiguous(memory_format=torch.channels_last if channels_last else
                        torch.contiguous_format)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["train", "infer"])
    parser.add_argument("--data", required=True)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--tuned", action="store_true")
    a = parser.parse_args()

    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    net = AlexNet()
    if a.tuned:
        net = net.to(memory_format=torch.channels_last)
    if a.mode == "infer" and a.precision == "bf16":
        net = net.to(torch.bfloat16)  # weights too, where training keeps them in fp32
    run = torch.compile(net) if a.tuned else net
    net.train(a.mode == "train")
    adam = torch.optim.Adam(net.parameters(), lr=1e-4, **({"fused": True} if a.tuned else {}))
    loss_of = nn.CrossEntropyLoss()
    x, y = read_images(a.data)

    def train(first):
        images = network_input(x[first:first + a.batch_size], a.tuned)
        labels = torch.from_numpy(y[first:first + a.batch_size])
        with torch.autocast("cpu", torch.bfloat16, enabled=a.precision == "bf16"):
            loss = loss_of(run(images), labels)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.item()

    def infer(first):
        images = network_input(x[first:first + a.batch_size], a.tuned)
        with torch.no_grad():
            return run(images.to(next(net.parameters()).dtype)).float().sum().item()

    work = train if a.mode == "train" else infer
    seconds = []
    for step in range(a.warmup + a.steps):
        begin = time.perf_counter()
        work(step * a.batch_size % (len(x) - a.batch_size))
        seconds.append(time.perf_counter() - begin)
    seconds = seconds[a.warmup:]
    median = statistics.median(seconds)
    print(json.dumps({
        "torch": torch.__version__, "mode": a.mode, "batch_size": a.batch_size,
        "precision": a.precision, "tuned": a.tuned, "threads": a.threads, "step_s": median,
        "step_lowest_s": min(seconds), "step_highest_s": max(seconds),
        "images_per_s": a.batch_size / median,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
