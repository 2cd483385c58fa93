"""The coordinator: who owns which shard, how many hosts there are, and the Ray actors behind them."""
