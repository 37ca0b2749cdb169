"""Constants of the grid generators: spectral gaps, modified log-Sobolev constants and guaranteed bounds for them."""
