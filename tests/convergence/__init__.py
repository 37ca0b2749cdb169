"""The solver against exact solutions under refinement."""
