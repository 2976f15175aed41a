"""Where the program meets strangers: Convex, the gateway, Redis, Dramatiq, the machine."""
