import pytest

from bfl_stpc import ehr


@pytest.fixture(scope="session")
def small():
    """A cohort of 1,200 patients at four hospitals; tests must not change it."""
    return ehr.generate(ehr.CohortConfig(patients=1200, hospitals=4))


@pytest.fixture(scope="session")
def features(small):
    return small.features()


@pytest.fixture(scope="session")
def default():
    """The default cohort: 40,000 patients."""
    return ehr.generate()
