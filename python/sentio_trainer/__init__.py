"""Trains Sentio's models offline and writes the artifacts that C++ trades."""
