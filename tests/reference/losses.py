"""Prints the numbers that tests/tests/reference.rs expects.

Everything is written out from the papers' formulas in double precision, sum by sum where a
library has no such function, and shares no identity or trick with the Rust code: distances are
differences, MMD is a double loop, covariances are torch.cov, gradients are autograd's.

    pip install torch numpy scipy
    python tests/reference/losses.py
"""

import math
import sys

import numpy
import scipy
import scipy.spatial
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def grid(n, d, a, b):
    """Multiples of 1/4 in [-5/4, 5/4], the same in every language."""
    return torch.tensor([[((i * a + j * b) % 11 - 5) / 4 for j in range(d)] for i in range(n)])


def show(name, *values):
    flat = [float(v) for value in values for v in torch.as_tensor(value).detach().flatten()]
    print(f"{name}: {', '.join(f'{v:.9g}' for v in flat)}")


def with_gradients(name, loss, *inputs):
    """The loss, and the first row of its gradient with respect to each input."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    value = loss(*leaves)
    gradients = torch.autograd.grad(value, leaves)
    show(name, value)
    for i, gradient in enumerate(gradients):
        show(f"{name}, gradient {i}", gradient[0])


x_s, x_t = grid(6, 3, 3, 5), grid(4, 3, 7, 2) + 0.5
z, y = grid(5, 4, 5, 3), torch.tensor([3, 0, 1, 1, 2])


# Deep CORAL: torch.cov takes variables in rows and divides by n - 1.
def coral(x_s, x_t):
    d = x_s.shape[1]
    return (torch.cov(x_s.T) - torch.cov(x_t.T)).square().sum() / (4 * d * d)


with_gradients("coral", coral, x_s, x_t)


# MMD, pair by pair.
GAMMAS = [0.5, 2.0, 8.0]


def kernel(x, y, gammas=GAMMAS):
    return sum(torch.exp(-(x - y).square().sum() / gamma) for gamma in gammas) / len(gammas)


def pairs(x, y, gammas=GAMMAS):
    return sum(kernel(a, b, gammas) for a in x for b in y)


def off_diagonal(x):
    return sum(kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j)


def biased(x, y, gammas=GAMMAS):
    n, m = len(x), len(y)
    return (
        pairs(x, x, gammas) / n**2 + pairs(y, y, gammas) / m**2 - 2 * pairs(x, y, gammas) / (n * m)
    )


def unbiased(x, y):
    n, m = len(x), len(y)
    within = off_diagonal(x) / (n * (n - 1)) + off_diagonal(y) / (m * (m - 1))
    return within - 2 * pairs(x, y) / (n * m)


def linear(x, y):
    h = min(len(x), len(y)) // 2
    terms = (
        kernel(x[i], x[i + h]) + kernel(y[i], y[i + h])
        - kernel(x[i], y[i + h]) - kernel(x[i + h], y[i])
        for i in range(h)
    )
    return sum(terms) / h


for estimator in (biased, unbiased, linear):
    with_gradients(f"mmd {estimator.__name__}", estimator, x_s, x_t)


# DAN with its default kernels: the median of the pooled rows' distances, five kernels.
def dan(x, y, statistic):
    pooled = torch.cat([x, y]).numpy()
    gamma = statistic(scipy.spatial.distance.pdist(pooled, "sqeuclidean"))
    return biased(x, y, [gamma * 2.0**u for u in range(-2, 3)])


show("dan median", dan(x_s, x_t, numpy.median))
show("dan mean", dan(x_s, x_t, numpy.mean))


# Cross-entropy: PyTorch's label smoothing; weights of rows by hand, since its own are of classes.
with_gradients("cross-entropy", lambda z: F.cross_entropy(z, y), z)
with_gradients("cross-entropy smoothed", lambda z: F.cross_entropy(z, y, label_smoothing=0.1), z)
w = torch.tensor([1.0, 0.5, 2.0, 0.0, 0.25])
rows = lambda z: F.cross_entropy(z, y, label_smoothing=0.1, reduction="none")
with_gradients("cross-entropy weighted", lambda z: (w * rows(z)).sum() / w.sum(), z)

# Entropy.
entropy = lambda z: torch.distributions.Categorical(logits=z).entropy().mean()
with_gradients("entropy", entropy, z)


# DANN: a linear critic (w, b), one logistic unit; gradients without reversal.
critic_w, critic_b = torch.tensor([0.5, -1.0, 0.25]), 0.125


def critic(x_s, x_t):
    bce = F.binary_cross_entropy_with_logits
    l_s, l_t = x_s @ critic_w + critic_b, x_t @ critic_w + critic_b
    return (bce(l_s, torch.zeros_like(l_s)) + bce(l_t, torch.ones_like(l_t))) / 2


with_gradients("critic", critic, x_s, x_t)
show("lambda", [2 / (1 + math.exp(-10 * p)) - 1 for p in (0.0, 0.1, 0.5, 0.9)])

# Validators, by SciPy.
p = scipy.special.softmax(z.numpy(), axis=1)
mean_entropy = scipy.stats.entropy(p, axis=1).mean()
show("validator entropy", -mean_entropy)
show("validator im", scipy.stats.entropy(p.mean(axis=0)) - mean_entropy)
show("validator source-accuracy", (p.argmax(axis=1) == y.numpy()).mean())

print(
    f"(python {sys.version.split()[0]}, torch {torch.__version__}, numpy {numpy.__version__},"
    f" scipy {scipy.__version__})"
)
