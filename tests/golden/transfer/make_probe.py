#!/usr/bin/env python3
"""Makes probe.txt: the solution of a small multinomial logistic regression, from scikit-learn (1.9.1 was used).

The features are a formula, which effnet/transfer/linear_probe_test.cc computes too. They are centred and divided by the
root mean square of the columns' standard deviations, as effnet does. scikit-learn minimises C * (sum of losses) + half
the squared weights, so C = 1 / (l2 * rows). The file has the logits of all rows, one row a line.
"""
import pathlib

import numpy
from sklearn.linear_model import LogisticRegression

ROWS, WIDTH, CLASSES, L2 = 61, 19, 5, 0.01


def features():
    i, c = numpy.meshgrid(numpy.arange(ROWS), numpy.arange(WIDTH), indexing="ij")
    label = i % CLASSES
    return (numpy.sin(1.7 * i + 0.9 * c * c) + 0.8 * numpy.cos(label * (c + 1.0)) + 3).astype(numpy.float32), label[:, 0]


def main():
    values, labels = features()
    x = values.astype(numpy.float64)
    scaled = (x - x.mean(0)) / numpy.sqrt(x.var(0).mean())
    model = LogisticRegression(C=1 / (L2 * ROWS), tol=1e-12, max_iter=100000).fit(scaled, labels)
    logits = scaled @ model.coef_.T + model.intercept_
    logits -= logits.mean(1, keepdims=True)  # the loss does not depend on the mean of a row
    text = "\n".join(" ".join(f"{value:.9g}" for value in row) for row in logits)
    pathlib.Path(__file__).with_name("probe.txt").write_text(text + "\n")


main()
