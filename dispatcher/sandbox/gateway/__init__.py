"""The sandbox's gateway: says what it is told to, and keeps the contract of the real one."""
