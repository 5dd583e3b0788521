"""Distributions of returns as values: density, quantiles, scores, samples and storage columns.

``Normal``, ``StudentT`` and ``SkewedT`` hold moments and shape, ``Quantiles`` what models of
sequences forecast, ``Mixture`` any of them by weight; ``from_columns`` reads a table.
"""

from fingru.distributions.base import NESTED, Distribution, DistributionError
from fingru.distributions.mixture import Mixture
from fingru.distributions.normal import Normal
from fingru.distributions.quantiles import Quantiles
from fingru.distributions.skewed_t import SkewedT
from fingru.distributions.storage import FAMILIES, from_columns
from fingru.distributions.student_t import StudentT

__all__ = [
    "FAMILIES",
    "NESTED",
    "Distribution",
    "DistributionError",
    "Mixture",
    "Normal",
    "Quantiles",
    "SkewedT",
    "StudentT",
    "from_columns",
]
