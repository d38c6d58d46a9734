#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/image: pictures, and what Pillow and torchvision make of
them, for tests/image and tests/data.

  make_image_goldens.py [DIR]

Needs Pillow 9.4, NumPy and torchvision 0.14.
"""
import hashlib
import io
import math
import pathlib
import random
import sys
import types

import numpy as np
from PIL import Image
import torchvision.transforms.functional as F
from torchvision.transforms import transforms as T

PHILOX = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85
MASK = 0xFFFFFFFF


def philox(counter, key):
    c, k0, k1 = list(counter), key & MASK, key >> 32
    for _ in range(10):
        a, b = PHILOX[0] * c[0], PHILOX[1] * c[2]
        c = [(b >> 32) ^ c[1] ^ k0, b & MASK, (a >> 32) ^ c[3] ^ k1, a & MASK]
        k0, k1 = (k0 + PHILOX[2]) & MASK, (k1 + PHILOX[3]) & MASK
    return c


class Draws:
    """The random numbers of src/data/draws.h."""

    def __init__(self, seed, epoch, sample, purpose):
        self.words = []
        self.block = 0
        self.key = seed
        self.rest = 0x41554700 + purpose, sample, epoch

    def word(self):
        if not self.words:
            self.words = philox((self.block, *self.rest), self.key)
            self.block += 1
        return self.words.pop(0)

    def uniform(self, low, high):
        return low + (high - low) * (self.word() / 2**32)

    def below(self, n):
        return self.word() * n >> 32


class Number(float):
    """Enough of a tensor for torchvision's get_params, in double precision."""

    def uniform_(self, low, high):
        return Number(Number.draws.uniform(low, high))

    def item(self):
        return self


def fake_torch(draws):
    Number.draws = draws
    return types.SimpleNamespace(
        empty=lambda _: Number(0),
        tensor=np.array,
        log=lambda values: [math.log(v) for v in values],
        exp=lambda value: Number(math.exp(value)),
        randint=lambda low, high, size: types.SimpleNamespace(
            item=lambda: low + draws.below(high - low)))


class Sized:
    """An image of which only the size is asked."""

    def __init__(self, height, width):
        self.shape = 3, height, width


def boxes():
    lines = []
    T.F.get_dimensions = lambda image: list(image.shape)
    real = T.torch
    for height, width in (375, 500), (500, 375), (32, 32), (7, 100), (90, 3), (1, 1):
        for sample in range(40):
            seed, epoch = 11 + 2**40 * (sample % 2), sample % 5
            T.torch = fake_torch(Draws(seed, epoch, sample, 0))
            i, j, h, w = T.RandomResizedCrop.get_params(
                Sized(height, width), [0.08, 1.0], [3 / 4, 4 / 3])
            lines.append(f"rrc {height} {width} {seed} {epoch} {sample} {j} {i} {w} {h}")
            T.torch = fake_torch(Draws(seed, epoch, sample, 7))
            # get_params hands back the image itself where it found nothing.
            image = types.SimpleNamespace(shape=(3, height, width))
            i, j, h, w, _ = T.RandomErasing.get_params(image, (0.02, 0.33), (0.3, 3.3), [0.0])
            if (i, j, h, w) == (0, 0, height, width):
                i = j = h = w = 0
            lines.append(f"erase {height} {width} {seed} {epoch} {sample} {j} {i} {w} {h}")
    T.torch = real
    return lines


def scene(width, height):
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(5).normal(0, 12, (height, width, 3))
    planes = [128 + 90 * np.sin(x / (5 + 3 * c)) * np.cos(y / (9 - 2 * c)) for c in range(3)]
    image = np.stack(planes, -1) + noise
    image[(x - 60) ** 2 + (y - 80) ** 2 < 900] = (220, 30, 60)
    image[(abs(x - 140) < 20) & (abs(y - 60) < 30)] = (20, 200, 240)
    return Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))


def planes_md5(image):
    array = np.asarray(image.convert("RGB"))
    return hashlib.md5(array.transpose(2, 0, 1).tobytes()).hexdigest()


