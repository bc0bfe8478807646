"""What torch.compile captured, broke on and recompiled. (Owner while it is being written: "numerics", not "stages".)"""
