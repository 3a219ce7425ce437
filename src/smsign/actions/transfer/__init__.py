"""Whole databases and blob stores: copy, back up, restore."""
