"""What the outside sees: health, metrics, the wake-up call and a page."""
