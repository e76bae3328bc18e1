"""Prints the numbers that the test `the_minimum_is_that_of_pots_sinkhorn` of adapt/src/shallow/jcpot
expects.

For one and for two sources: the proportions at which the mean of POT's entropic costs is least, found
by a search in one dimension; and where POT's own rule stops, whose objective is evaluated from its
definition. Inputs are multiples of 1/8 by a formula that the test repeats.

    pip install pot scipy numpy
    python tests/reference/jcpot.py
"""

from importlib.metadata import version

import numpy
import ot
from scipy.optimize import minimize_scalar

EPSILON = 0.5


def rows(n, ones, shift):
    labels = numpy.array([int(i * 7 % 10 < ones) for i in range(n)])
    noise = [[(i * 29 + j * 17 + shift * 5 + i * i) % 23 / 8 for j in range(2)] for i in range(n)]
    return numpy.array(noise) + labels[:, None] * numpy.array([2.0, 1.0]), labels


def objective(plan, cost):
    return (plan * (cost + EPSILON * (numpy.log(plan) - 1))).sum()


def at(h, xs, ys, target):
    """The mean over the sources of the least objective at (h, 1 − h)."""
    total = 0.0
    for x, y in zip(xs, ys):
        masses = numpy.array([h, 1 - h])[y] / numpy.bincount(y)[y]
        cost = ot.dist(x, target)
        uniform = ot.unif(len(target))
        plan = ot.bregman.sinkhorn_log(
            masses, uniform, cost, EPSILON, numItermax=100000, stopThr=1e-13
        )
        total += objective(plan, cost)
    return total / len(xs)


target, _ = rows(20, 7, 3)
sources = [rows(24, 3, 0), rows(15, 5, 1)]
print("pot", version("pot"), "scipy", version("scipy"), "numpy", version("numpy"))
for count in (1, 2):
    xs, ys = zip(*sources[:count])
    best = minimize_scalar(
        at, bounds=(0.1, 0.9), args=(xs, ys, target), method="bounded", options={"xatol": 1e-9}
    )
    print(count, "sources: minimum at", float(best.x), "of", float(best.fun))
    # POT does not take one source in a list; the same source twice is the same problem.
    repeats = 3 - count
    h, log = ot.bregman.jcpot_barycenter(
        list(xs) * repeats, [y.copy() for y in ys] * repeats, target, EPSILON, numItermax=100000,
        stopThr=1e-14, log=True,
    )
    stopped = numpy.mean([objective(p, c) for p, c in zip(log["gamma"], log["M"])])
    print(count, "sources: POT's rule stops at", float(h[0]), "with", float(stopped))
