"""Tables of one's own: read, mapped, checked, and reported on before anything is trained."""

from bfl_stpc.ehr.own.checks import Note
from bfl_stpc.ehr.own.loading import OwnTable, load_table, mapping_path, propose_mapping, write_mapping
from bfl_stpc.ehr.own.mapping import Input, Mapping
from bfl_stpc.ehr.own.report import Report

__all__ = [
    "Input",
    "Mapping",
    "Note",
    "OwnTable",
    "Report",
    "load_table",
    "mapping_path",
    "propose_mapping",
    "write_mapping",
]
