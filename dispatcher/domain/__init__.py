"""The rules: what may happen to a delivery, in plain values; standard library only."""
