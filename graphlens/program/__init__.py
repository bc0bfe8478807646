"""A captured program as plain, immutable data. Imports neither torch nor pandas."""
