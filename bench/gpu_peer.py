"""PyTorch's side of bench/gpu_check, JSON on standard output.

  gpu_peer.py tuned  the note's network as an expert runs it: bf16 autocast,
                     channels_last, torch.compile, fused Adam, data already on
                     the GPU. Says "ready" once it is compiled, then measures
                     for every line on standard input, a line each
  gpu_peer.py note   the note's script as it stands: its loader and its steps,
                     on images of no meaning; a part of an epoch, from which
                     the seconds of a whole one follow
"""

import json
import statistics
import sys
import time

import numpy as np
import torch
from torch import nn

from torch_note import AlexNet


class Training:
    """Steps of one batch size, compiled."""

    def __init__(self, batch):
        torch.manual_seed(0)
        self.batch = batch
        net = AlexNet().cuda().to(memory_format=torch.channels_last)
        self.net = torch.compile(net, dynamic=False)
        self.optimizer = torch.optim.Adam(net.parameters(), lr=1e-4,
                                          fused=True)
        self.x = torch.randn(batch, 3, 227, 227, device="cuda").to(
            memory_format=torch.channels_last)
        self.y = torch.arange(batch, device="cuda") % 10
        self.steps(20)

    def steps(self, count):
        for _ in range(count):
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.bfloat16):
                loss = nn.functional.cross_entropy(self.net(self.x), self.y)
            loss.backward()
            self.optimizer.step()
        torch.cuda.synchronize()

    def measure(self, runs=5, run_seconds=0.3):
        begin = time.perf_counter()
        self.steps(10)
        count = max(5, round(run_seconds * 10 / (time.perf_counter() - begin)))
        rates = []
        for _ in range(runs):
            begin = time.perf_counter()
            self.steps(count)
            rates.append(self.batch * count / (time.perf_counter() - begin))
        return {"images_per_s": statistics.median(rates), "low": min(rates),
                "high": max(rates)}


class Images(torch.utils.data.Dataset):
    """50,000 images in memory, made ready one by one as torchvision's CIFAR10
    with the note's transforms does."""

    def __init__(self):
        self.pixels = np.random.default_rng(0).integers(
            0, 256, (50000, 32, 32, 3), np.uint8)

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        from PIL import Image
        image = Image.fromarray(self.pixels[index]).resize(
            (227, 227), Image.BILINEAR)
        x = torch.from_numpy(np.array(image, np.uint8, copy=True))
        x = x.permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        mean = torch.as_tensor((0.5, 0.5, 0.5)).view(-1, 1, 1)
        std = torch.as_tensor((0.5, 0.5, 0.5)).view(-1, 1, 1)
        return x.sub_(mean).div_(std), index % 10


def note(most_seconds=25, warmup=10):
    torch.manual_seed(0)
    images = Images()
    loader = torch.utils.data.DataLoader(images, batch_size=32, shuffle=False)
    net = AlexNet().cuda()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    losses = []
    begin = None
    for step, (x, y) in enumerate(loader):
        if step == warmup:
            torch.cuda.synchronize()
            begin = time.perf_counter()
        loss = criterion(net(x.cuda()), y.cuda())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss)
        if step % 100 == 0:
            loss.item()
        if begin and time.perf_counter() - begin > most_seconds:
            break
    torch.cuda.synchronize()
    counted = 32 * (len(losses) - warmup)
    rate = counted / (time.perf_counter() - begin)
    print(json.dumps({"torch": torch.__version__, "images_per_s": rate,
                      "images": counted, "epoch_s": len(images) / rate}))


def tuned():
    torch.backends.cudnn.benchmark = True
    trainings = [Training(batch) for batch in (32, 128)]
    print("ready", flush=True)
    for _ in sys.stdin:
        result = {"torch": torch.__version__}
        for training in trainings:
            result[f"bf16 batch {training.batch}"] = training.measure()
        print(json.dumps(result), flush=True)


{"tuned": tuned, "note": note}[sys.argv[1]]()
