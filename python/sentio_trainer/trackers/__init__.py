"""Services that follow a training: one module each, imported where it is asked for."""
