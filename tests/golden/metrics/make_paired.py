"""Prints the expected values of effnet/metrics/paired_test.cc and temperature_test.cc.

Exact fractions and 50 decimal digits, by enumeration and by ternary search: none of effnet's formulas is used.
"""

from decimal import Decimal, getcontext
from fractions import Fraction
from math import comb

getcontext().prec = 50


def mcnemar(only_a, only_b):
    n = only_a + only_b
    tail = sum(Fraction(comb(n, k), 2**n) for k in range(min(only_a, only_b) + 1))
    return float(min(Fraction(1), 2 * tail))


def bootstrap(only_a, only_b, rest):
    """Quantiles of the sum of n draws from {-1, 0, 1}: n convolutions of exact integers."""
    n = only_a + only_b + rest
    counts = {0: 1}
    for _ in range(n):
        following = {}
        for total, ways in counts.items():
            for step, weight in ((-1, only_a), (0, rest), (1, only_b)):
                following[total + step] = following.get(total + step, 0) + ways * weight
        counts = following
    bounds = []
    for level in (Fraction(25, 1000), Fraction(975, 1000)):
        below = 0
        for total in sorted(counts):
            below += counts[total]
            if below >= level * n**n:
                bounds.append(Fraction(total, n))
                break
    return [float(bound) for bound in bounds]


LOGITS = [[2.0, 0.5, -1.0], [0.25, 3.0, 1.0], [1.5, 1.0, 0.0], [-2.0, 0.0, 4.0], [0.5, 2.5, 2.0], [3.0, -1.0, 0.75]]
LABELS = [0, 1, 1, 2, 2, 0]


def nll(temperature):
    total = Decimal(0)
    for row, label in zip(LOGITS, LABELS):
        values = [Decimal(value) / temperature for value in row]
        total += sum(value.exp() for value in values).ln() - values[label]
    return total / len(LABELS)


def best_temperature():
    low, high = Decimal("0.2"), Decimal(10)
    for _ in range(150):
        third = (high - low) / 3
        if nll(low + third) < nll(high - third):
            high -= third
        else:
            low += third
    return low


if __name__ == "__main__":
    for a, b in ((0, 1), (0, 6), (1, 9), (5, 15), (40, 61), (900, 1100)):
        print(f"mcnemar_p({a}, {b}) = {mcnemar(a, b):.15g}")
    for a, b, rest in ((1, 0, 1), (1, 1, 1), (2, 5, 13), (3, 12, 85), (30, 50, 320)):
        print(f"bootstrap {a} {b} {rest}: {bootstrap(a, b, rest)}")
    print(f"temperature {best_temperature():.12f}, nll at 1 {nll(Decimal(1)):.15f}, at 2.5 {nll(Decimal('2.5')):.15f}")
