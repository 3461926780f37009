"""Stands in for the package that Debian 12 does not have: events are dropped."""
