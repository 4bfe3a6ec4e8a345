"""Simulated courses of a live heap: leaks, what only looks like one, and noise that remembers what was before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

Course = Callable[[int, Random], Sequence[float]]  # so many readings; the scatter of one is about 1


def remembering(count: int, alike: float, rng: Random) -> list[float]:
    """Noise of one sigma in which neighbours correlate so."""
    value, found = rng.gauss(0, 1), []
    for _ in range(count):
        value = alike * value + rng.gauss(0, math.sqrt(1 - alike * alike))
        found.append(value)
    return found


def _of(height: Callable[[float], float], count: int, rng: Random, sigma: float = 1.0) -> list[float]:
    return [height(at / count) + rng.gauss(0, sigma) for at in range(count)]


def cache_that_fills(count: int, rng: Random) -> list[float]:
    """Each new key takes room, until there are no new ones."""
    full, size = rng.uniform(0.05, 0.8), rng.uniform(10, 200)
    return _of(lambda t: size * min(t / full, 1), count, rng)


def cache_of_random_keys(count: int, rng: Random) -> list[float]:
    """Fewer and fewer of the keys are new."""
    time, size = rng.uniform(0.05, 0.3), rng.uniform(10, 200)
    return _of(lambda t: size * (1 - math.exp(-t / time)), count, rng)


def lru_at_its_cap(count: int, rng: Random) -> list[float]:
    """As many entries go as come, of differing sizes."""
    return [100 + 3 * value for value in remembering(count, rng.uniform(0, 0.8), rng)]


def pool_in_steady_state(count: int, rng: Random) -> list[float]:
    """Some of it is in use."""
    return [50 + 5 * value for value in remembering(count, rng.uniform(0, 0.7), rng)]


def map_that_grew_once(count: int, rng: Random) -> list[float]:
    """One doubling."""
    at, size = rng.random(), rng.uniform(5, 100)
    return _of(lambda t: size * (t > at), count, rng)


def lazy_tables(count: int, rng: Random) -> list[float]:
    """Each is built when it is first needed."""
    built = [(0.7 * rng.random() ** 2, rng.uniform(3, 30)) for _ in range(rng.randint(1, 8))]
    return _of(lambda t: sum(size for at, size in built if t > at), count, rng)


def buffers_up_to_the_largest_request(count: int, rng: Random) -> list[float]:
    """The largest so far, of ever more requests."""
    requests, largest, found = rng.choice((2, 10, 50)), 0.0, []
    for _ in range(count):
        largest = max(largest, *(30 * rng.expovariate(1) for _ in range(requests)))
        found.append(largest + rng.gauss(0, 1))
    return found


def saw_tooth_of_gogc(count: int, rng: Random) -> list[float]:
    """What is in flight when a cycle begins."""
    return [30 + 10 * rng.random() for _ in range(count)]


def connections_that_ramp_up(count: int, rng: Random) -> list[float]:
    """Then they stay."""
    up, size = rng.uniform(0.05, 0.6), rng.uniform(10, 100)
    return _of(lambda t: size * min(t / up, 1), count, rng)


def cache_rebuilt_by_a_ticker(count: int, rng: Random) -> list[float]:
    """For a while old and new one are there."""
    period, offset = rng.uniform(1.5, count / 3), rng.random()
    return [20 + 20 * ((at / period + offset) % 1 < 0.3) + rng.gauss(0, 1) for at in range(count)]


def log_rotation(count: int, rng: Random) -> list[float]:
    """A buffer that fills and is emptied."""
    period, offset = rng.uniform(1.5, count / 3), rng.random()
    return [20 * ((at / period + offset) % 1) + rng.gauss(0, 1) for at in range(count)]


LOOK_ALIKES: tuple[Course, ...] = (
    cache_that_fills,
    cache_of_random_keys,
    lru_at_its_cap,
    pool_in_steady_state,
    map_that_grew_once,
    lazy_tables,
    buffers_up_to_the_largest_request,
    saw_tooth_of_gogc,
    connections_that_ramp_up,
    cache_rebuilt_by_a_ticker,
    log_rotation,
)


def steady_leak(count: int, rng: Random) -> list[float]:
    """40 in all, in noise of 1."""
    return _of(lambda t: 40 * t, count, rng)


def leak_behind_a_warm_up(count: int, rng: Random) -> list[float]:
    """A cache fills first, as large as the leak."""
    full = rng.uniform(0.05, 0.35)
    return _of(lambda t: 60 * t + 60 * min(t / full, 1), count, rng)


def leaked_slice(count: int, rng: Random) -> list[float]:
    """64 bytes an element in a slice that append makes larger by a quarter each time; 20 000 elements."""
    capacity, found = 512, []
    for at in range(count):
        length = (at + 1) * 20_000 / count
        while capacity < length:
            capacity = int(capacity * 1.25 + 192)
        found.append((capacity * 64 + rng.gauss(0, 4096)) / 20_000)
    return found


def leak_under_a_saw_tooth(count: int, rng: Random) -> list[float]:
    """A buffer fills and is emptied beside it."""
    period, offset = rng.uniform(1.5, count / 3), rng.random()
    return [60 * at / count + 6 * ((at / period + offset) % 1) + rng.gauss(0, 0.5) for at in range(count)]


LEAKS: tuple[Course, ...] = (steady_leak, leak_behind_a_warm_up, leaked_slice, leak_under_a_saw_tooth)
