"""Drawing in the kernel: the same layout as `js/src/` makes in the browser, module by module under the same names."""
