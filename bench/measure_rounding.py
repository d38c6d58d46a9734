"""How far PyTorch's gradients of the original network are off where factors are
rounded: what bench/gpu_check's limits are made of.

  measure_rounding.py    needs PyTorch; takes a minute

Prints the error of each parameter's gradient, of the norm of the same in double,
for bf16 autocast and for products of float32 values that are rounded as TF32
does. The images, the labels and the initial weights are gpu_check's; there is no
dropout.
"""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from torch_note import AlexNet

IMAGES = 2


def images():
    """The bytes of gpu_work.cc, scaled and normalised."""
    count = IMAGES * 3 * 227 * 227
    numbers = np.arange(1, count + 1, dtype=np.uint64)
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(56)
    values = (mixed.astype(np.float32) / 255 - 0.5) / 0.5
    return torch.from_numpy(values.reshape(IMAGES, 3, 227, 227))


def as_tf32(x):
    bits = x.detach().contiguous().view(torch.int32)
    return ((bits + 0x0FFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


class RoundValues(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return as_tf32(x)

    @staticmethod
    def backward(context, gradient):
        return gradient


class RoundGradients(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return as_tf32(gradient)


class RoundedConv2d(nn.Conv2d):
    def forward(self, x):
        y = functional.conv2d(RoundValues.apply(x),
                              RoundValues.apply(self.weight), None,
                              self.stride, self.padding)
        return RoundGradients.apply(y) + self.bias.view(1, -1, 1, 1)


class RoundedLinear(nn.Linear):
    def forward(self, x):
        y = functional.linear(RoundValues.apply(x),
                              RoundValues.apply(self.weight))
        return RoundGradients.apply(y) + self.bias


def rounded(net):
    net = copy.deepcopy(net)
    for module in net.modules():
        if type(module) is nn.Conv2d:
            module.__class__ = RoundedConv2d
        elif type(module) is nn.Linear:
            module.__class__ = RoundedLinear
    return net


def gradients(net, x, autocast=False):
    net.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        logits = net(x)
    labels = torch.arange(IMAGES) % 10
    logits = logits if logits.dtype == torch.float64 else logits.float()
    functional.cross_entropy(logits, labels).backward()
    return [p.grad.double().clone() for p in net.parameters()]


def main():
    torch.manual_seed(1)
    net = AlexNet().eval()
    x = images()
    bf16 = gradients(net, x, autocast=True)
    tf32 = gradients(rounded(net), x)
    exact = gradients(copy.deepcopy(net).double(), x.double())
    print(f"PyTorch {torch.__version__}")
    for (name, _), a, b, right in zip(net.named_parameters(), bf16, tf32,
                                      exact):
        norm = right.norm()
        print(f"{name:19s} bf16 {(a - right).norm() / norm:.4f}"
              f"  tf32 {(b - right).norm() / norm:.4f}")


main()
