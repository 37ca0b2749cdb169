"""What files say is optimised, in words."""

COSTS_ALONE = (
    "minimise discounted costs alone; values and Q of the optimum are of these",
    "maximise discounted rewards alone; costs are minus rewards, and values and Q of the optimum are minus these",
)
"""The objective at temperature 0, of costs and of rewards."""
