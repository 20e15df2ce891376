"""No record, no plain update and no secret key crosses between roles: every byte of a round is searched for them."""

import numpy as np
import pytest
from system.small_system import small_consortium, small_records

from bfl_stpc import system
from bfl_stpc.system.codec import encode
from bfl_stpc.system.wire import Endpoint


@pytest.fixture(scope="module")
def overheard():
    """What crossed in one round: sealed parcels with their replies, and everything that was inside them."""
    consortium = small_consortium(node=True)
    parcels, contents = [], []
    post, opened, read = consortium.transport.post, Endpoint.open, Endpoint.read

    def tap(given):
        answers = post(given)
        parcels.extend([*given.values(), *answers.values()])
        return answers

    def open_and_note(self, sealed):
        sender, count, content = opened(self, sealed)
        contents.append(content)
        return sender, count, content

    def read_and_note(self, peer, reply):
        contents.append(read(self, peer, reply))
        return contents[-1]

    consortium.transport.post = tap
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Endpoint, "open", open_and_note)
        patch.setattr(Endpoint, "read", read_and_note)
        start = system.State(0, np.linspace(-1, 1, 57).astype(np.float32))
        system.run_round(start, consortium)
    return consortium, start, parcels, contents


def found(needles, messages):
    haystack = b"\0--\0".join(messages)
    return [name for name, needle in needles if needle in haystack]


def secrets(consortium, start):
    for name in consortium.hospitals:
        hospital = system.inspection.hospital(consortium, name)
        data, party = hospital.data, hospital.party.secrets
        yield from ((f"{name}: record {i}", row.tobytes()) for i, row in enumerate(data.X))
        yield f"{name}: labels", data.y.tobytes()
        update = hospital.clipped_update(start.weights, 1)
        for dtype in (np.float32, np.float64, ">f8"):
            values = update.astype(dtype)
            yield from ((f"{name}: update[{i}]", values[i : i + 2].tobytes()) for i in range(0, 56, 2))
        yield f"{name}: mask key", party.mask_secret
        yield f"{name}: sealing key", party.seal_secret
        yield f"{name}: self mask", party.self_seed
        yield f"{name}: masked upload", bytes(party.masked)
        yield f"{name}: card key", hospital.signing_key.private_bytes_raw()
        yield f"{name}: ledger key", bytes(hospital.identity._account.key)
    keys = consortium.role(system.AUTHORITY).keys
    coefficients = keys._secret._context.secret_key().data.data()
    yield "BFV secret key", np.array([coefficients.data(i) for i in range(8)], np.uint64).tobytes()
    kept = consortium.role(system.AUTHORITY).store.get(0, "secrets")
    yield "BFV secret key as stored", kept[1000:1064]


def test_no_secret_is_inside_any_message(overheard):
    consortium, start, _, contents = overheard
    assert len(contents) > 100
    assert not found(secrets(consortium, start), contents)


def test_nothing_public_can_be_read_on_the_wire(overheard):
    _, start, parcels, contents = overheard
    public = [("weights", start.weights.tobytes()), ("a digest", start.digest), ("a request", b"advertise")]
    assert not found(public, parcels)
    assert found(public, contents) == ["weights", "a digest", "a request"]


def test_the_search_finds_what_is_planted(overheard):
    consortium, start, _, contents = overheard
    name = consortium.hospitals[1]
    hospital = system.inspection.hospital(consortium, name)
    update = encode([1, "send", [hospital.clipped_update(start.weights, 1)]])
    assert f"{name}: update[0]" in found(secrets(consortium, start), [*contents, update])
    row = encode(small_records()[name].X[5])
    assert f"{name}: record 5" in found(secrets(consortium, start), [*contents, row])
    leaked = encode(hospital.party.secrets)
    assert len(found(secrets(consortium, start), [leaked])) == 4
    stored = consortium.role(system.AUTHORITY).store.get(0, "secrets")
    assert "BFV secret key as stored" in found(secrets(consortium, start), [stored])
