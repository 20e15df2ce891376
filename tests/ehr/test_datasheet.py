import re
import subprocess
import sys
from pathlib import Path

from bfl_stpc import ehr

COMMITTED = Path(__file__).parents[2] / "data" / "DATASHEET.md"


def test_the_committed_datasheet_is_that_of_the_default_cohort(default):
    assert COMMITTED.read_text(encoding="utf-8") == ehr.datasheet(default), (
        "run `python -m bfl_stpc.ehr datasheet > data/DATASHEET.md`"
    )


def test_another_cohort_has_another_datasheet(small):
    assert ehr.datasheet(small) != COMMITTED.read_text(encoding="utf-8")
    assert ehr.cohort_sha256(small) in ehr.datasheet(small)


def test_the_headings_of_gebru_et_al_are_there(small):
    headings = re.findall(r"^## (.+)$", ehr.datasheet(small), re.M)
    for wanted in ("Motivation", "Composition", "Collection process", "Uses", "Distribution", "Maintenance"):
        assert wanted in headings
    assert any(h.startswith("Preprocessing") for h in headings)


def test_the_command_line_explains_an_error_and_fails(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "bfl_stpc.ehr", "fhir", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path} exists")
