#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that weight files go both ways between PyTorch and alexnet.

check_pth_interop.py PROGRAM: run it with a Python that has torch; PROGRAM is
the alexnet program. Files of AlexNet's size (233 MB) are written by torch.save
in both layouts, converted with `PROGRAM convert`, and loaded again.
"""

import collections
import pathlib
import subprocess
import sys
import tempfile

import torch

SHAPES = {
    "features.0": (96, 3, 11, 11), "features.3": (256, 96, 5, 5),
    "features.6": (384, 256, 3, 3), "features.8": (384, 384, 3, 3),
    "features.10": (256, 384, 3, 3), "classifier.1": (4096, 9216),
    "classifier.4": (4096, 4096), "classifier.6": (10, 4096)}


def make_state():
    torch.manual_seed(0)
    state = collections.OrderedDict()
    for name, shape in SHAPES.items():
        state[name + ".weight"] = torch.randn(shape)
        state[name + ".bias"] = torch.randn(shape[0])
    return state


def make_module(state):
    root = torch.nn.Module()
    for name, value in state.items():
        *folders, leaf = name.split(".")
        module = root
        for folder in folders:
            if folder not in dict(module.named_children()):
                module.add_module(folder, torch.nn.Module())
            module = getattr(module, folder)
        setattr(module, leaf, torch.nn.Parameter(torch.zeros_like(value)))
    return root


def check(state, path):
    options = [{}]
    if int(torch.__version__.split(".")[0]) >= 2:
        options.append({"mmap": True})
    for option in options:
        loaded = torch.load(path, weights_only=True, **option)
        make_module(state).load_state_dict(loaded, strict=True)
        assert all(torch.equal(state[k], loaded[k]) for k in state)


def main():
    program, state = sys.argv[1], make_state()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        torch.save(state, folder / "zip.pth")
        torch.save(state, folder / "legacy.pth",
                   _use_new_zipfile_serialization=False)
        steps = [("zip.pth", "a.pth"), ("legacy.pth", "b.pth"),
                 ("zip.pth", "c.safetensors"), ("c.safetensors", "d.pth")]
        for source, target in steps:
            subprocess.run([program, "convert", "--arch", "note", folder / source,
                            folder / target], check=True)
            if target.endswith(".pth"):
                check(state, folder / target)
            print(f"{source} -> {target}: equal")


if __name__ == "__main__":
    main()
