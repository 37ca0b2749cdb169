"""Flows: what a policy descends along, each with its step and its own dissipation; by name in `solver.registry`."""
