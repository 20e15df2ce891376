"""Compiled blocks do what py-evm does: the same answers, gas and failures, on our contracts and on random code."""

import pytest
from eth.chains.base import MiningChain
from eth.db.atomic import AtomicDB
from eth.vm import opcode_values as op
from eth.vm.forks import CancunVM
from eth.vm.message import Message

from bfl_stpc.ledger import compiled, measure, pyevm
from bfl_stpc.seeds import generator

CALLER, TARGET = b"\x11" * 20, b"\x22" * 20
TWO = [o for o in compiled.BINARY if o not in (op.SHL, op.SHR)]


def state_of(vm):
    chain = MiningChain.configure(vm_configuration=((0, vm),))
    header = {"difficulty": 0, "gas_limit": 10**9, "timestamp": 1, "base_fee_per_gas": 0}
    return chain.from_genesis(AtomicDB(), header).get_vm().state


def run(state, code, data, gas):
    message = Message(gas, TARGET, CALLER, 0, data, code)
    context = state.get_transaction_context_class()(gas_price=0, origin=CALLER)
    before = state.snapshot()
    c = state.computation_class.apply_message(state, message, context)
    stored = [state.get_storage(TARGET, slot) for slot in range(4)] if not c.is_error else None
    state.revert(before)
    state.lock_changes()
    burnt = type(c.error).__name__ if c.is_error and c.should_burn_gas else None
    stack = None if c.is_error else [int.from_bytes(v, "big") if isinstance(v, bytes) else v for v in c._stack.values]
    return (
        c.get_gas_remaining(),
        c.output,
        bool(burnt),
        stack,
        bytes(c._memory._bytes) if not c.is_error else None,
        stored,
    )


def random_code(rng):
    """Return code that is mostly meaningful: operands before what takes them, and some jumps that land."""
    code, depth = bytearray(), 0
    for _ in range(rng.integers(20, 80)):
        kind = rng.integers(0, 12)
        if kind < 4 or depth < 3:
            size = int(rng.choice([1, 1, 2, 8, 20, 32]))
            code += bytes([op.PUSH1 + size - 1]) + rng.bytes(size)
            depth += 1
        elif kind == 4:
            code += bytes([int(rng.choice(TWO))])
            depth -= 1
        elif kind == 5:
            code += bytes([op.PUSH1, int(rng.integers(0, 255)), int(rng.choice([op.SHL, op.SHR]))])
        elif kind == 6:
            code += bytes([int(rng.choice([op.ISZERO, op.NOT, *compiled.CONSTANT])), op.DUP2, op.SWAP1])
            depth += 2 if code[-3] not in compiled.UNARY else 1
        elif kind == 7:
            code += bytes(
                [op.PUSH1, int(rng.integers(0, 200)), int(rng.choice([op.MSTORE, op.MLOAD, op.CALLDATALOAD]))]
            )
            depth += 0 if code[-1] != op.MSTORE else -1
        elif kind == 8:
            code += bytes([op.PUSH1, int(rng.integers(0, 70)), op.PUSH1, int(rng.integers(0, 99)), op.SHA3])
            depth += 1
        elif kind == 9:  # to where it lands, or (seldom) beside it
            there = len(code) + 5 + int(rng.random() < 0.1)
            code += bytes([op.DUP1, op.PUSH2]) + there.to_bytes(2, "big") + bytes([op.JUMPI, op.JUMPDEST])
        elif kind == 10:
            code += bytes([op.DUP1, op.PUSH1, int(rng.integers(0, 4)), int(rng.choice([op.SSTORE, op.SLOAD]))])
            depth += -1 if code[-1] == op.SSTORE else 1
        else:
            code += bytes([int(rng.choice([op.POP, op.GAS, op.PC, op.SWAP2, op.DUP3, op.MSIZE]))])
            depth += {op.POP: -1, op.SWAP2: 0}.get(code[-1], 1)
    return bytes(code)


@pytest.mark.parametrize("seed", range(6))
def test_random_code_does_the_same(seed):
    rng = generator("random code", seed)
    slow, fast = state_of(CancunVM), state_of(compiled.CompiledVM)
    ended = set()
    for _ in range(40):
        code, data = random_code(rng), rng.bytes(int(rng.integers(0, 80)))
        for gas in (10**6, *(int(g) for g in rng.integers(50, 25_000, 3))):
            expected = run(slow, code, data, gas)
            for _ in range(compiled.WARM + 1):
                assert run(fast, code, data, gas) == expected
            ended.add((expected[2], gas == 10**6))
        assert compiled.program(code).blocks
    assert {(False, True), (True, False)} <= ended  # some ran to their end, some out of gas


def test_a_block_that_is_wrong_would_be_noticed(monkeypatch):
    monkeypatch.setitem(compiled.BINARY, op.ADD, "({a} - {b}) & MASK")
    code = bytes([op.PUSH1, 5, op.CALLER, op.ADD, op.GAS])
    slow, fast = state_of(CancunVM), state_of(compiled.CompiledVM)
    results = [run(fast, code, b"", 10**5) for _ in range(compiled.WARM + 1)]
    assert results[0] == run(slow, code, b"", 10**5) != results[-1]


def test_a_jump_into_data_and_a_stack_too_short_fail_as_they_do_in_py_evm():
    slow, fast = state_of(CancunVM), state_of(compiled.CompiledVM)
    bad = {
        "into data": bytes([op.PUSH1, 4, op.JUMP, op.PUSH1, op.JUMPDEST]),
        "nowhere": bytes([op.CALLER, op.JUMP]),
        "too short": bytes([op.PUSH1, 1, op.CALLER, op.ADD, op.SWAP2]),
        "too long": bytes([op.JUMPDEST, op.PUSH1, 1, op.PUSH0, op.JUMP]),  # loops, pushing
    }
    for code in bad.values():
        expected = run(slow, code, b"", 10**6)
        assert expected[:3] == (0, b"", True)
        for _ in range(compiled.WARM + 1):
            assert run(fast, code, b"", 10**6) == expected


def test_our_contracts_leave_the_same_head(monkeypatch):
    def head():
        led, _, hospitals = measure.consortium()
        for number in range(1, 4):
            for h in hospitals:
                led.login(h, round=number, model=measure.sha("w"))
            ticket = led.open_round(number, model=measure.sha("w"), check_modulus=97)
            for h in hospitals:
                led.commit(h, ticket, measure.sha(h.name))
            led.abort_round(ticket, "enough")
        return led.head_hash()

    fast = head()
    monkeypatch.setattr(pyevm, "CompiledVM", CancunVM)
    assert head() == fast
