"""Byte and rate units. GiB is 2**30 bytes, GB is 10**9 bytes; no figure mixes them."""

from typing import Final

KIB: Final = 2**10
MIB: Final = 2**20
GIB: Final = 2**30
KB: Final = 10**3
MB: Final = 10**6
GB: Final = 10**9
TB: Final = 10**12
TERA: Final = 10**12
MICROSECOND: Final = 1e-6
SECONDS_PER_HOUR: Final = 3600
SECONDS_PER_DAY: Final = 86400
