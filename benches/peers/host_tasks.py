"""The tasks of host.py: their data, and how good an answer is. Both sides read the same files."""

import pathlib

import numpy as np
from sides import OURS

# Rows a domain and columns.
SIZES = {
    "coral": (10_000, 500),
    "ulsif": (2_000, 10),
    "kmm": (1_000, 10),
    "tca": (2_000, 50),
    "jda": (2_000, 50),
    "sinkhorn": (2_000, 20),
    "emd": (2_000, 20),
}
# Classes, and how far their means are spread, in units of a class's deviation.
CLASSES = {"jda": (10, 0.6)}
COMPONENTS = 20
MU = 1.0
# At most, of pseudo labels.
JDA_ROUNDS = 10
# Relative to the median cost.
EPSILON = 0.05
# On the marginals, as the L1 norm that POT looks at.
TOLERANCE = 1e-9
KMM_BOUND = 1000.0


def make(task, folder):
    """Writes x_s.npy, x_t.npy and what else the task reads."""
    folder = pathlib.Path(folder)
    n, d = SIZES[task]
    rng = np.random.default_rng(0)
    if task in ("ulsif", "kmm"):
        # Gaussians whose ratio is known: the mean moves by 1 along the diagonal.
        x_s = rng.standard_normal((n, d))
        x_t = 0.8 * rng.standard_normal((n, d)) + 1 / np.sqrt(d)
    else:
        classes, spread = CLASSES.get(task, (5, 3))
        means = spread * rng.standard_normal((classes, d))
        y_s, y_t = np.arange(n) % classes, rng.integers(classes, size=n)
        mix = np.linalg.qr(rng.standard_normal((d, d)))[0] * np.linspace(0.5, 1.5, d)
        x_s = means[y_s] + rng.standard_normal((n, d))
        x_t = (means[y_t] + rng.standard_normal((n, d))) @ (np.eye(d) + 0.1 * mix) + 0.5
        np.save(folder / "y_s.npy", y_s.astype(np.int64))
        np.save(folder / "y_t.npy", y_t.astype(np.int64))
    np.save(folder / "x_s.npy", x_s)
    np.save(folder / "x_t.npy", x_t)
    np.save(folder / "sigma.npy", np.array([median_distance(np.vstack([x_s, x_t])[::5])]))
    if task in ("sinkhorn", "emd"):
        cost = squared_distances(x_s, x_t)
        np.save(folder / "cost.npy", cost)
        np.save(folder / "epsilon.npy", np.array([EPSILON * np.median(cost)]))


def load(folder):
    return {path.stem: np.load(path) for path in pathlib.Path(folder).glob("*.npy")}


def quality(task, data, answer):
    """What the answer is worth, as a sentence with its number; the same function for all sides.

    data["first"] is the first side's answer.
    """
    x_s, x_t = data["x_s"], data["x_t"]
    if task == "coral":
        goal = np.cov(x_t.T)
        gap = np.linalg.norm(np.cov(answer.T) - goal) / np.linalg.norm(goal)
        return f"covariance off by {gap:.1e}"
    if task == "ulsif":
        d = x_s.shape[1]
        log_t = -0.5 * (((x_s - 1 / np.sqrt(d)) / 0.8) ** 2).sum(1) - d * np.log(0.8)
        true = np.exp(log_t + 0.5 * (x_s**2).sum(1))
        gap = answer / answer.sum() - true / true.sum()
        return f"normalised squared error {len(x_s) * (gap**2).sum():.3f}"
    if task == "kmm":
        k = gaussian(x_s, x_s, data["sigma"][0])
        kappa = len(x_s) / len(x_t) * gaussian(x_s, x_t, data["sigma"][0]).sum(1)
        return f"objective {0.5 * answer @ k @ answer - kappa @ answer:.6f}"
    if task == "tca":
        return f"captured ratio {captured(data, answer):.4f}"
    if task == "jda":
        found = nearest_labels(answer[: len(x_s)], data["y_s"], answer[len(x_s) :])
        right, angle = (found == data["y_t"]).mean(), largest_angle(data["first"], answer)
        return f"1-NN accuracy {right:.4f}, subspace {angle:.1e} rad from {OURS}'s"
    error = max(abs(answer.sum(0) - 1 / len(x_t)).sum(), abs(answer.sum(1) - 1 / len(x_s)).sum())
    return f"cost {(answer * data['cost']).sum():.9f}, marginals off by {error:.1e}"


def captured(data, embedding):
    """Tr((Z'LZ + mu W'W)^-1 Z'HZ) of Z = K W: what TCA maximises, whatever the scale of W."""
    x = np.vstack([data["x_s"], data["x_t"]])
    k = gaussian(x, x, data["sigma"][0])
    w = np.linalg.lstsq(k, embedding, rcond=1e-12)[0]
    z, n = k @ w, len(data["x_s"])
    e = (z[:n].mean(0) - z[n:].mean(0))[:, None]
    scatter = (z - z.mean(0)).T @ (z - z.mean(0))
    return np.trace(np.linalg.solve(e @ e.T + MU * w.T @ w, scatter))


def nearest_labels(x, labels, z):
    """The label of the row of x nearest to each row of z."""
    return labels[squared_distances(z, x).argmin(1)]


def largest_angle(a, b):
    """Between the spaces that the columns of a and of b span."""
    q, r = np.linalg.qr(a)[0], np.linalg.qr(b)[0]
    return np.arcsin(min(1, np.linalg.norm(r - q @ (q.T @ r), 2)))


def gaussian(x, y, sigma):
    return np.exp(-squared_distances(x, y) / (2 * sigma**2))


def squared_distances(x, y):
    d2 = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T
    return np.maximum(d2, 0)


def median_distance(x):
    return np.median(np.sqrt(squared_distances(x, x)[np.triu_indices(len(x), 1)]))
