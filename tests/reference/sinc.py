"""The error of a straight line under covariate shift, by a program apart from this one.

    python tests/reference/sinc.py

The setting is that of `sinc` in papers/src/experiments/covariate_shift_toy.rs, whose numbers of
another program these are. Nobody published them. Written from the papers (Sugiyama et al., JMLR 2007;
Kanamori et al., JMLR 2009, Sec. 3; Sugiyama et al., AISM 2008), with the grids of the program: widths
2^(k/2) median distances and ridges 10^(k/2), k = -6 ... 2. Leaving one out is by Sherman-Morrison;
KLIEP's mixture is found by expectation and maximisation, 300 rounds. Needs NumPy. Its output on the
version that it prints, means with standard errors:

    numpy 2.4.6, 400 trials
    ols: 0.3012 +- 0.0044
    true: 0.0161 +- 0.0013
    flattened: 0.0103 +- 0.0006
    ulsif: 0.0150 +- 0.0016
    kliep: 0.0242 +- 0.0028
"""

import numpy as np

TRIALS, N, CENTRES, FOLDS = 400, 150, 100, 5
POWERS = np.arange(-6, 3) / 2


def kernel(x, centres, sigma):
    return np.exp(-((x[:, None] - centres) ** 2) / (2 * sigma**2))


def widths(xs, xt):
    x = np.concatenate([xs, xt])
    gaps = np.abs(x[:, None] - x)[np.triu_indices(len(x), 1)]
    return 2.0**POWERS * np.median(gaps)


def ulsif(xs, xt, random):
    centres = random.permutation(xt)[:CENTRES]
    best = (np.inf,)
    for sigma in widths(xs, xt):
        s, t = kernel(xs, centres, sigma), kernel(xt, centres, sigma)
        for ridge in 10.0**POWERS:
            c = 1 / (N - 1)
            inverse = np.linalg.inv(s.T @ s * c + ridge * np.eye(CENTRES))
            # Row i: theta without source row i and target row i.
            h = (t.sum(axis=0) - t) / (N - 1)
            plain, of_s = h @ inverse, s @ inverse
            gain = c * (of_s * h).sum(axis=1) / (1 - c * (of_s * s).sum(axis=1))
            theta = np.maximum(0, plain + gain[:, None] * of_s)
            score = np.mean((theta * s).sum(axis=1) ** 2 / 2 - (theta * t).sum(axis=1))
            if score < best[0]:
                best = (score, sigma, ridge)
    _, sigma, ridge = best
    s, t = kernel(xs, centres, sigma), kernel(xt, centres, sigma)
    theta = np.linalg.solve(s.T @ s / N + ridge * np.eye(CENTRES), t.mean(axis=0))
    return s @ np.maximum(0, theta)


def mixture(ratios):
    """The proportions of the largest mean log of the mixture of the columns."""
    p = np.full(ratios.shape[1], 1 / ratios.shape[1])
    for _ in range(300):
        p *= np.mean(ratios / (ratios @ p)[:, None], axis=0)
    return p


def kliep(xs, xt, random):
    centres = random.permutation(xt)[:CENTRES]
    folds = random.permutation(N) % FOLDS
    best = (-np.inf,)
    for sigma in widths(xs, xt):
        s = kernel(xs, centres, sigma)
        ratios = kernel(xt, centres, sigma) / np.maximum(s.mean(axis=0), 1e-300)
        left_out = [
            np.log(ratios[folds == f] @ mixture(ratios[folds != f]) + 1e-300) for f in range(FOLDS)
        ]
        score = np.concatenate(left_out).mean()
        if score > best[0]:
            best = (score, s / np.maximum(s.mean(axis=0), 1e-300), ratios)
    _, s, ratios = best
    return s @ mixture(ratios)


def error(xs, ys, xt, w):
    design = np.column_stack([np.ones(N), xs])
    line = np.linalg.lstsq(np.sqrt(w)[:, None] * design, np.sqrt(w) * ys, rcond=None)[0]
    return np.mean((line[0] + line[1] * xt - np.sinc(xt)) ** 2)


random = np.random.default_rng(2007)
errors = {name: [] for name in ["ols", "true", "flattened", "ulsif", "kliep"]}
for _ in range(TRIALS):
    xs, xt = random.normal(1, 1 / 2, N), random.normal(2, 1 / 4, N)
    ys = np.sinc(xs) + random.normal(0, 1 / 4, N)
    truth = 2 * np.exp((xs - 1) ** 2 * 2 - (xs - 2) ** 2 * 8)
    weights = {
        "ols": np.ones(N),
        "true": truth,
        "flattened": np.sqrt(truth),
        "ulsif": ulsif(xs, xt, random),
        "kliep": kliep(xs, xt, random),
    }
    for name, w in weights.items():
        errors[name].append(error(xs, ys, xt, w))
print(f"numpy {np.__version__}, {TRIALS} trials")
for name, e in errors.items():
    print(f"{name}: {np.mean(e):.4f} +- {np.std(e, ddof=1) / np.sqrt(TRIALS):.4f}")
