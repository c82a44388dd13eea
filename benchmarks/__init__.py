"""What the program costs and how well it does, measured on the machine at hand; `python -m benchmarks.NAME --help`."""
