"""A folder for the path of a process: `import sounddevice` finds the stand-in there."""
