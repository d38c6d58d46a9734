#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/extras: small pictures of every kind, and for each the
size and the MD5 of the pixels that Pillow's convert("RGB") gives.

Needs Pillow (>= 10.2) and NumPy.
"""

import hashlib
import io
import pathlib
import struct
import sys
import zlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 37, 29  # divides nothing
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


def scene(channels):
    """Smooth colours with a hard edge and a little noise."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    random = np.random.default_rng(7)
    planes = []
    for c in range(channels):
        plane = 128 + 100 * np.sin(x / (4 + c) + c) * np.cos(y / (6 - c))
        plane[(x - 20) ** 2 + (y - 14) ** 2 < 60] = 40 + 60 * c
        planes.append(plane + random.normal(0, 4, plane.shape))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def pillow(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def packed(rows, depth):
    """Rows (height x width x channels) as PNG bytes, filter 0."""
    result = b""
    for row in rows:
        if depth == 16:
            line = row.astype(">u2").tobytes()
        elif depth == 8:
            line = row.astype(np.uint8).tobytes()
        else:
            bits = (row[:, :1].astype(np.uint8)[:, None] >> np.arange(depth - 1, -1, -1)) & 1
            line = np.packbits(bits.reshape(-1)).tobytes()
        result += b"\0" + line
    return result


def png(pixels, color_type, depth=8, interlaced=False, extra=b""):
    """What Pillow cannot write: any depth, Adam7, any chunk."""
    height, width = pixels.shape[:2]
    data = b""
    for x0, y0, dx, dy in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = pixels[y0::dy, x0::dx]
        if part.size:
            data += packed(part, depth)
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
            + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b""))


def jpegs():
    rgb = Image.fromarray(scene(3))
    yield "ycc_444.jpg", pillow(rgb, "JPEG", quality=85, subsampling=0)
    yield "ycc_422.jpg", pillow(rgb, "JPEG", quality=85, subsampling=1)
    yield "ycc_420.jpg", pillow(rgb, "JPEG", quality=85, subsampling=2)
    yield "progressive.jpg", pillow(rgb, "JPEG", quality=90, progressive=True)
    yield "coarse.jpg", pillow(rgb, "JPEG", quality=8)
    yield "restarts.jpg", pillow(rgb, "JPEG", quality=75, restart_marker_blocks=2)
    yield "stored_rgb.jpg", pillow(rgb, "JPEG", quality=85, keep_rgb=True)
    yield "grey.jpg", pillow(rgb.convert("L"), "JPEG", quality=85)
    yield "cmyk.jpg", pillow(Image.fromarray(scene(4), "CMYK"), "JPEG", quality=85)
    exif = Image.Exif()
    exif[0x0112] = 6
    yield "orientation.jpg", pillow(rgb, "JPEG", quality=60, exif=exif)
    yield "one_pixel.jpg", pillow(rgb.crop((3, 3, 4, 4)), "JPEG")


def pngs():
    rgb, rgba = scene(3), scene(4)
    wide = rgb[:15, :19].astype(np.uint16) * 251 + 100 * np.arange(19, dtype=np.uint16)[:, None]
    palette = Image.fromarray(rgb).quantize(16)
    yield "rgb.png", pillow(Image.fromarray(rgb), "PNG")
    yield "rgba.png", pillow(Image.fromarray(rgba), "PNG")
    yield "grey.png", pillow(Image.fromarray(rgb[..., 0]), "PNG")
    yield "grey_alpha.png", pillow(Image.fromarray(rgba[..., 2:]), "PNG")
    yield "palette_8.png", pillow(Image.fromarray(rgb).quantize(100), "PNG")
    yield "palette_4.png", pillow(palette, "PNG", bits=4)
    yield "palette_transparent.png", pillow(palette, "PNG", transparency=3)
    yield "bilevel.png", pillow(Image.fromarray(rgb).convert("1"), "PNG")
    for depth in (2, 4):
        yield f"grey_{depth}.png", png(rgb[..., :1] >> (8 - depth), GREY, depth)
    yield "rgb_16.png", png(wide, RGB, 16)
    yield "grey_alpha_16.png", png(wide[..., :2], GREY_ALPHA, 16)
    yield "grey_16.png", png(wide[..., :1], GREY, 16)
    yield "interlaced.png", png(rgb, RGB, interlaced=True)
    yield "interlaced_grey_2.png", png(rgb[..., :1] >> 6, GREY, 2, interlaced=True)
    key = chunk(b"tRNS", struct.pack(">HHH", *map(int, rgb[5, 5])))
    yield "rgb_key.png", png(rgb, RGB, extra=key)
    yield "gamma.png", png(rgb, RGB, extra=chunk(b"gAMA", struct.pack(">I", 100000)))


def expected(name, data):
    image = Image.open(io.BytesIO(data))
    image.load()
    if name == "grey_16.png":  # the one case where we differ: the high byte
        high = (np.asarray(image).astype(np.int64) >> 8).astype(np.uint8)
        image = Image.fromarray(high)
    return image.size, image.convert("RGB").tobytes()


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden/extras")
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, data in [*jpegs(), *pngs()]:
        assert len(data) < 4096, (name, len(data))
        (folder / name).write_bytes(data)
        (width, height), pixels = expected(name, data)
        lines.append(f"{name} {width} {height} {hashlib.md5(pixels).hexdigest()}\n")
    (folder / "pixels.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
