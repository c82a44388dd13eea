"""Studies of one question each; none of them makes or scores a published model."""