def pictures(folder):
    """name -> bytes"""
    large = scene(203, 151)
    small = scene(37, 29)
    files = {}

    def add(name, image, kind, **options):
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        files[name] = stream.getvalue()

    for name, sampling in ("444", 0), ("422", 1), ("420", 2):
        add(f"large_{name}.jpg", large, "JPEG", quality=85, subsampling=sampling)
    add("large_grey.jpg", large.convert("L"), "JPEG", quality=85)
    add("large_progressive.jpg", large, "JPEG", quality=85, progressive=True)
    add("small.ppm", small, "PPM")
    add("small.pgm", small.convert("L"), "PPM")
    add("small.pbm", small.convert("1"), "PPM")
    add("small.bmp", small, "BMP")
    add("palette.bmp", small.quantize(200), "BMP")
    add("bilevel.bmp", small.convert("1"), "BMP")
    add("grey.bmp", small.convert("L"), "BMP")
    add("small.tiff", small, "TIFF")
    add("lzw.tiff", small, "TIFF", compression="tiff_lzw")
    add("deflate_grey.tiff", small.convert("L"), "TIFF", compression="tiff_adobe_deflate")
    add("palette.tiff", small.quantize(200), "TIFF")
    add("lossless.webp", small, "WEBP", lossless=True)
    add("lossy.webp", small, "WEBP", quality=70)
    add("alpha.webp", small.convert("RGBA"), "WEBP", lossless=True)
    files["plain.ppm"] = b"P3 # plain\n3 2\n100\n" + b" ".join(b"%d" % (7 * i % 101) for i in range(18)) + b"\n"
    files["deep.pgm"] = b"P5\n5 3\n1000\n" + b"".join((i * 66).to_bytes(2, "big") for i in range(15))
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return files


def transforms(files):
    lines = []
    rng = random.Random(3)
    for name, data in sorted(files.items()):
        if name == "deep.pgm":  # Pillow's mode I, see image_file.h
            continue
        lines.append(f"decode {name} 0 0 0 0 0 0 {planes_md5(Image.open(io.BytesIO(data)))}")
    for name in sorted(n for n in files if n.startswith("large")):
        image = Image.open(io.BytesIO(files[name])).convert("RGB")
        width, height = image.size
        for _ in range(25):
            w, h = rng.randint(1, width), rng.randint(1, height)
            left, top = rng.randint(0, width - w), rng.randint(0, height - h)
            out_w, out_h = rng.choice([(64, 64), (w, h), (17, 90), (227, 227)])
            part = F.resized_crop(image, top, left, h, w, [out_h, out_w])
            lines.append(f"part {name} {left} {top} {w} {h} {out_w} {out_h} {planes_md5(part)}")
        for edge, out in (64, 56), (40, 40), (200, 151), (151, 100), (99, 64):
            middle = F.center_crop(F.resize(image, edge), [out, out])
            lines.append(f"centre {name} {edge} 0 0 0 {out} {out} {planes_md5(middle)}")
    return lines


def colours():
    image = scene(203, 151)
    lines = [f"none 0 {planes_md5(image)}"]
    for factor in 0.0, 0.3, 0.85, 1.0, 1.2, 2.5:
        lines.append(f"brightness {factor} {planes_md5(F.adjust_brightness(image, factor))}")
        lines.append(f"contrast {factor} {planes_md5(F.adjust_contrast(image, factor))}")
        lines.append(f"saturation {factor} {planes_md5(F.adjust_saturation(image, factor))}")
    for shift in -0.5, -0.13, 0.0, 0.02, 0.31, 0.5:
        lines.append(f"hue {shift} {planes_md5(F.adjust_hue(image, shift))}")
    return lines


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden/image")
    folder.mkdir(parents=True, exist_ok=True)
    files = pictures(folder)
    scene(203, 151).save(folder / "scene.png")
    (folder / "transforms.txt").write_text("\n".join(transforms(files)) + "\n")
    (folder / "colours.txt").write_text("\n".join(colours()) + "\n")
    (folder / "boxes.txt").write_text("\n".join(boxes()) + "\n")


main()
