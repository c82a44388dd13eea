"""The genre head: what it needs, and what makes labels of its logits."""
