"""The search for which node became which. It may guess; `graphlens.diff.verify` decides."""
