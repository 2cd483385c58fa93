"""What the platform stands on: settings, storage, the event log, telemetry, local services and the command line."""
