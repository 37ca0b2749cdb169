"""Time schemes, and the one integrator that accepts and rejects their trials; by name in `solver.registry`."""
