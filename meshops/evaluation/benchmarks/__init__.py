"""Benchmarks: modules that are run as programs and print what they measured. No test asserts their times."""
