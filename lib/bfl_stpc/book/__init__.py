"""The book: executed notebooks, figures with their provenance, and the API reference as one static site.

`site.build` is behind `make book`. It executes nothing: it shows what `make reproduce` left.
"""
