"""Drawing in the kernel: the plan of `js/src/`, module by module under the same names, for one static picture."""
