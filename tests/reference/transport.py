"""Writes the numbers that tests/tests/transport_reference.rs expects, with the versions.

All plans are POT's. Objectives of penalised problems are evaluated here from their definitions, on
POT's plans. Inputs are multiples of 1/64, which every program reads alike, and so are distances.

    pip install pot scikit-learn numpy
    python tests/reference/transport.py > tests/reference/transport.json
"""

import json
import sys
from importlib.metadata import version

import numpy
import ot

random = numpy.random.default_rng(11)


def rows(n, d, shift):
    return numpy.round((random.normal(size=(n, d)) + shift) * 64) / 64


def masses(n):
    whole = random.integers(1, 20, size=n)
    return whole / whole.sum()


def kl(x, y):
    return (x * numpy.log(x / y) - x + y).sum()


def entropy(p):
    p = p[p > 0]
    return (p * (numpy.log(p) - 1)).sum()


def unbalanced(a, b, cost, epsilon, rho):
    p = ot.unbalanced.sinkhorn_unbalanced(
        a, b, cost, epsilon, rho, reg_type="kl", numItermax=100000, stopThr=1e-15
    )
    objective = (p * cost).sum() + epsilon * kl(p, numpy.outer(a, b))
    objective += rho * (kl(p.sum(1), a) + kl(p.sum(0), b))
    return {"plan": p.tolist(), "objective": objective}


def classes(a, b, cost, labels, epsilon, eta):
    p = ot.da.sinkhorn_l1l2_gl(
        a, labels, b, cost, epsilon, eta, numItermax=1000, numInnerItermax=10000, stopInnerThr=1e-12
    )
    norms = sum(numpy.linalg.norm(p[labels == c], axis=0).sum() for c in numpy.unique(labels))
    return (p * cost).sum() + epsilon * entropy(p) + eta * norms


def class_roots(a, b, cost, labels, epsilon, eta):
    """The stationary plan that rounds from no penalty lead to: POT itself stops after 10."""
    return ot.da.sinkhorn_lpl1_mm(
        a, labels, b, cost, epsilon, eta, numItermax=500, numInnerItermax=10000, stopInnerThr=1e-13
    ).tolist()


def laplace(a, b, xs, xt, cost, eta):
    """Half of the penalty for each domain, graphs of 3 neighbours."""
    _, log = ot.da.emd_laplace(
        a, b, xs, xt, cost, sim="knn", sim_param=3, eta=eta, alpha=0.5, numItermax=2000,
        stopThr=1e-12, log=True,
    )
    return log["loss"][-1]


def case(n, m, d, epsilons, uniform):
    xs, xt = rows(n, d, 0.0), rows(m, d, 1.0)
    a, b = (ot.unif(n), ot.unif(m)) if uniform else (masses(n), masses(m))
    cost = ((xs[:, None] - xt[None]) ** 2).sum(2)
    labels = numpy.arange(n) % 3
    sinkhorn = [
        ot.bregman.sinkhorn_log(a, b, cost, e, numItermax=200000, stopThr=1e-14).tolist()
        for e in epsilons
    ]
    return {
        "source": xs.tolist(),
        "target": xt.tolist(),
        "a": a.tolist(),
        "b": b.tolist(),
        "labels": labels.tolist(),
        "epsilons": epsilons,
        "emd": ot.emd(a, b, cost, numItermax=1000000).tolist(),
        "emd cost": ot.emd2(a, b, cost, numItermax=1000000),
        "sinkhorn": sinkhorn,
        "unbalanced": unbalanced(a, b, cost, 0.5, 2.0),
        "class": classes(a, b, cost, labels, 0.5, 0.3),
        "class roots": class_roots(a, b, cost, labels, 0.5, 0.05),
        "laplace": laplace(a, b, xs, xt, cost, 0.2),
    }


document = {
    "versions": {
        "python": sys.version.split()[0],
        **{name: version(name) for name in ("pot", "scikit-learn", "numpy")},
    },
    "weighted": case(13, 9, 2, [10.0, 1.0, 0.2], uniform=False),
    "uniform": case(10, 10, 3, [5.0, 0.5], uniform=True),
}
print("{")
print(",\n".join(f'"{key}": {json.dumps(value)}' for key, value in document.items()))
print("}")
