"""What a brand can change about devices."""

from dataclasses import dataclass, field
from datetime import timedelta

from crypto.mls import RFC_SUITES, CipherSuite
from features.documented import documented


@dataclass(frozen=True, slots=True)
class DevicePolicy:
    changes_per_day: int = 20
    """Of an account's devices: each is a version of its keys that every contact follows. So many times a day sessions
    can take over its devices, too."""
    max_devices: int = documented(10, most=64)
    """Of an account at a time. The protocol allows 64 (crypto.directory.AccountKeys)."""
    link_lifetime: timedelta = timedelta(minutes=10)
    """How long a device waits for the approval of another one."""
    max_one_time_prekeys: int = 200
    """Of a device, of either kind, and of KeyPackages in a suite."""
    low_water: int = 20
    """A device is told when it has fewer left."""
    suites: frozenset[CipherSuite] = field(default=RFC_SUITES)
    """In which KeyPackages may be published."""
    claims_per_hour: int = 30
    """Of one account for the keys of another one; more are refused."""
    stranger_claims_per_hour: int = 60
    """For the keys of one account, by people whom it has no connection to; beyond that they get last resorts, so that
    strangers together cannot use its one-time keys up."""
    directory_period: timedelta = timedelta(seconds=1)
    """How soon the key directory shows what was submitted: each time it closes an epoch."""
    directory_quick_epochs: int = 60
    """Within an hour; once there were so many, epochs are closed with `directory_busy_period`, or when they are full:
    the devices of all accounts check every epoch."""
    directory_busy_period: timedelta = timedelta(minutes=1)
    directory_heartbeat: timedelta = timedelta(minutes=30)
    """After which an epoch is closed although nothing was submitted."""
    directory_max_age: timedelta = timedelta(hours=1)
    """Clients should distrust a directory whose newest epoch is older."""
    directory_epoch_accounts: int = 200
    """Whose keys one epoch shows at most; what is left is shown by the next one, at once."""
