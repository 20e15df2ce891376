"""The bench of access: hospitals, patients, a vault and the chain that decides; and what goes wrong with records."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from bfl_stpc import ledger
from bfl_stpc.detection.catalogue import Level
from bfl_stpc.detection.injection import Clean, Outcome, injects, trial
from bfl_stpc.detection.rounds import sha
from bfl_stpc.errors import BflError
from bfl_stpc.ledger import Action, Identity, Purpose, ReaderKey, RecordOffice, Vault
from bfl_stpc.ledger.consent import TYPES
from bfl_stpc.ledger.identity import name32
from bfl_stpc.ledger.registry import domain
from bfl_stpc.seeds import derive_seed, generator

HOUR = 3600
CHECKS: dict[str, tuple[str, ...]] = {
    "login": (
        "WrongSignature",
        "MalformedSignature",
        "MalleableSignature",
        "NotAMember",
        "ReplayedLogin",
        "ExpiredChallenge",
        "ForeignChain",
        "ForeignContract",
        "RetiredKey",
        "SuspendedHospital",
        "RevokedHospital",
    ),
    "consent": ("ReplayedLogin", "WrongSignature"),
    "emergency": ("InvalidRequest",),
    "read": ("AccessDenied", "RecordTampered", "RecordMissing"),
}


class AccessBench:
    """Five hospitals; the first keeps a vault of records, each of a patient of its own.

    Attributes:
        admin, stranger: who owns the contracts, and who is nobody.
        ids: ledger identities of the hospitals; the first is the custodian.
        keys: reader keys of the hospitals by name.
        office: the custodian's vault together with the chain.
    """

    def __init__(self, seed: int) -> None:
        """Deploy the contracts and open an empty vault."""
        self._scope, self._patients, self._newcomers, self._seed = derive_seed("detection-identities", seed), 0, 0, seed
        self.admin = Identity.derive("consortium", self._scope)
        self.stranger = Identity.derive("stranger", self._scope)
        self.ids = [Identity.derive(f"hospital-{i:02d}", self._scope) for i in range(5)]
        self.chain = ledger.Chain.in_memory()
        addresses = {identity.name: identity.address for identity in self.ids}
        book = ledger.Ledger.deploy(self.chain, admin=self.admin, hospitals=addresses, threshold=3)
        self.registry, self.consents = book.registry, book.consents
        self.keys = {identity.name: ReaderKey(identity.name) for identity in self.ids}
        self.office = RecordOffice(self.ids[0], Vault(), self.consents, self.keys[self.ids[0].name])

    def someone(self, rng: np.random.Generator, count: int = 1) -> list[Identity]:
        """Return `count` hospitals other than the custodian, at random."""
        return [self.ids[i] for i in rng.choice(np.arange(1, len(self.ids)), size=count, replace=False)]

    def newcomer(self) -> Identity:
        """Register one more hospital, for what is not undone."""
        self._newcomers += 1
        identity = Identity.derive(f"newcomer-{self._newcomers:03d}", self._scope)
        self.registry.register(self.admin, identity.name, identity.address)
        return identity

    def challenge(self, identity: Identity) -> ledger.Challenge:
        """Return the challenge for the next login of `identity`."""
        return self.registry.challenge(identity.address, round=1, model=sha("model"))

    def record(self) -> tuple[bytes, Identity]:
        """Store a new record of a new patient; return its pseudonym and the patient."""
        self._patients += 1
        patient = Identity.derive(f"patient-{self._patients}", self._scope)
        resource = {"resourceType": "Patient", "birthDate": f"{1930 + self._patients % 90}-01-01"}
        return self.office.store(resource, patient.address), patient

    def grant(
        self,
        record: bytes,
        patient: Identity,
        reader: Identity,
        *,
        purpose: Purpose = Purpose.TREATMENT,
        seconds: int = HOUR,
        delay: int = 0,
    ) -> None:
        """Have the patient let `reader` read the record."""
        self.consents.grant(reader, patient, record, reader.name, purpose, Action.READ, seconds=seconds, delay=delay)

    def read(self, reader: Identity, record: bytes, purpose: Purpose = Purpose.TREATMENT) -> object:
        """Have `reader` ask for the record, as the office demands it."""
        return self.office.read(reader, self.keys[reader.name], record, purpose)

    def clean(self, events: int) -> list[Clean]:
        """Log in, consent, read and declare emergencies as the rules allow; an event is one such act."""
        taken, alarms = dict.fromkeys(CHECKS, 0), dict.fromkeys(CHECKS, 0)
        number = 0
        while sum(taken.values()) < events:
            rng = generator("detection-clean-access", self._seed, number)
            number += 1
            (record, patient), (reader, doctor) = self.record(), self.someone(rng, 2)
            acts: list[tuple[str, Callable[..., object], tuple[object, ...]]] = [
                *(("login", self._login, (hospital,)) for hospital in self.ids),
                ("consent", self.grant, (record, patient, reader)),
                *[("read", self.read, (reader, record))] * 3,
                ("emergency", self.consents.break_glass, (doctor, record, "found unconscious")),
                ("read", self.read, (doctor, record, Purpose.EMERGENCY)),
            ]
            for check, act, arguments in acts:
                taken[check] += 1
                try:
                    act(*arguments)
                except BflError:
                    alarms[check] += 1
        return [Clean(check, CHECKS[check], taken[check], alarms[check]) for check in CHECKS]

    def _login(self, hospital: Identity) -> None:
        self.registry.login(hospital, round=1, model=sha("model"))


@injects("no_consent", AccessBench)
def no_consent(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Ask for a record that its patient never opened to the asker."""
    (record, patient), (reader, other) = bench.record(), bench.someone(rng, 2)
    if level.name == "another hospital's consent":
        bench.grant(record, patient, other)
    elif level.name == "a consent that begins later":
        bench.grant(record, patient, reader, delay=HOUR)
    return trial(lambda: bench.read(reader, record))


