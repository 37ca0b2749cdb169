"""Kernels that know no grid: elementary functions, sums, extremes, lines of cells; and BLAS held to one thread."""
