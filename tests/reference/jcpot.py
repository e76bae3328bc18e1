"""Prints the numbers that the test `the_objective_is_below_pots` of adapt/src/shallow/jcpot expects.

Proportions and plans are POT's, from one and from two sources; the objective is evaluated here from
its definition, on POT's plans. Inputs are multiples of 1/8 by a formula that the test repeats.

    pip install pot numpy
    python tests/reference/jcpot.py
"""

from importlib.metadata import version

import numpy
import ot

EPSILON = 0.5


def rows(n, ones, shift):
    labels = numpy.array([int(i * 7 % 10 < ones) for i in range(n)])
    noise = [[(i * 29 + j * 17 + shift * 5 + i * i) % 23 / 8 for j in range(2)] for i in range(n)]
    return numpy.array(noise) + labels[:, None] * numpy.array([2.0, 1.0]), labels


target, _ = rows(20, 7, 3)
sources = [rows(24, 3, 0), rows(15, 5, 1)]
print("pot", version("pot"), "numpy", version("numpy"))
for count in (1, 2):
    # POT does not take one source in a list; the same source twice is the same problem.
    xs, ys = zip(*(sources[:count] * (3 - count)))
    h, log = ot.bregman.jcpot_barycenter(
        list(xs), [y.copy() for y in ys], target, EPSILON, numItermax=100000, stopThr=1e-14, log=True
    )
    objective = 0.0
    for plan, cost in zip(log["gamma"], log["M"]):
        entropy = (plan * (numpy.log(plan) - 1)).sum()
        objective += ((plan * cost).sum() + EPSILON * entropy) / 2
    print(count, "sources: h", h.tolist(), "objective", objective)
