"""The attacks on privacy as experiments: each trains its victims, looks with an observer's eyes, and counts successes.

An attack never sees more than a `View`. Its rate stands beside that of a guess, and `tamper` replaces the view by one
that has nothing to do with the victim: the negative control.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bfl_stpc.attacks.facts import AttributeInference, PropertyInference
from bfl_stpc.attacks.setting import Setting
from bfl_stpc.attacks.success import HOSPITALS, Attack, Success, Tamper, measure, pooled
from bfl_stpc.attacks.victims import EPSILON, POOL, Inversion, Membership
from bfl_stpc.attacks.views import Observer, Protection
from bfl_stpc.errors import ConfigError

__all__ = [
    "ATTACKS",
    "EPSILON",
    "HOSPITALS",
    "POOL",
    "Attack",
    "AttributeInference",
    "Inversion",
    "Membership",
    "PropertyInference",
    "Success",
    "Tamper",
    "measure",
    "pooled",
    "success",
]

ATTACKS: Mapping[str, Callable[[Setting, int, int], Attack]] = {
    "closed form": Inversion,
    "gradient matching": lambda setting, trials, seed: Inversion(setting, trials, seed, batch=4, matching=True),
    "attribute": AttributeInference,
    "membership": Membership,
    "property": PropertyInference,
}


def success(
    attack: str,
    protection: Protection,
    observer: Observer,
    *,
    setting: Setting,
    trials: int,
    seed: int,
    tamper: Tamper | None = None,
) -> Success:
    """Return the success of the attack of this name (see `ATTACKS`): one cell of the matrix, in seconds.

    Raises:
        ConfigError: there is no such attack, or the trials do not fill whole rounds.
    """
    if attack not in ATTACKS:
        raise ConfigError(f"attack {attack!r}: choose among {sorted(ATTACKS)}")
    return measure(ATTACKS[attack](setting, trials, seed), protection, [observer], tamper=tamper)[0]
