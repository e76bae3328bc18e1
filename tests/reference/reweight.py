"""Writes the numbers that tests/tests/reweight_reference.rs expects, with the packages' versions.

uLSIF and RuLSIF at given numbers are densratio's; it draws as many centres as there are target
rows, so that these are the centres in any order. Kernel mean matching is ADAPT's, by cvxopt; KLIEP
is ADAPT's Frank-Wolfe. Of both only the objective at their weights is kept, computed here from the
definition: neither minimiser is unique in practice. Leave-one-out scores of these packages are not
the papers', and are not used. Inputs are multiples of 1/64, which every program reads alike.

    pip install densratio adapt cvxopt numpy
    python tests/reference/reweight.py > tests/reference/reweight.json
"""

import json
import sys
from importlib.metadata import version

import numpy
from adapt.instance_based import KLIEP, KMM
from densratio.RuLSIF import RuLSIF

random = numpy.random.default_rng(11)


def rows(n, d, shift, scale):
    return numpy.round((random.normal(size=(n, d)) * scale + shift) * 64) / 64


def kernel(x, y, sigma):
    """Differences, not norms."""
    gaps = x[:, None, :] - y[None, :, :]
    return numpy.exp(-(gaps**2).sum(axis=2) / (2 * sigma**2))


def least_squares(xs, xt, sigma, ridge, alpha):
    fitted = RuLSIF(xt, xs, alpha, [sigma], [ridge], kernel_num=len(xt), verbose=False)
    return numpy.asarray(fitted.compute_density_ratio(xs)).ravel().tolist()


def kmm_objective(xs, xt, sigma, bound):
    fitted = KMM(kernel="rbf", gamma=1 / (2 * sigma**2), B=bound, verbose=0, max_iter=1000, tol=1e-12)
    w = fitted.fit_weights(xs, xt).ravel()
    kappa = len(xs) / len(xt) * kernel(xs, xt, sigma).sum(axis=1)
    return float(w @ kernel(xs, xs, sigma) @ w / 2 - kappa @ w)


def kliep_objective(xs, xt, sigma):
    """The mean logarithm over the target, of weights scaled to mean 1 over the source."""
    fitted = KLIEP(kernel="rbf", gamma=1 / (2 * sigma**2), algo="FW", max_iter=5000,
                   max_centers=len(xt), random_state=0, verbose=0)
    w = fitted.fit_weights(xs, xt)
    on_target = kernel(xt, fitted.centers_, sigma) @ fitted.alphas_.ravel()
    return float(numpy.log(on_target / w.mean()).mean())


def case(n_s, n_t, d, sigma):
    xs, xt = rows(n_s, d, 0.0, 1.0), rows(n_t, d, 0.5, 0.75)
    return {
        "source": xs.tolist(),
        "target": xt.tolist(),
        "sigma": sigma,
        "least_squares": [
            {"alpha": alpha, "lambda": ridge, "weights": least_squares(xs, xt, sigma, ridge, alpha)}
            for alpha in (0.0, 0.1, 0.5)
            for ridge in (0.01, 0.5)
        ],
        "kmm": {"bound": 1000.0, "objective": kmm_objective(xs, xt, sigma, 1000.0)},
        "kliep": {"objective": kliep_objective(xs, xt, sigma)},
    }


document = {
    "versions": {name: version(name) for name in ("densratio", "adapt", "cvxopt", "numpy")},
    "cases": [case(40, 30, 2, 1.0), case(25, 40, 5, 2.0)],
}
document["versions"]["python"] = sys.version.split()[0]
print(json.dumps(document))
