"""The three-player game: losses, networks, the order of play, and how an epoch and a threshold are chosen."""
