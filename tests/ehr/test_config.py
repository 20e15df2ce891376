import pytest

from bfl_stpc.ehr import CohortConfig
from bfl_stpc.errors import ConfigError


def test_the_default_is_the_one_declared():
    config = CohortConfig()
    assert (config.patients, config.hospitals, config.ceiling) == (40_000, 10, 0.98)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("patients", 100),
        ("hospitals", 0),
        ("ceiling", 0.7499),
        ("ceiling", 0.9991),
        ("ceiling", float("nan")),
        ("size_spread", -0.1),
        ("case_mix_spread", 4.0),
        ("calibration_spread", float("nan")),
        ("missingness_spread", -1),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=field):
        CohortConfig(**{field: value})
