"""The tempo head: what it needs, and what makes a steady BPM of its logits."""
