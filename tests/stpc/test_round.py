"""The secure sum: liveness, effect, and what travels."""

import pickle

import numpy as np
import pytest

from bfl_stpc import stpc
from bfl_stpc.errors import TooFewUploads
from bfl_stpc.stpc.hazmat import fixed_point


def plain_sum(world, updates, names):
    fields = sum(fixed_point.quantise(updates[n], world.params).astype(np.int64) for n in names)
    return (fields - len(names) * world.params.levels) * world.params.step


@pytest.mark.parametrize(
    ("hospitals", "dropped", "size"),
    [(3, 0, 1), (3, 1, 8191), (10, 0, 9000), (10, 4, 9000), (50, 20, 100), (100, 40, 20)],
)
def test_the_secure_sum_is_the_fixed_point_sum_exactly(world, hospitals, dropped, size):
    w = world(hospitals, bits=15, plain_bits=47)
    ticket, updates = w.ticket(), w.updates(size)
    directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
    survivors = w.names[dropped:]
    total = w.open(w.add(w.upload(survivors, updates, ticket, directory), ticket), ticket, directory)
    assert np.array_equal(total.sum, plain_sum(w, updates, survivors))
    assert total.records == 100 * len(survivors)
    assert total.survivors == survivors
    assert np.abs(total.sum - sum(updates[n] for n in survivors)).max() <= len(survivors) * w.params.step * 0.5001


@pytest.mark.slow
def test_two_hundred_hospitals_with_eighty_dropouts(world):
    test_the_secure_sum_is_the_fixed_point_sum_exactly(world, 200, 80, 50)


def test_hospitals_may_vanish_at_every_stage(world):
    w = world(9)
    ticket, updates = w.ticket(threshold=5), w.updates(300)
    p = list(w.parties.values())
    adverts = [party.advertise(ticket) for party in p[:8]]  # one never comes
    directory = stpc.Directory.verify(adverts, ticket, w.identities)
    boxes = [box for party in p[:7] for box in party.share(directory, w.identities)]  # one leaves before sharing
    for party in p[:7]:
        party.receive([b for b in boxes if b.recipient == party.name])
    uploads = w.upload(w.names[:6], updates, ticket, directory)  # one leaves before uploading
    aggregate = w.add(uploads, ticket)
    request = w.aggregator.unmask_request(aggregate, ticket, shared=w.names[:7])
    answers = [party.unmask(request) for party in p[1:6]]  # one leaves after uploading: it is in the sum all the same
    total = w.aggregator.unmask(aggregate, request, directory, w.authority.open(aggregate, ticket), answers)
    assert np.array_equal(total.sum, plain_sum(w, updates, w.names[:6]))


@pytest.mark.parametrize("stage", ["advertise", "share", "upload", "answer"])
def test_below_the_threshold_nothing_is_opened_at_any_stage(world, stage):
    w = world(5)
    ticket, updates = w.ticket(), w.updates(10)
    p = list(w.parties.values())
    left = {s: 2 if s == stage else 5 for s in ("advertise", "share", "upload", "answer")}

    def play():
        directory = stpc.Directory.verify([x.advertise(ticket) for x in p[: left["advertise"]]], ticket, w.identities)
        boxes = [box for x in p[: left["share"]] for box in x.share(directory, w.identities)]
        for x in p[: left["share"]]:
            x.receive([b for b in boxes if b.recipient == x.name])
        aggregate = w.add(w.upload(w.names[: left["upload"]], updates, ticket, directory), ticket)
        return w.open(aggregate, ticket, directory, helpers=w.names[: left["answer"]])

    with pytest.raises(TooFewUploads, match="threshold is 3"):
        play()


def test_a_sum_does_not_depend_on_keys_but_ciphertexts_do(world):
    digests, sums = set(), []
    for _ in range(2):
        w = world(3)
        ticket, updates = w.ticket(), w.updates(50)
        directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
        uploads = w.upload(w.names, updates, ticket, directory)
        sums.append(w.open(w.add(uploads, ticket), ticket, directory).sum.tobytes())
        digests |= {u.digest for u in uploads}
    assert sums[0] == sums[1]
    assert len(digests) == 6


@pytest.mark.parametrize("weighting", list(stpc.Weighting))
def test_record_counts_travel_inside_the_sum(world, weighting):
    w = world(4, weighting=weighting, max_records=1000, bits=20)
    ticket, updates = w.ticket(), w.updates(40)
    directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
    records = dict(zip(w.names, (1000, 10, 300, 650)))
    uploads = [u for n in w.names for u in w.upload([n], updates, ticket, directory, records=records[n])]
    total = w.open(w.add(uploads, ticket), ticket, directory)
    weights = [records[n] if weighting is stpc.Weighting.RECORDS else 1 for n in w.names]
    assert total.records == 1960
    assert np.allclose(total.mean, np.average([updates[n] for n in w.names], axis=0, weights=weights), atol=1e-4)


def test_stochastic_rounding_sums_exactly_too(world):
    w = world(3, rounding=stpc.Rounding.STOCHASTIC)
    ticket, updates = w.ticket(), w.updates(50)
    directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
    uploads, fields = [], 0
    for seed, name in enumerate(w.names):
        upload = w.parties[name].protect(
            updates[name], ticket, directory, w.authority.public_key, records=5, rounding_seed=seed
        )
        w.board.commit(ticket, name, upload.digest)
        uploads.append(upload)
        rng = np.random.Generator(np.random.PCG64(seed))
        fields = fields + fixed_point.quantise(updates[name], w.params, rng=rng).astype(np.int64)
    total = w.open(w.add(uploads, ticket), ticket, directory)
    assert np.array_equal(total.sum, (fields - 3 * w.params.levels) * w.params.step)


def test_every_message_survives_the_trip_to_another_process(world):
    w = world(3)
    ticket, updates = w.ticket(), w.updates(10)

    def post(message):
        arrived = pickle.loads(pickle.dumps(message))
        assert arrived == message
        return arrived

    p = list(w.parties.values())
    directory = post(stpc.Directory.verify([post(x.advertise(ticket)) for x in p], ticket, w.identities))
    boxes = [post(box) for x in p for box in x.share(directory, w.identities)]
    for x in p:
        x.receive([b for b in boxes if b.recipient == x.name])
    uploads = [post(u) for u in w.upload(w.names, updates, ticket, directory)]
    aggregate = post(w.add(uploads, ticket))
    request = post(w.aggregator.unmask_request(aggregate, ticket, shared=w.names))
    answers = [post(x.unmask(request)) for x in p]
    total = w.aggregator.unmask(aggregate, request, directory, w.authority.open(aggregate, ticket), answers)
    challenge = post(stpc.Challenge.draw(b"b" * 32, ticket, total.published, w.params))
    stpc.verify_sum(total, {x.name: post(x.tag(challenge)) for x in p}, challenge, directory)


def test_the_next_round_needs_nothing_of_the_last(world):
    w = world(3)
    for number in (1, 2):
        ticket, updates = w.ticket(number), w.updates(30, seed=number)
        directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
        total = w.open(w.add(w.upload(w.names, updates, ticket, directory), ticket), ticket, directory)
        assert np.array_equal(total.sum, plain_sum(w, updates, w.names))
