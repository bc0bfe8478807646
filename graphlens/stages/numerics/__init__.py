"""Two programs run side by side along their alignment: where do they part? (Owner while it is being written: "numerics", not "stages".)"""
