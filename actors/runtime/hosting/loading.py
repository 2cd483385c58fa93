"""Loads entities for their activations: those that messages wait for, and those that a timer will soon be due for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actors.runtime.hosting.activation import Activation
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.supervise import BackgroundTasks
from cluster.cancellation import cancellation_first
from cluster.trace import resume_trace


class EntityLoading:
    """The loads of one host."""

    def __init__(
        self,
        runners: Mapping[str, TurnRunner],
        tasks: BackgroundTasks,
        loaded: Callable[[Activation], None],
        failed: Callable[[Activation, Exception], None],
        abandoned: Callable[[Activation], None],
    ) -> None:
        """One of the callbacks ends each load: ``loaded`` once the entity can be had by ``restore``, ``abandoned`` when
        the host stops."""
        self._runners = runners
        self._tasks = tasks
        self._loaded = loaded
        self._failed = failed
        self._abandoned = abandoned
        self.under_way = 0

    def begin(self, activation: Activation) -> None:
        """Loads the entity, which is not in memory."""
        self.under_way += 1
        activation.fresh = activation.mailbox.frozen is None
        runner = self._runners[activation.shard.kind]
        stored = runner.stored(activation.entity_id) if activation.fresh else None
        if stored is None:
            self._tasks.spawn("load", self._load(activation))
        else:
            # Without a task of its own: thousands may be loaded together.
            activation.stored = stored
            stored.add_done_callback(lambda _: self._read(activation))

    def restore(self, activation: Activation) -> None:
        """Makes the entity of what was read, if that is still to be done. Raises what the kind raises."""
        stored, activation.stored = activation.stored, None
        if stored is not None:
            runner = self._runners[activation.shard.kind]
            activation.mailbox.entity = runner.restore(activation.entity_id, stored.result())

    def _read(self, activation: Activation) -> None:
        self.under_way -= 1
        stored = activation.stored
        assert stored is not None
        if stored.cancelled():
            self._abandoned(activation)
        elif isinstance(error := stored.exception(), Exception):
            self._failed(activation, error)
        else:
            self._loaded(activation)

    async def _load(self, activation: Activation) -> None:
        mailbox = activation.mailbox
        resume_trace(mailbox.inbox[0].trace if mailbox.inbox else None)
        try:
            runner = self._runners[activation.shard.kind]
            with cancellation_first():
                mailbox.entity = await runner.load(activation.entity_id, mailbox)
        except Exception as error:  # noqa: BLE001 - recorded, and told to the callers
            self._failed(activation, error)
        except BaseException:
            self._abandoned(activation)
            raise
        else:
            self._loaded(activation)
        finally:
            self.under_way -= 1
