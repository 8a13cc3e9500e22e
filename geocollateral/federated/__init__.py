"""Learning values together: sums of what several parties hold, no row of which leaves its owner."""

from geocollateral.federated.plan import Plan
from geocollateral.federated.together import Learned, Sums, learn_together

__all__ = ["Learned", "Plan", "Sums", "learn_together"]
