"""Records: a synthetic EHR with a known p(y|x), hence a known ceiling; real tables. One's own are read by `ehr.own`."""

from bfl_stpc.ehr.ceiling import Ceiling, bayes_roc, ceiling
from bfl_stpc.ehr.cohort import Cohort, Features, cohort_sha256
from bfl_stpc.ehr.config import CohortConfig
from bfl_stpc.ehr.datasheet import datasheet
from bfl_stpc.ehr.fhir import export_fhir, to_fhir
from bfl_stpc.ehr.generate import generate
from bfl_stpc.ehr.splits import Split, split
from bfl_stpc.ehr.storage import load, save
from bfl_stpc.ehr.tabular import Tabular

__all__ = [
    "Ceiling",
    "Cohort",
    "CohortConfig",
    "Features",
    "Split",
    "Tabular",
    "bayes_roc",
    "ceiling",
    "cohort_sha256",
    "datasheet",
    "export_fhir",
    "generate",
    "load",
    "save",
    "split",
    "to_fhir",
]
