"""All compared systems on one split, each with its tuned settings or a share of their rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from bfl_stpc.baselines import controls, ejss, feacs, flbm_iot, ours, ppflb
from bfl_stpc.baselines.cohort import Patients
from bfl_stpc.baselines.report import Card, Costs, Report

CARDS: Mapping[str, Card] = {
    card.name: card
    for card in (ours.CARD, ppflb.CARD, feacs.CARD, flbm_iot.CARD, ejss.CARD, controls.CENTRAL, controls.LOCAL)
}
BASELINES = (ppflb.CARD.name, feacs.CARD.name, flbm_iot.CARD.name, ejss.CARD.name)
PRIVATE, SHARED = ours.private_name(ours.PrivateSettings()), ours.private_name(ours.SHARED)
WITH_NOISE = (PRIVATE, SHARED, ppflb.CARD.name)  # systems that promise differential privacy

S = TypeVar("S", ours.Settings, ours.PrivateSettings, ppflb.Settings, flbm_iot.Settings)


def shorter(settings: S, share: float) -> S:
    """Return `settings` with a share of their rounds, at least four."""
    return replace(settings, rounds=max(4, round(share * settings.rounds)))


def run_all(patients: Patients, *, share: float = 1.0, private_share: float = 1.0) -> dict[str, Report]:
    """Return the report of every system by name, trained on the same records under the same seed.

    Args:
        patients: the split, with a public scaling.
        share: of the rounds and epochs of the tuned settings, for the lesser profiles.
        private_share: the same for systems that promise differential privacy.
    """
    central = replace(controls.Settings(), epochs=max(controls.TURNS, round(share * controls.Settings().epochs)))
    done = [
        ours.run(patients, shorter(ours.Settings(), share)),
        ours.run_private(patients, shorter(ours.PrivateSettings(), private_share)),
        ours.run_private(patients, shorter(ours.SHARED, private_share)),
        ppflb.run(patients, shorter(ppflb.Settings(), private_share)),
        feacs.run(patients, central),
        flbm_iot.run(patients, shorter(flbm_iot.Settings(), share)),
        ejss.run(patients, central),
        controls.centralised(patients, central),
        controls.local(patients),
    ]
    return {each.system: each for each in done}


def operate_all(patients: Patients, *, rounds: int = 1) -> dict[str, Costs]:
    """Return what an operation of each system costs by name: `rounds` rounds, or one collection of all records."""
    return {
        ours.CARD.name: ours.operate(patients, rounds=rounds),
        ppflb.CARD.name: ppflb.operate(patients, rounds=rounds)[1],
        feacs.CARD.name: feacs.operate(patients)[1],
        flbm_iot.CARD.name: flbm_iot.operate(patients, rounds=rounds)[1],
        ejss.CARD.name: ejss.operate(patients)[1],
    }
