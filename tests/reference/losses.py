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
import scipy.optimize
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


# MCC at T = 2.5: the weights are constants.
def mcc(z_t):
    n, k = z_t.shape
    p = torch.softmax(z_t / 2.5, dim=1)
    certain = 1 + torch.exp(-torch.distributions.Categorical(probs=p.detach()).entropy())
    w = n * certain / certain.sum()
    c = sum(w[i] * torch.outer(p[i], p[i]) for i in range(n))
    c = c / c.sum(dim=1, keepdim=True)
    return (c.sum() - c.trace()) / k


with_gradients("mcc", mcc, x_t)

# BNM, by PyTorch's nuclear norm.
bnm = lambda z_t: -torch.linalg.matrix_norm(torch.softmax(z_t, dim=1), "nuc") / len(z_t)
with_gradients("bnm", bnm, x_t)


# AFN: hard with R = 25, and stepwise with a norm that is held.
def afn(wanted):
    def loss(x_s, x_t):
        parts = []
        for x in (x_s, x_t):
            h = torch.linalg.vector_norm(x, dim=1)
            parts.append(wanted(h))
        return 0.05 * sum(parts)

    return loss


with_gradients("afn hard", afn(lambda h: (h.mean() - 25).square()), x_s, x_t)
with_gradients("afn stepwise", afn(lambda h: (h - (h.detach() + 1)).square().mean()), x_s, x_t)


# JAN with its defaults: the features' median distance is held; predictions have γ = 2 · 1.68².
def jan(x_s, x_t):
    pooled = torch.cat([x_s, x_t]).detach().numpy()
    gamma = numpy.median(scipy.spatial.distance.pdist(pooled, "sqeuclidean"))
    gammas = [gamma * 2.0**u for u in range(-2, 3)]
    p_s, p_t = torch.softmax(x_s, dim=1), torch.softmax(x_t, dim=1)
    joint = lambda a, p, b, q: kernel(a, b, gammas) * kernel(p, q, [2 * 1.68**2])
    all_pairs = lambda x, p, y, q, skip: sum(
        joint(x[i], p[i], y[j], q[j])
        for i in range(len(x)) for j in range(len(y)) if not (skip and i == j)
    )
    n, m = len(x_s), len(x_t)
    return (
        all_pairs(x_s, p_s, x_s, p_s, True) / (n * (n - 1))
        + all_pairs(x_t, p_t, x_t, p_t, True) / (m * (m - 1))
        - 2 * all_pairs(x_s, p_s, x_t, p_t, False) / (n * m)
    )


with_gradients("jan", jan, x_s, x_t)


# CDAN+E with a linear critic on the outer products, row by row.
def cdan(x_s, x_t, entropy):
    v = torch.tensor([((7 * i) % 5 - 2) / 4 for i in range(9)])
    total = 0
    for x, domain in ((x_s, 0.0), (x_t, 1.0)):
        p = torch.softmax(x, dim=1)
        w = 1 + torch.exp(-torch.distributions.Categorical(probs=p).entropy())
        w = w / w.sum() if entropy else torch.full((len(x),), 1 / len(x))
        for i in range(len(x)):
            logit = torch.outer(x[i], p[i]).flatten() @ v + 0.125
            bce = F.binary_cross_entropy_with_logits(logit, torch.tensor(domain))
            total = total + w[i] * bce / 2
    return total


show("cdan", cdan(x_s, x_t, False))
show("cdan entropy", cdan(x_s, x_t, True))

# MDD, γ = 4, with a linear adversary.
adversary_w = torch.tensor([[((5 * i + 2 * j) % 7 - 3) / 4 for j in range(3)] for i in range(3)])
adversary_b = torch.tensor([0.25, -0.5, 0.0])
a_s, a_t = x_s @ adversary_w + adversary_b, x_t @ adversary_w + adversary_b
differ = 1 - torch.softmax(a_t, dim=1)[torch.arange(4), x_t.argmax(dim=1)]
show("mdd", 4 * F.cross_entropy(a_s, x_s.argmax(dim=1)) - torch.log(differ).mean())


# DeepJDOT with α = 0.5, λ = 0.25 and all source rows of class 0: the plan is a linear programme's.
def deep_jdot(x_s, x_t):
    n, m = len(x_s), len(x_t)
    log_p = torch.log_softmax(x_t, dim=1)
    cost = torch.stack(
        [torch.stack([0.5 * (a - b).square().sum() - 0.25 * log_p[j, 0] for j, b in enumerate(x_t)])
         for a in x_s]
    )
    rows = numpy.kron(numpy.eye(n), numpy.ones(m))
    columns = numpy.kron(numpy.ones(n), numpy.eye(m))
    plan = scipy.optimize.linprog(
        cost.detach().numpy().flatten(),
        A_eq=numpy.vstack([rows, columns]),
        b_eq=numpy.concatenate([numpy.full(n, 1 / n), numpy.full(m, 1 / m)]),
    )
    return (torch.tensor(plan.x).reshape(n, m) * cost).sum()


with_gradients("deep-jdot", deep_jdot, x_s, x_t)

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
