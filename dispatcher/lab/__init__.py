"""Whole stacks on this machine: a private Redis, the sandbox and our own processes."""
