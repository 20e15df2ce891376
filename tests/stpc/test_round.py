import numpy as np
import pytest
from bfl_stpc import stpc
from bfl_stpc.stpc.hazmat import fixed_point


def plain_sum(world, updates, names):
    fields = sum(fixed_point.quantise(updates[n], world.params).astype(np.int64) for n in names)
    return (fields - len(names) * world.params.levels) * world.params.step


@pytest.mark.parametrize(("hospitals", "dropped", "size"), [(3, 0, 1), (10, 0, 9000), (10, 4, 9000), (5, 2, 100)])
def test_the_secure_sum_is_the_fixed_point_sum_exactly(world, hospitals, dropped, size):
    w = world(hospitals)
    ticket, updates = w.ticket(), w.updates(size)
    directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
    survivors = w.names[dropped:]
    total = w.open(w.add(w.upload(survivors, updates, ticket, directory), ticket), ticket, directory)
    assert np.array_equal(total.sum, plain_sum(w, updates, survivors))
    assert total.records == 100 * len(survivors)
    assert np.abs(total.sum - sum(updates[n] for n in survivors)).max() <= len(survivors) * w.params.step / 2 + 1e-12
