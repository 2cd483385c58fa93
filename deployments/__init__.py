"""Ray Serve: the gateway, the consumers, and the application builders that serve_config.yaml names."""
