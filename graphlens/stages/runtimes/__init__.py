"""The runtimes: each makes something callable of a model or a stage's product."""
