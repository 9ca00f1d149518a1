"""How many outcomes of a target date were below the value at risk, from its stored sums. It loads no library: pages use it."""

from __future__ import annotations

import struct

from tickercast.jobs.scoring.terms import LEVELS, SUMMED, WHOLE_BITS

COUNTS = ("n", *(f"exceedances_{i}" for i in range(len(LEVELS))))
PLACES = [struct.calcsize("<qq") * SUMMED.index(name) for name in COUNTS]


def counts_of_date(sums: bytes) -> list[int]:
    """Return the number of scores and that of exceedances of each of LEVELS. sums: as date_sums.DateSums.rows has them.

    Counts are whole numbers, so the second part of such a sum is zero.
    """
    return [struct.unpack_from("<q", sums, place)[0] >> WHOLE_BITS for place in PLACES]
