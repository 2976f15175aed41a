"""The benchmark: the program as it is deployed, against a stand-in that costs little itself."""
