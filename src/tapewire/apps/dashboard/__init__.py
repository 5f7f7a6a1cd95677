"""The live page: static files and who hands them out."""
