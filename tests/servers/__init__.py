"""Real servers on loopback, for tests and benchmarks: started on a free port, stopped at the end."""
