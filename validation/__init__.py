"""Theory against numbers: claims and their verdicts, constants, rates, exact solutions, negative controls."""
