"""effnet and the engines in use, side by side on one machine.

README.md says how it measures; `bench/run --help` how to run it."""
