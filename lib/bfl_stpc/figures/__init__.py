"""Figures: plot functions of tidy data, one style, byte-stable files. No protocol and no TensorFlow here."""
