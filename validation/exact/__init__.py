"""Exact solutions of the flow, against which the solver is measured."""
