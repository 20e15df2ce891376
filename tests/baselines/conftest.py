"""A small cohort that every baseline trains on."""

import pytest

from bfl_stpc import baselines, ehr


@pytest.fixture(scope="session")
def patients():
    features = ehr.generate(ehr.CohortConfig(patients=1000, hospitals=5)).features()
    return baselines.Patients.draw(features, 1, baselines.public_scaling(1000))
