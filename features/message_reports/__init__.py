"""Messages that their recipients report to moderators, with the proof that they were sent."""
