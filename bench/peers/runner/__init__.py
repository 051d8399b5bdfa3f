"""Measures servers that others wrote beside weir; bench/peers/run is the program."""
