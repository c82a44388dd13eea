"""Train, export and evaluate the models: prepare -> train -> export -> evaluate. Needs the `train` extra."""
