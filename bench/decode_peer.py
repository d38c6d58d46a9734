#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The peer of decode_bench: Pillow decodes, torchvision's RandomResizedCrop
(its resized_crop with given boxes) makes 227 x 227, in one thread.

  decode_peer.py --make FOLDER            200 JPEG files of 500 x 375
  decode_peer.py FOLDER BOXES [SECONDS]   BOXES: what decode_bench --boxes wrote
"""
import io
import pathlib
import sys
import time

import numpy as np
from PIL import Image


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[0:375, 0:500]
    for i in range(200):
        rng = np.random.default_rng(i)
        picture = np.zeros((375, 500, 3))
        for scale in 80, 30, 12, 5:  # as much detail as photographs have
            small = rng.normal(0, 25, (375 // scale + 2, 500 // scale + 2, 3))
            for c in range(3):
                plane = Image.fromarray(small[:, :, c].astype(np.float32))
                picture[:, :, c] += np.asarray(plane.resize((500, 375), Image.BICUBIC))
        picture += rng.normal(0, 3, picture.shape)
        image = Image.fromarray(np.clip(picture + 128, 0, 255).astype(np.uint8))
        image.save(folder / f"{i:04}.jpg", quality=90, subsampling=2)


def measure(folder, boxes, seconds):
    try:
        import torchvision.transforms.functional as F

        def resized_crop(image, left, top, width, height):
            return F.resized_crop(image, top, left, height, width, [227, 227])
    except ImportError:
        # What torchvision does to Pillow's images.
        def resized_crop(image, left, top, width, height):
            part = image.crop((left, top, left + width, top + height))
            return part.resize((227, 227), Image.BILINEAR)

    lines = [line.split() for line in open(boxes)]
    jobs = [(folder / name, *map(int, box)) for name, *box in lines]
    total = done = 0
    start = time.process_time()
    first = True
    while first or time.process_time() - start < seconds:
        for path, *box in jobs:
            with open(path, "rb") as file:
                image = Image.open(file).convert("RGB")
            pixels = resized_crop(image, *box).tobytes()
            if first:
                total += int(np.frombuffer(pixels, np.uint8).sum())
            done += 1
        first = False
    rate = done / (time.process_time() - start)
    print(f"{rate:.1f} images/s a core, checksum {total}")


if sys.argv[1] == "--make":
    make(pathlib.Path(sys.argv[2]))
else:
    measure(pathlib.Path(sys.argv[1]), sys.argv[2], float((sys.argv[3:] or [3])[0]))
