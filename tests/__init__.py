"""Tests; `docs/development.md` says how they hear and see."""
