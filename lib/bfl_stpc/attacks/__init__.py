"""Attacks on this system and on what others do in its place: each shows what a component is for."""
