"""Bills, prices, power, space and months of use."""
