#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the weight files of tests/golden/io with the PyTorch it runs under.

Run it once with each PyTorch (1.13 and 2.13): make_io_goldens.py DIR
"""

import collections
import json
import pathlib
import sys
import zipfile

import torch


def small_state(dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    shapes = {"features.0.weight": (2, 3, 2, 2), "features.0.bias": (2,),
              "classifier.1.weight": (3, 4), "classifier.1.bias": (3,)}
    return collections.OrderedDict(
        (name, torch.randn(shape, generator=generator).to(dtype))
        for name, shape in shapes.items())


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)
        self.norm = torch.nn.BatchNorm1d(3)

    def forward(self, x):
        return self.norm(self.linear(x))


def checkpoint():
    torch.manual_seed(2)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.randn(5, 4)).square().sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    return net, {"epoch": 3, "best": 0.5, "model_state_dict": net.state_dict(),
                 "optimizer": optimizer.state_dict(),
                 "scheduler": scheduler.state_dict()}


def cases():
    """name -> (what is saved, the tensors expected of it or None)."""
    state = small_state()
    yield "plain", state, state
    strided = small_state()
    strided["features.0.weight"] = strided["features.0.weight"].to(
        memory_format=torch.channels_last)
    strided["classifier.1.weight"] = (
        strided["classifier.1.weight"].t().contiguous().t())
    yield "strided", strided, strided
    whole = torch.arange(24, dtype=torch.float32)
    shared = {"a": whole[2:8].view(2, 3), "b": whole[5:], "c": whole[::2],
              "empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5)}
    yield "shared", shared, shared
    mixed = {"half": torch.tensor([1.5, -2**-24, 65504, float("inf")]).half(),
             "bfloat16": torch.tensor([1.5, -3e38, 1e-40]).bfloat16(),
             "double": torch.tensor([0.1, -1e300, 1e-320]).double(),
             "half_strided": torch.randn(
                 3, 2, generator=torch.Generator().manual_seed(3)).half().t()}
    yield "mixed", mixed, mixed
    prefixed = {"module._orig_mod." + k: v for k, v in state.items()}
    yield "prefixed", {"state_dict": prefixed, "arch": "alexnet"}, state
    net, saved = checkpoint()
    expected = {k: v for k, v in net.state_dict().items()
                if k != "norm.num_batches_tracked"}
    yield "checkpoint", saved, expected
    yield "parameters", dict(net.named_parameters()), dict(
        net.named_parameters())
    yield "module", torch.nn.Linear(2, 2), None
    yield "integers", {"a": torch.arange(3)}, None


def main():
    folder = pathlib.Path(sys.argv[1])
    version = "".join(torch.__version__.split(".")[:2]).rstrip("a0")
    version = {"113": "torch113", "213": "torch213"}[version]
    expected = {}
    for name, saved, tensors in cases():
        for layout in ("zip", "legacy"):
            file = f"{version}_{layout}_{name}.pth"
            torch.save(saved, folder / file,
                       _use_new_zipfile_serialization=layout == "zip")
            if tensors is not None:
                expected[file] = {
                    key: {"shape": list(value.shape),
                          "values": [repr(x) for x in value.detach().float()
                                     .flatten().tolist()]}
                    for key, value in tensors.items()}
    if version == "torch213":
        from safetensors.torch import save_file
        save_file({"a": torch.randn(2, 3), "h": torch.randn(3).half(),
                   "b": torch.randn(2).bfloat16(), "n": torch.tensor(3)},
                  folder / "mixed.safetensors", {"format": "pt"})
    # What the pickle fuzzer starts from.
    with zipfile.ZipFile(folder / f"{version}_zip_checkpoint.pth") as archive:
        pickle = next(n for n in archive.namelist() if n.endswith("data.pkl"))
        (folder / f"{version}_checkpoint.pkl").write_bytes(archive.read(pickle))
    text = "{" + ",\n".join(f"{json.dumps(k)}:{json.dumps(v)}"
                            for k, v in expected.items()) + "}"
    (folder / f"{version}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
