"""The harnesses, in the order of the table. Each is the `HARNESS` of a module of its own."""

from __future__ import annotations

from types import ModuleType

from tests.torture import (
    answers,
    cluster,
    damage,
    drill,
    engines,
    full_disk,
    hostile,
    kills,
    laws,
    object_store,
    order,
    postgres,
    power_loss,
    readers,
    starts,
    syscalls,
    years,
)
from tests.torture.harness import Harness

MODULES: tuple[ModuleType, ...] = (
    kills,
    syscalls,
    order,
    full_disk,
    damage,
    power_loss,
    drill,
    years,
    laws,
    answers,
    readers,
    starts,
    cluster,
    engines,
    hostile,
    postgres,
    object_store,
)
HARNESSES: dict[str, Harness] = {module.HARNESS.name: module.HARNESS for module in MODULES}
