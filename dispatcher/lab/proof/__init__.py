"""Proof under fire: a planned load, planned troubles, and a judge who reads the ledgers."""
