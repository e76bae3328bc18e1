"""PyTorch's side of compare.py: the steps of benches/src/lib.rs, timed on request.

    dann_step.py NETWORK VARIANT THREADS

answers as serve.py says. Its first line says how much memory the import alone took.
"""

import sys

import torch
from serve import peak_kib, serve
from torch import nn
from torch.nn import functional as F

BATCH, CLASSES, LAMBDA = 64, 10, 0.9866
# Channels last, fused optimiser.
VARIANTS = {
    "nchw": (False, False),
    "channels_last": (True, False),
    "channels_last, fused SGD": (True, True),
}


class ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.neg() * LAMBDA


class DigitNet(nn.Module):
    """Ganin et al., JMLR 2016, Fig. 4(a)."""

    image = (1, 28)

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 48, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.head = nn.Sequential(
            nn.Linear(768, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, CLASSES)
        )
        self.critic = nn.Sequential(nn.Linear(768, 100), nn.ReLU(), nn.Linear(100, 2))


class Block(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(c_out)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out)
            )

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


class ResNet20(nn.Module):
    """He et al., CVPR 2016, Sec. 4.2, with projections where a block changes the size."""

    image = (3, 32)

    def __init__(self):
        super().__init__()
        layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
        channels = 16
        for width, first in ((16, 1), (32, 2), (64, 2)):
            for stride in (first, 1, 1):
                layers.append(Block(channels, width, stride))
                channels = width
        self.backbone = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(64, CLASSES)
        self.critic = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 2))


NETWORKS = {"digit-net": DigitNet, "resnet-20": ResNet20}


def loss(network, x, labels, domains):
    features = network.backbone(x)
    domain = network.critic(ReverseGradient.apply(features))
    # The mean over both domains of equal size is the mean of the two means.
    return F.cross_entropy(network.head(features[:BATCH]), labels) + F.cross_entropy(domain, domains)


def main():
    name, variant, threads = sys.argv[1:]
    channels_last, fused = VARIANTS[variant]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    print(peak_kib(), flush=True)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = NETWORKS[name]().to(memory_format=layout)
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-2, momentum=0.9, fused=fused or None)
    c, size = network.image
    x = (torch.rand(2 * BATCH, c, size, size) * 2 - 1).contiguous(memory_format=layout)
    labels = torch.arange(BATCH) % CLASSES
    domains = (torch.arange(2 * BATCH) >= BATCH).long()

    def step():
        optimiser.zero_grad(set_to_none=True)
        loss(network, x, labels, domains).backward()
        optimiser.step()

    serve(step)


if __name__ == "__main__":
    main()
