"""The interface and command line of ais_bench for offline models of omkit."""
