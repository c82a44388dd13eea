"""Every setting: its default, its check, and where the token comes from."""
