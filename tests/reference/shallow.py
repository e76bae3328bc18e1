"""Writes the numbers that tests/tests/shallow_reference.rs expects, and prints the versions.

CORAL is ADAPT's, its centred form and subspace alignment are skada's, the linear Monge map is
POT's, joint principal components are scikit-learn's. No package has a geodesic flow kernel that
could serve: the flow is integrated here from its definition as a rotation, without principal
vectors. Inputs are multiples of 1/64, which every program reads alike.

    pip install adapt skada pot scikit-learn scipy numpy
    python tests/reference/shallow.py > tests/reference/shallow.json
"""

import json
import sys
from importlib.metadata import version

import numpy
import ot
import scipy.integrate
import scipy.linalg
from adapt.feature_based import CORAL
from skada import CORALAdapter, SubspaceAlignmentAdapter
from sklearn.decomposition import PCA

random = numpy.random.default_rng(7)


def rows(n, d, shift):
    """Correlated columns of different sizes."""
    mixed = random.normal(size=(n, d)) @ random.normal(size=(d, d)) + shift
    return numpy.round(mixed * 64) / 64


def both(xs, xt):
    """Rows and domains as skada takes them."""
    domain = numpy.r_[numpy.full(len(xs), 1), numpy.full(len(xt), -2)]
    return numpy.r_[xs, xt], domain


def coral(xs, xt, regularisation):
    """ADAPT adds lambda to the diagonals and leaves the means."""
    return CORAL(lambda_=regularisation, verbose=0).fit_transform(xs, xt)


def centred_coral(xs, xt):
    """skada divides by n and moves both means to zero."""
    x, domain = both(xs, xt)
    moved = CORALAdapter(reg=None).fit_transform(x, sample_domain=domain)
    return moved[: len(xs)]


def subspace_alignment(xs, xt, components):
    x, domain = both(xs, xt)
    adapter = SubspaceAlignmentAdapter(n_components=components)
    moved = adapter.fit_transform(x, sample_domain=domain)
    return {"source": moved[: len(xs)], "target": moved[len(xs) :]}


def linear_monge(xs, xt, regularisation):
    a, b = ot.gaussian.empirical_bures_wasserstein_mapping(xs, xt, reg=regularisation)
    return xs @ a + b


def pca(xs, xt, components):
    moved = PCA(components, svd_solver="full").fit_transform(numpy.r_[xs, xt])
    return {"source": moved[: len(xs)], "target": moved[len(xs) :]}


def geodesic_flow(xs, xt, components):
    """The products of all rows under G, the mean of the projectors on the way.

    The product of the reflections at both subspaces turns every principal plane by twice its
    angle, so that its power t/2 carries the source's projector along the geodesic.
    """

    def projector(x):
        axes = PCA(components, svd_solver="full").fit(x).components_.T
        return axes @ axes.T

    p_s, p_t = projector(xs), projector(xt)
    identity = numpy.eye(len(p_s))
    turn = scipy.linalg.logm((identity - 2 * p_t) @ (identity - 2 * p_s))

    def at(t):
        rotation = scipy.linalg.expm(numpy.real(turn) * t / 2)
        return rotation @ p_s @ rotation.T

    g, _ = scipy.integrate.quad_vec(at, 0, 1, epsabs=1e-13, epsrel=1e-13)
    x = numpy.r_[xs, xt]
    return x @ g @ x.T


def case(n_s, n_t, d, components, coral_regularisations):
    xs, xt = rows(n_s, d, 0), rows(n_t, d, 1)
    out = {
        "source": xs,
        "target": xt,
        "coral": {r: coral(xs, xt, float(r)) for r in coral_regularisations},
        "linear_monge": {r: linear_monge(xs, xt, float(r)) for r in ("1", "1e-6")},
        "components": components,
        "pca": pca(xs, xt, components),
        "subspace_alignment": subspace_alignment(xs, xt, components),
        "geodesic_flow": geodesic_flow(xs, xt, components),
    }
    if min(n_s, n_t) > d:
        out["centred_coral"] = centred_coral(xs, xt)
    return out


def plain(value):
    """Arrays as lists; seventeen digits keep every bit."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    return value.tolist() if isinstance(value, numpy.ndarray) else value


def text(value, indent=""):
    """JSON with a matrix row a line."""
    if isinstance(value, dict):
        inner = indent + "  "
        items = [f'{inner}"{key}": {text(v, inner)}' for key, v in value.items()]
        return "{\n" + ",\n".join(items) + "\n" + indent + "}"
    if isinstance(value, list):
        inner = indent + "  "
        return "[\n" + ",\n".join(inner + json.dumps(row) for row in value) + "\n" + indent + "]"
    return json.dumps(value)


names = ("adapt", "skada", "pot", "scikit-learn", "scipy", "numpy")
versions = {"python": sys.version.split()[0]} | {name: version(name) for name in names}
print(versions, file=sys.stderr)
document = {
    "versions": versions,
    "tall": case(12, 9, 4, 2, ("1", "1e-5")),
    # Where the covariance is singular, ADAPT's square roots lose the digits of a smaller lambda.
    "wide": case(5, 6, 8, 3, ("1", "1e-2")),
}
print(text(plain(document)))
