"""The MDP on its grids, its Bellman equations, flows, time schemes, runs and run files."""
