"""The stand-in Convex and the scripted gateway: for development, tests and proofs."""
