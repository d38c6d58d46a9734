#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares this program with PyTorch, live, on real CIFAR-10.

  compare_numbers.py ALEXNET DATA [--arch note|lenet5] [--lr 1e-3]
                     [--algorithms exact|fast]

ALEXNET is the program, DATA holds cifar-10-batches-bin/. Run it with a Python
that has torch, NumPy and Pillow. Both start from seed 0's weights, with dropout
off and in file order. Prints the logits' distance and ten training losses, with
PyTorch's distance from itself under another thread count beside them, and how
far each is from PyTorch in float64; fails where
logits differ by more than 1e-5 of their norm or a loss by more than 1e-4,
or by more than twice PyTorch's own spread where that is larger.
"""
import argparse
import csv
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from make_model_goldens import NETWORKS, network_input

BATCH = 32
STEPS = 10


def records(path, count):
    rows = np.fromfile(path, np.uint8, count * 3073).reshape(-1, 3073)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64)


def to_input(pixels, size):
    planar = [np.asarray(Image.fromarray(p.transpose(1, 2, 0)).resize(
        (size, size), Image.BILINEAR)).transpose(2, 0, 1) for p in pixels]
    return network_input(np.stack(planar))


def make(arch):
    torch.manual_seed(0)
    return NETWORKS[arch][0]().eval()  # dropout off


def torch_losses(arch, folder, rate, threads, dtype=torch.float32):
    torch.set_num_threads(threads)
    net = make(arch).to(dtype)
    adam = torch.optim.Adam(net.parameters(), lr=rate)
    pixels, labels = records(folder / "data_batch_1.bin", BATCH * STEPS)
    losses = []
    for at in range(0, BATCH * STEPS, BATCH):
        x = to_input(pixels[at:at + BATCH], NETWORKS[arch][1]).to(dtype)
        loss = F.cross_entropy(net(x), torch.from_numpy(labels[at:at + BATCH]))
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    return losses


def compare_losses(options, folder, scratch):
    subprocess.run([options.alexnet, "train", "--arch", options.arch,
                    "--dataset", "cifar10", "--data", options.data,
                    "--batch-size", str(BATCH), "--max-steps", str(STEPS),
                    "--lr", str(options.lr), "--dropout", "0", "--seed", "0",
                    "--algorithms", options.algorithms,
                    "--out", str(scratch / "run")],
                   check=True, stdout=subprocess.DEVNULL)
    with open(scratch / "run" / "steps.csv", newline="") as file:
        ours = [float(row["loss"]) for row in csv.DictReader(file)]
    one = torch_losses(options.arch, folder, options.lr, 1)
    two = torch_losses(options.arch, folder, options.lr, 2)
    exact = torch_losses(options.arch, folder, options.lr, 2, torch.float64)
    good = len(ours) == STEPS
    print("step  PyTorch     ours  distance  PyTorch, 2 threads against 1  "
          "from float64: ours, PyTorch")
    for step, (a, b, c, e) in enumerate(zip(one, ours, two, exact), 1):
        distance, spread = abs(b - a) / a, abs(c - a) / a
        good &= distance <= max(1e-4, 2 * spread)
        print(f"{step:4} {a:8.5f} {b:8.5f}  {distance:8.1e}  {spread:8.1e}"
              f"{'':22}{abs(b - e) / e:8.1e}  {abs(a - e) / e:8.1e}")
    return good


def compare_logits(options, folder, scratch):
    net = make(options.arch)
    torch.save(net.state_dict(), scratch / "initial.pth")
    subprocess.run([options.alexnet, "eval", "--arch", options.arch,
                    "--weights", str(scratch / "initial.pth"), "--dataset",
                    "cifar10", "--data", options.data, "--algorithms",
                    options.algorithms, "--logits", str(scratch / "logits.npy")],
                   check=True, stdout=subprocess.DEVNULL)
    pixels, _ = records(folder / "test_batch.bin", 128)
    with torch.no_grad():
        theirs = net(to_input(pixels, NETWORKS[options.arch][1])).numpy()
    ours = np.load(scratch / "logits.npy")[:128]
    distance = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    print(f"logits of 128 test images: {distance:.1e} of their norm apart")
    return distance <= 1e-5


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("alexnet")
    parser.add_argument("data")
    parser.add_argument("--arch", choices=list(NETWORKS), default="note")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--algorithms", choices=["exact", "fast"], default="exact")
    options = parser.parse_args()
    folder = pathlib.Path(options.data) / "cifar-10-batches-bin"
    print(f"PyTorch {torch.__version__}, {options.arch}, lr {options.lr}, "
          f"{options.algorithms} algorithms")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        good = compare_losses(options, folder, scratch)
        good &= compare_logits(options, folder, scratch)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
