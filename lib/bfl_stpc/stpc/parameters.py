"""The one frozen set of numbers that every role of a round agrees on."""

import enum
import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tenseal.sealapi import PlainModulus

from bfl_stpc.errors import ParameterError

# Homomorphic Encryption Security Standard (2018), table 1: most bits of the coefficient modulus
# for 128-bit classical security with a ternary secret, by ring degree.
HE_STANDARD_128: dict[int, int] = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}

# Decryption is right while the noise stays below q / 2t, and one bit of budget is left below half of that. We ask for
# 16 standard deviations to q / 2t: 8 to the refusal, which then meets one honest ciphertext in 2**37.
NOISE_SIGMAS = 16.0


class Weighting(enum.Enum):
    """What the mean of a round weighs each hospital by."""

    UNIFORM = "uniform"
    RECORDS = "records"


class Rounding(enum.Enum):
    """How a value becomes an integer: to the nearest, or up or down at random without bias."""

    NEAREST = "nearest"
    STOCHASTIC = "stochastic"


@dataclass(frozen=True)
class Parameters:
    """Fixed point, packing and BFV parameters of a study, checked when constructed.

    Attributes:
        hospitals: most hospitals whose updates one sum may hold.
        clip: bound on the absolute value of each coordinate of an update; larger ones are refused.
        bits: width of one hospital's fixed-point field, sign included.
        weighting: what `Total.mean` weighs by. With `RECORDS` each update is scaled by records / max_records
            before encoding, so that the weights stay inside the sum.
        max_records: largest record count of one hospital; public.
        rounding: `NEAREST` or `STOCHASTIC`.
        ring_degree: N of the BFV ring Z[x]/(x^N + 1); also the slots of a ciphertext.
        coeff_bits: bits of the primes of the coefficient modulus; the last is dropped after encryption.
        plain_bits: bits of the plaintext modulus t; 48 serves up to 71 hospitals, 47 up to 287.

    Raises:
        ParameterError: the parameters exceed the HE standard's table, the capacity of a slot, or
            leave fewer than `NOISE_SIGMAS` standard deviations of noise.
    """

    hospitals: int
    clip: float = 1.0
    bits: int = 20
    weighting: Weighting = Weighting.UNIFORM
    max_records: int = 1_000_000
    rounding: Rounding = Rounding.NEAREST
    ring_degree: int = 4096
    coeff_bits: tuple[int, ...] = (60, 49)
    plain_bits: int = 48

    def __post_init__(self) -> None:
        if self.hospitals < 2:
            raise ParameterError(f"{self.hospitals} hospitals: a sum hides nothing below two")
        if not (math.isfinite(self.clip) and self.clip > 0):
            raise ParameterError(f"clip is {self.clip}; it must be positive and finite")
        if self.bits < 2:
            raise ParameterError(f"{self.bits} bits a field: sign and one level need two")
        if self.max_records < 1:
            raise ParameterError(f"max_records is {self.max_records}; it must be at least one")
        allowed = HE_STANDARD_128.get(self.ring_degree)
        if allowed is None:
            raise ParameterError(f"ring degree {self.ring_degree} is not in {sorted(HE_STANDARD_128)}")
        if sum(self.coeff_bits) > allowed:
            raise ParameterError(
                f"coefficient modulus of {sum(self.coeff_bits)} bits exceeds the {allowed} bits that the HE standard "
                f"allows for 128-bit security at ring degree {self.ring_degree}"
            )
        if len(self.coeff_bits) < 2 or not all(20 <= b <= 60 for b in self.coeff_bits):
            raise ParameterError(f"coefficient primes {self.coeff_bits}: at least two, each of 20 to 60 bits")
        if not 16 <= self.plain_bits <= 48:
            raise ParameterError(f"plaintext modulus of {self.plain_bits} bits; it must have 16 to 48")
        if self.fields == 0:
            raise ParameterError(
                f"{self.hospitals} hospitals × {self.bits} bits need {self.field_width} bits; "
                f"a slot modulo t holds {self.plain_bits}: lower bits or hospitals"
            )
        if self.hospitals * self.max_records >= self.modulus:
            raise ParameterError(f"{self.hospitals} × {self.max_records} records exceed a slot: lower max_records")
        if self.noise_margin < NOISE_SIGMAS:
            raise ParameterError(
                f"a sum of {self.hospitals} ciphertexts leaves {self.noise_margin:.1f} standard deviations of noise, "
                f"fewer than {NOISE_SIGMAS}: lower plain_bits ({self.plain_bits}) or hospitals"
            )

    @classmethod
    def widest(cls, hospitals: int, **others: Any) -> "Parameters":
        """Return the parameters with the widest fields of which two fit a slot, for this many hospitals.

        Args:
            hospitals: most hospitals in one sum.
            others: any attribute but `bits` and `plain_bits`.

        Raises:
            ParameterError: two fields do not fit for so many hospitals, or another attribute is refused.
        """
        reason = ParameterError(f"two fields for {hospitals} hospitals fit no slot of any modulus")
        for plain_bits in range(48, 19, -1):
            for bits in range(plain_bits // 2, 1, -1):
                try:
                    found = cls(hospitals, bits=bits, plain_bits=plain_bits, **others)
                except ParameterError as error:
                    reason = error
                    continue
                if found.fields >= 2:
                    return found
        raise reason

    @cached_property
    def modulus(self) -> int:
        """The plaintext modulus t: the largest prime below 2**plain_bits that is 1 modulo 2N (so that slots exist)."""
        return int(PlainModulus.Batching(self.ring_degree, self.plain_bits).value())

    @property
    def levels(self) -> int:
        """L: a field holds round(value / step) + L, within 0 ... 2L."""
        return (1 << (self.bits - 1)) - 1

    @property
    def step(self) -> float:
        """Value of one level: clip / L."""
        return self.clip / self.levels

    @property
    def field_width(self) -> int:
        """Bits of a field after the addition of every hospital."""
        return (self.hospitals * 2 * self.levels).bit_length()

    @property
    def fields(self) -> int:
        """Fields in one slot: the most whose largest sums, side by side, stay below t."""
        largest = self.hospitals * 2 * self.levels
        count = 0
        while sum(largest << (self.field_width * i) for i in range(count + 1)) < self.modulus:
            count += 1
        return count

    @property
    def noise_margin(self) -> float:
        """Standard deviations of noise between a full sum and a wrong decryption.

        Dropping the last prime after encryption leaves rounding noise of variance (1 + 2N/3) / 12 a coefficient
        (ternary secret), and sums of `hospitals` such; decryption is right while the noise is below q / 2t.
        """
        sigma = math.sqrt(self.hospitals * (1 + 2 * self.ring_degree / 3) / 12)
        return float(2.0 ** (sum(self.coeff_bits[:-1]) - 1) / self.modulus / sigma)

    def slots(self, size: int) -> int:
        """Slots of a protected update of `size` parameters, the record count included."""
        return -(-size // self.fields) + 1

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of every attribute: messages under other parameters are refused by it."""
        parts = (
            self.hospitals,
            float(self.clip).hex(),
            self.bits,
            self.weighting.value,
            self.max_records,
            self.rounding.value,
            self.ring_degree,
            self.coeff_bits,
            self.plain_bits,
        )
        return hashlib.sha256(b"BFL-STPC parameters/1" + repr(parts).encode()).digest()
