"""The verbs: each flow is a function with its ports as arguments and one plain result."""
