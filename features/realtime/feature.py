"""What this slice declares. Its tickets and its list of hosts are in Redis, for seconds."""

from features.feature import Feature

REALTIME = Feature(name="realtime")
