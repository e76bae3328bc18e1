"""A Python package's side of host.py.

    host_peer.py TASK VARIANT THREADS FOLDER

answers as serve.py says. Its first line says how much memory its imports and data took.
"""

import sys
import warnings

import host_tasks
import numpy as np
from host_tasks import COMPONENTS, JDA_ROUNDS, KMM_BOUND, MU, TOLERANCE
from serve import peak_kib, serve


def adapt_coral(data):
    from adapt.feature_based import CORAL

    method = CORAL(lambda_=0.0, verbose=0)
    return lambda: method.fit_transform(data["x_s"], data["x_t"])


def skada_coral(data):
    from skada import CORALAdapter

    x, domain = stacked(data)
    method = CORALAdapter(reg=0.0)
    return lambda: method.fit_transform(x, sample_domain=domain)[: len(data["x_s"])]


def numpy_coral(data):
    x_s, x_t = data["x_s"], data["x_t"]

    def power(c, p):
        values, vectors = np.linalg.eigh(c)
        return (vectors * values**p) @ vectors.T

    def run():
        return x_s @ (power(np.cov(x_s.T), -0.5) @ power(np.cov(x_t.T), 0.5))

    return run


def densratio_ulsif(data):
    from densratio import densratio

    def run():
        fitted = densratio(data["x_t"], data["x_s"], method="uLSIF", verbose=False)
        return np.asarray(fitted.compute_density_ratio(data["x_s"])).ravel()

    return run


def adapt_ulsif(data):
    from adapt.instance_based import ULSIF

    # Nine widths and nine penalties, as densratio's and ours.
    d = data["x_s"].shape[1]
    widths = np.logspace(-3, 1, 9) if d == 1 else data["sigma"][0] * np.logspace(-1, 1, 9)
    method = ULSIF(
        gamma=list(1 / (2 * widths**2)), lambdas=list(np.logspace(-3, 1, 9)), verbose=0
    )
    return lambda: method.fit_weights(data["x_s"], data["x_t"])


def adapt_kmm(data):
    from adapt.instance_based import KMM

    gamma = 1 / (2 * data["sigma"][0] ** 2)
    method = KMM(kernel="rbf", gamma=gamma, B=KMM_BOUND, verbose=0)
    return lambda: method.fit_weights(data["x_s"], data["x_t"])


def skada_kmm(data):
    from skada import KMMReweightAdapter

    x, domain = stacked(data)
    gamma = 1 / (2 * data["sigma"][0] ** 2)
    method = KMMReweightAdapter(gamma=gamma, B=KMM_BOUND)

    def run():
        method.fit(x, sample_domain=domain)
        return np.asarray(method.compute_weights(x, sample_domain=domain))[: len(data["x_s"])]

    return run


def adapt_tca(data):
    from adapt.feature_based import TCA

    gamma = 1 / (2 * data["sigma"][0] ** 2)
    method = TCA(n_components=COMPONENTS, mu=MU, kernel="rbf", gamma=gamma, verbose=0)

    def run():
        x_s = method.fit_transform(data["x_s"], data["x_t"])
        return np.vstack([x_s, method.transform(data["x_t"], domain="tgt")])

    return run


def skada_tca(data):
    from skada import TransferComponentAnalysisAdapter

    x, domain = stacked(data)
    method = TransferComponentAnalysisAdapter(n_components=COMPONENTS, mu=MU)
    return lambda: method.fit_transform(x, sample_domain=domain)


def scipy_tca(data):
    """The generalised eigenproblem itself, by LAPACK, for the leading vectors alone."""
    from scipy.linalg import eigh

    x, sigma = np.vstack([data["x_s"], data["x_t"]]), data["sigma"][0]
    n = len(data["x_s"])

    def run():
        k = host_tasks.gaussian(x, x, sigma)
        e = np.r_[np.full(n, 1 / n), np.full(len(x) - n, -1 / (len(x) - n))]
        a = (k - k.mean(0)).T @ (k - k.mean(0))
        ke = k @ e
        b = np.outer(ke, ke) + MU * np.eye(len(x))
        w = eigh(a, b, subset_by_index=[len(x) - COMPONENTS, len(x) - 1], driver="gvx")[1]
        return k @ w

    return run


def scipy_jda(data):
    """Algorithm 1 of the paper with the kernel, scaled as the authors' code, by LAPACK."""
    from scipy.linalg import eigh

    x, y_s, sigma = np.vstack([data["x_s"], data["x_t"]]), data["y_s"], data["sigma"][0]
    n_s, n_t, classes = len(y_s), len(data["x_t"]), np.unique(y_s)

    def means(of_source, of_target):
        return np.r_[of_source / of_source.sum(), -of_target / of_target.sum()]

    def run():
        k = host_tasks.gaussian(x, x, sigma)
        centred = k - k.mean(0)
        scatter, pseudo = centred.T @ centred, None
        for _ in range(JDA_ROUNDS):
            e = [np.sqrt(len(classes)) * means(np.ones(n_s), np.ones(n_t))]
            if pseudo is not None:
                shared = np.intersect1d(classes, pseudo)
                e += [means(1.0 * (y_s == c), 1.0 * (pseudo == c)) for c in shared]
            e = np.array(e).T
            g = k @ (e / np.sqrt(np.linalg.norm(e.T @ e)))
            b = g @ g.T + MU * np.eye(len(x))
            w = eigh(scatter, b, subset_by_index=[len(x) - COMPONENTS, len(x) - 1], driver="gvx")[1]
            z = k @ (w / np.linalg.norm(w, axis=0))
            before, pseudo = pseudo, host_tasks.nearest_labels(z[:n_s], y_s, z[n_s:])
            if before is not None and (before == pseudo).all():
                break
        return z

    return run


def pot_sinkhorn(method):
    def make(data):
        import ot

        a, b = weights(data)
        epsilon = data["epsilon"][0]
        return lambda: ot.sinkhorn(
            a, b, data["cost"], epsilon, method=method, numItermax=100_000, stopThr=TOLERANCE
        )

    return make


def pot_emd(data):
    import ot

    a, b = weights(data)
    return lambda: ot.emd(a, b, data["cost"], numItermax=100_000_000)


# The names of a task's sides.
VARIANTS = {
    "coral": {"ADAPT": adapt_coral, "skada": skada_coral, "NumPy": numpy_coral},
    "ulsif": {"densratio": densratio_ulsif, "ADAPT": adapt_ulsif},
    "kmm": {"ADAPT": adapt_kmm, "skada": skada_kmm},
    "tca": {"ADAPT": adapt_tca, "skada": skada_tca, "SciPy": scipy_tca},
    "jda": {"SciPy": scipy_jda},
    "sinkhorn": {
        "POT": pot_sinkhorn("sinkhorn"),
        "POT log": pot_sinkhorn("sinkhorn_log"),
    },
    "emd": {"POT": pot_emd},
}


def stacked(data):
    x_s, x_t = data["x_s"], data["x_t"]
    return np.vstack([x_s, x_t]), np.r_[np.ones(len(x_s), int), -2 * np.ones(len(x_t), int)]


def weights(data):
    n, m = data["cost"].shape
    return np.full(n, 1 / n), np.full(m, 1 / m)


def main():
    task, variant, threads, folder = sys.argv[1:]
    warnings.simplefilter("ignore")
    from threadpoolctl import threadpool_limits

    with threadpool_limits(int(threads)):
        data = host_tasks.load(folder)
        run = VARIANTS[task][variant](data)
        print(peak_kib(), flush=True)
        serve(run, lambda file, answer: np.save(file, np.asarray(answer, dtype=float)))


if __name__ == "__main__":
    main()