@injects("after_revocation", AccessBench)
def after_revocation(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Ask again for a record once the consent that opened it has ended."""
    (record, patient), (reader,) = bench.record(), bench.someone(rng)
    bench.grant(record, patient, reader)
    bench.read(reader, record)
    if level.name == "expired":
        bench.chain.advance(HOUR)
    elif level.name == "revoked":
        bench.consents.revoke(patient, patient, record, reader.name, Purpose.TREATMENT)
    elif level.name == "all withdrawn":
        bench.consents.withdraw(patient, patient, record)
    else:
        bench.office.erase(patient, record)
    return trial(lambda: bench.read(reader, record))


@injects("beyond_purpose", AccessBench)
def beyond_purpose(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Ask for another purpose or action than the consent covers."""
    (record, patient), (reader,) = bench.record(), bench.someone(rng)
    bench.grant(record, patient, reader)
    others = [Purpose.PAYMENT, Purpose.OPERATIONS, Purpose.RESEARCH, Purpose.PUBLIC_HEALTH]
    purpose = Purpose.TREATMENT if level.name == "another action" else Purpose(int(rng.choice(others)))
    actions = [Action.TRAIN, Action.AMEND, Action.SHARE]
    action = Action.READ if level.name == "another purpose" else Action(int(rng.choice(actions)))
    return trial(lambda: bench.consents.request(reader, record, purpose, action))


@injects("forged_consent", AccessBench)
def forged_consent(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Bring a consent that the patient did not give."""
    (record, patient), (reader,) = bench.record(), bench.someone(rng)
    start = bench.chain.now()
    contract = bench.consents.contract

    def values(until: int) -> tuple[object, ...]:
        return (record, name32(reader.name), int(Purpose.TREATMENT), int(Action.READ), start, start + until, nonce)

    nonce = bench.consents.nonce(record)
    signer = bench.stranger if level.name == "signed by another" else patient
    here = domain("ConsentRegistry", bench.chain.chain_id, contract.address)
    message = dict(zip([f["name"] for f in TYPES["Grant"]], values(HOUR), strict=True))
    signature = signer.sign_typed(here, {"Grant": TYPES["Grant"]}, message)
    if level.name == "an earlier one again":
        contract.send(reader, "grant", values(HOUR), signature)
        bench.consents.revoke(patient, patient, record, reader.name, Purpose.TREATMENT)
    until = 10 * HOUR if level.name == "a signed one altered" else HOUR
    return trial(lambda: contract.send(reader, "grant", values(until), signature), lambda: bench.read(reader, record))


@injects("emergency_rules", AccessBench)
def emergency_rules(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Declare an emergency without a reason, use it too late, or for more than reading."""
    (record, _), (doctor,) = bench.record(), bench.someone(rng)
    if level.name == "no reason given":
        return trial(lambda: bench.consents.contract.send(doctor, "breakGlass", record, bytes(32)))
    bench.consents.break_glass(doctor, record, "found unconscious")
    if level.name == "more than reading":
        action = Action(int(rng.choice([Action.TRAIN, Action.AMEND, Action.SHARE])))
        return trial(lambda: bench.consents.request(doctor, record, Purpose.EMERGENCY, action))
    bench.chain.advance(4 * HOUR)
    return trial(lambda: bench.read(doctor, record, Purpose.EMERGENCY))


@injects("false_emergency", AccessBench)
def false_emergency(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Declare emergencies that do not exist, and read `level.value` records."""
    (snoop,) = bench.someone(rng)
    steps: list[Callable[[], object]] = []
    for record, _ in [bench.record() for _ in range(int(level.value))]:
        steps += [
            partial(bench.consents.break_glass, snoop, record, "found unconscious"),
            partial(bench.read, snoop, record, Purpose.EMERGENCY),
        ]
    return trial(*steps)


@injects("kept_copy", AccessBench)
def kept_copy(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Copy what a consent opens, and open the copies of `level.value` records once it is revoked."""
    (reader,), copy, kept = bench.someone(rng), Vault(), []
    for record, patient in [bench.record() for _ in range(int(level.value))]:
        bench.grant(record, patient, reader)
        bench.read(reader, record)
        kept.append((record, bench.consents.record(record).commitment))
        bench.office.vault._db.backup(copy._db)
        bench.consents.revoke(patient, patient, record, reader.name, Purpose.TREATMENT)
    key = bench.keys[reader.name]
    return trial(*(partial(copy.get, record, key, committed=committed) for record, committed in kept))


@injects("past_the_ledger", AccessBench)
def past_the_ledger(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Open `level.value` records of the custodian's own vault without a request."""
    office, records = bench.office, [bench.record()[0] for _ in range(int(level.value))]

    def read(record: bytes) -> None:
        office.vault.get(record, office.key, committed=bench.consents.record(record).commitment)

    return trial(*(partial(read, record) for record in records))


@injects("tampered_record", AccessBench)
def tampered_record(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Change the stored bytes of a record behind the chain's back, and let a permitted reader read it."""
    (record, patient), (reader,), vault = bench.record(), bench.someone(rng), bench.office.vault
    bench.grant(record, patient, reader)
    bench.read(reader, record)
    version, salt, sealed = vault._row(record)
    if level.name == "an older version":
        later = {"resourceType": "Patient", "birthDate": "1930-02-02"}
        bench.office.amend(record, later, {reader.name: bench.keys[reader.name].public})
    elif level.name == "another record's":
        version, salt, sealed = vault._row(bench.record()[0])
    elif level.name == "one bit":
        place = int(rng.integers(len(sealed)))
        sealed = sealed[:place] + bytes([sealed[place] ^ 1 << int(rng.integers(8))]) + sealed[place + 1 :]
    if level.name == "deleted":
        vault._db.execute("DELETE FROM record WHERE id = ?", (record,))
    else:
        new = (version, salt, sealed, record)
        vault._db.execute("UPDATE record SET version = ?, salt = ?, ciphertext = ? WHERE id = ?", new)
    return trial(lambda: bench.read(reader, record))
