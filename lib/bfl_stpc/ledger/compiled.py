"""py-evm with its straight-line code compiled to Python: the same states, gas and errors, in less time.

A basic block (no jump into it, one way out) of arithmetic, stack, memory and hashing becomes one Python function as
soon as it has run a few times. Storage, calls, logs, gas queries, and everything that a block cannot do exactly
(too little gas left, too short a stack) stay with py-evm, opcode by opcode. A block charges its gas at once: where it
runs out, the frame fails and burns what it had, as it does when charged step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from eth.abc import MessageAPI, StateAPI, TransactionContextAPI
from eth.exceptions import InvalidJumpDestination
from eth.vm import opcode_values as op
from eth.vm.code_stream import CodeStream
from eth.vm.forks import CancunVM
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.forks.cancun.state import CancunState
from eth_hash.auto import keccak

Block = Callable[[Any, list[Any]], int]  # the next program counter, or STEP

STEP = -1  # what a block answers where py-evm must go on, one opcode at a time
WARM = 4  # runs after which a block is compiled
STACK = 1024
MASK = (1 << 256) - 1
WORD_GAS = 6  # KECCAK256, by word

# Results of two operands a (top) and b.
BINARY = {
    op.ADD: "({a} + {b}) & MASK",
    op.MUL: "({a} * {b}) & MASK",
    op.SUB: "({a} - {b}) & MASK",
    op.DIV: "{a} // {b} if {b} else 0",
    op.MOD: "{a} % {b} if {b} else 0",
    op.LT: "1 if {a} < {b} else 0",
    op.GT: "1 if {a} > {b} else 0",
    op.EQ: "1 if {a} == {b} else 0",
    op.AND: "{a} & {b}",
    op.OR: "{a} | {b}",
    op.XOR: "{a} ^ {b}",
    op.SHL: "({b} << {a}) & MASK if {a} < 256 else 0",
    op.SHR: "{b} >> {a} if {a} < 256 else 0",
}
UNARY = {op.ISZERO: "0 if {a} else 1", op.NOT: "MASK ^ {a}"}
CONSTANT = {  # of a frame
    op.CALLER: "int.from_bytes(c.msg.sender, 'big')",
    op.ADDRESS: "int.from_bytes(c.msg.storage_address, 'big')",
    op.CALLVALUE: "c.msg.value",
    op.CALLDATASIZE: "len(c.msg.data_as_bytes)",
    op.TIMESTAMP: "c.state.timestamp",
    op.NUMBER: "c.state.block_number",
    op.CHAINID: "c.state.execution_context.chain_id",
}
PUSHES, DUPS, SWAPS = (range(a, b + 1) for a, b in ((op.PUSH1, op.PUSH32), (op.DUP1, op.DUP16), (op.SWAP1, op.SWAP16)))
OTHERS = {op.PUSH0, op.POP, op.PC, op.MLOAD, op.MSTORE, op.SHA3, op.CALLDATALOAD}
ENDS = {op.JUMP, op.JUMPI}
SIMPLE = {*BINARY, *UNARY, *CONSTANT, *PUSHES, *DUPS, *SWAPS, *OTHERS, *ENDS, op.JUMPDEST}


class Program:
    """One contract's code: where its instructions start, where jumps may land, and its compiled blocks."""

    def __init__(self, code: bytes) -> None:
        """Scan `code` once."""
        self.code, self.starts = code, set[int]()
        at = 0
        while at < len(code):
            self.starts.add(at)
            at += 1 + (code[at] - op.PUSH1 + 1 if code[at] in PUSHES else 0)
        self.landings = {at for at in self.starts if code[at] == op.JUMPDEST}
        self.blocks: dict[int, Block] = {}
        self._runs: dict[int, int] = {}

    def warmed(self, at: int) -> Block:
        """Count a run of the block at `at`; return it compiled once it is warm."""
        runs = self._runs[at] = self._runs.get(at, 0) + 1
        if runs < WARM:
            return _step
        self.blocks[at] = block = _compile(self, at)
        return block


