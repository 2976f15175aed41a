"""The human side: what people do on the board, as plain operations."""
