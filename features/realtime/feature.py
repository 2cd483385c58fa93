"""What this slice declares. Its tickets and its list of hosts are in Redis, for seconds."""

from random import SystemRandom

from features.feature import Feature, Scope
from features.realtime.policy import RealtimePolicy
from features.realtime.service import RealtimeService
from features.realtime.store import HostDirectory, TicketStore


def _service(scope: Scope) -> RealtimeService:
    tickets, directory = TicketStore(scope.redis, scope.brand), HostDirectory(scope.redis, scope.brand)
    return RealtimeService(scope.policy(RealtimePolicy), tickets, directory, SystemRandom())


REALTIME = Feature(name="realtime", policy=RealtimePolicy, service=_service)
