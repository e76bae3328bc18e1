"""Writes the numbers that tests/tests/learn_reference.rs expects, as JSON.

scikit-learn's learners with sample weights, each solved far below its default tolerance. Rows of
weight 0 are there on purpose; weights have mean 1 over the others.

    pip install numpy scikit-learn scipy
    python tests/reference/learn.py > tests/reference/learn.json
"""

import json
import platform

import numpy as np
import scipy
import scipy.special
import sklearn
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

rng = np.random.default_rng(20)


def rounded(a):
    """Few digits, so that both programs read the same doubles."""
    return np.round(np.asarray(a, dtype=float), 3)


def plain(a):
    return np.asarray(a).tolist()


n, d = 60, 4
x = rounded(rng.normal(size=(n, d)) * [1.0, 2.0, 0.5, 1.0] + [0.0, 3.0, 0.0, -1.0])
queries = rounded(rng.normal(size=(12, d)) * [1.0, 2.0, 0.5, 1.0] + [0.0, 3.0, 0.0, -1.0])
score = x @ [1.0, -0.5, 1.0, 0.3] + 1.5
two = (score + rng.normal(size=n) > 0).astype(int)
three = np.digitize(score + rng.normal(size=n), [-0.7, 0.7])
values = rounded(score + 0.3 * rng.normal(size=n))
w = np.round(rng.gamma(1.0, size=n), 3)
w[[5, 17, 40]] = 0.0
mean_one = w / w[w > 0].mean()

out = {
    "versions": {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
    },
    "x": plain(x),
    "queries": plain(queries),
    "two": plain(two),
    "three": plain(three),
    "values": plain(values),
    "w": plain(w),
}


# Logistic regression: C = 1 / penalty.
def logistic(y, penalty, solver="newton-cholesky", rows=x, weights=mean_one):
    c = 1.0 / penalty if penalty > 0 else np.inf
    model = LogisticRegression(C=c, solver=solver, tol=1e-12, max_iter=100_000)
    model.fit(rows, y, sample_weight=weights)
    # Intercepts of more than two classes are free up to a constant: theirs have mean 0 here.
    intercepts = model.intercept_ - (model.intercept_.mean() if len(model.intercept_) > 1 else 0.0)
    return model, {"penalty": penalty, "coefficients": plain(model.coef_), "intercepts": plain(intercepts)}


out["logistic_two"] = [logistic(two, penalty)[1] for penalty in (0.0, 0.7, 20.0)]
out["logistic_three"] = [logistic(three, penalty)[1] for penalty in (0.7, 20.0)]
out["logistic_three_probabilities"] = plain(logistic(three, 0.7)[0].predict_proba(queries))

# More parameters than Newton's method is used for: multiples of 1/16, the same in every language.
wide = np.array([[((i * 37 + j * 11 + i * j) % 101 - 50) / 16 for j in range(600)] for i in range(50)])
wide_two = np.array([(i * i // 3) % 2 for i in range(50)])
model, _ = logistic(wide_two, 5.0, rows=wide, weights=None)
out["logistic_wide"] = {
    "penalty": 5.0,
    "coefficients": plain(model.coef_[0, :8]),
    "intercept": float(model.intercept_[0]),
}


# Linear models.
def linear(model, rows=x, y=values, weights=mean_one):
    model.fit(rows, y, sample_weight=weights)
    return {"coefficients": plain(model.coef_), "intercept": float(model.intercept_)}


out["least_squares"] = linear(LinearRegression())
out["ridge"] = linear(Ridge(alpha=0.7, solver="cholesky"))
# Fewer rows than columns: least squares of least norm, and ridge in its dual form.
out["least_squares_short"] = linear(LinearRegression(), x[:3], values[:3], None)
out["ridge_short"] = linear(Ridge(alpha=0.7, solver="cholesky"), x[:3], values[:3], None)


# Support vector machines: gamma = 1 / (2 sigma^2) with sigma = 1.5.
def svm(y, kernel, c):
    model = SVC(C=c, kernel=kernel, gamma=1 / (2 * 1.5**2), tol=1e-9, decision_function_shape="ovo")
    model.fit(x, y, sample_weight=mean_one)
    decisions = model.decision_function(queries)
    # Of two classes libsvm's coefficients are the duals of the one pair.
    answer = {"c": c, "decisions": plain(decisions), "predicted": plain(model.predict(queries))}
    if decisions.ndim == 1:
        # Not x[model.support_]: its indices do not count rows of weight 0.
        a, support = model.dual_coef_[0], model.support_vectors_
        gram = support @ support.T
        if kernel == "rbf":
            squared = ((support[:, None] - support[None]) ** 2).sum(-1)
            gram = np.exp(-squared / (2 * 1.5**2))
        answer["objective"] = float(a @ gram @ a / 2 - np.abs(a).sum())
    return answer


out["svm_linear"] = svm(two, "linear", 0.8)
out["svm_gaussian"] = svm(two, "rbf", 3.0)
out["svm_three"] = svm(three, "rbf", 3.0)

# Neighbours have no sample weights there.
out["nearest_probabilities"] = plain(
    KNeighborsClassifier(5).fit(x, three).predict_proba(queries)
)
out["nearest_values"] = plain(KNeighborsRegressor(5).fit(x, values).predict(queries))

# Trees.
tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(x, three, sample_weight=mean_one)
out["tree_probabilities"] = plain(tree.predict_proba(queries))
tree = DecisionTreeRegressor(max_depth=3, random_state=0).fit(x, values, sample_weight=mean_one)
out["tree_values"] = plain(tree.predict(queries))

# Soft neighbourhood density of logits, pair by pair.
logits = rounded(rng.normal(size=(9, 3)) * 2)
p = scipy.special.softmax(logits, axis=1)
p /= np.linalg.norm(p, axis=1, keepdims=True)
entropies = []
for i in range(len(p)):
    q = scipy.special.softmax([p[i] @ p[j] / 0.05 for j in range(len(p)) if j != i])
    entropies.append(scipy.special.entr(q).sum())
out["snd"] = {"logits": plain(logits), "score": float(np.mean(entropies))}

print(json.dumps(out))
