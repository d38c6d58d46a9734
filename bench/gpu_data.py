"""CIFAR-10's files with images of no meaning, to time the whole job on.

  gpu_data.py FOLDER
"""

import pathlib
import random
import sys

CLASSES = ("airplane automobile bird cat deer dog frog horse ship "
           "truck").split()


def batch(seed):
    draw = random.Random(seed)
    return b"".join(bytes([i % 10]) + draw.randbytes(3072)
                    for i in range(10000))


def main(folder):
    folder = pathlib.Path(folder) / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    (folder / "batches.meta.txt").write_text("\n".join(CLASSES) + "\n")
    for i in range(1, 6):
        (folder / f"data_batch_{i}.bin").write_bytes(batch(i))
    (folder / "test_batch.bin").write_bytes(batch(6))


main(sys.argv[1])
