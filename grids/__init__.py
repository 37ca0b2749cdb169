"""Axes, grids, masses of cells, and Markov transitions between the points of a grid; knows no decision problem."""
