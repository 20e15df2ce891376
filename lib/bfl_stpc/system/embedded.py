"""Set up all roles in one process, on an in-memory chain."""

from __future__ import annotations

from collections.abc import Mapping

from bfl_stpc import federated, ledger, privacy, stpc
from bfl_stpc.errors import ConfigError
from bfl_stpc.seeds import derive_seed
from bfl_stpc.system.meter import Meter
from bfl_stpc.system.roles import Consortium, Hospital, attestation
from bfl_stpc.ticket import Ticket


def found(
    records: Mapping[str, federated.ClientData],
    config: federated.LocalTraining,
    *,
    experiment: str,
    seed: int,
    clip: float,
    max_records: int,
    promise: tuple[float, float] | None = None,
) -> Consortium:
    """Return a consortium of the hospitals in `records`, its contracts deployed and its keys made.

    Ledger identities derive from `seed` (simulation only), so the chain repeats; keys of masks and encryption come
    from the operating system.

    Args:
        records: each hospital's scaled training records, by name; their order is the ledger's.
        config: how every hospital trains.
        experiment: name from which training seeds derive.
        seed: of the simulation.
        clip: bound on the Euclidean norm of an update.
        max_records: most records of one hospital; public.
        promise: (ε, δ) that every hospital promises its patients, if `config` trains by DP-SGD.

    Raises:
        ConfigError: DP-SGD without a promise, or a promise without DP-SGD.
        ParameterError: too many hospitals for the fixed-point fields.
    """
    if isinstance(config, privacy.DpConfig) != (promise is not None):
        raise ConfigError("training by DP-SGD and a promise (ε, δ) belong together: give both or neither")
    meter, names = Meter(), list(records)
    identities = {name: ledger.Identity.derive(name, derive_seed("identity", seed)) for name in names}
    admin = ledger.Identity.derive("consortium", derive_seed("identity", seed))
    book = ledger.Ledger.deploy(
        ledger.Chain.in_memory(),
        admin=admin,
        hospitals={name: identity.address for name, identity in identities.items()},
        threshold=len(names) // 2 + 1,
    )
    params = stpc.Parameters.widest(len(names), clip=clip, weighting=stpc.Weighting.RECORDS, max_records=max_records)

    def attest(ticket: Ticket) -> stpc.Attestation:
        return attestation(book, ticket)

    hospitals = [
        Hospital(
            identity=identities[name],
            party=stpc.Party(name, params, attest=attest),
            data=records[name],
            config=config,
            clip=clip,
            experiment=experiment,
            meter=meter,
            budget=privacy.Budget(name, *promise) if promise else None,
        )
        for name in names
    ]
    authority = stpc.KeyAuthority(params, attest=attest)
    return Consortium(hospitals, stpc.Aggregator(params, authority.public_key), authority, params, book, meter)
