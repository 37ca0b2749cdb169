"""The MDP on its grids, Bellman, flux, steps, stepping, the run, the run file."""
