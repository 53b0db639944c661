"""A labelled B-cell on dense vectors of texts: multinomial logistic regression, which speaks beside the one on words.

Full-batch gradient descent with Nesterov's momentum ("A method for solving the convex programming problem with convergence rate
O(1/k^2)", 1983) and a step from the largest eigenvalue of the columns' covariance, so that nothing needs to be tuned or drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.components import Arrays
from immunos_tui.immune.table import FloatArray
from immunos_tui.model.errors import DataError

Float32 = NDArray[np.float32]

STEPS = 150
RIDGE = 1e-2
"""What the squared weights cost, beside the mean loss of a text."""
FLOOR = 1e-6
"""No class is thought less likely than this."""


class DenseClassifier:
    """Classes told apart by vectors (n, k). Immutable once made; ``classes`` are sorted."""

    def __init__(self, classes: tuple[str, ...], weights: Float32, bias: Float32, centre: Float32) -> None:
        self.classes, self.weights, self.bias, self.centre = classes, weights, bias, centre

    @property
    def width(self) -> int:
        """The length of a vector, k."""
        return len(self.centre)

    @classmethod
    def fit(cls, vectors: Float32, labels: Sequence[str]) -> DenseClassifier:
        """Learn classes from (n, k) vectors and (n,) labels, each class weighed by the inverse of its size.

        Raises DataError for fewer than two classes.
        """
        classes, target = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
        if len(classes) < 2:
            raise DataError("The labels have only one class.", "Text with at least two labels is needed.")
        centre = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        rows = vectors - centre
        scale = np.float32(1.0 / max(float(np.sqrt(np.mean(rows.astype(np.float64) ** 2))), 1e-12))
        rows *= scale
        sizes = np.bincount(target)
        share = (1.0 / (len(classes) * sizes))[target].astype(np.float32)[:, None]
        truth = np.zeros((len(rows), len(classes)), dtype=np.float32)
        truth[np.arange(len(rows)), target] = 1.0
        weights, bias = _descend(rows, truth, share)
        return cls(tuple(str(name) for name in classes), weights * scale, bias, centre)

    def probabilities(self, vectors: Float32) -> FloatArray:
        """The probability of each class for each of (n, k) vectors, (n, classes)."""
        logits = np.zeros((len(vectors), len(self.classes)))
        rows = (vectors - self.centre).astype(np.float64)
        # Summed class by class, so that a row's value does not depend on how many rows come with it.
        for j in range(len(self.classes)):
            logits[:, j] = np.einsum("ij,j->i", rows, self.weights[:, j].astype(np.float64)) + self.bias[j]
        return softmax(logits)

    def state(self) -> Arrays:
        return {"weights": self.weights, "bias": self.bias, "centre": self.centre}

    @classmethod
    def from_state(cls, classes: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> DenseClassifier:
        return cls(tuple(classes), arrays["weights"], arrays["bias"], arrays["centre"])


def blend(words: FloatArray, vectors: FloatArray) -> FloatArray:
    """What two classifiers think together, (n, classes): the geometric mean of their probabilities (logarithmic opinion pool)."""
    both = 0.5 * (np.log(np.maximum(words, FLOOR)) + np.log(np.maximum(vectors, FLOOR)))
    return softmax(both)


def _descend(rows: Float32, truth: Float32, share: Float32) -> tuple[Float32, Float32]:
    k, classes = rows.shape[1], truth.shape[1]
    covariance = (rows * share).T @ rows
    rate = np.float32(1.0 / (0.5 * (float(np.linalg.eigvalsh(covariance.astype(np.float64))[-1]) + 1.0) + RIDGE))
    weights, bias = np.zeros((k, classes), dtype=np.float32), np.zeros(classes, dtype=np.float32)
    ahead, ahead_bias = weights, bias
    for step in range(STEPS):
        error = (softmax((rows @ ahead + ahead_bias).astype(np.float64)).astype(np.float32) - truth) * share
        newer = ahead - rate * (rows.T @ error + np.float32(RIDGE) * ahead)
        newer_bias = ahead_bias - rate * error.sum(axis=0)
        push = np.float32(step / (step + 3))
        ahead, ahead_bias = newer + push * (newer - weights), newer_bias + push * (newer_bias - bias)
        weights, bias = newer, newer_bias
    return weights, bias


def softmax(logits: FloatArray) -> FloatArray:
    """Logits (n, classes) as probabilities, each row summing to 1."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: FloatArray = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities
