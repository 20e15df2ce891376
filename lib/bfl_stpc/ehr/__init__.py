"""The synthetic EHR: seeded hospitals whose outcome has a known p(y|x), hence a known ceiling."""

from bfl_stpc.ehr.ceiling import Ceiling, bayes_roc, ceiling
from bfl_stpc.ehr.cohort import Cohort, Features, cohort_sha256
from bfl_stpc.ehr.config import CohortConfig
from bfl_stpc.ehr.generate import generate
from bfl_stpc.ehr.splits import Split, split

__all__ = [
    "Ceiling",
    "Cohort",
    "CohortConfig",
    "Features",
    "Split",
    "bayes_roc",
    "ceiling",
    "cohort_sha256",
    "generate",
    "split",
]
