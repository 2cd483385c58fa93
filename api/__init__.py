"""The HTTP surface: one router file per feature and the frame they share. A router parses, calls a service, renders."""
