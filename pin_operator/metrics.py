"""The metrics of an operator."""

from prometheus_client import Counter

STEPS = Counter("entativa_pin_operator_steps_total", "Steps of guess limiters", ["step", "outcome"])
# outcome: done, no_pin, exhausted, wrong, refused; rolled_back and rejected are alarms
REFUSED = Counter("entativa_pin_operator_refused_total", "Requests refused before any step", ["reason"])
# reason: token, rate, input
UNAVAILABLE = Counter("entativa_pin_operator_unavailable_total", "Requests that failed since a store or keys did")
