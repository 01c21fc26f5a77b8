"""Times the engine beside others that do the same. See benchmarks/README.md."""
