"""The set log: what was heard, second by second and part by part, kept in a database; and what can be made of it."""
