"""The stages: each one function from a model or captured program to the next form of it."""
