"""The HTTP API: a router per feature and the request pipeline. A router parses, calls a service and renders."""
