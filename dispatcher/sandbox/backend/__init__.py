"""A stand-in for the Convex backend: the same wire, the same rules, on this machine."""
