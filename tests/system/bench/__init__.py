"""The benchmarks: the generator detects wrong answers, every measurement runs."""
