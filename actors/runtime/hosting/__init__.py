"""The shard host: a Ray actor that owns shards under a lease and runs the turns of their entities."""
