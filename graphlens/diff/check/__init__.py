"""The parts of the checker. They trust no hash and share no code with the search; `graphlens.diff.verify` puts them together."""
