"""The runtime process: supervised loops and the web app beside them."""
