"""Compiling a kernel counts as running it: no deadline for single examples."""

from hypothesis import settings

settings.register_profile("kernels", deadline=None)
settings.load_profile("kernels")
