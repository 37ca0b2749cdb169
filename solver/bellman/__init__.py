"""Soft Bellman equations: linear systems, evaluation, improvement, optimum."""
