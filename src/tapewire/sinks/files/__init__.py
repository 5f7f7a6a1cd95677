"""Sinks that write files: lines of JSON and Parquet, laid out, rotated, mended, and read again."""
