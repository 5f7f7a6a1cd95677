"""Room 2, frame → file → frame: what went over every line, on disk, safe from crashes."""
