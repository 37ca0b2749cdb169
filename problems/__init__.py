"""Statements of problems: the problem file, its expressions, Python statements, and the gallery."""