@lru_cache(maxsize=64)
def program(code: bytes) -> Program:
    """Return the program of a contract's code."""
    return Program(code)


def _step(c: Any, values: list[Any]) -> int:
    return STEP


class _Writer:
    """Writes one block: a symbolic stack of constants (int) and of variables (str) stands for the real one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stack: list[int | str] = []
        self.taken = 0  # operands taken from the stack that the block found
        self.peak = 0  # greatest growth over the stack that it found
        self.numbers = set[str]()  # found operands that are computed with
        self.variables = 0

    def reach(self, depth: int) -> None:
        """Make the symbolic stack at least `depth` deep: below it lies what the block found."""
        while len(self.stack) < depth:
            self.taken += 1
            self.stack.insert(0, f"s{self.taken}")

    def pop(self) -> int | str:
        """Take the top as a number."""
        self.reach(1)
        value = self.stack.pop()
        if isinstance(value, str) and value[0] == "s":
            self.numbers.add(value)
        return value

    def push(self, value: int | str) -> None:
        """Put `value` on top."""
        self.stack.append(value)
        self.peak = max(self.peak, len(self.stack) - self.taken)

    def compute(self, expression: str, *operands: int | str) -> None:
        """Push the value of an expression: at once if all operands are constants, else by a line."""
        if operands and all(isinstance(o, int) for o in operands):
            self.push(int(eval(expression, {"MASK": MASK})))
            return
        self.variables += 1
        self.lines.append(f"v{self.variables} = {expression}")
        self.push(f"v{self.variables}")

    def grow(self, start: int | str, size: int | str) -> None:
        """Write that memory reaches `start` + `size` bytes; py-evm charges for what is new."""
        self.lines.append(f"if {start} + {size} > len(m): c.extend_memory({start}, {size}); m = c._memory._bytes")


def _compile(known: Program, start: int) -> Block:
    """Return the block at `start`, or one that leaves all to py-evm where its first opcode is not simple."""
    code, w, at, gas, after = known.code, _Writer(), start, 0, ""
    while at < len(code) and code[at] in SIMPLE and not (code[at] == op.JUMPDEST and at > start):
        opcode, here = code[at], at
        at += 1
        gas += CancunComputation.opcodes[opcode].gas_cost  # type: ignore[attr-defined]
        if opcode in PUSHES:
            size = opcode - op.PUSH1 + 1
            w.push(int.from_bytes(code[at : at + size].ljust(size, b"\0"), "big"))
            at += size
        elif opcode in DUPS:
            w.reach(opcode - op.DUP1 + 1)
            w.push(w.stack[op.DUP1 - 1 - opcode])
        elif opcode in SWAPS:
            place = op.SWAP1 - 2 - opcode
            w.reach(-place)
            w.stack[-1], w.stack[place] = w.stack[place], w.stack[-1]
        elif opcode in ENDS:
            target = w.pop()
            condition = w.pop() if opcode == op.JUMPI else 1
            after = f"if {condition}: return {_landing(known, target)}\nreturn {at}"
            break
        else:
            _simple(w, opcode, here)
    if not gas:
        return _step
    return _function(known, w, gas, after or f"return {at}")


def _simple(w: _Writer, opcode: int, here: int) -> None:
    if opcode in BINARY:
        a, b = w.pop(), w.pop()
        w.compute(BINARY[opcode].format(a=a, b=b), a, b)
    elif opcode in UNARY:
        a = w.pop()
        w.compute(UNARY[opcode].format(a=a), a)
    elif opcode in CONSTANT:
        w.compute(CONSTANT[opcode])
    elif opcode in (op.PUSH0, op.PC):
        w.push(0 if opcode == op.PUSH0 else here)
    elif opcode == op.POP:
        w.reach(1)
        w.stack.pop()
    elif opcode == op.CALLDATALOAD:
        a = w.pop()
        w.compute(f"int.from_bytes(c.msg.data_as_bytes[{a}:{a} + 32].ljust(32, ZERO), 'big')")
    elif opcode == op.MLOAD:
        a = w.pop()
        w.grow(a, 32)
        w.compute(f"int.from_bytes(m[{a}:{a} + 32], 'big')")
    elif opcode == op.MSTORE:
        a, b = w.pop(), w.pop()
        w.grow(a, 32)
        w.lines.append(f"m[{a}:{a} + 32] = ({b}).to_bytes(32, 'big')")
    elif opcode == op.SHA3:
        a, b = w.pop(), w.pop()
        w.lines.append(f"if {b}: c.extend_memory({a}, {b}); m = c._memory._bytes")
        w.lines.append(f"c.consume_gas({WORD_GAS} * (({b} + 31) // 32), 'KECCAK256')")
        w.compute(f"int.from_bytes(keccak(bytes(m[{a}:{a} + {b}])), 'big')")


def _landing(known: Program, target: int | str) -> str:
    if isinstance(target, int):
        return str(target) if target in known.landings else "no_landing()"
    return f"{target} if {target} in landings else no_landing()"


def _no_landing() -> int:
    raise InvalidJumpDestination("Invalid Jump Destination")


def _function(known: Program, w: _Writer, gas: int, after: str) -> Block:
    found = [f"s{i}" for i in range(w.taken, 0, -1)]  # from the bottom; s1 was the top
    same = 0
    while same < min(len(found), len(w.stack)) and w.stack[same] == found[same]:
        same += 1
    gone, left = w.taken - same, "".join(f"{v}, " for v in w.stack[same:])
    leave = f"values[-{gone}:] = ({left})" if gone else f"values += ({left})" if left else "pass"
    head = [
        f"if not {w.taken} <= len(values) <= {STACK - w.peak} or c._gas_meter.gas_remaining < {gas}: return STEP",
        f"c._gas_meter.gas_remaining -= {gas}",
        "m = c._memory._bytes",
    ]
    for i in range(1, w.taken + 1):
        if f"s{i}" in w.numbers or f"s{i}" in w.stack[same:]:
            head.append(f"s{i} = values[-{i}]")
            if f"s{i}" in w.numbers:
                head.append(f"if s{i}.__class__ is bytes: s{i} = int.from_bytes(s{i}, 'big')")
    body = "\n".join([*head, *w.lines, leave, *after.splitlines()]).replace("\n", "\n    ")
    scope: dict[str, Any] = {"MASK": MASK, "STEP": STEP, "ZERO": b"\0", "keccak": keccak}
    scope |= {"landings": known.landings, "no_landing": _no_landing}
    exec(f"def block(c, values):\n    {body}", scope)
    return scope["block"]  # type: ignore[no-any-return]


class _Stream(CodeStream):
    """Yields the opcodes that py-evm must execute; what lies between them it runs itself."""

    __slots__ = ("_computation",)

    def __init__(self, code: bytes, computation: CancunComputation) -> None:
        super().__init__(code)
        self._computation = computation

    def __iter__(self) -> Iterator[int]:
        known, code, end = program(self._raw_code_bytes), self._raw_code_bytes, self._length_cache
        blocks, computation = known.blocks, self._computation
        values = computation._stack.values  # type: ignore[attr-defined]
        while (at := self.program_counter) < end:
            after = (blocks.get(at) or known.warmed(at))(computation, values)
            if after == STEP:
                self.program_counter = at + 1
                yield code[at]
            else:
                self.program_counter = after
        yield op.STOP

    def is_valid_opcode(self, position: int) -> bool:
        """Return whether an instruction starts at `position`."""
        return position in program(self._raw_code_bytes).starts


class CompiledComputation(CancunComputation):
    """A frame whose warm blocks are compiled."""

    def __init__(self, state: StateAPI, message: MessageAPI, transaction_context: TransactionContextAPI) -> None:
        super().__init__(state, message, transaction_context)
        self.code = _Stream(message.code, self)


class CompiledState(CancunState):
    """Cancun's state, run by `CompiledComputation`."""

    computation_class = CompiledComputation


class CompiledVM(CancunVM):
    """Cancun's rules, run by `CompiledComputation`."""

    _state_class = CompiledState
