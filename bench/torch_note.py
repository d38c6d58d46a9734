"""The note's network in PyTorch: `AlexNet`, for what measures against it."""

import torch
from torch import nn


class AlexNet(nn.Module):
    def __init__(self, classes=10):
        super().__init__()

        def conv(*args, **kwargs):
            return [nn.Conv2d(*args, **kwargs), nn.ReLU(inplace=True)]

        def linear(*args):
            return [nn.Dropout(), nn.Linear(*args), nn.ReLU(inplace=True)]

        self.features = nn.Sequential(
            *conv(3, 96, 11, stride=4, padding=1), nn.MaxPool2d(3, 2),
            *conv(96, 256, 5, padding=2), nn.MaxPool2d(3, 2),
            *conv(256, 384, 3, padding=1), *conv(384, 384, 3, padding=1),
            *conv(384, 256, 3, padding=1), nn.MaxPool2d(3, 2))
        self.classifier = nn.Sequential(
            *linear(9216, 4096), *linear(4096, 4096), nn.Linear(4096, classes))

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))
