"""What the manual needs of Sphinx beyond its own: formulas as MathML, and pages generated from the code itself."""
