"""Whether a decomposed program is what torch's own decomposition table makes of the exported one.

Each op is decomposed on its own with torch's table (once per op, shapes and literals), the pieces are put together, and
the checker of `graphlens.diff.verify` compares the whole with what `run_decompositions` made. Torch's table is the axiom;
nothing of the search for corresponding nodes is.
"""
