import pytest

from bfl_stpc import detection


@pytest.fixture(scope="session")
def catalogue():
    return detection.load()


@pytest.fixture(scope="session")
def bench():
    """One bench of each class, made when first asked for."""
    made = {}

    def of(kind):
        found = detection.registry()[kind].bench
        if found not in made:
            made[found] = found(1)
        return made[found]

    return of
