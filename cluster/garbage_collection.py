"""How often processes that live long look for cyclic garbage.

Objects are freed by their reference counts; the collector only finds cycles. By CPython's defaults it looks at the
youngest objects after each 700 more than were freed, and now and then at all there are, which holds up an event loop
for about 110 ms in a process that has imported this platform.
"""

import gc

YOUNGEST, YOUNG, OLD = 10_000, 20, 20
"""How many new objects, and how many collections of the generation before, begin one: see `gc.set_threshold`."""


def collect_garbage_rarely() -> None:
    """Leaves all that exists now (modules, mostly) out of collections, and makes them rare. For the start of a process,
    after its imports; processes that run one task and end have no use for it."""
    gc.freeze()
    gc.set_threshold(YOUNGEST, YOUNG, OLD)
