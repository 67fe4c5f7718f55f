"""Compares the speed of effnet and other engines on one machine.

README.md explains the method, `bench/run --help` the commands."""
