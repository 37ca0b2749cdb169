"""Gymnasium environments: grid problems from their own dynamics, policies that act in them, rollouts.

Gymnasium is the extra ``rl``; it is imported only when an environment is made or asked about.
"""
