"""What tests share: environments, harnesses, servers and members."""
