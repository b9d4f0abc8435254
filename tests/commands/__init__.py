"""The commands that people type on their own machine: on a simulated cluster, and one story on a real control plane."""
