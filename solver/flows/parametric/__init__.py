"""Flows of policies that are given by parameters: what is followed is the parameters, and p is made of them."""
