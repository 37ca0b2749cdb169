"""Grid-refinement studies: plan, runs, observed orders, error bands."""
