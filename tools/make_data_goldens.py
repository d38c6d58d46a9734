#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the golden values that tests/core and tests/data compare with.

  make_data_goldens.py DIR [resize] [random] [cifar]

resize needs Pillow, random needs PyTorch, cifar needs NumPy; all three are
made where none is named. DIR is tests/golden.
"""
import gzip
import io
import pathlib
import pickle
import struct
import sys
import tarfile

RESIZES = [  # in height, in width, out height, out width
    (32, 32, 227, 227), (32, 32, 224, 224), (32, 32, 20, 20),
    (32, 32, 13, 45), (32, 32, 32, 227), (32, 32, 227, 32), (32, 32, 32, 32),
    (1, 1, 1, 1), (1, 1, 5, 7), (1, 9, 1, 4), (1, 9, 3, 9), (9, 1, 4, 1),
    (9, 1, 9, 3), (1, 33, 1, 100), (2, 3, 3, 2), (7, 5, 31, 29),
    (31, 29, 7, 5), (64, 48, 32, 32), (100, 37, 1, 1), (37, 100, 36, 101),
    (255, 3, 2, 17), (16, 300, 64, 11), (3, 3, 64, 64), (227, 227, 32, 32),
    (50, 40, 49, 39), (5, 250, 5, 1),
]


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def smooth_pixel(x, y, c):
    return (37 * x + 101 * y + 59 * c + 3 * x * y) & 255


def rough_pixel(x, y, c):
    return ((x * 73856093 ^ y * 19349663 ^ (c + 1) * 83492791)
            * 2654435761 >> 13) & 255


def make_resize(folder):
    from PIL import Image
    lines = ["# pattern in_height in_width out_height out_width channel fnv1a"]
    for name, pixel in ("smooth", smooth_pixel), ("rough", rough_pixel):
        for in_h, in_w, out_h, out_w in RESIZES:
            data = bytes(pixel(x, y, c) for y in range(in_h)
                         for x in range(in_w) for c in range(3))
            image = Image.frombytes("RGB", (in_w, in_h), data)
            resized = image.resize((out_w, out_h), Image.BILINEAR)
            for c, plane in enumerate(resized.split()):
                lines.append(f"{name} {in_h} {in_w} {out_h} {out_w} {c} "
                             f"{fnv1a(plane.tobytes()):016x}")
    (folder / "resize_pillow.txt").write_text("\n".join(lines) + "\n")


def epoch_order(n, seed, epoch):
    from torch.utils.data import Dataset, DistributedSampler

    class Numbers(Dataset):
        def __len__(self):
            return n

    sampler = DistributedSampler(Numbers(), num_replicas=1, rank=0,
                                 shuffle=True, seed=seed)
    sampler.set_epoch(epoch)
    return list(sampler)


def make_random(folder):
    import torch
    lines = ["# n seed epoch fnv1a(int64, little-endian) first values"]
    for n in 1, 2, 10, 1000, 50000:
        for seed, epoch in (0, 0), (0, 1), (42, 3), (123456789, 7), \
                (2**32 - 1, 1), (2**40 + 17, 2):
            order = epoch_order(n, seed, epoch)
            digest = fnv1a(struct.pack(f"<{n}q", *order))
            first = " ".join(map(str, order[:8]))
            lines.append(f"{n} {seed} {epoch} {digest:016x} {first}")
    (folder / "epoch_order_torch.txt").write_text("\n".join(lines) + "\n")

    lines = ["# n seed low high fnv1a(float32, little-endian) first values"]
    for n in 1, 7, 16, 1000:
        for seed in 0, 1, 42, 2**32 + 5:
            for low, high in (0.0, 1.0), (-0.0524863881, 0.0524863881):
                torch.manual_seed(seed)
                values = torch.empty(n).uniform_(low, high).tolist()
                digest = fnv1a(struct.pack(f"<{n}f", *values))
                first = " ".join(v.hex() for v in values[:4])
                lines.append(f"{n} {seed} {low!r} {high!r} {digest:016x} "
                             f"{first}")
    (folder / "uniform_torch.txt").write_text("\n".join(lines) + "\n")


def cifar_label(file, image):
    return (image + file) % 10


def cifar_pixels(file, image):
    return bytes((31 * image + 7 * file + p) % 251 for p in range(3072))


def python2_string(text):
    if len(text) < 256:
        return b"U" + bytes([len(text)]) + text
    return b"T" + struct.pack("<I", len(text)) + text


def python2_batch(labels, pixels, rows):
    """A dict as Python 2's cPickle wrote it: text as bytes, memo numbers."""
    return (b"\x80\x02}q\x01(U\x0bbatch_labelq\x02"
            + python2_string(b"a batch") + b"q\x03U\x06labelsq\x04]q\x05("
            + b"".join(b"K" + bytes([label]) for label in labels)
            + b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07"
            + b"cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09"
            + b"(K\x01M" + struct.pack("<H", rows) + b"M\x00\x0c\x86"
            + b"cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b"
            + b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
            + python2_string(pixels) + b"tbU\x09filenamesq\x0c]q\x0d("
            + b"".join(python2_string(b"image_%d.png" % i)
                       for i in range(rows)) + b"eu.")


def python_batch(file, images):
    import numpy
    labels = [cifar_label(file, i) for i in range(images)]
    pixels = b"".join(cifar_pixels(file, i) for i in range(images))
    array = numpy.frombuffer(pixels, numpy.uint8).reshape(images, 3072)
    if file == 5:  # one that was pickled again
        return pickle.dumps({"labels": labels, "data": array}, protocol=3)
    data = python2_batch(labels, pixels, images)
    loaded = pickle.loads(data, encoding="latin1")
    assert loaded["labels"] == labels and (loaded["data"] == array).all()
    return data


def write_archive(path, members):
    with gzip.GzipFile(path, "wb", mtime=0) as packed, \
            tarfile.open(fileobj=packed, mode="w") as tar:
        folder = tarfile.TarInfo(members[0][0].split("/")[0])
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def make_cifar(folder):
    """Both official archives in small; their members out of order, as there."""
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog",
             "horse", "ship", "truck"]
    sizes = {"data_batch_4": 4, "test_batch": 3, "data_batch_3": 3,
             "data_batch_2": 2, "data_batch_5": 5, "data_batch_1": 1}
    binary = [("cifar-10-batches-bin/batches.meta.txt",
               "".join(n + "\n" for n in names + [""]).encode()),
              ("cifar-10-batches-bin/readme.html", b"read me")]
    python = [("cifar-10-batches-py/readme.html", b"read me"),
              ("cifar-10-batches-py/batches.meta",
               pickle.dumps({"num_cases_per_batch": 10000, "num_vis": 3072,
                             "label_names": names}, protocol=2))]
    for name, images in sizes.items():
        file = int(name[-1]) if name[-1].isdigit() else 0
        binary.append((f"cifar-10-batches-bin/{name}.bin", b"".join(
            bytes([cifar_label(file, i)]) + cifar_pixels(file, i)
            for i in range(images))))
        python.append((f"cifar-10-batches-py/{name}",
                       python_batch(file, images)))
    write_archive(folder / "cifar-10-binary.tar.gz", binary)
    write_archive(folder / "cifar-10-python.tar.gz", python)


PARTS = {"resize": make_resize, "random": make_random,
         "cifar": make_cifar}


def main():
    folder = pathlib.Path(sys.argv[1])
    for part in sys.argv[2:] or PARTS:
        PARTS[part](folder)


if __name__ == "__main__":
    main()
