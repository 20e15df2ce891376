"""The profile tells layers apart, and leaves no timer behind."""

import signal
import time

from bfl_stpc.ledger import measure
from bfl_stpc.system import sampling


def test_time_is_counted_where_it_is_spent():
    led, _, hospitals = measure.consortium()
    end = time.process_time() + 0.3
    with sampling.sampled() as found:
        while time.process_time() < end:
            led.login(hospitals[0], round=1, model=measure.sha("w"))
    assert max(found, key=found.get) == "execution of contracts (py-evm)"
    assert found["stores (SQLite)"] == 0
    assert found[sampling.ELSEWHERE] < 0.2 * found.total()
    with sampling.sampled() as idle:
        time.sleep(0.05)
    assert idle.total() < 20
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0


def test_the_innermost_function_of_a_layer_decides():
    def layer_of(*names):
        scope = {"layer": sampling.layer, "sys": __import__("sys")}
        code = "layer(sys._getframe())"
        for name in names:  # innermost first
            scope["inner"] = eval(compile(f"lambda: {code}", name, "eval"), dict(scope))
            code = "inner()"
        return scope["inner"]()

    assert layer_of("/lib/python3/json.py", "/site/trie/hexary.py", "/site/eth/vm/state.py") == "state trie and RLP"
    assert layer_of("/lib/bfl_stpc/system/store.py", "/lib/bfl_stpc/system/service.py") == "stores (SQLite)"
