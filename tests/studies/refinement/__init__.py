"""Tests of refinement studies."""
