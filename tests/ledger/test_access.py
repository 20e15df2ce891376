"""The access matrix: every writing function of every contract, called by every role."""

import pytest
from ledger.consortium import Consortium, sha

from bfl_stpc import errors, ledger
from bfl_stpc.ledger.artifacts import NAMES, load
from bfl_stpc.ledger.identity import name32

ZERO = bytes(32)
NAME = name32("hospital-00")
SOMEBODY = "0x" + "11" * 20
RECORD = sha("pseudonym")

# Who passes the check of authority; whoever does may still be refused for another reason, by an error that is not
# about authority. "signature" means that the caller does not matter: the signed message is the authority.
MATRIX = {
    "HospitalRegistry": {
        "register": ({"admin"}, (name32("new"), SOMEBODY)),
        "suspend": ({"admin"}, (NAME,)),
        "reinstate": ({"admin"}, (NAME,)),
        "revoke": ({"admin"}, (NAME,)),
        "rotateKey": ({"admin", "hospital"}, (NAME, SOMEBODY, bytes(65))),
        "login": ("signature", ((1, SOMEBODY, SOMEBODY, 0, 1, ZERO, 0), bytes(65))),
        "pause": ({"admin"}, ()),
        "unpause": ({"admin"}, ()),
        "transferOwnership": ({"admin"}, (SOMEBODY,)),
        "acceptOwnership": (set(), ()),
    },
    "FLRoundManager": {
        "setCoordinator": ({"admin"}, (SOMEBODY,)),
        "openRound": ({"coordinator"}, (9, sha("m"), 3, 0, (1, 1, 1))),
        "commit": ({"hospital"}, (1, sha("c"))),
        "reveal": ({"hospital"}, (1, sha("d"), ZERO)),
        "closeCommits": ({"coordinator"}, (1,)),
        "closeReveals": ({"coordinator"}, (2,)),
        "publishAggregate": ({"coordinator"}, (1, sha("a"))),
        "publishOpening": ({"coordinator"}, (1, sha("o"))),
        "postCheck": ({"hospital"}, (1, [0, 0])),
        "finalise": ({"coordinator"}, (1, (ZERO, ZERO, 0, 0, [0, 0]), [])),
        "abort": ({"coordinator"}, (1, ZERO)),
        "pause": ({"admin"}, ()),
        "unpause": ({"admin"}, ()),
        "transferOwnership": ({"admin"}, (SOMEBODY,)),
        "acceptOwnership": (set(), ()),
    },
    "AuditTrail": {
        "setWriter": ({"admin"}, (SOMEBODY, True)),
        "append": (set(), (NAME, RECORD, 0, 1, 1, ZERO, ZERO)),
        "report": ({"hospital"}, (RECORD, 0, 1, ZERO)),
        "anchor": ({"hospital"}, (sha("root"), 1)),
        "pause": ({"admin"}, ()),
        "unpause": ({"admin"}, ()),
        "transferOwnership": ({"admin"}, (SOMEBODY,)),
        "acceptOwnership": (set(), ()),
    },
    "ConsentRegistry": {
        "enrol": ({"hospital"}, (sha("another"), SOMEBODY, sha("c"))),
        "amend": ({"hospital"}, (RECORD, sha("c2"))),
        "erase": ({"hospital"}, (RECORD, 0, bytes(65))),
        "grant": ("signature", ((RECORD, NAME, 0, 1, 0, 2**40 - 1, 0), bytes(65))),
        "revoke": ("signature", (RECORD, NAME, 0, 1, bytes(65))),
        "withdraw": ("signature", (RECORD, 1, bytes(65))),
        "breakGlass": ({"hospital"}, (RECORD, sha("why"))),
        "request": ({"hospital"}, (RECORD, 0, 1, ZERO)),
        "pause": ({"admin"}, ()),
        "unpause": ({"admin"}, ()),
        "transferOwnership": ({"admin"}, (SOMEBODY,)),
        "acceptOwnership": (set(), ()),
    },
}
AUTHORITY = (errors.NotAuthorised, errors.NotAMember)


@pytest.fixture(scope="module")
def scene():
    """A round in its commit phase and an enrolled record, so that authority is what decides."""
    team = Consortium(ledger.Chain.in_memory())
    team.open()
    team.led.consents.enrol(team.hospital(0), RECORD, team.patient.address, sha("c"))
    roles = {
        "admin": team.admin,
        "coordinator": team.aggregator,
        "hospital": team.hospital(0),
        "patient": team.patient,
        "stranger": team.stranger,
    }
    led = team.led
    contracts = (led.registry.contract, led.rounds.contract, led.trail.contract, led.consents.contract)
    return roles, {c.artifact.name: c for c in contracts}


def test_the_matrix_names_every_writing_function():
    for name in NAMES:
        writing = {
            f["name"]
            for f in load(name).abi
            if f["type"] == "function" and f["stateMutability"] not in ("view", "pure")
        }
        assert writing == set(MATRIX[name]), name


@pytest.mark.parametrize(("contract", "function"), [(c, f) for c, functions in MATRIX.items() for f in functions])
def test_authority(scene, contract, function):
    roles, contracts = scene
    allowed, arguments = MATRIX[contract][function]
    for role, identity in roles.items():
        called = contracts[contract]
        try:
            called.chain.call(called.address, called.encode(function, *arguments), sender=identity.address)
            passed = True
        except errors.RoundDeadline:  # "only the coordinator may end a phase before its deadline"
            passed = False
        except errors.ContractRefused as error:
            # a phase that is not there yet is refused before the caller is looked at
            passed = not isinstance(error, AUTHORITY)
            if isinstance(error, errors.RoundNotOpen):
                passed = role in allowed
        assert passed == (allowed == "signature" or role in allowed), (role, function)
