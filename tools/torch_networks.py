# SPDX-License-Identifier: MIT
"""The networks in PyTorch, written down once more, from their references; with
PyTorch's default initialisation."""
import torch.nn.functional as F
from torch import nn


def note():
    relu, pool = lambda: nn.ReLU(), lambda: nn.MaxPool2d(3, 2)
    net = nn.Sequential()
    net.add_module("features", nn.Sequential(
        nn.Conv2d(3, 96, 11, 4, 1), relu(), pool(),
        nn.Conv2d(96, 256, 5, 1, 2), relu(), pool(),
        nn.Conv2d(256, 384, 3, 1, 1), relu(),
        nn.Conv2d(384, 384, 3, 1, 1), relu(),
        nn.Conv2d(384, 256, 3, 1, 1), relu(), pool()))
    net.add_module("flatten", nn.Flatten())
    net.add_module("classifier", nn.Sequential(
        nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), relu(),
        nn.Dropout(), nn.Linear(4096, 4096), relu(), nn.Linear(4096, 10)))
    return net.eval()


def lenet5():
    net = nn.Sequential()
    for name, layer in [
            ("conv1", nn.Conv2d(3, 6, 5)), ("relu1", nn.ReLU()),
            ("pool1", nn.MaxPool2d(2)), ("conv2", nn.Conv2d(6, 16, 5)),
            ("relu2", nn.ReLU()), ("pool2", nn.MaxPool2d(2)),
            ("flatten", nn.Flatten()), ("fc1", nn.Linear(400, 120)),
            ("relu3", nn.ReLU()), ("fc2", nn.Linear(120, 84)),
            ("relu4", nn.ReLU()), ("fc3", nn.Linear(84, 10))]:
        net.add_module(name, layer)
    return net


class CeilConv(nn.Conv2d):
    """Rounds the output size up: the missing inputs are zeros."""

    def forward(self, x):
        right = -(x.shape[3] - self.kernel_size[1]) % self.stride[1]
        bottom = -(x.shape[2] - self.kernel_size[0]) % self.stride[0]
        return super().forward(F.pad(x, (0, right, 0, bottom)))


class MapNorm(nn.Module):
    """x / (k + alpha / size² * the sum of x² over size × size)^beta."""

    def __init__(self, size, alpha, beta, k):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x):
        return map_norm(x, self.size, self.alpha, self.beta, self.k)


def map_norm(x, size, alpha, beta, k):
    mean = F.avg_pool2d(x * x, size, 1, size // 2, count_include_pad=True)
    return x / (k + alpha * mean) ** beta


def torchvision():
    relu, pool = lambda: nn.ReLU(), lambda: nn.MaxPool2d(3, 2)
    net = nn.Sequential()
    net.add_module("features", nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), relu(), pool(),
        nn.Conv2d(64, 192, 5, 1, 2), relu(), pool(),
        nn.Conv2d(192, 384, 3, 1, 1), relu(),
        nn.Conv2d(384, 256, 3, 1, 1), relu(),
        nn.Conv2d(256, 256, 3, 1, 1), relu(), pool()))
    net.add_module("avgpool", nn.AdaptiveAvgPool2d((6, 6)))
    net.add_module("flatten", nn.Flatten())
    net.add_module("classifier", nn.Sequential(
        nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), relu(),
        nn.Dropout(), nn.Linear(4096, 4096), relu(), nn.Linear(4096, 10)))
    return net.eval()


def cifar_small():
    relu, pool = lambda: nn.ReLU(), lambda: nn.MaxPool2d(3, 2)
    net = nn.Sequential()
    net.add_module("features", nn.Sequential(
        nn.Conv2d(3, 64, 5, 1, 2), relu(), pool(),
        nn.Conv2d(64, 192, 5, 1, 2), relu(), pool(),
        nn.Conv2d(192, 384, 3, 1, 1), relu(),
        nn.Conv2d(384, 256, 3, 1, 1), relu(),
        nn.Conv2d(256, 256, 3, 1, 1), relu(), pool()))
    net.add_module("flatten", nn.Flatten())
    net.add_module("classifier", nn.Sequential(
        nn.Dropout(), nn.Linear(256 * 3 * 3, 1024), relu(),
        nn.Dropout(), nn.Linear(1024, 1024), relu(), nn.Linear(1024, 10)))
    return net.eval()


def two_groups(first, after1, after2, after5):
    """The networks of 2012, which differ in what follows conv1, 2 and 5."""
    relu = lambda: nn.ReLU()
    net = nn.Sequential()
    parts = [("conv1", first), *after1,
             ("conv2", nn.Conv2d(96, 256, 5, 1, 2, groups=2)), *after2,
             ("conv3", nn.Conv2d(256, 384, 3, 1, 1)), ("relu3", relu()),
             ("conv4", nn.Conv2d(384, 384, 3, 1, 1, groups=2)),
             ("relu4", relu()),
             ("conv5", nn.Conv2d(384, 256, 3, 1, 1, groups=2)), *after5,
             ("flatten", nn.Flatten()), ("fc6", nn.Linear(9216, 4096)),
             ("relu6", relu()), ("drop6", nn.Dropout()),
             ("fc7", nn.Linear(4096, 4096)), ("relu7", relu()),
             ("drop7", nn.Dropout()), ("fc8", nn.Linear(4096, 10))]
    for name, module in parts:
        net.add_module(name, module)
    return net.eval()


def stage(i, order, k):
    make = {"relu": nn.ReLU, "pool": lambda: nn.MaxPool2d(3, 2),
            "norm": lambda: nn.LocalResponseNorm(5, 1e-4, 0.75, k),
            "cnorm": lambda: MapNorm(5, 1e-3, 0.75, 1.0)}
    return [(f"{name}{i}", make[name]()) for name in order.split()]


def alexnet2012():
    order = "relu norm pool"
    return two_groups(CeilConv(3, 96, 11, 4), stage(1, order, 2.0),
                      stage(2, order, 2.0), stage(5, "relu pool", 2.0))


def alexnet2012_source():
    return two_groups(CeilConv(3, 96, 11, 4), stage(1, "norm pool relu", 2.0),
                      stage(2, "relu norm cnorm pool", 2.0),
                      stage(5, "pool relu", 2.0))


def caffe_alexnet():
    order = "relu norm pool"
    return two_groups(nn.Conv2d(3, 96, 11, 4), stage(1, order, 1.0),
                      stage(2, order, 1.0), stage(5, "relu pool", 1.0))


def caffenet():
    order = "relu pool norm"
    return two_groups(nn.Conv2d(3, 96, 11, 4), stage(1, order, 1.0),
                      stage(2, order, 1.0), stage(5, "relu pool", 1.0))


# Network, image size, learning rate. At 1e-3 ten steps of few images through
# the note's network are chaotic: PyTorch 1.13 and 2.13 then differ from one
# another by 8e-5 (4 images) and 1.3e-3 (8 images); at 1e-4 by 7e-6.
NETWORKS = {"note": (note, 227, 1e-4), "lenet5": (lenet5, 32, 1e-3),
            "cifar-small": (cifar_small, 32, 1e-4)}

# Those of which a forward and a backward pass are enough.
OTHERS = {"torchvision": (torchvision, 224), "alexnet2012": (alexnet2012, 224),
          "alexnet2012-source": (alexnet2012_source, 224),
          "caffe-alexnet": (caffe_alexnet, 227), "caffenet": (caffenet, 227)}
